import json
from types import SimpleNamespace as Object

import pytest

from localcloud import faults_cli
from localcloud.faults import FaultError, Faults


class Engine:
    """Hosts that run, and what was done to them."""

    def __init__(self, *names):
        self.running = set(names)
        self.done = []

    def containers(self):
        return {name: Object(running=True) for name in self.running}

    def kill(self, name):
        self.done.append(("kill", name))

    def pause(self, name):
        self.done.append(("pause", name))

    def unpause(self, name):
        self.done.append(("unpause", name))


class Database:
    """A service that runs one host and knows one database."""

    failed_over = False

    def befall(self, kind, target):
        self.befallen = (kind, target)
        return target == "lambda:shop"

    def hosts(self):
        return [Object(id="rds-shop-1", address="10.0.2.9", interface_id="eni-3")]

    def host_names(self):
        return {"shop:primary": "rds-shop-1"}

    def fail_over(self):
        self.failed_over = True

    def failovers(self):
        return {"rds:shop": self.fail_over}


def interface(number, zone, address):
    return Object(
        id=f"eni-{number}", private_ip_address=address, subnet=Object(availability_zone=zone)
    )


def instance(name, number, address, tag):
    return Object(
        id=name, state="running", private_ip=address, nics={0: Object(id=f"eni-{number}")},
        get_tags=lambda: [{"key": "Name", "value": tag}],
    )  # fmt: skip


@pytest.fixture
def cloud(tmp_path):
    ec2 = Object(
        all_instances=lambda: [
            instance("i-1", 1, "10.0.1.5", "web-1"), instance("i-2", 2, "10.0.2.5", "web")
        ],
        enis={
            1: interface(1, "us-east-1a", "10.0.1.5"),
            2: interface(2, "us-east-1b", "10.0.2.5"),
            3: interface(3, "us-east-1b", "10.0.2.9"),
        },
    )  # fmt: skip
    volume = tmp_path / "volume"
    volume.mkdir()
    return Object(
        settings=Object(state=tmp_path), isolated=set(), engine=Engine("i-1", "i-2", "rds-shop-1"),
        backend=lambda name: ec2, services=[Database()], settle=lambda: None,
        storage=Object(upper=lambda name: volume / "upper"),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["i-1", "web-1", "10.0.1.5"])
def test_hosts_are_found_by_id_name_and_address(cloud, name):
    Faults(cloud).start("freeze", name)
    assert cloud.engine.done == [("pause", "i-1")]


def test_a_fault_is_listed_until_it_is_healed(cloud):
    faults = Faults(cloud)
    fault = faults.start("freeze", "rds-shop-1")
    assert [each.id for each in faults.active] == [fault.id]
    assert faults.heal(fault.id) == [fault]
    assert cloud.engine.done == [("pause", "rds-shop-1"), ("unpause", "rds-shop-1")]
    assert faults.active == []
    assert faults.heal() == []


def test_a_zone_that_is_down_takes_all_its_hosts(cloud):
    faults = Faults(cloud)
    faults.start("zone-down", "us-east-1b")
    assert cloud.isolated == {"10.0.2.5", "10.0.2.9"}
    cloud.backend("ec2").enis[4] = interface(4, "us-east-1b", "10.0.2.77")
    faults.refresh()
    assert "10.0.2.77" in cloud.isolated
    faults.heal()
    assert cloud.isolated == set()


def test_one_host_can_be_cut_off(cloud):
    faults = Faults(cloud)
    faults.start("isolate", "web-1")
    assert cloud.isolated == {"10.0.1.5"}


def test_faults_outlive_the_process(cloud):
    Faults(cloud).start("zone-down", "us-east-1a")
    cloud.isolated = set()
    again = Faults(cloud)
    assert again.load() == ["fault zone-down-1: zone-down us-east-1a"]
    assert cloud.isolated == {"10.0.1.5"}
    assert json.loads(again.file.read_text())[0]["kind"] == "zone-down"


def test_a_fault_may_have_its_time(cloud, monkeypatch):
    faults = Faults(cloud)
    faults.start("freeze", "web-1", seconds=30)
    faults.start("zone-down", "us-east-1b")
    faults.expire()
    assert [each.kind for each in faults.active] == ["freeze", "zone-down"]
    monkeypatch.setattr("time.time", lambda: faults.active[0].until + 1)
    faults.expire()
    assert [each.kind for each in faults.active] == ["zone-down"]
    assert cloud.engine.done == [("pause", "i-1"), ("unpause", "i-1")]


def test_a_filled_disk_is_emptied_again(cloud, monkeypatch):
    filler = cloud.storage.upper("i-1").parent / "filled-by-a-fault"
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: Object(free=(3 << 20) - filler.stat().st_size)
        if filler.exists() else Object(free=3 << 20),
    )  # fmt: skip
    faults = Faults(cloud)
    faults.start("fill-disk", "web-1", leave=1)
    assert filler.stat().st_size == 2 << 20
    faults.heal()
    assert not filler.exists()


@pytest.mark.parametrize("name", ["shop", "rds:shop"])
def test_a_failover_leaves_nothing_to_undo(cloud, name):
    faults = Faults(cloud)
    assert faults.start("failover", name) is None
    assert cloud.services[0].failed_over
    assert faults.active == []


@pytest.mark.parametrize("kind", ["crash", "hang", "exhaust"])
def test_a_function_is_taken_in_the_middle_of_a_request(cloud, kind):
    faults = Faults(cloud)
    assert faults.start(kind, "lambda:shop") is None
    assert cloud.services[0].befallen == (kind, "lambda:shop")
    assert faults.active == []


def test_a_name_of_two_is_refused(cloud):
    cache = Database()
    cache.failovers = lambda: {"elasticache:shop": cache.fail_over}
    cloud.services.append(cache)
    with pytest.raises(FaultError, match="names several: elasticache:shop, rds:shop"):
        Faults(cloud).start("failover", "shop")
    assert not any(each.failed_over for each in cloud.services)


def test_a_host_may_be_called_by_what_it_does(cloud):
    Faults(cloud).start("kill", "shop:primary")
    assert cloud.engine.done == [("kill", "rds-shop-1")]


@pytest.mark.parametrize(
    ("kind", "target", "message"),
    [
        ("melt", "web-1", "There is no fault melt"),
        ("kill", "nobody", "There is no host nobody"),
        ("kill", "", "There is no host"),
        ("zone-down", "eu-west-1a", "There are no hosts in zone"),
        ("crash", "nothing", "There is no function nothing"),
        ("failover", "nothing", "Nothing called nothing can fail over: rds:shop"),
    ],
)
def test_what_is_not_there_cannot_be_broken(cloud, kind, target, message):
    faults = Faults(cloud)
    with pytest.raises(FaultError, match=message):
        faults.start(kind, target)
    assert faults.active == []


def test_the_same_fault_twice_is_refused(cloud):
    faults = Faults(cloud)
    faults.start("freeze", "web-1")
    with pytest.raises(FaultError, match="already"):
        faults.start("freeze", "i-1")
    with pytest.raises(FaultError, match="There is no fault freeze-9: freeze-1"):
        faults.heal("freeze-9")


def test_one_line_for_people():
    fault = {"id": "slow-1", "kind": "slow", "target": "web", "options": {"rate": 2.0}}
    assert faults_cli.describe(fault) == "slow-1 slow web rate=2"
