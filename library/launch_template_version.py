#!/usr/bin/python
"""Ansible module: the version of a launch template that has some content."""

DOCUMENTATION = r"""
module: launch_template_version
short_description: Have a version of a launch template with exactly this content, and few others
description:
  - Finds the version whose content O(data) is, or makes it. A version never changes, so one that an
    earlier release had is used again.
  - With O(keep), makes it the default, which nobody has to use, and deletes old ones.
notes:
  - "Gap in the collections: M(amazon.aws.ec2_launch_template) compares with the newest version
    only, so going back makes a copy; it does not tell which number a content has, deletes only
    versions that are named, and only together with the template, and shows no diff."
options:
  name:
    description: Name of the template.
    type: str
    required: true
  data:
    description: The content as the API has it (LaunchTemplateData), but with C(UserData) as plain
      text.
    type: dict
    default: {}
  description:
    description: What a new version says of itself.
    type: str
    default: ""
  keep:
    description: How many versions stay. Without it, all do.
    type: int
  used:
    description: Numbers of versions that stay in any case.
    type: list
    elements: int
    default: []
  tags:
    description: Tags that a new template gets.
    type: dict
    default: {}
  state:
    description: Whether there is such a version, or the template at all.
    type: str
    choices: [present, absent]
    default: present
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have a version for this image
  launch_template_version:
    name: shop-web
    description: release 1.4.0
    data: {ImageId: ami-0123456789abcdef0, InstanceType: t3.small}
  register: template

- name: Delete old ones, now that it serves
  launch_template_version:
    name: shop-web
    data: {ImageId: ami-0123456789abcdef0, InstanceType: t3.small}
    keep: 3
"""

RETURN = r"""
version:
  description: Number of the version; in check mode the one that it would get, 0 when absent.
  returned: always
  type: int
  sample: 7
images:
  description: Images that the versions which stay are made of.
  returned: always
  type: list
  elements: str
  sample: [ami-0123456789abcdef0]
deleted:
  description: Numbers of versions that were deleted.
  returned: always
  type: list
  elements: int
"""

from ansible.module_utils.scaling import surplus_versions, template_data, template_digest
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

UNKNOWN = "InvalidLaunchTemplateName.NotFoundException"
MOST = 255


def read(client, name):
    """The versions, the newest first; None without the template."""
    pages = client.get_paginator("describe_launch_template_versions")
    try:
        found = [
            version
            for page in pages.paginate(LaunchTemplateName=name)
            for version in page["LaunchTemplateVersions"]
        ]
    except is_boto3_error_code(UNKNOWN):
        return None
    return sorted(found, key=lambda each: -each["VersionNumber"])


def marked(description, digest):
    """What a version says of itself. AWS may tell its content in another form than it was given."""
    return f"{description[: MOST - len(digest) - 1]} {digest}".strip()


def make(client, module, new_template, description):
    params = module.params
    content = {
        "LaunchTemplateName": params["name"],
        "VersionDescription": description,
        "LaunchTemplateData": template_data(params["data"]),
    }
    if not new_template:
        made = client.create_launch_template_version(**content)
        return made["LaunchTemplateVersion"]["VersionNumber"]
    tags = [{"Key": key, "Value": str(value)} for key, value in sorted(params["tags"].items())]
    if tags:
        content["TagSpecifications"] = [{"ResourceType": "launch-template", "Tags": tags}]
    return client.create_launch_template(**content)["LaunchTemplate"]["LatestVersionNumber"]


def prune(client, module, version):
    """Make the version the default and delete what is not kept; the numbers of these."""
    name, versions = module.params["name"], read(client, module.params["name"])
    used = [*module.params["used"], version]
    default = next((each["VersionNumber"] for each in versions if each["DefaultVersion"]), None)
    as_it_will_be = [
        each | {"DefaultVersion": each["VersionNumber"] == version} for each in versions
    ]
    going = surplus_versions(as_it_will_be, module.params["keep"], used)
    if not module.check_mode:
        if default != version:
            client.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(version))
        if going:
            answer = client.delete_launch_template_versions(
                LaunchTemplateName=name, Versions=[str(each) for each in going]
            )
            if failed := answer["UnsuccessfullyDeletedLaunchTemplateVersions"]:
                module.fail_json(msg=f"Versions of {name} cannot be deleted: {failed}")
    return going, default != version


def ensure_present(client, module):
    params = module.params
    versions = read(client, params["name"])
    digest = template_digest(params["data"])
    same = [
        each["VersionNumber"]
        for each in versions or []
        if each.get("VersionDescription", "").endswith(digest)
    ]
    newest = versions[0] if versions else {}
    changed, going = not same, []
    if same:
        version = same[0]
    elif module.check_mode:
        version = newest.get("VersionNumber", 0) + 1
    else:
        description = marked(params["description"], digest)
        version = make(client, module, versions is None, description)
    if params["keep"] is not None and not (module.check_mode and changed):
        going, moved = prune(client, module, version)
        changed = changed or bool(going) or moved
    left = [each for each in versions or [] if each["VersionNumber"] not in going]
    images = {each["LaunchTemplateData"].get("ImageId") for each in left}
    images.add(params["data"].get("ImageId"))
    return {
        "changed": changed,
        "version": version,
        "images": sorted(each for each in images if each),
        "deleted": going,
        "diff": {
            "before": {"versions": sorted(each["VersionNumber"] for each in versions or [])},
            "after": {"versions": sorted({each["VersionNumber"] for each in left} | {version})},
        },
    }


def ensure_absent(client, module):
    versions = read(client, module.params["name"])
    if versions is not None and not module.check_mode:
        client.delete_launch_template(LaunchTemplateName=module.params["name"])
    numbers = sorted(each["VersionNumber"] for each in versions or [])
    return {
        "changed": versions is not None,
        "version": 0,
        "images": [],
        "deleted": numbers,
        "diff": {"before": {"versions": numbers}, "after": {"versions": []}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "data": {"type": "dict", "default": {}},
            "description": {"type": "str", "default": ""},
            "keep": {"type": "int"},
            "used": {"type": "list", "elements": "int", "default": []},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the launch template {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
