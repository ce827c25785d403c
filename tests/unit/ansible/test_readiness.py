"""module_utils/readiness.py: what an account lacks."""

import importlib

import pytest

from module_utils import readiness
from tests.unit.ansible.aws import stubbed


def test_a_quota_that_holds():
    assert readiness.quota("Elastic IPs", 5, 4, 1) == (
        ["Elastic IPs: 4 of 5 used by others, 1 wanted"],
        [],
    )


def test_a_quota_that_does_not_hold_says_where_to_ask():
    _, problems = readiness.quota("Elastic IPs", 5, 5, 1)

    assert problems == [
        "Elastic IPs: 5 of 5 used by others, 1 wanted: ask for more in the Service Quotas console"
    ]


def test_a_quota_that_nobody_tells_is_no_problem():
    assert readiness.quota("vCPUs", None, 2, 2) == (
        ["vCPUs: 2 used by others, 2 wanted, the quota is not known"],
        [],
    )


def test_the_newest_image_is_named():
    images = [
        {"ImageId": "ami-1", "Name": "debian-13-amd64-1", "CreationDate": "2026-01-01T00:00:00Z"},
        {"ImageId": "ami-2", "Name": "debian-13-amd64-2", "CreationDate": "2026-02-01T00:00:00Z"},
    ]

    assert readiness.image("debian-13-*", "1", images) == (["image: ami-2 debian-13-amd64-2"], [])
    assert readiness.image("debian-13-*", "1", [])[1] == [
        "no image debian-13-* of 1 is visible here"
    ]


def test_what_is_the_sites_own_is_not_used_by_others():
    tags = {"Project": "shop", "Environment": "test"}
    own = {"Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
    staging = {"Tags": [own["Tags"][0], {"Key": "Environment", "Value": "staging"}]}

    assert readiness.of_others([own, staging, {}], tags) == [staging, {}]
    assert readiness.of_others([own, {}], {}) == [own, {}]


@pytest.mark.parametrize(
    ("instance_type", "standard"),
    [("t3.small", True), ("m6g.large", True), ("im4gn.large", True), ("inf2.xlarge", False),
     ("trn1.2xlarge", False), ("mac2.metal", False), ("g5.xlarge", False)],
)  # fmt: skip
def test_instances_of_other_families_have_quotas_of_their_own(instance_type, standard):
    assert readiness.is_standard(instance_type) == standard


def test_a_hosted_zone_has_to_be_there_unless_it_is_to_be_made():
    assert "there is no hosted zone" in readiness.no_hosted_zone("example.com", "existing")[1][0]
    findings, problems = readiness.no_hosted_zone("example.com", "present")
    assert "stops with the name servers" in findings[0]
    assert problems == []


BOUNDARY = "arn:aws:iam::123456789012:policy/mustache-boundary"


@pytest.fixture
def module(run):
    """The module, with module_utils/ where Ansible has them."""
    return importlib.import_module("library.aws_readiness")


@pytest.mark.parametrize(
    ("error", "finding", "problem"),
    [("", "boundary of the hosts", ""), ("NoSuchEntity", "", "aws iam create-policy"),
     ("AccessDenied", "you may not look at", "")],
)  # fmt: skip
def test_the_boundary_has_to_be_there(module, error, finding, problem):
    iam, stubber = stubbed("iam")
    if error:
        stubber.add_client_error("get_policy", error)
    else:
        stubber.add_response("get_policy", {"Policy": {}}, {"PolicyArn": BOUNDARY})

    findings, problems = module.boundary(iam, BOUNDARY)

    assert finding in "".join(findings)
    assert problem in "".join(problems)
    assert bool(findings) != bool(problems)


def test_vcpus_of_a_type_that_aws_does_not_know_are_nobody_s(module):
    ec2, stubber = stubbed("ec2")
    stubber.add_client_error("describe_instance_types", "InvalidInstanceType")

    assert module.vcpus(ec2, {"t9.mega"}) == {}


def judged(*types):
    return [
        {"findingType": each, "findingDetails": f"a {each}", "issueCode": "X", "learnMoreLink": "y",
         "locations": []}
        for each in types
    ]  # fmt: skip


def test_errors_and_warnings_of_access_analyzer_are_problems_and_suggestions_are_not(module):
    analyzer, stubber = stubbed("accessanalyzer")
    asked = {"policyDocument": "{}", "policyType": "IDENTITY_POLICY"}
    stubber.add_response(
        "validate_policy", {"findings": judged("ERROR", "SUGGESTION"), "nextToken": "2"}, asked
    )
    stubber.add_response(
        "validate_policy", {"findings": judged("SECURITY_WARNING")}, asked | {"nextToken": "2"}
    )

    assert module.policy(analyzer, "p", "{}") == (
        [],
        ["p: a ERROR (X, y)", "p: a SECURITY_WARNING (X, y)"],
    )


def test_who_may_not_ask_access_analyzer_is_told_so(module):
    analyzer, stubber = stubbed("accessanalyzer")
    stubber.add_client_error("validate_policy", "AccessDeniedException")

    assert "not judged" in module.policy(analyzer, "p", "{}")[0][0]


@pytest.mark.parametrize(
    ("most", "unreserved", "own", "problem"),
    [
        (1000, 1000, None, False),
        (1000, 850, 100, False),  # 50 are others'
        (1000, 140, 50, True),  # 810 are others'
        (10, 10, None, True),  # as new accounts have it
    ],
)
def test_functions_leave_a_hundred_to_others(module, most, unreserved, own, problem):
    client, stubber = stubbed("lambda")
    limit = {"ConcurrentExecutions": most, "UnreservedConcurrentExecutions": unreserved}
    stubber.add_response("get_account_settings", {"AccountLimit": limit})
    if own is None:
        stubber.add_client_error("get_function_concurrency", "ResourceNotFoundException")
    else:
        stubber.add_response("get_function_concurrency", {"ReservedConcurrentExecutions": own})

    [finding], problems = module.concurrency(client, "shop-http", 100)

    assert "100 have to stay free" in finding
    assert bool(problems) == problem
