#!/usr/bin/python
"""Ansible module: a domain name of API Gateway and the API that it leads to."""

DOCUMENTATION = r"""
module: apigatewayv2_domain
short_description: Keep a domain name of API Gateway, and the API that it leads to
description:
  - Makes API Gateway answer to a domain name with a certificate of ACM, leads it to a stage of an
    API, and waits until it does. With O(state=absent) both go.
notes:
  - "Gap in the collections: M(community.aws.api_gateway_domain) is for REST APIs, and waits for
    nothing."
  - API Gateway refuses requests whose C(Host) is neither such a name nor its own. So a CDN that
    passes on the visitor's C(Host) needs one.
options:
  name:
    description: The domain name.
    type: str
    required: true
  certificate_arn:
    description: Certificate of ACM in the same region. Needed with O(state=present).
    type: str
  api_id:
    description: The API that it leads to. Needed with O(state=present).
    type: str
  stage:
    description: The stage of that.
    type: str
    default: $default
  tls_policy:
    description: The oldest TLS that it speaks.
    type: str
    choices: [TLS_1_0, TLS_1_2]
    default: TLS_1_2
  tags:
    description: Tags of the domain name. Others that it has stay.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds to wait until AWS has a change.
    type: int
    default: 600
  state:
    description: Whether it exists.
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
- name: Let the API answer to the shop's name
  apigatewayv2_domain:
    name: shop.example.com
    certificate_arn: "{{ certificate.arn }}"
    api_id: a1b2c3d4e5
    tags: {Project: shop}
  register: domain

- name: Remove the name
  apigatewayv2_domain: {name: shop.example.com, state: absent}
"""

RETURN = r"""
target:
  description: The name of API Gateway behind it, for an alias record or as the origin of a CDN;
    empty when there is none.
  returned: always
  type: str
  sample: d-abcdefghij.execute-api.us-east-1.amazonaws.com
zone_id:
  description: Hosted zone of that name, for an alias record.
  returned: always
  type: str
  sample: Z1UJRXOUMOOFQ8
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 5
ENDPOINT = "REGIONAL"
# Where no path comes before those of the API.
ROOT = ""


def read(client, name):
    """The domain name as AWS tells it; empty when there is none."""
    try:
        return client.get_domain_name(DomainName=name)
    except client.exceptions.NotFoundException:
        return {}


def configuration(domain):
    return (domain.get("DomainNameConfigurations") or [{}])[0]


def mappings(client, name):
    found, more = [], {}
    while True:
        page = client.get_api_mappings(DomainName=name, **more)
        found += page["Items"]
        if "NextToken" not in page:
            return found
        more = {"NextToken": page["NextToken"]}


def look(domain, found):
    """The domain by our names."""
    if not domain:
        return {}
    root = next((each for each in found if each.get("ApiMappingKey", ROOT) == ROOT), {})
    of = configuration(domain)
    return {
        "certificate_arn": of.get("CertificateArn"),
        "tls_policy": of.get("SecurityPolicy"),
        "api_id": root.get("ApiId"),
        "stage": root.get("Stage"),
        "tags": domain.get("Tags", {}),
    }


def settle(client, module):
    """The domain once AWS has it as it was told."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    deadline = time.monotonic() + seconds
    while True:
        domain = read(client, name)
        status = configuration(domain).get("DomainNameStatus", "AVAILABLE")
        if domain and status == "AVAILABLE":
            return domain
        if time.monotonic() > deadline:
            about = configuration(domain).get("DomainNameStatusMessage", "")
            module.fail_json(
                msg=f"The domain name {name} was waited for, for {seconds} s: it is {status}. "
                f"{about}".strip()
            )
        time.sleep(POLL_SECONDS)


def wanted_configuration(params):
    return [
        {
            "CertificateArn": params["certificate_arn"],
            "EndpointType": ENDPOINT,
            "SecurityPolicy": params["tls_policy"],
        }
    ]


def write_domain(client, module, before, wanted):
    """Make the name so; it leads nowhere yet when it is new."""
    params = module.params
    named = {"DomainName": params["name"]}
    if not before:
        client.create_domain_name(
            **named,
            DomainNameConfigurations=wanted_configuration(params),
            Tags=wanted["tags"],
        )
        return
    if any(before[key] != wanted[key] for key in ("certificate_arn", "tls_policy")):
        client.update_domain_name(**named, DomainNameConfigurations=wanted_configuration(params))
    if missing := dict(wanted["tags"].items() - before["tags"].items()):
        arn = (
            f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::"
            f"/domainnames/{params['name']}"
        )
        client.tag_resource(ResourceArn=arn, Tags=missing)


def write_mapping(client, params, found):
    to = {"DomainName": params["name"], "ApiId": params["api_id"], "Stage": params["stage"]}
    root = next((each for each in found if each.get("ApiMappingKey", ROOT) == ROOT), None)
    if root is None:
        client.create_api_mapping(**to)
    elif (root["ApiId"], root["Stage"]) != (params["api_id"], params["stage"]):
        client.update_api_mapping(**to, ApiMappingId=root["ApiMappingId"])


def ensure_present(client, module):
    params = module.params
    domain = read(client, params["name"])
    found = mappings(client, params["name"]) if domain else []
    before = look(domain, found)
    own = {key: str(value) for key, value in params["tags"].items()}
    wanted = {key: params[key] for key in ("certificate_arn", "tls_policy", "api_id", "stage")}
    wanted["tags"] = before.get("tags", {}) | own
    if before != wanted and not module.check_mode:
        write_domain(client, module, before, wanted)
        domain = settle(client, module)
        write_mapping(client, params, found)
    return {
        "changed": before != wanted,
        "target": configuration(domain).get("ApiGatewayDomainName", ""),
        "zone_id": configuration(domain).get("HostedZoneId", ""),
        "diff": {"before": before, "after": wanted},
    }


def ensure_absent(client, module):
    name = module.params["name"]
    domain = read(client, name)
    found = mappings(client, name) if domain else []
    if domain and not module.check_mode:
        for each in found:
            client.delete_api_mapping(DomainName=name, ApiMappingId=each["ApiMappingId"])
        client.delete_domain_name(DomainName=name)
    return {
        "changed": bool(domain),
        "target": "",
        "zone_id": "",
        "diff": {"before": look(domain, found), "after": {}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "certificate_arn": {"type": "str"},
            "api_id": {"type": "str"},
            "stage": {"type": "str", "default": "$default"},
            "tls_policy": {"type": "str", "choices": ["TLS_1_0", "TLS_1_2"], "default": "TLS_1_2"},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 600},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["certificate_arn", "api_id"])],
        supports_check_mode=True,
    )
    client = module.client("apigatewayv2")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the domain name {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
