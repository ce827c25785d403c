#!/usr/bin/python
"""Ansible module: an HTTP API of API Gateway before a Lambda function."""

DOCUMENTATION = r"""
module: apigatewayv2_http_api
short_description: Keep an HTTP API of API Gateway that leads to a Lambda function
description:
  - Makes an HTTP API with one integration, its routes and one stage what the options say, or
    deletes it.
  - An option that is left out leaves its attribute alone. O(routes) are all that there are.
notes:
  - "Gap in the collections: none has a module for API Gateway v2; M(community.aws.api_gateway) is
    for REST APIs, which cost three times as much."
  - A name of an API is not unique at AWS. Here it is - with two of a name the module fails.
  - The function has to permit it (M(amazon.aws.lambda_policy)).
options:
  name:
    description: Name of the API.
    type: str
    required: true
  description:
    description: What it is for.
    type: str
  function:
    description: ARN of the Lambda function, of one of its versions, or of an alias. Needed when it
      is made.
    type: str
  payload:
    description: In which form the function gets requests.
    type: str
    choices: ["1.0", "2.0"]
    default: "2.0"
  timeout_ms:
    description: Milliseconds that the function may take. AWS allows 30,000.
    type: int
    default: 30000
  routes:
    description: Method and path of each route, or V($default) for what no other is for.
    type: list
    elements: str
    default: [$default]
  own_name:
    description: Whether it answers to the name that AWS gives it, beside a domain of its owner.
    type: bool
  burst_limit:
    description: How many requests at once are taken before the rest gets 429.
    type: int
  rate_limit:
    description: How many requests a second are taken in the long run.
    type: float
  access_logs:
    description: Where it is written who asked for what.
    type: dict
    suboptions:
      destination:
        description: ARN of a log group; empty for none.
        type: str
        required: true
      format:
        description: What is written of a request, with C($context) variables.
        type: str
        default: ""
  tags:
    description: Tags of the API and its stage. Others that they have stay.
    type: dict
    default: {}
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
- name: Have an HTTP API that leads everything to a function
  apigatewayv2_http_api:
    name: shop
    function: arn:aws:lambda:us-east-1:123456789012:function:shop-pages:live
    own_name: false
    rate_limit: 100
    burst_limit: 200
    tags: {Project: shop}
  register: api

- name: Delete it
  apigatewayv2_http_api: {name: shop, state: absent}
"""

