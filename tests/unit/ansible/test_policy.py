"""docs/aws-policy*.json: policies that IAM takes, for what the project's own modules ask of AWS."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import botocore.session
import pytest

ROOT = Path(__file__).parents[3]
POLICIES = {path.name: path.read_text() for path in (ROOT / "docs").glob("aws-policy*.json")}
ALLOWED = [
    action
    for policy in POLICIES.values()
    for statement in json.loads(policy)["Statement"]
    for action in (
        [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
    )
]
MODULES = sorted(
    path
    for folder in ("library", "action_plugins")
    for path in (ROOT / folder).glob("*.py")
    if 'client("' in path.read_text()
)
# Everybody may ask who they are, whatever a policy says.
FREE = {"sts:GetCallerIdentity"}
# IAM's names of services where boto3 has others.
PREFIXES = {
    "accessanalyzer": "access-analyzer",
    "apigatewayv2": "apigateway",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}


def action(operation):
    """As IAM names it: of API Gateway by the method of HTTP."""
    of_gateway = operation.service_model.service_name == "apigatewayv2"
    return operation.http["method"] if of_gateway else operation.name


def operations(path):
    """``(service, operation)`` of every client's methods that a module names."""
    text = path.read_text()
    words = set(re.findall(r"\w+", text))
    for service in sorted(set(re.findall(r'client\("([a-z0-9-]+)"', text))):
        client = botocore.session.get_session().create_client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        methods = client.meta.method_to_api_mapping
        for name in sorted(words & set(methods)):
            yield service, action(client.meta.service_model.operation_model(methods[name]))


@pytest.mark.parametrize("name", POLICIES)
def test_iam_takes_a_managed_policy_of_that_size(name):
    assert len(re.sub(r"\s", "", POLICIES[name])) <= 6144


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_what_the_modules_ask_is_allowed(path):
    asked = {f"{PREFIXES.get(service, service)}:{name}" for service, name in operations(path)}
    asked -= FREE
    refused = [each for each in asked if not any(fnmatchcase(each, may) for may in ALLOWED)]

    assert refused == []
