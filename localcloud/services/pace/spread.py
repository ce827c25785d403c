"""What was just made is not known everywhere yet (AWS: eventual consistency).

EC2 does not find a group or an instance by its id, nor an instance profile; S3 does not know a role
that a policy names; a role's calls are judged by the policies that it had before.
"""

import re
from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.errors import Refusal
from localcloud.services.pace.recent import Recent
from localcloud.settings import ACCOUNT

ROLE = PROFILE = 6
IDS = {
    "CreateSecurityGroup": (re.compile(rb"<groupId>(sg-[0-9a-f]+)<"), 4),
    "RunInstances": (re.compile(rb"<instanceId>(i-[0-9a-f]+)<"), 2),
}
UNKNOWN = {
    "sg": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
}
POLICY_CALLS = ("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy")
WITH_PROFILE = (
    "RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation",
)  # fmt: skip
ROLE_ARN = re.compile(rf"arn:aws:iam::{ACCOUNT}:role/(?:[^\"/]+/)*([^\"/]+)")


class Spread:
    def __init__(self, cloud, recent: Recent):
        self._cloud = cloud
        self._recent = recent

    def before(self, call: Call) -> None:
        """Raise `Refusal` for what is not known yet; remember what a role may until now."""
        if call.service == "ec2":
            self._check_ids(call)
            if call.operation in WITH_PROFILE:
                self._check_profile(call.parameters.get("IamInstanceProfile") or {})
        elif call.service == "s3" and call.operation == "PutBucketPolicy":
            for name in ROLE_ARN.findall(str(call.parameters.get("Policy"))):
                if self._recent.find(f"role {name}"):
                    raise Refusal((400, "MalformedPolicy"), "Invalid principal in policy")
        elif call.service == "iam" and call.operation in POLICY_CALLS:
            role = self._role(call.parameters.get("RoleName"))
            if role is not None:
                self._recent.note(f"policies {role.id}", ROLE, _policies(role))

    def after(self, call: Call, answer: bytes) -> None:
        """Remember what this call has made."""
        if call.service == "ec2" and call.operation in IDS:
            pattern, seconds = IDS[call.operation]
            for name in pattern.findall(answer):
                self._recent.note(name.decode(), seconds)
        if call.service == "iam" and call.operation == "CreateRole":
            self._recent.note(f"role {call.parameters['RoleName']}", ROLE)
        if call.service == "iam" and call.operation in (
            "CreateInstanceProfile", "AddRoleToInstanceProfile",
        ):  # fmt: skip
            self._recent.note(f"profile {call.parameters['InstanceProfileName']}", PROFILE)

    def _check_ids(self, call: Call) -> None:
        given = {key: value for key, value in call.parameters.items() if key != "Filters"}
        for text in _texts(given):
            if self._recent.find(text) and text.partition("-")[0] in UNKNOWN:
                code, message = UNKNOWN[text.partition("-")[0]]
                raise Refusal((400, code), message.format(text))

    def _check_profile(self, profile: dict) -> None:
        for key, said in (("Arn", "ARN"), ("Name", "name")):
            name = (profile.get(key) or "").rpartition("/")[2]
            if self._recent.find(f"profile {name}"):
                raise Refusal(
                    (400, "InvalidParameterValue"),
                    f"Value ({profile[key]}) for parameter iamInstanceProfile.{key.lower()} is "
                    f"invalid. Invalid IAM Instance Profile {said}",
                )

    def _role(self, name: str | None):
        roles = self._cloud.backend("iam", "aws").roles.values()
        return next((each for each in list(roles) if each.name == name), None)


def _policies(role) -> tuple[dict, dict]:
    return dict(role.policies), dict(role.managed_policies)


def _texts(value) -> Iterator[str]:
    """Every string in parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
