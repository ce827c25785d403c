"""Launch templates: numbered versions that give an instance all of their settings."""

import copy

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidLaunchTemplateIdNotFound,
    InvalidLaunchTemplateNameNotFoundWithNameError,
    InvalidLaunchTemplateVersionNotFound,
)
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.responses.launch_templates import LaunchTemplates as LaunchTemplatesResponse
from moto.ec2.utils import convert_tag_spec, parse_user_data

from localcloud.hooks import addition, hook
from localcloud.services.base import Service

ALL = 10_000  # moto cuts lists off without saying so; they are paged elsewhere


class LaunchTemplates(Service):
    """A template's tags stay its own; a version may be based on another, and be deleted."""

    @hook(LaunchTemplatesResponse, "create_launch_template", "self")
    def create(self, original, response):
        """moto puts the template's tags into its data, which so differs at every comparison."""
        for kind in response._parse_tag_specification():
            if kind != "launch-template":
                raise EC2ClientError(
                    "InvalidParameterValue",
                    f"'{kind}' is not a valid taggable resource type for this operation.",
                )
        data = copy.deepcopy(response._get_param("LaunchTemplateData", {}))
        answer = original(response)
        name = response._get_param("LaunchTemplateName")
        version = response.ec2_backend.get_launch_template_by_name(name).versions[0]
        self._set_data(version, data)
        return answer

    @hook(LaunchTemplatesResponse, "create_launch_template_version", "self")
    def create_version(self, original, response):
        template = self._template(response)
        data = copy.deepcopy(response._get_param("LaunchTemplateData", {}))
        source = response._get_param("SourceVersion")
        if source:
            data = {**template.get_version(source).data, **data}
        response.params["LaunchTemplateData"] = data
        answer = original(response)
        version = template.latest_version()
        self._set_data(version, data)
        return answer

    def _set_data(self, version, data: dict) -> None:
        if data.get("UserData") is not None:
            data["UserData"] = parse_user_data(str(data["UserData"]))
        version.data = data
        version.instance_tags = convert_tag_spec(data.get("TagSpecifications") or []).get(
            "instance", {}
        )

    def _template(self, response) -> LaunchTemplate:
        backend = response.ec2_backend
        name = response._get_param("LaunchTemplateName")
        if name:
            return backend.get_launch_template_by_name(name)
        return backend.get_launch_template(response._get_param("LaunchTemplateId"))

    @hook(LaunchTemplate, "create_version", "self, data, description")
    def number(self, original, template, data, description):
        """Numbers go on where a deleted version had one."""
        version = original(template, data, description)
        version.number = getattr(template, "last_number", version.number - 1) + 1
        template.last_number = version.number
        return version

    @hook(LaunchTemplate, "get_version", "self, num")
    def version(self, original, template, num):
        if str(num).lower() in ("$latest", "$default"):
            return original(template, num)
        for each in template.versions:
            if str(each.number) == str(num):
                return each
        raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=num)

    @hook(LaunchTemplate, "default_version", "self")
    def default_version(self, original, template):
        return template.get_version(template.default_version_number)

    @addition(LaunchTemplatesResponse, "delete_launch_template_versions", "self")
    def delete_versions(self, response):
        template = self._template(response)
        deleted, failed = [], []
        for number in response._get_param("Versions", []):
            described = {
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "VersionNumber": int(number) if str(number).isdecimal() else None,
            }
            error = self._delete(template, number)
            if error:
                code, message = error
                described["ResponseError"] = {"Code": code, "Message": message}
                failed.append(described)
            else:
                deleted.append(described)
        return ActionResult(
            {
                "SuccessfullyDeletedLaunchTemplateVersions": deleted,
                "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
            }
        )

    def _delete(self, template: LaunchTemplate, number) -> tuple[str, str] | None:
        """Delete a version; say why not."""
        found = [each for each in template.versions if str(each.number) == str(number)]
        if not found:
            return "launchTemplateVersionDoesNotExist", f"Version {number} does not exist."
        if template.is_default(found[0]):
            return "unexpectedError", f"Version {number} is the default version."
        template.versions.remove(found[0])
        return None

    @hook(InstanceBackend, "_get_template_from_args", "self, launch_template_arg")
    def template(self, original, backend, launch_template_arg):
        """The version that a launch names; an error that names what is not there."""
        template_id = launch_template_arg.get("LaunchTemplateId")
        name = launch_template_arg.get("LaunchTemplateName")
        if template_id and template_id not in backend.launch_templates:
            raise InvalidLaunchTemplateIdNotFound(template_id)
        if name and name not in backend.launch_template_name_to_ids:
            raise InvalidLaunchTemplateNameNotFoundWithNameError(name)
        return original(backend, launch_template_arg)

    @hook(LaunchTemplateBackend, "describe_launch_template_versions",
          "self, template_name, template_id, versions, min_version, max_version, "
          "max_results")  # fmt: skip
    def describe_versions(self, original, backend, template_name, template_id, versions,
                          min_version, max_version, max_results):  # fmt: skip
        found = original(backend, template_name, template_id, versions, None, None, ALL)
        return [
            (template, version)
            for template, version in found
            if (min_version or 0) <= version.number <= (max_version or ALL)
        ]

    @hook(LaunchTemplatesResponse, "get_launch_template_data", "self")
    def data_of(self, original, response):
        """moto makes some of an instance's settings up."""
        answer = original(response)
        instance = response.ec2_backend.get_instance(response._get_param("InstanceId"))
        data = answer.result["LaunchTemplateData"]
        for mapping, device in zip(
            data["BlockDeviceMappings"], instance.block_device_mapping, strict=True
        ):
            mapping["DeviceName"] = device
        options = instance.metadata_options
        data["MetadataOptions"] = {
            "HttpTokens": options.http_tokens,
            "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            "HttpEndpoint": options.http_endpoint,
            "HttpProtocolIpv6": options.http_protocol_ipv6,
            "InstanceMetadataTags": options.instance_metadata_tags,
        }
        for specification, nic in zip(
            data["NetworkInterfaces"], instance.nics.values(), strict=True
        ):
            specification["AssociatePublicIpAddress"] = bool(nic.public_ip)
            specification["Groups"] = [group.id for group in nic.group_set]
        return answer

    @hook(LaunchTemplatesResponse, "describe_launch_templates", "self")
    def describe(self, original, response):
        wanted = response.params.pop("MaxResults", None)
        response.params["MaxResults"] = ALL
        try:
            return original(response)
        finally:
            del response.params["MaxResults"]
            if wanted is not None:
                response.params["MaxResults"] = wanted
