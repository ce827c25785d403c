"""The API's state survives the process."""

import gc
import threading
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from unit.localcloud.conftest import client, describe

from localcloud.authority import Authority
from localcloud.services.s3.files import ObjectFile
from localcloud.state import State, StateError, unpickled

TAGS = [{"Key": "Project", "Value": "mustache"}]


def again(make_cloud, cloud, monkeypatch):
    """The next process's cloud, with the same machine under it."""
    cloud.settle()
    # a process that is killed closes nothing; taking moto's mock away does
    monkeypatch.setattr(ObjectFile, "close", lambda self: None)
    return make_cloud(cloud.engine, cloud.network, cloud.storage)


def test_instances_are_adopted(monkeypatch, make_cloud, cloud, ec2, launch):
    running, stopped = launch(), launch()
    ec2.stop_instances(InstanceIds=[stopped["InstanceId"]])
    after = again(make_cloud, cloud, monkeypatch)
    assert after.adopted == [f"adopted host {running['InstanceId']}"]
    ec2 = client("ec2")
    assert describe(ec2, running["InstanceId"])["State"]["Name"] == "running"
    ec2.start_instances(InstanceIds=[stopped["InstanceId"]])
    assert stopped["InstanceId"] in after.engine.containers()


def test_a_host_that_is_gone_is_started_again(monkeypatch, make_cloud, cloud, launch):
    instance = launch()
    cloud.engine.remove(instance["InstanceId"])
    after = again(make_cloud, cloud, monkeypatch)
    assert after.adopted == [f"started host {instance['InstanceId']} again: it was not running"]
    assert instance["InstanceId"] in after.engine.containers()


def test_hosts_of_calls_that_were_never_answered_are_removed(make_cloud, cloud, launch):
    cloud.settle()
    instance = launch()
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert any(f"removed host {instance['InstanceId']}" in line for line in after.adopted)
    assert after.engine.containers() == {}


@pytest.mark.parametrize("call", ["run", "start"])
def test_a_crash_while_a_host_boots_undoes_the_call(make_cloud, cloud, ec2, launch, call):
    if call == "start":
        old = launch()["InstanceId"]
        ec2.stop_instances(InstanceIds=[old])
    boot, states = cloud.engine.run, []
    path = cloud.settings.state / "api.pickle"

    def crash(container):
        boot(container)
        states.append(cloud.backend("ec2").get_instance(container.name).state)
        cloud.settle()
        path.rename(path.with_suffix(".then"))

    cloud.engine.run = crash
    if call == "start":
        ec2.start_instances(InstanceIds=[old])
    else:
        old = launch()["InstanceId"]
    assert states == ["pending"]
    assert describe(ec2, old)["State"]["Name"] == "running"

    path.with_suffix(".then").rename(path)
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert after.engine.containers() == {}
    assert any(old in line and "never answered" in line for line in after.adopted)
    state = describe(client("ec2"), old)["State"]["Name"]
    assert state == ("stopped" if call == "start" else "terminated")
    assert bool(after.storage.sizes) == (call == "start")


def test_files_of_calls_that_were_never_answered_are_deleted(monkeypatch, make_cloud, cloud):
    unfinished = [
        cloud.storage.volumes / "vol-1.part",
        cloud.storage.snapshots / "snap-1.part",
        cloud.storage.snapshots / "snap-1.img",
        cloud.storage.snapshots / "rds-1.img",
        cloud.settings.state / "images" / "ami-1.part" / "etc",
    ]
    for path in unfinished:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    after = again(make_cloud, cloud, monkeypatch)
    assert "deleted snapshot snap-1: its creation was never answered" in after.adopted
    assert not any(path.exists() for path in unfinished)


