"""RDS as its users meet it: PostgreSQL behind a name, and a standby that loses nothing."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import allow, describe, wait_until

pytestmark = pytest.mark.cloud

PASSWORD = "a-long-enough-secret"
INSIDE = Path(__file__).with_name("inside.py")
# The bound that the drills promise to users of stage 3.
FAILOVER_SECONDS = 30


class Client:
    """A program on an EC2 host that uses the database ``name``."""

    def __init__(self, cloud, instance: dict, name: str):
        identity = hashlib.sha256(str(cloud.state).encode()).hexdigest()[:4]
        interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self.namespace = f"lc{identity}{interface[-9:]}"
        self.name = name
        self.options = {
            "user": "mustache",
            "password": PASSWORD,
            "dbname": "mustache",
            "sslmode": "verify-full",
            "sslrootcert": str(cloud.state / "authority/ca.pem"),
        }

    def query(self, *statements: str, **options) -> dict:
        """``rows`` of the last statement, or ``error``."""
        arguments = json.dumps({**self.options, **options})
        done = subprocess.run(
            self._command("query", arguments, *statements),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, *statements: str, **options) -> list:
        answer = self.query(*statements, **options)
        assert "rows" in answer, answer
        return answer["rows"]

    def writing(self) -> subprocess.Popen:
        writer = subprocess.Popen(
            self._command("write", json.dumps(self.options)), stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "ready\n"
        return writer

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [sys.executable, str(INSIDE), self.namespace, program, self.name, *arguments]


@pytest.fixture(scope="module")
def rds(cloud):
    return cloud.client("rds")


@pytest.fixture(scope="module")
def groups(cloud, site):
    """Security groups: of clients, and of a database that lets only those in."""
    ec2 = cloud.client("ec2")
    made = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=site.vpc)["GroupId"]
        for name in ("clients", "databases")
    }
    allow(ec2, made["databases"], 5432, made["clients"])
    return made


@pytest.fixture(scope="module")
def database(cloud, site, rds, groups):
    """A Multi-AZ database."""
    rds.create_db_subnet_group(
        DBSubnetGroupName="tests",
        DBSubnetGroupDescription="tests",
        SubnetIds=[site.public, site.private],
    )
    rds.create_db_parameter_group(
        DBParameterGroupName="tests",
        DBParameterGroupFamily="postgres17",
        Description="tests",
    )
    rds.create_db_instance(
        DBInstanceIdentifier="tests",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        StorageType="gp3",
        MasterUsername="mustache",
        MasterUserPassword=PASSWORD,
        DBName="mustache",
        DBSubnetGroupName="tests",
        DBParameterGroupName="tests",
        VpcSecurityGroupIds=[groups["databases"]],
        PubliclyAccessible=False,
        MultiAZ=True,
    )
    yield
    rds.delete_db_instance(DBInstanceIdentifier="tests", SkipFinalSnapshot=True)


@pytest.fixture(scope="module")
def host(cloud, site, groups):
    """An EC2 host in the clients' security group."""
    ec2 = cloud.client("ec2")
    made = ec2.run_instances(
        ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        SubnetId=site.public, SecurityGroupIds=[site.group, groups["clients"]],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    yield describe(ec2, made)
    ec2.terminate_instances(InstanceIds=[made])


@pytest.fixture
def client(cloud, rds, database, host):
    return Client(cloud, host, look(rds)["Endpoint"]["Address"])


def look(rds, name="tests") -> dict:
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def changed(rds) -> None:
    """Wait until nothing is being changed."""
    wait_until(lambda: look(rds)["DBInstanceStatus"] == "available", 90)


def redundant(rds) -> bool:
    return look(rds)["DBInstanceStatus"] == "available" and bool(
        look(rds).get("SecondaryAvailabilityZone")
    )


def test_an_available_database_accepts_connections(rds, client):
    assert look(rds)["DBInstanceStatus"] == "available"
    [[version, tls]] = client.rows(
        "select version(), ssl from pg_stat_ssl where pid = pg_backend_pid()"
    )
    assert version.startswith("PostgreSQL 17")
    assert tls
    assert look(rds)["EngineVersion"] in version


def test_the_database_is_closed_to_other_groups(cloud, client, launch):
    other = Client(cloud, launch(), client.name)
    assert "error" in other.query("select 1")


def test_clients_must_use_tls_and_the_owner_stays_inside(client):
    assert "no encryption" in client.query("select 1", sslmode="disable")["error"]
    assert "error" in client.query("select 1", user="rdsadmin", password="")
    assert "error" in client.query("select 1", password="wrong")


def test_the_master_user_is_no_superuser_but_may_replicate(rds, client):
    [[is_super, creates]] = client.rows(
        "select rolsuper, rolcreatedb and rolcreaterole from pg_roles where rolname = 'mustache'"
    )
    assert (is_super, creates) == (False, True)
    assert "error" in client.query("copy (select 1) to program 'true'")
    # roles that are given rds_replication may replicate, as on RDS
    client.rows("create role mover login password 'x'", "grant rds_replication to mover")
    wait_until(
        lambda: (
            client.rows("select rolreplication from pg_roles where rolname = 'mover'") == [[True]]
        )
    )


def test_static_parameters_wait_for_a_reboot_and_dynamic_ones_do_not(rds, client):
    rds.modify_db_parameter_group(
        DBParameterGroupName="tests",
        Parameters=[
            {"ParameterName": "rds.logical_replication", "ParameterValue": "1",
             "ApplyMethod": "pending-reboot"},
            {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"},
        ],
    )  # fmt: skip
    assert look(rds)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    show = "select current_setting('work_mem'), current_setting('wal_level')"
    assert client.rows(show) == [["8MB", "replica"]]
    rds.reboot_db_instance(DBInstanceIdentifier="tests")
    assert look(rds)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert client.rows(show) == [["8MB", "logical"]]
    rows = client.rows(
        "create table moved (id int primary key)",
        "create publication moving for table moved",
        "select pg_create_logical_replication_slot('moving', 'pgoutput') is not null",
        "select pg_drop_replication_slot('moving') is null",
    )
    assert len(rows) == 1


def test_failovers_lose_no_acknowledged_commit(cloud, rds, client):
    """In order, by a host's death, by a host that hangs, and with a whole zone."""
    client.rows("create table written (id bigint primary key)")
    wait_until(lambda: redundant(rds), 60)
    writer = client.writing()
    try:
        for fault in ("reboot", "kill", "freeze", "zone-down"):
            wait_until(lambda: redundant(rds), 60)
            before = look(rds)["AvailabilityZone"]
            if fault == "reboot":
                rds.reboot_db_instance(DBInstanceIdentifier="tests", ForceFailover=True)
            else:
                primary = cloud.status()["tests"]["real"].split()[1]
                target = before if fault == "zone-down" else primary
                cloud.run("fault", fault, target)
            wait_until(lambda before=before: look(rds)["AvailabilityZone"] != before, 60)
            cloud.run("heal")
        wait_until(lambda: redundant(rds), 60)
    finally:
        writer.terminate()
    result = json.loads(writer.communicate(timeout=60)[0])
    found = {row[0] for row in client.rows("select id from written")}
    assert len(result["acknowledged"]) > 100
    assert set(result["acknowledged"]) <= found
    assert result["gaps"][-1] < FAILOVER_SECONDS, result["gaps"]
    messages = [
        event["Message"]
        for event in rds.describe_events(SourceIdentifier="tests", SourceType="db-instance")[
            "Events"
        ]
    ]
    assert messages.count("Multi-AZ instance failover completed") == 4


def test_the_primary_goes_on_without_a_lost_standby_and_says_so(cloud, rds, client):
    wait_until(lambda: redundant(rds), 60)
    standby = cloud.status()["tests"]["real"].split("standby ")[1].split()[0]
    cloud.run("fault", "kill", standby)
    wait_until(lambda: not look(rds).get("SecondaryAvailabilityZone"))
    client.rows("create table alone (id int)", "insert into alone values (1)")
    assert look(rds)["AvailabilityZone"]
    with pytest.raises(ClientError, match="not in sync"):
        rds.reboot_db_instance(DBInstanceIdentifier="tests", ForceFailover=True)
    cloud.run("heal")
    wait_until(lambda: redundant(rds), 60)


def test_databases_outlive_the_local_clouds_process(cloud, rds, client):
    before = client.rows("select pg_postmaster_start_time()::text")
    cloud.kill()
    cloud.run("up")
    assert look(rds)["DBInstanceStatus"] == "available"
    assert client.rows("select pg_postmaster_start_time()::text") == before
    wait_until(lambda: redundant(rds), 60)


def test_a_snapshot_restores_and_deletion_keeps_a_last_one(rds, client, groups):
    client.rows(
        "drop table if exists kept",
        "create table kept as select n, md5(n::text) from generate_series(1, 1000) n",
    )
    rds.create_db_snapshot(DBInstanceIdentifier="tests", DBSnapshotIdentifier="kept")
    client.rows("delete from kept")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored",
        DBSnapshotIdentifier="kept",
        DBSubnetGroupName="tests",
        VpcSecurityGroupIds=[groups["databases"]],
        MultiAZ=False,
    )
    try:
        client.name = look(rds, "restored")["Endpoint"]["Address"]
        assert client.rows("select count(*) from kept") == [[1000]]
        with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier"):
            rds.delete_db_instance(DBInstanceIdentifier="restored")
    finally:
        rds.delete_db_instance(
            DBInstanceIdentifier="restored", FinalDBSnapshotIdentifier="restored-final"
        )
    names = {each["DBSnapshotIdentifier"] for each in rds.describe_db_snapshots()["DBSnapshots"]}
    assert {"kept", "restored-final"} <= names


def test_a_change_waits_unless_it_shall_apply_at_once(cloud, rds, client):
    rds.modify_db_instance(DBInstanceIdentifier="tests", AllocatedStorage=25)
    assert look(rds)["AllocatedStorage"] == 20
    assert look(rds)["PendingModifiedValues"] == {"AllocatedStorage": 25}
    with pytest.raises(ClientError, match="cannot be less"):
        rds.modify_db_instance(DBInstanceIdentifier="tests", AllocatedStorage=10)
    answer = rds.modify_db_instance(
        DBInstanceIdentifier="tests",
        DBInstanceClass="db.t4g.small",
        MasterUserPassword="another-long-secret",
        ApplyImmediately=True,
    )["DBInstance"]
    assert answer["DBInstanceStatus"] == "modifying"
    assert answer["PendingModifiedValues"] == {
        "AllocatedStorage": 25, "DBInstanceClass": "db.t4g.small",
    }  # fmt: skip
    changed(rds)
    now = look(rds)
    assert now["AllocatedStorage"] == 25
    assert now["DBInstanceClass"] == "db.t4g.small"
    assert now["PendingModifiedValues"] == {}
    [[buffers]] = client.rows("show shared_buffers", password="another-long-secret")
    assert buffers == "512MB"
    # and back: a standby does not start with fewer connections than its primary allows
    wait_until(lambda: redundant(rds), 60)
    rds.modify_db_instance(
        DBInstanceIdentifier="tests", DBInstanceClass="db.t4g.micro", ApplyImmediately=True
    )
    # what a crash cuts off goes on after it
    cloud.kill()
    cloud.run("up")
    changed(rds)
    assert look(rds)["DBInstanceClass"] == "db.t4g.micro"
    [[connections]] = client.rows("show max_connections", password="another-long-secret")
    assert int(connections) < 120
    wait_until(lambda: redundant(rds), 60)
    rds.modify_db_instance(
        DBInstanceIdentifier="tests", MasterUserPassword=PASSWORD, ApplyImmediately=True
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Engine": "mysql"}, "PostgreSQL"),
        ({"EngineVersion": "12.3"}, "Cannot find version"),
        ({"DBInstanceClass": "db.no.such"}, "Invalid DB Instance class"),
        ({"MasterUserPassword": "short"}, "shorter than 8"),
        ({"DBSubnetGroupName": "none"}, "not found"),
        ({"DBParameterGroupName": "none"}, "not found"),
    ],
)
def test_what_cannot_be_made_is_refused(rds, database, options, message):
    wanted = {
        "DBInstanceIdentifier": "refused",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "mustache",
        "MasterUserPassword": PASSWORD,
        "DBSubnetGroupName": "tests",
        **options,
    }
    with pytest.raises(ClientError, match=message):
        rds.create_db_instance(**wanted)
    with pytest.raises(ClientError, match="not found"):
        look(rds, "refused")
