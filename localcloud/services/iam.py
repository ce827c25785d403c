"""IAM: roles are moto's; the metadata service gives hosts their credentials."""

from localcloud.services.base import Row, Service


class Iam(Service):
    """Roles and who has them; `localcloud.identity` enforces what their policies say."""

    def rows(self) -> list[Row]:
        backend = self.cloud.backend("iam", "aws")
        users = [each.iam_instance_profile for each in self._associations()]
        return [
            Row(
                id=role.id,
                kind="IAM role",
                name=role.name,
                real=f"credentials of {sum(role in each.roles for each in users)} hosts",
                health="ok",
            )
            for role in list(backend.roles.values())
        ]

    def _associations(self) -> list:
        return list(self.cloud.backend("ec2").iam_instance_profile_associations.values())
