"""What the load balancer's modules do when AWS answers with an error, and in check mode."""

import importlib
import sys
import time
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import ANY, Stubber

from module_utils import target_groups

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/01"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/01"
RECORD = {"Name": "_1.shop.example.", "Type": "CNAME", "Value": "_2.acm.example."}


class Failed(Exception):
    """The module's fail_json."""


class Done(Exception):
    """The module's exit_json."""


def stubbed(service):
    client = boto3.client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


@pytest.fixture
def elb():
    client, stubber = stubbed("elbv2")
    yield client, stubber
    stubber.assert_no_pending_responses()


@pytest.fixture
def acm():
    client, stubber = stubbed("acm")
    yield client, stubber
    stubber.assert_no_pending_responses()


@pytest.fixture
def run(monkeypatch):
    """Run a module of library/ with a client of ours; its result, or Failed."""
    # As Ansible maps module_utils/.
    monkeypatch.setitem(sys.modules, "ansible.module_utils.target_groups", target_groups)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def run(library_module, client, check_mode=False, **given):
        class Module:
            def __init__(self, argument_spec, **options):
                self.params = {key: each.get("default") for key, each in argument_spec.items()}
                self.params |= given
                self.check_mode = check_mode

            def client(self, service):
                return client

            def fail_json(self, msg, **facts):
                raise Failed(msg)

            def fail_json_aws(self, error, msg):
                raise Failed(f"{msg}: {error}")

            def exit_json(self, **result):
                raise Done(result)

        module = importlib.import_module(f"library.{library_module}")
        monkeypatch.setattr(module, "AnsibleAWSModule", Module)
        with pytest.raises(Done) as done:
            module.main()
        return done.value.args[0]

    return run


def found(stubber):
    groups = [{"TargetGroupArn": GROUP, "VpcId": "vpc-1", "Port": 80, "HealthCheckPath": "/"}]
    stubber.add_response("describe_target_groups", {"TargetGroups": groups}, {"Names": ["shop"]})


def missing(stubber):
    stubber.add_client_error("describe_target_groups", "TargetGroupNotFound")


def members(stubber, **states):
    descriptions = [
        {"Target": {"Id": f"i-{name}"}, "TargetHealth": {"State": state, "Description": "so"}}
        for name, state in states.items()
    ]
    stubber.add_response(
        "describe_target_health",
        {"TargetHealthDescriptions": descriptions},
        {"TargetGroupArn": GROUP},
    )


def attributes(stubber):
    stubber.add_response(
        "describe_target_group_attributes", {"Attributes": []}, {"TargetGroupArn": GROUP}
    )


# lb_targets


def test_targets_need_their_group(run, elb):
    client, stubber = elb
    missing(stubber)
    with pytest.raises(Failed, match="There is no target group shop"):
        run("lb_targets", client, target_group="shop", targets=["i-1"])


def test_without_a_group_nobody_is_a_member(run, elb):
    client, stubber = elb
    missing(stubber)
    result = run("lb_targets", client, target_group="shop", targets=["i-1"], state="absent")
    assert not result["changed"]


def test_a_target_that_does_not_get_healthy_is_named_with_the_reason(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber)
    stubber.add_response(
        "register_targets", {}, {"TargetGroupArn": GROUP, "Targets": [{"Id": "i-1"}]}
    )
    members(stubber, **{"1": "unhealthy"})
    with pytest.raises(Failed, match=r"After 0 s i-1 is unhealthy \(so\)"):
        run("lb_targets", client, target_group="shop", targets=["i-1"], wait_timeout=0)


def test_a_target_that_aws_refuses(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber)
    stubber.add_client_error("register_targets", "InvalidTarget", "i-1 is not running")
    with pytest.raises(Failed, match=r"Cannot keep shop's targets.*i-1 is not running"):
        run("lb_targets", client, target_group="shop", targets=["i-1"])


def test_the_last_healthy_target_stays(run, elb):
    client, stubber = elb
    found(stubber)
    for _ in range(3):
        members(stubber, **{"1": "healthy", "2": "unhealthy"})
    options = {"target_group": "shop", "targets": ["i-1"], "state": "absent", "spare_last": True}
    result = run("lb_targets", client, **options)
    assert not result["changed"]
    assert result["targets"]["i-1"] == "healthy"


