"""AWS's manners: what a caller of `LOCALCLOUD_PACE=aws` has to wait for, and when it is over."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from localcloud import __main__ as commands
from localcloud.calls import Call
from localcloud.errors import Refusal
from localcloud.services.pace.capacity import Capacity
from localcloud.services.pace.pace import Pace
from localcloud.services.pace.recent import Recent
from localcloud.services.pace.throttle import ONE_OF, PAUSE, Throttle
from localcloud.services.route53 import Route53
from localcloud.settings import Settings, SettingsError
from tests import policies

READS = json.dumps(
    {"Version": "2012-10-17",
     "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]}
)  # fmt: skip


class Clock:
    """Monotonic time that a test turns on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def call(service="ec2", operation="DescribeVpcs"):
    return Call({}, service, "us-east-1", operation, "ec2")


def refused(function, *args, **kwargs):
    with pytest.raises(ClientError) as error:
        function(*args, **kwargs)
    return error.value.response["Error"]["Code"]


# --- settings, and the mechanisms alone ---------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "pace"), [("", None), ("instant", None), ("aws", 1), ("aws:7", 7), ("aws:", 1)]
)
def test_the_pace_is_a_seed_or_none(text, pace):
    settings = Settings.from_environment({"LOCALCLOUD_PACE": text})
    assert settings.pace == pace
    assert Settings.from_environment(settings.environment()).pace == pace


@pytest.mark.parametrize("text", ["slow", "aws:x", "aws:-1", "gcp:1"])
def test_another_pace_is_refused(text):
    with pytest.raises(SettingsError, match="LOCALCLOUD_PACE"):
        Settings.from_environment({"LOCALCLOUD_PACE": text})


@pytest.mark.parametrize(("running", "said"), [(None, True), (7, False)])
def test_a_cloud_that_runs_keeps_its_pace(running, said, settings, monkeypatch, capsys):
    monkeypatch.setattr(commands, "_answer", lambda _: {"pace": running})
    monkeypatch.setattr(commands.machine, "prepare_state", lambda _: None)
    commands.up(replace(settings, pace=7), None)
    assert ("another LOCALCLOUD_PACE" in capsys.readouterr().out) == said


def outcomes(seed, count=2000):
    throttle, found = Throttle(seed), []
    for _ in range(count):
        try:
            throttle.check(call())
            found.append(False)
        except Refusal as error:
            found.append(error.named("ec2") == (503, "RequestLimitExceeded"))
    return found


def test_calls_are_throttled_now_and_then_as_the_seed_says():
    first = outcomes(1)
    assert first == outcomes(1) != outcomes(2)
    assert 2000 / ONE_OF / 3 < sum(first) < 2000 / ONE_OF * 2
    times = [number for number, throttled in enumerate(first) if throttled]
    assert min(b - a for a, b in pairwise(times)) >= PAUSE


def test_objects_and_items_are_never_throttled():
    throttle = Throttle(1)
    for _ in range(500):
        throttle.check(call("s3", "GetObject"))
        throttle.check(call("dynamodb", "GetItem"))


def test_capacity_is_missing_once_for_longer_than_sdks_try(monkeypatch):
    clock = Clock()
    capacity = Capacity(Recent(clock))
    run = call(operation="RunInstances")
    monkeypatch.setattr(Call, "parameters", {})
    capacity.check(call())  # nothing is asked for
    for clock.now in (100, 105, 111):
        with pytest.raises(Refusal, match="sufficient capacity"):
            capacity.check(run)
    for clock.now in (113, 1000):
        capacity.check(run)


def test_an_event_that_is_not_over_goes_on_first():
    clock = Clock()
    recent = Recent(clock)
    recent.note("zone a", 5, before="old")
    clock.now += 3
    recent.note("zone a", 5, before="between")
    assert recent.find("zone a").before == "old"
    assert recent.any("zone ")
    assert recent.age("zone a") == 3
    clock.now += 3
    assert recent.find("zone a") is None
    assert recent.age("zone a") is None
    assert not recent.any("zone ")


# --- over the API -------------------------------------------------------------------------------
@pytest.fixture
def settings(settings):
    return replace(settings, pace=1)


@pytest.fixture
def clock(cloud):
    pace = cloud.service(Pace)
    pace.recent.clock = Clock()
    return pace.recent.clock


