"""Spot: which hosts are, what they hear before they go, and what a group does about it."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe

from localcloud.faults import FaultError
from localcloud.services.instance_metadata import InstanceMetadata
from localcloud.services.spot import Spot

WEB = {"AutoScalingGroupName": "web"}


@pytest.fixture
def market(scene):
    """The scene, in whose cloud Spot runs on the scene's clock."""
    spot = scene.cloud.service(Spot)
    spot.clock = lambda: scene.now
    spot.run = lambda job: job()
    return scene


def lifecycles(scene) -> list[str]:
    return sorted(scene.member(each).instance.lifecycle or "on-demand" for each in scene.ids())


def metadata(scene, instance) -> dict:
    return scene.cloud.service(InstanceMetadata).tree(instance.private_ip)["latest"]["meta-data"]


@pytest.mark.parametrize(
    ("base", "percentage", "spots"), [(1, 0, 3), (0, 50, 2), (0, 100, 0), (2, 50, 1), (0, 0, 4)]
)
def test_a_mixed_group_buys_as_it_is_told(market, base, percentage, spots):
    policy = market.mixed(OnDemandBaseCapacity=base, OnDemandPercentageAboveBaseCapacity=percentage)
    market.create(4, MixedInstancesPolicy=policy)
    market.rounds(2)
    assert lifecycles(market).count("spot") == spots
    assert market.zones() == ["us-east-1a"] * 2 + ["us-east-1b"] * 2


def test_a_smaller_mixed_group_keeps_its_shares(market):
    policy = market.mixed(OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    market.create(4, MixedInstancesPolicy=policy)
    market.rounds(2)
    market.api.set_desired_capacity(**WEB, DesiredCapacity=2)
    market.rounds(4)
    assert lifecycles(market) == ["on-demand", "spot"]


@pytest.mark.parametrize(
    ("strategy", "kind"),
    [("capacity-optimized-prioritized", "t3.small"), ("price-capacity-optimized", "t3.micro")],
)
def test_the_strategy_chooses_the_type(market, strategy, kind):
    policy = market.mixed(
        ("t3.small", "t3.micro"), OnDemandPercentageAboveBaseCapacity=0,
        SpotAllocationStrategy=strategy,
    )  # fmt: skip
    market.create(1, MixedInstancesPolicy=policy)
    market.rounds(2)
    assert market.instances()[0]["InstanceType"] == kind


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SpotAllocationStrategy": "cheap"}, "no allocation strategy"),
        ({"SpotMaxPrice": "0.1"}, "SpotMaxPrice would be ignored"),
        ({"SpotInstancePools": 3}, "only available with the lowest-price"),
        ({"OnDemandPercentageAboveBaseCapacity": 101}, "from 0 to 100"),
    ],
)
def test_a_mixed_policy_that_cannot_be_is_refused(market, change, message):
    with pytest.raises(ClientError, match=message):
        market.create(1, MixedInstancesPolicy=market.mixed(**change))


def test_an_interrupted_host_hears_it_two_minutes_before_its_end(market, launch):
    instance_id = launch(InstanceMarketOptions={"MarketType": "spot"})["InstanceId"]
    assert describe(market.ec2, instance_id)["InstanceLifecycle"] == "spot"
    instance = market.cloud.backend("ec2").get_instance(instance_id)
    assert metadata(market, instance)["spot"] is None
    assert market.cloud.faults.start("spot-interrupt", instance_id) is None
    told = metadata(market, instance)
    end = f"{market.now + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}"
    assert json.loads(told["spot"]["instance-action"]) == {"action": "terminate", "time": end}
    assert told["spot"]["termination-time"] == end
    assert "noticeTime" in json.loads(told["events"]["recommendations"]["rebalance"])
    market.rounds(1, 119)
    assert instance_id in market.running()
    market.rounds(1, 1)
    assert instance_id not in market.running()
    reason = describe(market.ec2, instance_id)["StateReason"]
    assert reason["Code"] == "Server.SpotInstanceTermination"


def test_what_is_not_on_spot_is_not_interrupted(market, launch):
    instance_id = launch()["InstanceId"]
    with pytest.raises(FaultError, match="is not on Spot"):
        market.cloud.faults.start("spot-interrupt", instance_id)
    with pytest.raises(FaultError, match="no running host or group nobody"):
        market.cloud.faults.start("spot-interrupt", "nobody")


def test_a_spot_instance_cannot_be_stopped(market, launch):
    instance_id = launch(InstanceMarketOptions={"MarketType": "spot"})["InstanceId"]
    with pytest.raises(ClientError, match="one-time Spot Instance request"):
        market.ec2.stop_instances(InstanceIds=[instance_id])


def test_options_of_a_market_that_is_not_there_are_refused(market, launch):
    with pytest.raises(ClientError, match=r"SpotOptions\.MaxPrice"):
        launch(InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"MaxPrice": "1"}})


def test_a_group_replaces_what_was_taken_back(market):
    market.create(2, MixedInstancesPolicy=market.mixed(OnDemandPercentageAboveBaseCapacity=0))
    market.rounds(2)
    old = market.ids()
    market.cloud.faults.start("spot-interrupt", "web")
    market.rounds(3)
    assert market.ids() == old
    market.rounds(1, 120)
    market.rounds(4)
    assert not set(old) & set(market.ids())
    assert lifecycles(market) == ["spot", "spot"]