def test_check_mode_announces_and_does_nothing(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber, **{"1": "healthy", "2": "healthy"})
    options = {"target_group": "shop", "targets": ["i-1"], "state": "absent", "spare_last": True}
    result = run("lb_targets", client, check_mode=True, **options)
    assert result["changed"]
    assert result["targets"] == {"i-2": "healthy"}


# lb_target_group


def test_a_group_cannot_move_to_another_vpc(run, elb):
    client, stubber = elb
    found(stubber)
    attributes(stubber)
    with pytest.raises(Failed, match="vpc_id of shop is vpc-1 and cannot become vpc-2"):
        run("lb_target_group", client, name="shop", vpc_id="vpc-2")


def test_a_group_that_is_still_in_use_is_deleted_a_little_later(run, elb):
    client, stubber = elb
    found(stubber)
    attributes(stubber)
    stubber.add_client_error("delete_target_group", "ResourceInUse")
    stubber.add_response("delete_target_group", {}, {"TargetGroupArn": GROUP})
    assert run("lb_target_group", client, name="shop", state="absent")["changed"]


def test_a_group_that_one_may_not_see(run, elb):
    client, stubber = elb
    stubber.add_client_error("describe_target_groups", "AccessDenied", "not you")
    with pytest.raises(Failed, match=r"Cannot keep the target group shop.*not you"):
        run("lb_target_group", client, name="shop", vpc_id="vpc-1")


# acm_public_certificate


def listed(stubber, *arns):
    summaries = [{"CertificateArn": arn, "DomainName": "shop.example"} for arn in arns]
    stubber.add_response(
        "list_certificates", {"CertificateSummaryList": summaries}, {"CertificateStatuses": ANY}
    )


def tagged(stubber, **tags):
    stubber.add_response(
        "list_tags_for_certificate",
        {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]},
        {"CertificateArn": CERTIFICATE},
    )


def described(stubber, status, **more):
    certificate = {
        "CertificateArn": CERTIFICATE,
        "Status": status,
        "CreatedAt": datetime(2026, 1, 1, tzinfo=UTC),
        "DomainValidationOptions": [{"DomainName": "shop.example", "ResourceRecord": RECORD}],
        **more,
    }
    stubber.add_response(
        "describe_certificate", {"Certificate": certificate}, {"CertificateArn": CERTIFICATE}
    )


OURS = {"domain": "shop.example", "tags": {"Project": "shop"}}


def test_a_certificate_that_acm_refuses_says_why(run, acm):
    client, stubber = acm
    listed(stubber, CERTIFICATE)
    tagged(stubber, Project="shop")
    described(stubber, "PENDING_VALIDATION")
    described(stubber, "FAILED", FailureReason="CAA_ERROR")
    with pytest.raises(Failed, match=r"is FAILED CAA_ERROR.*_1\.shop\.example"):
        run("acm_public_certificate", client, **OURS, wait=True)


def test_a_certificate_that_does_not_come_in_time_names_its_record(run, acm):
    client, stubber = acm
    listed(stubber, CERTIFICATE)
    tagged(stubber, Project="shop")
    for _ in range(2):
        described(stubber, "PENDING_VALIDATION")
    with pytest.raises(Failed, match=r"is PENDING_VALIDATION.*dig CNAME"):
        run("acm_public_certificate", client, **OURS, wait=True, wait_timeout=0)


def test_a_strangers_certificate_is_left_alone(run, acm):
    client, stubber = acm
    listed(stubber, CERTIFICATE)
    tagged(stubber, Project="theirs")
    assert not run("acm_public_certificate", client, **OURS, state="absent")["changed"]


def test_a_certificate_in_use_is_deleted_a_little_later(run, acm):
    client, stubber = acm
    listed(stubber, CERTIFICATE)
    tagged(stubber, Project="shop", More="x")
    described(stubber, "ISSUED")
    stubber.add_client_error("delete_certificate", "ResourceInUseException")
    stubber.add_response("delete_certificate", {}, {"CertificateArn": CERTIFICATE})
    result = run("acm_public_certificate", client, **OURS, state="absent")
    assert result["changed"]
    assert result["validation"]["name"] == RECORD["Name"]


def test_a_certificate_is_announced_in_check_mode(run, acm):
    client, stubber = acm
    listed(stubber)
    result = run("acm_public_certificate", client, check_mode=True, **OURS)
    assert result["changed"]
    assert result["arn"] == ""
