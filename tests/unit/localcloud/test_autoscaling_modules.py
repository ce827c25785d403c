"""The playbooks' own modules for groups, against groups that run."""

import time

import pytest
from unit.ansible.conftest import run  # noqa: F401
from unit.localcloud.conftest import client

TYPES = ["t3.small", "t3a.small"]


@pytest.fixture
def keep(run, scene, monkeypatch):  # noqa: F811
    """asg_group with a template of the scene; while it waits, the group goes on."""
    monkeypatch.setattr(time, "sleep", lambda seconds: scene.rounds())
    name = client("ec2").describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateName"]
    instances = {
        "template": name, "types": TYPES, "on_demand_base": 1, "on_demand_percent": 0,
        "spot_strategy": "price-capacity-optimized",
    }  # fmt: skip

    def keep(version=1, check_mode=False, module="asg_group", **more):
        given = {"name": "web", "instances": instances | {"version": version}}
        if module == "asg_group":
            given |= {"min_size": 2, "max_size": 4, "subnets": scene.subnets, "wait_timeout": 60}
            given |= {"warmup_seconds": 0}
        return run(module, scene.api, check_mode, **given | more)

    return keep


def test_a_group_is_made_kept_scaled_out_and_removed(keep, scene, run):  # noqa: F811
    assert keep(check_mode=True)["made"]
    made = keep()
    assert (made["changed"], made["made"], len(made["instances"])) == (True, True, 2)
    scene.api.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=4)
    scene.rounds(3)

    assert not keep()["changed"]
    assert scene.group()["DesiredCapacity"] == 4
    hooks = {"ready": {"transition": "launch", "seconds": 60, "default": "ABANDON"}}
    assert keep(max_size=5, hooks=hooks)["changed"]
    assert not keep(max_size=5, hooks=hooks)["changed"]

    assert run("asg_group", scene.api, name="web", state="absent")["changed"]
    assert scene.api.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_another_version_is_brought_to_every_instance_and_only_once(keep, scene):
    keep()
    version = int(scene.version())
    assert not keep(module="asg_refresh")["changed"]

    begun = keep(version, module="asg_refresh")
    assert (begun["running"], len(begun["stale"])) == (True, 2)
    for _ in range(60):
        scene.rounds()
        now = keep(version, module="asg_refresh", follow=begun["refresh"]["id"])
        if not now["running"]:
            break

    assert now["refresh"]["status"] == "Successful"
    assert not keep(version, module="asg_refresh")["changed"]
    assert not keep(version)["changed"]


def test_policies_are_kept(keep, scene, run):  # noqa: F811
    keep()
    cpu = {"name": "cpu", "metric": "cpu", "target": 50.0, "scale_in": True, "of": None}

    assert run("asg_policies", scene.api, name="web", policies=[cpu])["changed"]
    kept = run("asg_policies", scene.api, name="web", policies=[cpu])
    assert not kept["changed"]
    assert kept["alarms"]
    assert run("asg_policies", scene.api, name="web", policies=[])["changed"]