def test_everything_else_is_kept(monkeypatch, make_cloud, cloud):
    s3, ssm, kms, iam, route53, rds = (
        client(name) for name in ("s3", "ssm", "kms", "iam", "route53", "rds")
    )
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a", Body=b"one")
    s3.copy_object(Bucket="kept", Key="b", CopySource="kept/a")
    ssm.put_parameter(Name="/a", Value="secret", Type="SecureString")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    document = (
        '{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'
    )
    iam.create_policy(PolicyName="own", PolicyDocument=document)
    route53.create_hosted_zone(Name="mustache.localhost", CallerReference="1")
    rds.create_db_parameter_group(
        DBParameterGroupName="own", DBParameterGroupFamily="postgres17", Description="own"
    )
    again(make_cloud, cloud, monkeypatch)
    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"one"
    s3.delete_object(Bucket="kept", Key="a")
    assert s3.get_object(Bucket="kept", Key="b")["Body"].read() == b"one"
    assert ssm.get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"] == "secret"
    assert kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
    assert [each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]] == ["own"]
    assert len(route53.list_hosted_zones()["HostedZones"]) == 1
    assert rds.describe_db_parameter_groups(DBParameterGroupName="own")["DBParameterGroups"]


def test_what_a_load_balanced_site_consists_of_is_kept(tmp_path):
    """moto's own objects of every service that the stages use, without hosts behind them."""
    certificate, key = Authority(tmp_path).issue(["mustache.localhost"])
    path = tmp_path / "api.pickle"
    with mock_aws():
        iam, ssm, rds, ec2 = client("iam"), client("ssm"), client("rds"), client("ec2")
        iam.create_role(RoleName="web", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="web")
        iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
        ssm.put_parameter(Name="/a", Value="1", Type="SecureString", Tags=TAGS)
        ssm.put_parameter(Name="/a", Value="2", Type="SecureString", Overwrite=True)
        rds.create_db_instance(
            DBInstanceIdentifier="main", Engine="postgres", DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20, MasterUsername="u", MasterUserPassword="password", Tags=TAGS,
        )  # fmt: skip
        rds.create_db_snapshot(DBInstanceIdentifier="main", DBSnapshotIdentifier="before")
        arn = client("acm").import_certificate(Certificate=certificate, PrivateKey=key)[
            "CertificateArn"
        ]
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24",
                              AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]  # fmt: skip
        elb = client("elbv2")
        group = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)
        forward = [
            {"Type": "forward", "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"]}
        ]
        balancer = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]
        listener = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTPS", Port=443,
            Certificates=[{"CertificateArn": arn}], DefaultActions=forward,
        )["Listeners"][0]  # fmt: skip
        State(path).save()

    with mock_aws():
        assert State(path).load() == []
        profile = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
        assert [role["RoleName"] for role in profile["Roles"]] == ["web"]
        assert ssm.get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Version"] == 2
        assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/a")["TagList"]
        assert ssm.get_parameters_by_path(Path="/b")["Parameters"] == []
        database = rds.describe_db_instances()["DBInstances"][0]
        assert (database["DBInstanceIdentifier"], database["TagList"]) == ("main", TAGS)
        assert rds.describe_db_snapshots(DBSnapshotIdentifier="before")["DBSnapshots"]
        found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        assert found == [listener]
        kept = client("acm").get_certificate(CertificateArn=arn)
        assert kept["Certificate"].encode() == certificate
        ssm.put_parameter(Name="/later", Value="3", Type="String")
        State(path).save()


def test_an_unchanged_state_is_not_written_again(cloud, settings):
    cloud.settle()
    path = settings.state / "api.pickle"
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    cloud.settle()
    assert not path.exists()


def test_a_state_that_cannot_be_read_is_refused_and_kept(tmp_path):
    path = tmp_path / "api.pickle"
    path.write_bytes(b"not a pickle")
    with pytest.raises(StateError):
        State(path).load()
    assert path.read_bytes() == b"not a pickle"


def test_no_state_is_no_error(tmp_path):
    assert State(tmp_path / "api.pickle").load() == []