def test_with_capacity_rebalancing_the_new_one_comes_first(market):
    policy = market.mixed(OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    market.create(2, MixedInstancesPolicy=policy, CapacityRebalance=True)
    market.rounds(2)
    (old,) = [each for each in market.ids() if market.member(each).instance.lifecycle == "spot"]
    market.cloud.faults.start("spot-interrupt", old)
    seen = []
    for _ in range(5):
        market.rounds()
        seen.append(list(market.states().values()).count("InService"))
    assert min(seen) == 2
    assert old not in market.ids()
    assert lifecycles(market) == ["on-demand", "spot"]
    assert any("rebalance recommendation" in each["Cause"] for each in market.activities())
    market.rounds(2, 120)
    assert len(market.ids()) == 2


def test_what_comes_too_late_for_the_old_one_takes_its_place_anyway(market):
    policy = market.mixed(OnDemandPercentageAboveBaseCapacity=0)
    market.create(1, MixedInstancesPolicy=policy, CapacityRebalance=True)
    market.rounds(2)
    (old,) = market.ids()
    market.api.put_lifecycle_hook(
        **WEB, LifecycleHookName="ready", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING"
    )
    market.cloud.faults.start("spot-interrupt", old)
    market.rounds(3)
    (fresh,) = set(market.ids()) - {old}
    market.rounds(4, 61)
    assert market.states() == {fresh: "Pending:Wait"}
    market.api.complete_lifecycle_action(
        **WEB, LifecycleHookName="ready", InstanceId=fresh, LifecycleActionResult="CONTINUE"
    )
    market.rounds(3)
    assert market.states() == {fresh: "InService"}


def test_a_type_without_capacity_gives_way_to_the_next(market):
    market.cloud.faults.start("no-capacity", "t3.micro")
    market.create(2, MixedInstancesPolicy=market.mixed(OnDemandPercentageAboveBaseCapacity=0))
    market.rounds(2)
    assert {each["InstanceType"] for each in market.instances()} == {"t3.small"}


def test_a_group_keeps_its_number_while_a_zone_is_dark(market):
    market.create(2)
    market.rounds(2)
    market.cloud.faults.start("zone-down", "us-east-1a")
    (lost,) = [
        each["InstanceId"] for each in market.instances()
        if each["AvailabilityZone"] == "us-east-1a"
    ]  # fmt: skip
    market.api.set_instance_health(InstanceId=lost, HealthStatus="Unhealthy")
    market.rounds(6, 61)
    assert market.zones() == ["us-east-1b"] * 2
    failed = market.activities()[0]["StatusMessage"]
    assert "sufficient t3.micro capacity in the Availability Zone you requested" in failed
    market.api.set_desired_capacity(**WEB, DesiredCapacity=3)
    market.rounds(2)
    assert market.zones() == ["us-east-1b"] * 3  # trying to balance holds nothing up
    market.cloud.faults.heal()
    market.rounds(6, 61)
    assert market.zones().count("us-east-1a") >= 1


def test_a_zone_without_capacity_gives_way_to_the_other(market):
    market.cloud.faults.start("no-capacity", "us-east-1a")
    market.create(2)
    market.rounds(2)
    assert market.zones() == ["us-east-1b"] * 2
    market.cloud.faults.heal()
    market.rounds(6, 61)
    assert market.zones() == ["us-east-1a", "us-east-1b"]


def test_without_spot_capacity_the_group_says_so_and_tries_again(market):
    fault = market.cloud.faults.start("no-capacity", "spot")
    policy = market.mixed(OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    market.create(2, MixedInstancesPolicy=policy)
    market.rounds(3)
    assert lifecycles(market) == ["on-demand"]
    assert market.activities()[0]["StatusMessage"] == (
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity "
        "available that matches your request. Launching EC2 instance failed."
    )
    (row,) = [each for each in market.cloud.rows() if each.kind == "Auto Scaling group"]
    assert "1 of 2 in service: Could not launch Spot" in row.health
    market.cloud.faults.heal(fault.id)
    market.rounds(3, 61)
    assert lifecycles(market) == ["on-demand", "spot"]


def test_runinstances_finds_no_capacity_either(market, launch):
    stopped = launch()["InstanceId"]
    market.ec2.stop_instances(InstanceIds=[stopped])
    market.cloud.faults.start("no-capacity", "us-east-1a")
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        launch()
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        market.ec2.start_instances(InstanceIds=[stopped])
    with pytest.raises(FaultError, match="neither spot nor an instance type nor a zone"):
        market.cloud.faults.start("no-capacity", "moon")


def test_a_notice_outlives_a_crash(market, make_cloud):
    policy = market.mixed(OnDemandPercentageAboveBaseCapacity=0)
    market.create(1, MixedInstancesPolicy=policy)
    market.rounds(2)
    (old,) = market.ids()
    market.cloud.faults.start("spot-interrupt", old)
    cloud = make_cloud(market.cloud.engine, market.cloud.network, market.cloud.storage)
    market.take(cloud)
    spot = cloud.service(Spot)
    spot.clock, spot.run = (lambda: market.now), (lambda job: job())
    market.rounds(2, 121)
    market.rounds(3)
    assert old not in market.ids()
