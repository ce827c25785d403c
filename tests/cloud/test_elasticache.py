"""ElastiCache as its users meet it: Valkey behind a name that follows a failover."""

import hashlib
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import allow, describe, wait_until

pytestmark = pytest.mark.cloud

TOKEN = "a-token-of-sixteen-or-more"
OTHER = "another-token-of-the-same-kind"
INSIDE = Path(__file__).with_name("inside.py")


class Client:
    """A program on an EC2 host, with one connection to the cache called ``name``."""

    def __init__(self, cloud, instance: dict, name: str, **options):
        identity = hashlib.sha256(str(cloud.state).encode()).hexdigest()[:4]
        interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        options = {
            "port": 6379,
            "password": TOKEN,
            "ssl": True,
            "ssl_ca_certs": str(cloud.state / "authority/ca.pem"),
            **options,
        }
        namespace = f"lc{identity}{interface[-9:]}"
        self.process = subprocess.Popen(
            [sys.executable, str(INSIDE), namespace, "cache", name, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words) -> dict:
        """``answer`` or ``error``."""
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def elasticache(cloud):
    return cloud.client("elasticache")


@pytest.fixture(scope="module")
def groups(cloud, site):
    """Security groups: of clients, and of a cache that lets only those in."""
    ec2 = cloud.client("ec2")
    made = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=site.vpc)["GroupId"]
        for name in ("cache-clients", "caches")
    }
    allow(ec2, made["caches"], 6379, made["cache-clients"])
    return made


@pytest.fixture(scope="module")
def cache(elasticache, site, groups):
    """A replication group of two, in two zones."""
    elasticache.create_cache_subnet_group(
        CacheSubnetGroupName="tests",
        CacheSubnetGroupDescription="tests",
        SubnetIds=[site.public, site.private],
    )
    elasticache.create_cache_parameter_group(
        CacheParameterGroupName="tests", CacheParameterGroupFamily="valkey8", Description="tests"
    )
    elasticache.create_replication_group(
        ReplicationGroupId="tests",
        ReplicationGroupDescription="tests",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        CacheSubnetGroupName="tests",
        CacheParameterGroupName="tests",
        SecurityGroupIds=[groups["caches"]],
        TransitEncryptionEnabled=True,
        AtRestEncryptionEnabled=True,
        AuthToken=TOKEN,
    )
    yield look(elasticache)
    elasticache.delete_replication_group(ReplicationGroupId="tests")
    assert elasticache.describe_replication_groups()["ReplicationGroups"] == []