def test_listing_versions_leaves_no_files_behind(cloud):
    s3 = client("s3")
    s3.create_bucket(Bucket="listed")
    s3.put_object(Bucket="listed", Key="a", Body=b"one")
    cloud.settle()
    before = set((cloud.settings.state / "s3").iterdir())
    [version] = s3.list_object_versions(Bucket="listed")["Versions"]
    assert version["Key"] == "a"
    gc.collect()
    assert set((cloud.settings.state / "s3").iterdir()) == before
    assert s3.get_object(Bucket="listed", Key="a")["Body"].read() == b"one"
    cloud.settle()
    assert set((cloud.settings.state / "s3").iterdir()) == before


def test_objects_and_items_are_no_part_of_the_state_file(monkeypatch, make_cloud, cloud):
    """The file is as long with a thousand of them as with none, and all are there afterwards."""
    s3, dynamodb = client("s3"), client("dynamodb")
    s3.create_bucket(Bucket="full")
    table(dynamodb)
    cloud.settle()
    path = cloud.settings.state / "api.pickle"
    size = path.stat().st_size
    for number in range(100):
        s3.put_object(Bucket="full", Key=f"a/{number}", Body=b"x", Tagging="n=1")
        dynamodb.put_item(TableName="kept", Item={"id": {"N": str(number)}, "a": {"S": "b"}})
    cloud.settle()
    assert path.stat().st_size - size < 100
    again(make_cloud, cloud, monkeypatch)
    s3, dynamodb = client("s3"), client("dynamodb")
    assert s3.list_objects_v2(Bucket="full")["KeyCount"] == 100
    assert s3.get_object_tagging(Bucket="full", Key="a/7")["TagSet"] == [{"Key": "n", "Value": "1"}]
    assert dynamodb.scan(TableName="kept", Select="COUNT")["Count"] == 100


def test_every_change_of_an_object_and_an_item_is_kept(monkeypatch, make_cloud, cloud):
    s3, dynamodb = client("s3"), client("dynamodb")
    s3.create_bucket(Bucket="full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    table(dynamodb)
    for key in "abc":
        s3.put_object(Bucket="full", Key=key, Body=b"one")
        dynamodb.put_item(TableName="kept", Item={"id": {"N": str(ord(key))}})
    cloud.settle()
    s3.put_object(Bucket="full", Key="a", Body=b"two", Metadata={"is": "new"})
    s3.delete_object(Bucket="full", Key="b")
    s3.put_object_tagging(Bucket="full", Key="c", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    dynamodb.update_item(
        TableName="kept", Key={"id": {"N": "97"}}, UpdateExpression="SET a = :a",
        ExpressionAttributeValues={":a": {"S": "b"}},
    )  # fmt: skip
    dynamodb.delete_item(TableName="kept", Key={"id": {"N": "98"}})
    again(make_cloud, cloud, monkeypatch)
    s3, dynamodb = client("s3"), client("dynamodb")
    assert s3.get_object(Bucket="full", Key="a")["Body"].read() == b"two"
    assert s3.head_object(Bucket="full", Key="a")["Metadata"] == {"is": "new"}
    assert len(s3.list_object_versions(Bucket="full", Prefix="a")["Versions"]) == 2
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="full")["Contents"]] == ["a", "c"]
    assert s3.get_object_tagging(Bucket="full", Key="c")["TagSet"]
    items = dynamodb.scan(TableName="kept")["Items"]
    assert items == [{"id": {"N": "97"}, "a": {"S": "b"}}, {"id": {"N": "99"}}]


