"""What the API answers is written down, and nothing else is answered."""

import importlib
import inspect
import json
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest
from botocore.exceptions import ClientError, UnknownServiceError
from moto.backends import list_of_moto_modules
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model

from localcloud import ledger
from localcloud.calls import Call
from localcloud.errors import Refusal

# moto answers these without a method of their name.
OTHERWISE = {"s3"}


def implemented(module: str) -> set[str]:
    """Names of the methods with which moto answers calls of a service."""
    try:
        responses = importlib.import_module(f"moto.{module}.responses")
    except ModuleNotFoundError:
        return set()
    return {
        name
        for value in vars(responses).values()
        if inspect.isclass(value) and issubclass(value, BaseResponse)
        for name in dir(value)
    }


@pytest.mark.parametrize("name", sorted(ledger.services()))
def test_what_is_listed_is_there(cloud, name):
    """Each name means calls that AWS has and moto, with our additions, answers."""
    service = ledger.services()[name]
    operations = get_service_model(name).operation_names
    methods = implemented({"lambda": "awslambda"}.get(name, name.replace("-", "")))
    for pattern in (*service.real, *service.kept, *service.refused):
        meant = [each for each in operations if fnmatchcase(each, pattern)]
        assert meant, pattern
        assert name in OTHERWISE or any(
            camelcase_to_underscores(each) in methods for each in meant
        ), pattern
    assert not set(service.real) & set(service.kept)


@pytest.mark.parametrize("module", sorted(list_of_moto_modules()))
def test_every_call_of_moto_is_real_kept_or_refused(module):
    """Those that nobody listed are refused, whatever moto would say to them."""
    name = {"awslambda": "lambda", "servicequotas": "service-quotas"}.get(module, module)
    listed = ledger.services().get(name)
    try:
        operations = get_service_model(name).operation_names
    except UnknownServiceError:
        return
    methods = implemented(module)
    for operation in operations:
        if camelcase_to_underscores(operation) not in methods:
            continue
        call = Call({}, name, "us-east-1", operation, "query")
        call.parameters = {}
        kind = listed.kind(operation) if listed else "refused"
        if kind == "refused":
            with pytest.raises(Refusal, match=operation):
                ledger.check(call)
        else:
            assert kind in ("real", "kept")
            ledger.check(call)


@pytest.mark.parametrize(
    ("service", "call", "options", "code", "says"),
    [
        ("batch", "describe_job_queues", {}, "UnknownOperationException", "has no batch"),
        ("apigateway", "get_rest_apis", {}, "UnknownOperationException", "no call of this"),
        ("apigatewayv2", "get_vpc_links", {}, "UnknownOperationException", "nothing real"),
        ("sqs", "list_queues", {}, "UnknownOperationException", "has no sqs"),
        ("redshift", "describe_clusters", {}, "InvalidAction", "has no redshift"),
        ("ec2", "create_vpc_peering_connection", {"VpcId": "vpc-1", "PeerVpcId": "vpc-2"},
         "UnsupportedOperation", "nothing real"),
        ("rds", "create_db_cluster", {"DBClusterIdentifier": "a", "Engine": "aurora-postgresql"},
         "InvalidAction", "nothing real"),
        ("ssm", "send_command", {"DocumentName": "AWS-RunShellScript"},
         "UnknownOperationException", "nothing real"),
        ("iam", "create_user",
         {"UserName": "a", "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnly"},
         "InvalidAction", "PermissionsBoundary"),
        ("s3", "get_bucket_metrics_configuration", {"Bucket": "a", "Id": "all"},
         "NotImplemented", "nothing real"),
    ],
)  # fmt: skip
def test_what_is_not_real_is_refused(api, service, call, options, code, says):
    with pytest.raises(ClientError) as caught:
        getattr(api.client(service), call)(**options)
    assert caught.value.response["Error"]["Code"] == code
    assert says in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "call"), [("ec2", "describe_vpcs"), ("ssm", "describe_parameters")]
)
def test_other_regions_are_refused(api, service, call):
    with pytest.raises(ClientError, match="us-east-1 only"):
        getattr(api.client(service, region="eu-central-1"), call)()


def test_the_command_lists_every_call():
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "operations", "--json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    listed = json.loads(done.stdout)
    assert listed["ec2"]["RunInstances"] == "real"
    assert listed["sns"]["Publish"] == "real"
    assert listed["rds"]["CreateDBCluster"] == "refused"


def test_the_readme_s_table_is_current():
    assert ledger.table() in ledger.README.read_text()