@pytest.fixture(scope="module")
def host(cloud, site, groups):
    """An EC2 host in the clients' security group."""
    ec2 = cloud.client("ec2")
    made = ec2.run_instances(
        ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        SubnetId=site.public, SecurityGroupIds=[site.group, groups["cache-clients"]],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    yield describe(ec2, made)
    ec2.terminate_instances(InstanceIds=[made])


@pytest.fixture
def connect(cloud, host, cache):
    """Connections from the host, to the primary unless another ``name`` is given."""
    opened = []

    def start(instance=host, name=None, **options) -> Client:
        opened.append(Client(cloud, instance, name or endpoint(cache), **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def look(elasticache, name="tests") -> dict:
    found = elasticache.describe_replication_groups(ReplicationGroupId=name)
    return found["ReplicationGroups"][0]


def endpoint(group: dict, kind: str = "PrimaryEndpoint") -> str:
    return group["NodeGroups"][0][kind]["Address"]


def members(elasticache, name="tests") -> list[dict]:
    return look(elasticache, name)["NodeGroups"][0]["NodeGroupMembers"]


def primary(elasticache, name="tests") -> str:
    found = members(elasticache, name)
    return next(each["CacheClusterId"] for each in found if each["CurrentRole"] == "primary")


@contextmanager
def written(connect, key):
    """Something is there before, and the same afterwards."""
    assert connect().ask("SET", key, "kept") == {"answer": True}
    yield
    assert wait_until(lambda: connect().ask("GET", key).get("answer"), 30) == "kept"


def test_an_available_group_takes_writes_in_two_zones(elasticache, cache, connect):
    assert cache["Status"] == "available"
    members = cache["NodeGroups"][0]["NodeGroupMembers"]
    assert len({each["PreferredAvailabilityZone"] for each in members}) == 2
    assert connect().ask("SET", "a", "1") == {"answer": True}
    reader = connect(name=endpoint(cache, "ReaderEndpoint"))
    assert wait_until(lambda: reader.ask("GET", "a").get("answer")) == "1"
    assert "ReadOnly" in reader.ask("SET", "a", "2")["error"]
    nodes = elasticache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    assert {each["CacheClusterId"] for each in nodes} == set(cache["MemberClusters"])
    assert all(each["CacheNodes"][0]["Endpoint"]["Port"] == 6379 for each in nodes)


def test_only_with_the_token_over_tls_and_from_the_right_group(cloud, connect, launch):
    assert "error" in connect(password="wrong-token-of-sixteen").ask("PING")
    assert "error" in connect(password=None).ask("GET", "a")
    assert "error" in connect(ssl=False, ssl_ca_certs=None).ask("PING")
    assert "error" in connect(instance=launch()).ask("PING")
    assert "NoPermission" in connect().ask("CONFIG", "GET", "*")["error"]


def test_a_planned_failover_loses_nothing_and_the_name_follows(elasticache, connect):
    old, live = primary(elasticache), connect()
    with written(connect, "before"):
        assert live.ask("GET", "before") == {"answer": "kept"}
        elasticache.test_failover(ReplicationGroupId="tests", NodeGroupId="0001")
        assert primary(elasticache) != old
    assert connect().ask("SET", "after", "1") == {"answer": True}
    # who stayed connected learns it by the answer, as on ElastiCache
    assert "ReadOnly" in live.ask("SET", "after", "2")["error"]


def test_a_primary_that_dies_is_replaced_by_its_replica(cloud, elasticache, connect):
    dead = primary(elasticache)
    with written(connect, "survives"):
        cloud.run("fault", "kill", f"cache-{dead}")
        wait_until(lambda: primary(elasticache) != dead, 30)
    cloud.run("heal")
    wait_until(lambda: cloud.status()["tests"]["health"] == "ok", 60)
    assert len(look(elasticache)["MemberClusters"]) == 2


def test_parameters_take_effect_and_wrong_ones_are_named(elasticache, connect):
    full = {"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"}
    elasticache.modify_cache_parameter_group(
        CacheParameterGroupName="tests", ParameterNameValues=[full]
    )
    info = connect().ask("INFO", "memory")["answer"]
    assert info["maxmemory_policy"] == "noeviction"
    assert int(info["maxmemory"]) == 536870912 * 75 // 100
    wrong = [
        {"ParameterName": "no-such", "ParameterValue": "1"},
        {"ParameterName": "timeout", "ParameterValue": "soon"},
    ]
    with pytest.raises(ClientError, match=r"no-such.*timeout"):
        elasticache.modify_cache_parameter_group(
            CacheParameterGroupName="tests", ParameterNameValues=wrong
        )


def test_what_changes_while_a_node_is_down_holds_when_it_is_back(cloud, elasticache, connect):
    leads = primary(elasticache)
    [lost] = [each for each in members(elasticache) if each["CacheClusterId"] != leads]
    cloud.run("fault", "kill", f"cache-{lost['CacheClusterId']}")
    policy = {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}
    elasticache.modify_cache_parameter_group(
        CacheParameterGroupName="tests", ParameterNameValues=[policy]
    )
    cloud.run("heal")
    # again, while it starts
    elasticache.modify_cache_parameter_group(
        CacheParameterGroupName="tests", ParameterNameValues=[policy]
    )
    wait_until(lambda: cloud.status()["tests"]["health"] == "ok", 60)
    for each in members(elasticache):
        info = connect(name=each["ReadEndpoint"]["Address"]).ask("INFO", "memory")["answer"]
        assert info["maxmemory_policy"] == "allkeys-lru"


def test_a_token_is_rotated_without_locking_anybody_out(elasticache, connect):
    def set_token(strategy):
        elasticache.modify_replication_group(
            ReplicationGroupId="tests",
            AuthToken=OTHER,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )

    def works(token):
        return connect(password=token).ask("PING") == {"answer": True}

    set_token("ROTATE")
    assert works(TOKEN)
    assert works(OTHER)
    set_token("SET")
    assert not works(TOKEN)
    assert works(OTHER)
    elasticache.modify_replication_group(
        ReplicationGroupId="tests",
        AuthToken=TOKEN,
        AuthTokenUpdateStrategy="SET",
        ApplyImmediately=True,
    )
    assert works(TOKEN)


def test_replicas_come_and_go_and_a_bigger_node_keeps_the_data(elasticache, connect):
    with written(connect, "resized"):
        elasticache.increase_replica_count(
            ReplicationGroupId="tests", NewReplicaCount=2, ApplyImmediately=True
        )
        assert len(look(elasticache)["MemberClusters"]) == 3
        elasticache.decrease_replica_count(
            ReplicationGroupId="tests", NewReplicaCount=1, ApplyImmediately=True
        )
        elasticache.modify_replication_group(
            ReplicationGroupId="tests", CacheNodeType="cache.t4g.small", ApplyImmediately=True
        )
    assert look(elasticache)["CacheNodeType"] == "cache.t4g.small"
    with pytest.raises(ClientError, match="less than 2 members"):
        elasticache.decrease_replica_count(
            ReplicationGroupId="tests", NewReplicaCount=0, ApplyImmediately=True
        )


def test_a_snapshot_brings_back_what_was_there(elasticache, site, groups, host, connect, cloud):
    writer = connect()
    writer.ask("SET", "in the snapshot", "yes")
    # The snapshot is made of a replica, which a write reaches later than its answer comes.
    assert writer.ask("WAIT", 1, 15_000) == {"answer": 1}
    elasticache.create_snapshot(ReplicationGroupId="tests", SnapshotName="one")
    connect().ask("SET", "in the snapshot", "no longer")
    elasticache.create_replication_group(
        ReplicationGroupId="restored",
        ReplicationGroupDescription="restored",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        CacheSubnetGroupName="tests",
        SecurityGroupIds=[groups["caches"]],
        SnapshotName="one",
    )
    plain = {"ssl": False, "ssl_ca_certs": None, "password": None}
    try:
        client = connect(name=endpoint(look(elasticache, "restored")), **plain)
        assert client.ask("GET", "in the snapshot") == {"answer": "yes"}
    finally:
        elasticache.delete_replication_group(ReplicationGroupId="restored")
        elasticache.delete_snapshot(SnapshotName="one")
    assert list((cloud.state / "cache-snapshots").glob("*")) == []


def test_a_killed_cloud_takes_over_the_cache_with_its_data(cloud, elasticache, connect):
    with written(connect, "adopted"):
        cloud.kill()
        assert "adopted replication group tests" in cloud.run("up").stdout
