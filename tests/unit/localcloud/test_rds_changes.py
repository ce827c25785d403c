"""What takes long about ModifyDBInstance goes on behind it, also after a crash."""

import threading

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client
from unit.localcloud.test_pace_states import created

from localcloud.engine import State
from localcloud.services.managed import HostError
from localcloud.services.rds.changes import LONG as SLOW
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.snapshots import Snapshots

LONG = {"AllocatedStorage": 30, "DBInstanceClass": "db.t4g.small", "MultiAZ": True}


class Work:
    """Changes as they are made real: each waits until it may."""

    def __init__(self):
        self.made = []
        self.begun = threading.Event()
        self.may = threading.Event()
        self.fails = False

    def complete(self, databases, database, changes):
        if not changes.keys() & SLOW.keys():
            return  # those of the call itself
        self.begun.set()
        assert self.may.wait(10)
        if self.fails:
            raise HostError("the standby does not start")
        self.made.append(dict(changes))


@pytest.fixture
def work(monkeypatch):
    made = Work()
    monkeypatch.setattr(Databases, "version", lambda self: "17.8")
    monkeypatch.setattr(Databases, "apply", lambda *_: None)
    monkeypatch.setattr(Databases, "complete", lambda *words: made.complete(*words))
    yield made
    made.may.set()


@pytest.fixture
def database(cloud, ec2, site, work, monkeypatch):
    monkeypatch.setattr("localcloud.services.rds.cluster.Cluster.create", created)
    monkeypatch.setattr(Snapshots, "_copy", lambda self, database, name: None)
    second = ec2.create_subnet(
        VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]  # fmt: skip
    rds = client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="two",
        DBSubnetGroupDescription="two",
        SubnetIds=[site["subnet"], second],
    )
    rds.create_db_instance(
        DBInstanceIdentifier="one", DBInstanceClass="db.t4g.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="mustache", MasterUserPassword="long-enough",
        DBSubnetGroupName="two", BackupRetentionPeriod=1,
    )  # fmt: skip
    [host] = cloud.service(Databases).hosts()
    cloud.engine.running[host.id] = State(host.id, True, 0, 0, {"kind": "database"})
    return rds


def modify(rds, **changes):
    return rds.modify_db_instance(DBInstanceIdentifier="one", ApplyImmediately=True, **changes)[
        "DBInstance"
    ]


def look(rds):
    return rds.describe_db_instances(DBInstanceIdentifier="one")["DBInstances"][0]


def settle(cloud):
    """Wait until nothing goes on."""
    for job in list(cloud.service(Databases)._jobs.values()):
        job.join(10)
        assert not job.is_alive()


def test_the_call_answers_while_the_change_goes_on(cloud, database, work):
    answer = modify(database, **LONG)
    assert answer["DBInstanceStatus"] == "modifying"
    assert answer["PendingModifiedValues"] == LONG
    assert (answer["AllocatedStorage"], answer["MultiAZ"]) == (20, False)
    assert work.begun.wait(10)
    meanwhile = look(database)
    assert {name: meanwhile[name] for name in LONG} == {
        "AllocatedStorage": 20, "DBInstanceClass": "db.t4g.micro", "MultiAZ": False,
    }  # fmt: skip
    with pytest.raises(ClientError) as refused:
        modify(database, AllocatedStorage=40)
    assert refused.value.response["Error"]["Code"] == "InvalidDBInstanceState"
    work.may.set()
    settle(cloud)
    found = look(database)
    assert found["DBInstanceStatus"] == "available"
    assert found["PendingModifiedValues"] == {}
    assert {name: found[name] for name in LONG} == LONG
    assert work.made == [
        {"allocated_storage": 30, "db_instance_class": "db.t4g.small", "multi_az": True}
    ]


def test_what_takes_no_time_is_so_when_the_call_answers(cloud, database, work):
    work.may.set()
    answer = modify(database, BackupRetentionPeriod=3, DBInstanceClass="db.t4g.micro")
    assert answer["DBInstanceStatus"] == "available"
    assert answer["BackupRetentionPeriod"] == 3
    assert answer["PendingModifiedValues"] == {}
    assert cloud.service(Databases)._jobs == {}


def test_a_change_that_fails_waits_on_and_the_database_is_available(cloud, database, work):
    work.fails = True
    modify(database, MultiAZ=True)
    work.may.set()
    settle(cloud)
    found = look(database)
    assert found["DBInstanceStatus"] == "available"
    assert found["PendingModifiedValues"] == {"MultiAZ": True}
    events = database.describe_events(SourceIdentifier="one", SourceType="db-instance")["Events"]
    assert "the standby does not start" in events[-1]["Message"]
    work.fails = False
    modify(database, BackupRetentionPeriod=2)
    settle(cloud)
    assert work.made[-1] == {"multi_az": True}
    assert look(database)["PendingModifiedValues"] == {}


def test_a_change_that_a_crash_cut_off_is_made_after_it(make_cloud, cloud, database, work,
                                                        monkeypatch):  # fmt: skip
    monkeypatch.setattr("localcloud.services.rds.cluster.Cluster.thaw", lambda self: None)
    monkeypatch.setattr("localcloud.services.rds.cluster.Cluster.take_over", lambda self: None)
    started = []
    monkeypatch.setattr(
        "localcloud.services.rds.cluster.Cluster.start", lambda self: started.append(self)
    )
    # the process dies before the change begins
    monkeypatch.setattr(cloud.service(Databases), "work", lambda key, job: True)
    modify(database, AllocatedStorage=30)
    cloud.save()
    [host] = cloud.service(Databases).hosts()
    cloud.engine.remove(host.id)  # it was being started again
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    rds = client("rds")
    assert look(rds)["DBInstanceStatus"] == "modifying"
    assert look(rds)["PendingModifiedValues"] == {"AllocatedStorage": 30}
    work.may.set()
    after.service(Databases).reconcile()
    settle(after)
    assert look(rds)["DBInstanceStatus"] == "available"
    assert look(rds)["AllocatedStorage"] == 30
    assert work.made == [{"allocated_storage": 30}]
    assert len(started) == 1


class Crash(BaseException):
    """The process ends."""


def test_a_change_that_a_crash_cut_off_in_the_middle_shows_when_it_is_done(
    make_cloud, cloud, database, work, monkeypatch
):
    for name in ("thaw", "take_over", "start"):
        monkeypatch.setattr(f"localcloud.services.rds.cluster.Cluster.{name}", lambda self: None)

    def crash(*_):
        cloud.save()
        raise Crash

    begun = []
    monkeypatch.setattr(cloud.service(Databases), "work", lambda key, job: begun.append(job))
    modify(database, DBInstanceClass="db.t4g.small")
    with monkeypatch.context() as dying:
        dying.setattr(work, "complete", crash)
        with pytest.raises(Crash):
            begun[0]()

    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    rds = client("rds")
    assert look(rds)["DBInstanceClass"] == "db.t4g.micro"
    after.service(Databases).reconcile()
    assert work.begun.wait(10)
    assert look(rds)["DBInstanceClass"] == "db.t4g.micro"
    work.may.set()
    settle(after)
    assert look(rds)["DBInstanceClass"] == "db.t4g.small"


def test_what_is_deleted_meanwhile_is_changed_no_more(cloud, database, work, monkeypatch):
    service = cloud.service(Databases)
    begun = []
    monkeypatch.setattr(service, "work", lambda key, job: begun.append(job))
    modify(database, AllocatedStorage=30)
    database.delete_db_instance(DBInstanceIdentifier="one", SkipFinalSnapshot=True)
    work.may.set()
    begun[0]()
    assert work.made == []
