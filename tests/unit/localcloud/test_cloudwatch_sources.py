"""What is published of hosts, load balancers, distributions and groups."""

from types import SimpleNamespace

import pytest
from unit.localcloud.test_logsocket import LINE, NOON

from filter_plugins.site_alarms import site_alarms
from localcloud.services.cloudfront.distributions import Distributions
from localcloud.services.cloudwatch import counters
from localcloud.services.cloudwatch.counters import Counted, Growth
from localcloud.services.cloudwatch.sources import balancers, caches, databases, groups, instances
from localcloud.services.cloudwatch.sources.distributions import DistributionMetrics
from localcloud.services.elasticache.groups import ReplicationGroups
from localcloud.services.elbv2.balancers import LoadBalancers
from localcloud.services.elbv2.targets import TargetGroups
from localcloud.services.elbv2.traffic import Traffic
from localcloud.services.rds.databases import Databases

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:    9000      10    0    0    0     0          0         0     9000      10    0    0
  eth0:    1500       7    0    0    0     0          0         0      700       3    0    0
  eth1:     500       7    0    0    0     0          0         0      300       3    0    0
"""


def told(points) -> dict:
    """Sums by metric and values of the dimensions."""
    found = {}
    for each in points:
        key = (each.metric.name, *(value for _, value in each.metric.dimensions))
        found[key] = found.get(key, 0) + each.values.sum
    return found


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Files as the kernel has them; call it with the control groups of process 7."""

    def make(groups: str, files: dict[str, str]):
        for name, content in {
            "proc/7/cgroup": groups, "proc/7/net/dev": DEV, "proc/uptime": "1000.5 1.0",
            "proc/7/stat": f"7 (a (b) c) S {' '.join(['0'] * 18)} {900 * counters.TICKS} 0",
            **files,
        }.items():  # fmt: skip
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        monkeypatch.setattr(counters, "PROC", tmp_path / "proc")
        monkeypatch.setattr(counters, "CGROUPS", tmp_path / "cgroup")

    return make


def test_control_groups_of_their_own(kernel):
    kernel(
        "9:name=systemd:/pod/init.scope\n3:cpu,cpuacct:/pod\n4:memory:/pod\n0::/pod/init.scope\n",
        {
            "cgroup/cpu,cpuacct/pod/cpuacct.usage": "2500000000\n",
            "cgroup/memory/pod/memory.usage_in_bytes": "5000\n",
            "cgroup/memory/pod/memory.stat": "cache 4000\ntotal_inactive_file 3000\n",
        },
    )
    assert counters.read(7) == Counted(cpu=2.5, received=2000, sent=1000, memory=2000)
    assert counters.age(7) == 100.5
    assert counters.read(8) is None


def test_the_unified_hierarchy(kernel):
    kernel(
        "0::/pod/init.scope\n",
        {
            "cgroup/pod/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
            "cgroup/pod/memory.current": "5000\n",
            "cgroup/pod/memory.stat": "anon 1\ninactive_file 1000\n",
        },
    )
    assert counters.read(7) == Counted(cpu=1.5, received=2000, sent=1000, memory=4000)


def test_growth_since_the_last_look():
    growth = Growth()
    assert growth.take("a", {"cpu": 10}, now=100) is None
    assert growth.take("a", {"cpu": 40}, now=160) == (60, {"cpu": 30})
    # what began within the minute is known from its beginning
    assert growth.take("b", {"cpu": 3}, born=20, now=160) == (20, {"cpu": 3})
    assert growth.take("c", {"cpu": 3}, born=2000, now=160) is None
    # who counts anew is another
    assert growth.take("a", {"cpu": 1}, now=220) is None
    growth.keep({"b"})
    assert growth.take("a", {"cpu": 5}, now=280) is None


@pytest.fixture
def used(monkeypatch):
    """Each look finds ten seconds of one processor more, a minute later."""
    seconds = [0.0]

    def read(pid):
        seconds[0] += 10
        return Counted(seconds[0], int(seconds[0] * 100), int(seconds[0]), 0)

    times = iter(range(0, 100000, 60))
    monkeypatch.setattr(counters, "read", read)
    monkeypatch.setattr(counters, "age", lambda pid: 5000.0)
    monkeypatch.setattr(counters.time, "monotonic", lambda: float(next(times)))
    monkeypatch.setenv("LOCALCLOUD_VCPU", "0.25")


