"""IAM: roles are moto's; the metadata service gives hosts their credentials."""

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.responses import IamResponse

from localcloud.hooks import hook
from localcloud.services.base import Row, Service


class Iam(Service):
    """Roles and who has them; `localcloud.identity` enforces what their policies say."""

    @hook(IamResponse, "update_role", "self")
    def update_role(self, original, response):
        """moto resets what is not named."""
        role = response.backend.get_role(response._get_param("RoleName"))
        description = response._get_param("Description")
        duration = response._get_param("MaxSessionDuration")
        if description is not None:
            role.description = description
        if duration is not None:
            role.max_session_duration = duration
        return EmptyResult()

    @hook(IamResponse, "list_instance_profiles", "self")
    def list_profiles(self, original, response):
        """moto does not look at the path."""
        path = response._get_param("PathPrefix", "/")
        profiles = response.backend.get_instance_profiles()
        return ActionResult(
            {"InstanceProfiles": [each for each in profiles if each.path.startswith(path)]}
        )

    @hook(IamResponse, "list_groups", "self")
    def list_groups(self, original, response):
        path = response._get_param("PathPrefix", "/")
        groups = response.backend.list_groups()
        return ActionResult({"Groups": [each for each in groups if each.path.startswith(path)]})

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
