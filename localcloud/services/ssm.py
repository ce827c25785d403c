"""SSM Parameter Store: parameters are moto's."""

import threading

from moto.ssm.models import SimpleSystemManagerBackend

from localcloud.hooks import hook
from localcloud.services.base import Row, Service

_puts = threading.Lock()


class Ssm(Service):
    """Parameters are listed by name: their values may be secrets."""

    @hook(
        SimpleSystemManagerBackend,
        "put_parameter",
        "self, name, description, value, parameter_type, allowed_pattern, keyid, overwrite, tags, "
        "data_type, tier, policies",
    )
    def put(self, original, backend, *arguments, **options):
        """Without Overwrite one of several callers makes it: playbooks lock with that."""
        with _puts:
            return original(backend, *arguments, **options)

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