def test_an_instance_with_detailed_monitoring(cloud, launch, ec2, used):
    instance = launch(Monitoring={"Enabled": True}, TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])  # fmt: skip
    cloud.backend("ec2").create_tags(
        [instance["InstanceId"]], {"aws:autoscaling:groupName": "shop"}
    )
    source = instances.InstanceMetrics(cloud)
    first = told(source.measure(NOON))
    assert not any("CPUUtilization" in each for each in first)
    found = told(source.measure(NOON + 60))
    # 10 s of 60 s, of two vCPUs of a quarter of a core each
    identity = instance["InstanceId"]
    for name in (identity, "shop", instance["ImageId"], "t3.micro"):
        assert found["CPUUtilization", name] == pytest.approx(100 * 10 / 30)
    assert found[("CPUUtilization",)] == pytest.approx(100 * 10 / 30)
    assert (found["NetworkIn", identity], found["NetworkOut", identity]) == (1000, 10)
    assert found["StatusCheckFailed", identity] == found["StatusCheckFailed", "shop"] == 0


def test_basic_monitoring_tells_of_five_minutes_at_once(cloud, launch, used):
    instance = launch()
    source = instances.InstanceMetrics(cloud)
    points = [
        (minute, point)
        for minute in range(10)
        for point in source.measure(NOON + 60 * minute)
        if point.metric.name == "CPUUtilization"
    ]
    assert [(minute, point.at - NOON) for minute, point in points] == [(4, 0), (9, 300)]
    assert points[1][1].values.sum == pytest.approx(100 * 10 / 30)
    assert points[0][1].metric.dimensions == (("InstanceId", instance["InstanceId"]),)


def test_what_does_not_run_has_no_data(cloud, ec2, launch, used):
    instance = launch()
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    assert list(instances.InstanceMetrics(cloud).measure(NOON)) == []


def test_the_check_of_an_isolated_instance_fails(cloud, launch, used):
    instance = launch()
    cloud.isolated = {instance["PrivateIpAddress"]}
    found = told(instances.InstanceMetrics(cloud).measure(NOON))
    assert found["StatusCheckFailed", instance["InstanceId"]] == 1
    assert found["StatusCheckFailed_System", instance["InstanceId"]] == 0


def test_detailed_monitoring_is_switched(ec2, launch):
    identity = launch()["InstanceId"]
    (made,) = ec2.monitor_instances(InstanceIds=[identity])["InstanceMonitorings"]
    assert made == {"InstanceId": identity, "Monitoring": {"State": "enabled"}}
    described = ec2.describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]
    assert described["Monitoring"]["State"] == "enabled"
    ec2.unmonitor_instances(InstanceIds=[identity])


# load balancers

BALANCER = "app/shop/01"
GROUP = "targetgroup/shop/02"
PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"


@pytest.fixture
def shop(cloud, monkeypatch):
    """A load balancer with two nodes and two targets; one of them is healthy."""
    nodes = [SimpleNamespace(id=f"alb-{each}", zone=f"us-east-1{each}") for each in "ab"]
    balancer = SimpleNamespace(arn=f"{PREFIX}loadbalancer/{BALANCER}", nodes=nodes)
    group = SimpleNamespace(
        name="shop", arn=PREFIX + GROUP, targets={"i-1": {}, "i-2": {}},
        load_balancer_arns=[balancer.arn],
    )  # fmt: skip
    states = {"i-1": "healthy", "i-2": "unhealthy"}
    services = {
        LoadBalancers: SimpleNamespace(all=lambda: [balancer], traffic=Traffic()),
        TargetGroups: SimpleNamespace(
            health=lambda group, target: SimpleNamespace(state=states[target])
        ),
    }
    fake = SimpleNamespace(
        service=services.get,
        backend=lambda name: {
            "elbv2": SimpleNamespace(target_groups={"shop": group}),
            "ec2": SimpleNamespace(
                get_instance_by_id=lambda each: SimpleNamespace(
                    availability_zone="us-east-1a" if each == "i-1" else "us-east-1b"
                )
            ),
        }[name],
    )
    return SimpleNamespace(
        source=balancers.BalancerMetrics(fake), traffic=services[LoadBalancers].traffic,
        group=group, states=states,
    )  # fmt: skip


