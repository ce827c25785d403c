"""What the load balancer's modules do when AWS answers with an error, and in check mode."""

from datetime import UTC, datetime

import pytest
from botocore.stub import ANY

from tests.unit.ansible.aws import Failed, stubbed

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/01"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/01"
RECORD = {"Name": "_1.shop.example.", "Type": "CNAME", "Value": "_2.acm.example."}


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


def asked(stubber, target, state):
    """The answer to the waiter's question for one target."""
    stubber.add_response(
        "describe_target_health",
        {
            "TargetHealthDescriptions": [
                {"Target": {"Id": target}, "TargetHealth": {"State": state}}
            ]
        },
        {"TargetGroupArn": GROUP, "Targets": [{"Id": target}]},
    )


def leave(stubber, target):
    stubber.add_response(
        "deregister_targets", {}, {"TargetGroupArn": GROUP, "Targets": [{"Id": target}]}
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


def test_who_is_to_go_serves_until_others_do(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber, old="healthy")
    stubber.add_response(
        "register_targets", {}, {"TargetGroupArn": GROUP, "Targets": [{"Id": "i-new"}]}
    )
    members(stubber, old="healthy", new="initial")
    members(stubber, old="healthy", new="healthy")
    leave(stubber, "i-old")
    asked(stubber, "i-old", "unused")
    members(stubber, new="healthy")
    result = run("lb_targets", client, target_group="shop", targets=["i-new"], purge=True)
    assert result["targets"] == {"i-new": "healthy"}


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
    for _ in range(2):
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


@pytest.mark.parametrize(
    "answers",
    [["healthy", "draining", "unused"], ["healthy", "healthy", "unused"], ["draining", "unused"]],
    ids=["aws has not taken note yet", "it never drains", "it drains"],
)
def test_a_target_is_drained_when_aws_says_that_it_is_unused(run, elb, answers):
    client, stubber = elb
    found(stubber)
    members(stubber, **{"1": "healthy", "2": "healthy"})
    leave(stubber, "i-1")
    for state in answers:
        asked(stubber, "i-1", state)
    members(stubber, **{"2": "healthy"})
    result = run("lb_targets", client, target_group="shop", targets=["i-1"], state="absent")
    assert result["changed"]


def test_a_target_that_is_gone_for_aws_is_drained(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber, **{"1": "healthy", "2": "healthy"})
    leave(stubber, "i-1")
    asked(stubber, "i-1", "draining")
    stubber.add_client_error("describe_target_health", "InvalidTarget")
    members(stubber, **{"2": "healthy"})
    assert run("lb_targets", client, target_group="shop", targets=["i-1"], state="absent")[
        "changed"
    ]


def test_a_target_that_does_not_drain_in_time_is_named(run, elb):
    client, stubber = elb
    found(stubber)
    members(stubber, **{"1": "healthy"})
    leave(stubber, "i-1")
    asked(stubber, "i-1", "draining")
    members(stubber, **{"1": "draining"})
    options = {"target_group": "shop", "targets": ["i-1"], "state": "absent", "wait_timeout": 0}
    with pytest.raises(Failed, match=r"After 0 s i-1 is draining \(so\)"):
        run("lb_targets", client, **options)


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