RETURN = r"""
id:
  description: Id of the API; empty when there is none.
  returned: always
  type: str
  sample: a1b2c3d4e5
endpoint:
  description: The address that AWS gives it.
  returned: always
  type: str
  sample: https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com
stage:
  description: Name of its stage.
  returned: always
  type: str
  sample: $default
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

STAGE = "$default"


def listed(client, operation, **of):
    pages = client.get_paginator(operation).paginate(**of)
    return [each for page in pages for each in page["Items"]]


def read(client, module):
    """The API, its integrations, routes and stage; an empty API when there is none."""
    name = module.params["name"]
    found = [each for each in listed(client, "get_apis") if each["Name"] == name]
    if len(found) > 1:
        ids = ", ".join(each["ApiId"] for each in found)
        module.fail_json(msg=f"There are several APIs called {name}: {ids}.")
    if not found:
        return {}, [], [], {}
    of = {"ApiId": found[0]["ApiId"]}
    stages = listed(client, "get_stages", **of)
    return (
        found[0],
        listed(client, "get_integrations", **of),
        listed(client, "get_routes", **of),
        next((each for each in stages if each["StageName"] == STAGE), {}),
    )


def without_none(values):
    return {key: value for key, value in values.items() if value is not None}


def wanted_api(params):
    return without_none(
        {
            "Description": params["description"],
            "DisableExecuteApiEndpoint": None if params["own_name"] is None
            else not params["own_name"],
        }
    )  # fmt: skip


def wanted_integration(params, current):
    return {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": params["function"] or current.get("IntegrationUri", ""),
        "PayloadFormatVersion": params["payload"],
        "TimeoutInMillis": params["timeout_ms"],
    }


def wanted_stage(params, current):
    limits = without_none(
        {
            "ThrottlingBurstLimit": params["burst_limit"],
            "ThrottlingRateLimit": params["rate_limit"],
        }
    )
    logs = params["access_logs"]
    return without_none(
        {
            "AutoDeploy": True,
            "DefaultRouteSettings": current.get("DefaultRouteSettings", {}) | limits
            if limits
            else None,
            "AccessLogSettings": {"DestinationArn": logs["destination"], "Format": logs["format"]}
            if logs and logs["destination"]
            else None,
        }
    )


def differs(current, wanted):
    return any(current.get(key) != value for key, value in wanted.items())


def missing_tags(tags, current):
    return dict({key: str(value) for key, value in tags.items()}.items() - current.items())


def picked(current, wanted):
    """What there is of what is wanted."""
    return {key: current[key] for key in wanted if key in current}


def plan(params, api, integrations, routes, stage):
    """What is wanted of each part, for a diff and for making it so."""
    integration = integrations[0] if integrations else {}
    logs_end = params["access_logs"] and not params["access_logs"]["destination"]
    return {
        "api": wanted_api(params),
        "integration": wanted_integration(params, integration),
        "stage": wanted_stage(params, stage),
        "logs_end": bool(logs_end and stage.get("AccessLogSettings")),
        "tags": missing_tags(params["tags"], api.get("Tags", {})),
        "stage_tags": missing_tags(params["tags"], stage.get("Tags", {})),
        "more_routes": sorted(set(params["routes"]) - {each["RouteKey"] for each in routes}),
        "less_routes": [each for each in routes if each["RouteKey"] not in params["routes"]],
        "less_integrations": integrations[1:],
    }


def changes(wanted, api, integration, routes, stage):
    target = f"integrations/{integration.get('IntegrationId')}"
    return (
        not api
        or not stage
        or differs(api, wanted["api"])
        or differs(integration, wanted["integration"])
        or differs(stage, wanted["stage"])
        or any(each.get("Target") != target for each in routes)
        or any(
            wanted[key]
            for key in ("logs_end", "tags", "stage_tags", "more_routes", "less_routes",
                        "less_integrations")
        )
    )  # fmt: skip


def shown(api, integration, routes, stage, wanted):
    if not api:
        return {}
    return {
        "api": picked(api, wanted["api"]),
        "integration": picked(integration, wanted["integration"]),
        "routes": sorted(each["RouteKey"] for each in routes),
        "stage": picked(stage, {**wanted["stage"], "AccessLogSettings": {}}),
        "tags": api.get("Tags", {}),
    }


def to_be(params, wanted, api):
    tags = api.get("Tags", {}) | wanted["tags"]
    parts = {key: wanted[key] for key in ("api", "integration", "stage")}
    return parts | {"routes": sorted(params["routes"]), "tags": tags}


def write_routes(client, of, target, wanted, routes):
    for each in routes:
        if each not in wanted["less_routes"] and each.get("Target") != target:
            client.update_route(**of, RouteId=each["RouteId"], Target=target)
    for key in wanted["more_routes"]:
        client.create_route(**of, RouteKey=key, Target=target)
    for each in wanted["less_routes"]:
        client.delete_route(**of, RouteId=each["RouteId"])
    for each in wanted["less_integrations"]:
        client.delete_integration(**of, IntegrationId=each["IntegrationId"])


def write_stage(client, of, module, wanted, stage):
    named = {**of, "StageName": STAGE}
    if not stage:
        client.create_stage(**named, Tags=wanted["stage_tags"], **wanted["stage"])
        return
    if differs(stage, wanted["stage"]):
        client.update_stage(**named, **wanted["stage"])
    if wanted["logs_end"]:
        client.delete_access_log_settings(**named)
    if wanted["stage_tags"]:
        tag(client, module, f"{of['ApiId']}/stages/{STAGE}", wanted["stage_tags"])


def tag(client, module, what, tags):
    arn = f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/apis/{what}"
    client.tag_resource(ResourceArn=arn, Tags=tags)


def write(client, module, wanted, api, integration, routes, stage):
    """Make it so: the function first, then who is led there; the API."""
    if not api:
        name = module.params["name"]
        api = client.create_api(
            Name=name, ProtocolType="HTTP", Tags=wanted["tags"], **wanted["api"]
        )
    else:
        if differs(api, wanted["api"]):
            client.update_api(ApiId=api["ApiId"], **wanted["api"])
        if wanted["tags"]:
            tag(client, module, api["ApiId"], wanted["tags"])
    of = {"ApiId": api["ApiId"]}
    if not integration:
        integration = client.create_integration(**of, **wanted["integration"])
    elif differs(integration, wanted["integration"]):
        client.update_integration(
            **of, IntegrationId=integration["IntegrationId"], **wanted["integration"]
        )
    write_routes(client, of, f"integrations/{integration['IntegrationId']}", wanted, routes)
    write_stage(client, of, module, wanted, stage)
    return api


def ensure_present(client, module):
    params = module.params
    api, integrations, routes, stage = read(client, module)
    integration = integrations[0] if integrations else {}
    if not integration and not params["function"]:
        module.fail_json(msg=f"The API {params['name']} needs a function that it leads to.")
    wanted = plan(params, api, integrations, routes, stage)
    changed = changes(wanted, api, integration, routes, stage)
    before = shown(api, integration, routes, stage, wanted)
    if changed and not module.check_mode:
        api = write(client, module, wanted, api, integration, routes, stage)
    return {
        "changed": bool(changed),
        "id": api.get("ApiId", ""),
        "endpoint": api.get("ApiEndpoint", ""),
        "stage": STAGE,
        "diff": {"before": before, "after": to_be(params, wanted, api)},
    }


def ensure_absent(client, module):
    api = read(client, module)[0]
    if api and not module.check_mode:
        client.delete_api(ApiId=api["ApiId"])
    return {
        "changed": bool(api),
        "id": "",
        "endpoint": "",
        "stage": STAGE,
        "diff": {"before": picked(api, {"Name": "", "ApiId": ""}), "after": {}},
    }


def main():
    logs = {
        "destination": {"type": "str", "required": True},
        "format": {"type": "str", "default": ""},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "function": {"type": "str"},
            "payload": {"type": "str", "choices": ["1.0", "2.0"], "default": "2.0"},
            "timeout_ms": {"type": "int", "default": 30000},
            "routes": {"type": "list", "elements": "str", "default": [STAGE]},
            "own_name": {"type": "bool"},
            "burst_limit": {"type": "int"},
            "rate_limit": {"type": "float"},
            "access_logs": {"type": "dict", "options": logs},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    client = module.client("apigatewayv2")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the API {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