def test_without_requests_only_health_is_told(shop):
    assert told(shop.source.measure(NOON)) == {
        ("HealthyHostCount", BALANCER, GROUP): 1,
        ("HealthyHostCount", "us-east-1a", BALANCER, GROUP): 1,
        ("HealthyHostCount", "us-east-1b", BALANCER, GROUP): 0,
        ("UnHealthyHostCount", BALANCER, GROUP): 1,
        ("UnHealthyHostCount", "us-east-1a", BALANCER, GROUP): 0,
        ("UnHealthyHostCount", "us-east-1b", BALANCER, GROUP): 1,
    }
    shop.group.targets = {}
    assert list(shop.source.measure(NOON)) == []


def test_requests(shop):
    shop.states["i-2"] = "healthy"
    for node in ("alb-a", "alb-a", "alb-b"):
        shop.traffic.add(node, LINE)
    shop.traffic.add("alb-a", {**LINE, "status": "504", "target_status": "", "response_ms": "-1"})
    shop.traffic.add("alb-gone", LINE)
    points = list(shop.source.measure(NOON))
    found = told(points)
    assert found["RequestCount", BALANCER] == found["RequestCount", BALANCER, GROUP] == 4
    assert found["RequestCount", "us-east-1b", BALANCER] == 1
    assert (
        found["RequestCountPerTarget", GROUP]
        == found["RequestCountPerTarget", BALANCER, GROUP]
        == 2
    )
    assert found["HTTPCode_Target_2XX_Count", BALANCER] == 3
    assert ("HTTPCode_Target_5XX_Count", BALANCER) not in found
    assert found["HTTPCode_ELB_5XX_Count", BALANCER] == 1
    assert found["HTTPCode_ELB_504_Count", BALANCER] == 1
    times = [
        each.values for each in points
        if each.metric.name == "TargetResponseTime" and len(each.metric.dimensions) == 1
    ]  # fmt: skip
    assert sum(each.count for each in times) == 3
    assert {each.maximum for each in times} == {0.04}


def test_a_distribution(cloud):
    traffic = cloud.service(Distributions).traffic
    for status in (200, 200, 404, 502):
        traffic.add({"distribution": "E1", "bytes": 10, "status": status}, NOON)
    assert told(DistributionMetrics(cloud).measure(NOON)) == {
        ("Requests", "E1", "Global"): 4,
        ("BytesDownloaded", "E1", "Global"): 40,
        ("4xxErrorRate", "E1", "Global"): 25,
        ("5xxErrorRate", "E1", "Global"): 25,
        ("TotalErrorRate", "E1", "Global"): 50,
    }
    assert list(DistributionMetrics(cloud).measure(NOON + 60)) == []


def test_sizes_of_groups_that_want_them_published():
    states = [SimpleNamespace(lifecycle_state=each) for each in ("InService", "Pending:Wait")]
    group = SimpleNamespace(
        name="shop", min_size=1, max_size=4, desired_capacity=2, instance_states=states,
        metrics=["GroupMaxSize", "GroupInServiceInstances", "GroupPendingInstances",
                 "WarmPoolTotalCapacity"],
    )  # fmt: skip
    quiet = SimpleNamespace(**{**vars(group), "name": "quiet", "metrics": []})
    backend = SimpleNamespace(autoscaling_groups={"shop": group, "quiet": quiet})
    fake = SimpleNamespace(backend=lambda name: backend)
    assert told(groups.GroupMetrics(fake).measure(NOON)) == {
        ("GroupMaxSize", "shop"): 4,
        ("GroupInServiceInstances", "shop"): 1,
        ("GroupPendingInstances", "shop"): 1,
    }


# databases and caches


def container(name):
    return SimpleNamespace(name=name, pid=7, running=True)


