"""RDS says no to what nothing would stand behind, and answers what is asked before a creation."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client

from localcloud.services.rds import server
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.snapshots import Snapshots


@pytest.fixture
def rds(cloud, monkeypatch):
    monkeypatch.setattr(Databases, "version", lambda self: "17.8")
    return client("rds")


@pytest.fixture
def subnets(ec2, site, rds):
    second = ec2.create_subnet(
        VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]  # fmt: skip
    rds.create_db_subnet_group(
        DBSubnetGroupName="two",
        DBSubnetGroupDescription="two",
        SubnetIds=[site["subnet"], second],
    )


@pytest.fixture
def create(rds, subnets, monkeypatch):
    """CreateDBInstance whose hosts come up at once."""
    monkeypatch.setattr("localcloud.services.rds.cluster.Cluster.create", _created)
    monkeypatch.setattr(Snapshots, "_copy", lambda self, database, name: None)

    def start(**options):
        options = {
            "DBInstanceIdentifier": "one",
            "DBInstanceClass": "db.t4g.micro",
            "Engine": "postgres",
            "AllocatedStorage": 20,
            "MasterUsername": "mustache",
            "MasterUserPassword": "long-enough",
            "DBSubnetGroupName": "two",
            **options,
        }
        return rds.create_db_instance(**options)["DBInstance"]

    return start


def _created(cluster, password, snapshot):
    from localcloud.services.rds.cluster import Deployment

    subnet = cluster._subnet(cluster.database.availability_zone)
    host = cluster._host(1, subnet)
    cluster.database.deployment = Deployment(host)
    cluster.appliances.cloud.storage.create(host.id, host.size)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"EngineVersion": "17.99"}, "this local cloud has 17.8"),
        ({"EngineVersion": "17.6"}, "this local cloud has 17.8"),
        ({"EngineVersion": "16"}, "this local cloud has 17.8"),
        ({"Engine": "aurora-postgresql"}, "Aurora"),
        ({"Engine": "mysql"}, "runs PostgreSQL"),
        ({"DBClusterIdentifier": "c"}, "Aurora"),
        ({"PubliclyAccessible": True}, "publicly accessible"),
        ({"DBInstanceClass": "db.t9.mega"}, "Invalid DB Instance class"),
        ({"DBInstanceClass": "db.c5.large"}, "Invalid DB Instance class"),
        ({"AvailabilityZone": "us-east-1f"}, "us-east-1f is not in"),
        ({"MasterUserPassword": "short"}, "shorter than 8"),
        ({"MasterUsername": "rdsadmin"}, "reserved word"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_left(create, rds, options, says):
    with pytest.raises(ClientError, match=says):
        create(**options)
    assert rds.describe_db_instances()["DBInstances"] == []


def test_a_read_replica_is_refused_and_the_primary_stays(create, rds):
    create()
    with pytest.raises(ClientError, match="no read replicas"):
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier="two", SourceDBInstanceIdentifier="one"
        )
    found = rds.describe_db_instances()["DBInstances"]
    assert [each["DBInstanceIdentifier"] for each in found] == ["one"]
    assert found[0]["ReadReplicaDBInstanceIdentifiers"] == []


def test_a_cluster_is_refused(rds):
    with pytest.raises(ClientError, match="no DB clusters"):
        rds.create_db_cluster(
            DBClusterIdentifier="c",
            Engine="aurora-postgresql",
            MasterUsername="mustache",
            MasterUserPassword="long-enough",
        )
    assert rds.describe_db_clusters()["DBClusters"] == []


def test_the_version_is_the_one_that_is_there(create, rds):
    assert create(EngineVersion="17")["EngineVersion"] == "17.8"
    versions = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
    assert [each["EngineVersion"] for each in versions] == ["17.8"]
    assert rds.describe_db_engine_versions(Engine="mysql")["DBEngineVersions"] == []


def test_no_database_can_be_opened_to_the_world_later(create, rds):
    create()
    with pytest.raises(ClientError, match="publicly accessible"):
        rds.modify_db_instance(DBInstanceIdentifier="one", PubliclyAccessible=True)


def test_classes_that_can_be_ordered(rds):
    found = rds.get_paginator("describe_orderable_db_instance_options").paginate(Engine="postgres")
    options = [each for page in found for each in page["OrderableDBInstanceOptions"]]
    classes = {each["DBInstanceClass"] for each in options}
    assert {"db.t3.micro", "db.t4g.micro", "db.r6g.large"} <= classes
    assert not {"db.c5.large", "db.t9.mega"} & classes
    assert "us-east-1a" in {zone["Name"] for zone in options[0]["AvailabilityZones"]}


def test_the_authority_of_a_database_is_one_that_is_valid(create, rds):
    name = create()["CACertificateIdentifier"]
    found = rds.describe_certificates(CertificateIdentifier=name)["Certificates"][0]
    assert found["ValidTill"].year > found["ValidFrom"].year + 5


@pytest.mark.parametrize(
    ("first", "second", "pending"), [("gp3", "gp2", {}), ("gp3", "gp3", {"StorageType": "gp3"})]
)
def test_what_a_database_has_already_does_not_wait(create, rds, first, second, pending):
    create(StorageType="gp2")
    for kind in (first, second):
        answer = rds.modify_db_instance(DBInstanceIdentifier="one", StorageType=kind)
    assert answer["DBInstance"]["PendingModifiedValues"] == pending


def test_log_exports_apply_at_once(create, rds):
    create()
    for _ in range(2):
        answer = rds.modify_db_instance(
            DBInstanceIdentifier="one",
            CloudwatchLogsExportConfiguration={"EnableLogTypes": ["postgresql"]},
        )
    assert answer["DBInstance"]["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert answer["DBInstance"]["PendingModifiedValues"] == {}


def test_every_wrong_parameter_is_named(rds):
    rds.create_db_parameter_group(
        DBParameterGroupName="g", DBParameterGroupFamily="postgres17", Description="g"
    )
    wrong = [
        {"ParameterName": name, "ParameterValue": "1", "ApplyMethod": "immediate"}
        for name in ("no_such", "nor_this")
    ]
    with pytest.raises(ClientError, match=r"no_such.*nor_this"):
        rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=wrong)


def test_a_family_of_another_engine_is_refused(rds):
    with pytest.raises(ClientError, match="postgres17"):
        rds.create_db_parameter_group(
            DBParameterGroupName="g", DBParameterGroupFamily="mysql8.0", Description="g"
        )


def test_a_database_that_was_half_made_is_gone_after_a_crash(make_cloud, create, cloud, rds):
    create()
    cloud.backend("rds").databases["one"].status = "creating"
    cloud.save()
    again = make_cloud(storage=cloud.storage)
    assert "removed database one: it was half made" in again.adopted
    assert client("rds").describe_db_instances()["DBInstances"] == []
    assert list(again.service(Databases).hosts()) == []
    assert again.storage.sizes == {}


def test_a_backup_that_is_due_is_not_the_reconciler_s_work(create, cloud, monkeypatch):
    create(BackupRetentionPeriod=1)
    database = cloud.backend("rds").databases["one"]
    cloud.backend("rds").database_snapshots.clear()
    asked = []
    monkeypatch.setattr(Databases, "work", lambda self, key, job: asked.append(key))
    cloud.service(Snapshots).reconcile()
    assert asked == ["backup of one"]
    assert database.status == "available"


def test_the_version_is_read_from_the_image(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(
        "Package: postgresql-17\nStatus: install ok installed\nVersion: 17.8-0+deb13u1\n\n"
        "Package: other\nVersion: 1.0\n"
    )
    assert server.version(tmp_path) == "17.8"