@pytest.fixture
def calm(monkeypatch):
    """Nobody is throttled and there is room: the test is about something else."""
    monkeypatch.setattr(Throttle, "check", lambda *_: None)
    monkeypatch.setattr(Capacity, "check", lambda *_: None)


def test_a_throttled_client_is_told_so_and_gets_through(api):
    sns, codes = api.client("sns"), []
    for _ in range(200):
        try:
            sns.list_topics()
            codes.append(None)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert set(codes) == {None, "Throttling"}
    assert all(after is None for code, after in pairwise(codes) if code)


def test_the_first_host_that_is_asked_for_is_not_to_be_had(api, clock, monkeypatch):
    monkeypatch.setattr(Throttle, "check", lambda *_: None)
    ec2, run = api.client("ec2"), {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}
    assert refused(ec2.run_instances, **run) == "InsufficientInstanceCapacity"
    clock.now += 13
    assert refused(ec2.run_instances, **run) == "InvalidAMIID.NotFound"


def test_a_new_group_is_not_found_by_its_id(api, clock, calm):
    ec2 = api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="a", Description="a", VpcId=vpc)["GroupId"]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 80,
        "IpRanges": [{"CidrIp": "1.0.0.0/8"}],
    }
    options = {
        "GroupId": group,
        "IpPermissions": [{**rule, "IpRanges": [{"CidrIp": "1.2.3.4/32"}]}],
    }
    assert refused(ec2.describe_security_groups, GroupIds=[group]) == "InvalidGroup.NotFound"
    assert refused(ec2.authorize_security_group_ingress, **options) == "InvalidGroup.NotFound"
    clock.now += 5
    ec2.authorize_security_group_ingress(**options)


def test_a_new_profile_is_unknown_to_ec2_and_a_new_role_to_s3(api, clock, calm):
    iam, ec2, s3 = (api.client(name) for name in ("iam", "ec2", "s3"))
    role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=policies.HOSTS)["Role"]
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    s3.create_bucket(Bucket="pictures")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::pictures/*"}]}  # fmt: skip
    grant = {"Bucket": "pictures", "Policy": json.dumps(policy)}
    arn = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Arn"]
    run = {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile ARN"):
        ec2.run_instances(**run, IamInstanceProfile={"Arn": arn})
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        ec2.run_instances(**run, IamInstanceProfile={"Name": "web"})
    assert refused(s3.put_bucket_policy, **grant) == "MalformedPolicy"
    clock.now += 10
    s3.put_bucket_policy(**grant)
    # it is the image now that is unknown
    assert refused(ec2.run_instances, **run, IamInstanceProfile={"Arn": arn}) == (
        "InvalidAMIID.NotFound"
    )


def test_a_role_may_for_now_what_it_might_before(api, cloud, clock, calm):
    iam = api.client("iam")
    api.client("ssm").put_parameter(Name="/a", Value="1", Type="String")
    role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=policies.HOSTS)["Role"]
    iam.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=READS)
    made = cloud.backend("sts", "aws").assume_role("us-east-1", "i-1", role["Arn"], "", 3600, "")
    host = api.client("ssm", made.access_key_id, made.secret_access_key, made.session_token)
    assert refused(host.get_parameter, Name="/a") == "AccessDeniedException"
    clock.now += 10
    host.get_parameter(Name="/a")
    iam.delete_role_policy(RoleName="web", PolicyName="own")
    host.get_parameter(Name="/a")
    clock.now += 10
    assert refused(host.get_parameter, Name="/a") == "AccessDeniedException"


def test_a_record_reaches_the_name_servers_later(api, cloud, clock, calm):
    route53, answers = api.client("route53"), cloud.service(Route53)
    zone = route53.create_hosted_zone(Name="a.example", CallerReference="1")["HostedZone"]["Id"]

    def point(value):
        record = {
            "Name": "a.example",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": value}],
        }
        changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        return route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)[
            "ChangeInfo"
        ]

    def status():
        return route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"]

    change = point("192.0.2.1")
    assert change["Status"] == status() == "PENDING"
    assert answers.visit("a.example") is None
    clock.now += 7
    assert status() == "INSYNC"
    assert answers.visit("a.example") == ["192.0.2.1"]
    point("192.0.2.2")
    assert answers.visit("a.example") == ["192.0.2.1"]
    clock.now += 7
    assert answers.visit("a.example") == ["192.0.2.2"]