def test_a_database(used):
    primary = SimpleNamespace(free=lambda: 5000, value=lambda query, owner: 12)
    database = SimpleNamespace(
        db_instance_identifier="shop", db_instance_class="db.t3.micro", status="available",
        deployment=SimpleNamespace(primary=SimpleNamespace(id="rds-1")),
    )  # fmt: skip
    stopped = SimpleNamespace(**{**vars(database), "status": "stopped"})
    service = SimpleNamespace(
        all=lambda: [database, stopped], cluster=lambda each: SimpleNamespace(primary=primary)
    )
    fake = SimpleNamespace(
        service={Databases: service}.get,
        engine=SimpleNamespace(containers=lambda: {"rds-1": container("rds-1")}),
    )
    source = databases.DatabaseMetrics(fake)
    list(source.measure(NOON))
    found = told(source.measure(NOON + 60))
    assert found["CPUUtilization", "shop"] == pytest.approx(100 * 10 / 30)
    assert found["DatabaseConnections", "shop"] == 12
    assert found["FreeStorageSpace", "shop"] == 5000
    assert 0 < found["FreeableMemory", "shop"] <= 1 << 30

    def silent(query, owner):
        raise OSError("no answer")

    primary.value = silent
    assert ("DatabaseConnections", "shop") not in told(source.measure(NOON + 120))


def test_a_node_of_a_cache(used):
    numbers = {
        "connected_clients": 4, "evicted_keys": 0, "keyspace_hits": 0, "keyspace_misses": 0,
        "used_cpu_sys_main_thread": 0.0, "used_cpu_user_main_thread": 0.0,
    }  # fmt: skip

    def ask(*words):
        numbers["keyspace_hits"] += 30
        numbers["keyspace_misses"] += 10
        numbers["used_cpu_user_main_thread"] += 3.0
        return dict(numbers)

    made = SimpleNamespace(cache_node_type="cache.t3.micro")
    group = SimpleNamespace(
        deployment=SimpleNamespace(hosts={"shop-001": SimpleNamespace(id="cache-1")}),
        node=lambda name: SimpleNamespace(ask=ask),
    )
    service = SimpleNamespace(all=lambda: [made], group=lambda each: group)
    fake = SimpleNamespace(
        service={ReplicationGroups: service}.get,
        engine=SimpleNamespace(containers=lambda: {"cache-1": container("cache-1")}),
    )
    source = caches.CacheMetrics(fake)
    list(source.measure(NOON))
    found = told(source.measure(NOON + 60))
    assert found["CurrConnections", "shop-001"] == found["CurrConnections", "shop-001", "0001"] == 3
    assert (found["CacheHits", "shop-001"], found["CacheMisses", "shop-001"]) == (30, 10)
    assert found["Evictions", "shop-001"] == 0
    assert found["CPUUtilization", "shop-001"] == pytest.approx(100 * 10 / 30)
    # one thread, on one vCPU of a quarter of a core
    assert found["EngineCPUUtilization", "shop-001"] == pytest.approx(100 * 3 / 15)


def test_what_the_site_s_alarms_look_at_is_published(cloud, launch, shop, used):
    """Namespaces, names and dimensions of `site_alarms`, but for what hosts send themselves."""
    launch()
    for changes in ({"target_status": "500"}, {"status": "502", "target_status": ""}):
        shop.traffic.add("alb-a", {**LINE, **changes})
    primary = SimpleNamespace(free=lambda: 5000, value=lambda query, owner: 12)
    database = SimpleNamespace(
        db_instance_identifier="shop", db_instance_class="db.t3.micro", status="available",
        deployment=SimpleNamespace(primary=SimpleNamespace(id="rds-1")),
    )  # fmt: skip
    service = SimpleNamespace(
        all=lambda: [database], cluster=lambda each: SimpleNamespace(primary=primary)
    )
    rds = SimpleNamespace(
        service={Databases: service}.get,
        engine=SimpleNamespace(containers=lambda: {"rds-1": container("rds-1")}),
    )
    sources = (instances.InstanceMetrics(cloud), shop.source, databases.DatabaseMetrics(rds))
    published = {
        (each.metric.namespace, each.metric.name, tuple(name for name, _ in each.metric.dimensions))
        for source in sources
        for minute in range(5)
        for each in source.measure(NOON + 60 * minute)
    }
    alarms = site_alarms(
        [{"name": "shop-1", "id": "i-1"}],
        {"load_balancer": BALANCER, "target_group": GROUP},
        {"identifier": "shop", "storage_gib": 20, "connections": 70},
    )
    looked_at = {
        (each["namespace"], each["metric"], tuple(sorted(each["dimensions"])))
        for each in alarms
        if each["namespace"] != "Mustache"
    }
    assert len(looked_at) == 8
    assert looked_at <= published
