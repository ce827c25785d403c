"""SSM Parameter Store: parameters are moto's."""

from localcloud.services.base import Row, Service


class Ssm(Service):
    """Parameters are listed by name: their values may be secrets."""

    def rows(self) -> list[Row]:
        return [
            Row(
                id=name,
                kind="SSM parameter",
                name=versions[-1].parameter_type,
                state=f"version {versions[-1].version}",
                real="kept in api.pickle",
                health="ok",
            )
            for name, versions in sorted(dict.items(self.cloud.backend("ssm")._parameters))
            if versions and not name.startswith("/aws/")
        ]