def test_an_object_that_is_overwritten_stays_until_the_new_one_is_kept(
    monkeypatch, make_cloud, cloud
):
    s3 = client("s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="a", Body=b"answered")
    cloud.settle()
    s3.put_object(Bucket="full", Key="a", Body=b"never answered")
    monkeypatch.setattr(ObjectFile, "close", lambda self: None)
    make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert client("s3").get_object(Bucket="full", Key="a")["Body"].read() == b"answered"


def test_a_failed_transaction_leaves_items_as_they_were(monkeypatch, make_cloud, cloud):
    dynamodb = client("dynamodb")
    table(dynamodb)
    dynamodb.put_item(TableName="kept", Item={"id": {"N": "1"}, "a": {"S": "old"}})
    cloud.settle()
    put = {"TableName": "kept", "Item": {"id": {"N": "1"}, "a": {"S": "new"}}}
    check = {"TableName": "kept", "Key": {"id": {"N": "2"}},
             "ConditionExpression": "attribute_exists(id)"}  # fmt: skip
    with pytest.raises(ClientError, match="TransactionCanceled"):
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"ConditionCheck": check}])
    again(make_cloud, cloud, monkeypatch)
    items = client("dynamodb").scan(TableName="kept")["Items"]
    assert items == [{"id": {"N": "1"}, "a": {"S": "old"}}]


def test_of_contested_writes_one_wins(cloud, api):
    table(client("dynamodb"))
    won = []

    def put(name):
        with suppress(ClientError):
            api.client("dynamodb").put_item(
                TableName="kept", Item={"id": {"N": "1"}, "by": {"S": name}},
                ConditionExpression="attribute_not_exists(id)",
            )  # fmt: skip
            won.append(name)

    writers = [threading.Thread(target=put, args=[str(number)]) for number in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert len(won) == 1


def test_a_damaged_file_gives_way_to_the_one_before(monkeypatch, make_cloud, cloud, ec2):
    group = ec2.create_security_group(GroupName="first", Description="a")["GroupId"]
    cloud.settle()
    second = ec2.create_security_group(GroupName="second", Description="a")["GroupId"]
    cloud.settle()
    path = cloud.settings.state / "api.pickle"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    monkeypatch.setattr(cloud, "settle", lambda: None)
    after = again(make_cloud, cloud, monkeypatch)
    assert "took the state before the last change" in after.adopted[0]
    groups = client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [each["GroupName"] for each in groups] == ["first"]
    with pytest.raises(ClientError, match="NotFound"):
        client("ec2").describe_security_groups(GroupIds=[second])
    names = {
        each["GroupName"] for each in client("ec2").describe_security_groups()["SecurityGroups"]
    }
    assert "first" in names
    assert "second" not in names
    assert group
    assert path.with_suffix(".unreadable").read_bytes() == data[: len(data) // 2]


def test_a_state_of_a_newer_version_is_not_touched(tmp_path):
    path = tmp_path / "api.pickle"
    path.write_bytes(b"localcloud state 99\nwhat is to come")
    path.with_suffix(".previous").write_bytes(b"localcloud state 99\nalso")
    with pytest.raises(StateError, match="schema 99"):
        State(path).load()
    assert path.exists()


def test_classes_may_move(cloud):
    old = b"clocalcloud.services.s3\nObjectFile\n."
    assert unpickled(old) is ObjectFile


def table(dynamodb):
    dynamodb.create_table(
        TableName="kept", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
    )  # fmt: skip


def test_an_entry_is_kept_without_the_state_being_written_again(
    monkeypatch, make_cloud, cloud, api
):
    s3, tables = api.client("s3"), api.client("dynamodb")
    s3.create_bucket(Bucket="pictures")
    tables.create_table(
        TableName="sessions",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setattr(cloud.state, "save", None)
    for key in ("kept", "gone"):
        s3.put_object(Bucket="pictures", Key=key, Body=b"bytes")
        tables.put_item(TableName="sessions", Item={"key": {"S": key}})
    s3.delete_object(Bucket="pictures", Key="gone")
    tables.delete_item(TableName="sessions", Key={"key": {"S": "gone"}})
    # a process that is killed closes nothing; taking moto's mock away does
    monkeypatch.setattr(ObjectFile, "close", lambda self: None)
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    bucket = after.backend("s3", "aws").buckets["pictures"]
    assert [*bucket.keys] == ["kept"]
    assert bucket.keys["kept"].value == b"bytes"
    (key,) = after.backend("dynamodb").tables["sessions"].items
    assert key.value == "kept"
