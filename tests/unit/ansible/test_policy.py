"""docs/aws-policy*.json: policies that IAM takes, for what the project's own modules ask of AWS."""

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import ansible_collections.amazon
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
# Modules and plugins name the methods of boto3's clients, the collections' as well as ours.
OURS = [ROOT / "library", ROOT / "module_utils", *ROOT.glob("*_plugins")]
COLLECTIONS = Path(ansible_collections.amazon.__path__[0]).parent
# No module names such a call: AWS asks for it where another is made, or what it imports makes it.
BESIDES = {
    "ec2:CreateTags": "whatever is made with tags",
    "elasticloadbalancing:Set*": "elb_application_lb: security groups, subnets, the order of rules",
    "iam:PassRole": "whoever gives a host or a function its role",
    "iam:CreateServiceLinkedRole": "the first balancer, database, cache, group of an account",
    "acm:AddTagsToCertificate": "RequestCertificate with tags",
    "lambda:InvokeFunction": "Invoke",
    "apigateway:PUT": "tags of an API",
    "apigateway:TagResource": "tags of an API's stage, as users of AWS report",
    "logs:*LogDelivery": "UpdateStage with access logs",
    "logs:ListLogDeliveries": "UpdateStage with access logs",
    "logs:PutResourcePolicy": "UpdateStage with access logs",
    "cloudfront:*CachePolicy": "cloudfront_policy, which makes up the names of its calls",
    "cloudfront:*OriginRequestPolicy": "cloudfront_policy",
    "cloudfront:*ResponseHeadersPolicy": "cloudfront_policy",
}
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


@cache
def methods(service):
    """``{name: action}`` of a client's methods."""
    client = botocore.session.get_session().create_client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    model = client.meta.service_model
    prefix = PREFIXES.get(service, service)
    return {
        name: f"{prefix}:{action(model.operation_model(operation))}"
        for name, operation in client.meta.method_to_api_mapping.items()
    }


def asked(text, services):
    """The actions of those services whose methods a text names."""
    words = set(re.findall(r"\w+", text))
    return {
        action for service in services for name, action in methods(service).items() if name in words
    }


def used_of_collections():
    """Files of the collections that playbooks, roles and inventories lead to."""
    texts = [
        path
        for name in ("roles", "playbooks", "inventories")
        for path in ROOT.glob(f"{name}/**/*.yml")
    ]
    names = set(
        re.findall(r"\b(?:amazon|community)\.aws\.\w+", "\n".join(map(Path.read_text, texts)))
    )
    # Not what these import: there the calls of all modules are in one file.
    return [
        path
        for name in names
        for space, collection, plugin in [name.split(".")]
        for path in COLLECTIONS.glob(f"{space}/{collection}/plugins/*/{plugin}.py")
    ]


@cache
def asked_by_all():
    own = [path for folder in OURS for path in folder.rglob("*.py")]
    text = "\n".join(path.read_text() for path in [*own, *used_of_collections()])
    names = {each.partition(":")[0] for each in ALLOWED}
    services = botocore.session.get_session().get_available_services()
    return asked(text, [each for each in services if PREFIXES.get(each, each) in names])


def needless(actions):
    return [
        each
        for each in actions
        if not any(fnmatchcase(each, known) for known in BESIDES)
        and each not in BESIDES
        and not any(fnmatchcase(action, each) for action in asked_by_all())
    ]


@pytest.mark.parametrize("name", POLICIES)
def test_iam_takes_a_managed_policy_of_that_size(name):
    assert len(re.sub(r"\s", "", POLICIES[name])) <= 6144


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_what_the_modules_ask_is_allowed(path):
    text = path.read_text()
    services = set(re.findall(r'client\("([a-z0-9-]+)"', text))
    refused = [
        each
        for each in asked(text, services) - FREE
        if not any(fnmatchcase(each, may) for may in ALLOWED)
    ]

    assert refused == []


def test_nothing_is_allowed_that_nobody_asks_for():
    assert needless(ALLOWED) == []
    unwanted = ["iam:CreateUser", "ec2:*VpnGateway", "dynamodb:UntagResource", "rds:StopDBCluster"]
    assert needless(unwanted) == unwanted
