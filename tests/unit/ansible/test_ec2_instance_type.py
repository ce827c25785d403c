"""A host gets another type, or serves on as it was as soon as EC2 has said no."""

import pytest

from tests.unit.ansible.aws import stubbed

NAME = "i-0123456789abcdef0"
ONE = {"InstanceIds": [NAME]}


@pytest.fixture
def ec2():
    client, stubber = stubbed("ec2")
    yield client, stubber
    stubber.assert_no_pending_responses()


@pytest.fixture
def ensure(run):
    def ensure(client, check_mode=False):
        return run(
            "ec2_instance_type", client, check_mode, instance_id=NAME, instance_type="t3.large"
        )

    return ensure


def looked(stubber, kind="t3.small", state="running", address="203.0.113.7"):
    instance = {"InstanceId": NAME, "InstanceType": kind, "State": {"Name": state}}
    instance["PublicIpAddress"] = address
    stubber.add_response("describe_instances", {"Reservations": [{"Instances": [instance]}]}, ONE)


def stopped(stubber):
    stubber.add_response("stop_instances", {}, ONE)
    looked(stubber, state="stopped")


def given(stubber, kind):
    wanted = {"InstanceId": NAME, "InstanceType": {"Value": kind}}
    stubber.add_response("modify_instance_attribute", {}, wanted)


def started(stubber, kind="t3.small"):
    stubber.add_response("start_instances", {}, ONE)
    looked(stubber, kind)


def no_room(stubber, operation):
    stubber.add_client_error(operation, "InsufficientInstanceCapacity", "none left")


def test_it_is_stopped_changed_and_started(ec2, ensure):
    client, stubber = ec2
    looked(stubber)
    stopped(stubber)
    given(stubber, "t3.large")
    started(stubber, "t3.large")
    looked(stubber, "t3.large", address="203.0.113.9")

    result = ensure(client)

    assert (result["changed"], result["error"]) == (True, "")
    assert (result["instance_type"], result["public_ip_address"]) == ("t3.large", "203.0.113.9")
    assert result["diff"]["before"] == {"instance_type": "t3.small"}


def test_without_room_for_it_it_runs_as_it_was_at_once(ec2, ensure):
    client, stubber = ec2
    looked(stubber)
    stopped(stubber)
    given(stubber, "t3.large")
    no_room(stubber, "start_instances")
    looked(stubber, "t3.large", "stopped")
    given(stubber, "t3.small")
    started(stubber)
    looked(stubber)

    result = ensure(client)

    assert "none left" in result["error"]
    assert result["instance_type"] == "t3.small"


def test_ec2_is_asked_again_to_start_it_as_it_was(ec2, ensure):
    client, stubber = ec2
    looked(stubber)
    stopped(stubber)
    no_room(stubber, "modify_instance_attribute")
    looked(stubber, state="stopped")
    no_room(stubber, "start_instances")
    looked(stubber, state="stopped")
    started(stubber)
    looked(stubber)

    assert ensure(client)["instance_type"] == "t3.small"


def test_one_that_a_run_left_stopped_is_started(ec2, ensure):
    client, stubber = ec2
    looked(stubber, "t3.large", "stopped")
    started(stubber, "t3.large")
    looked(stubber, "t3.large")

    assert ensure(client)["changed"]


def test_one_that_is_as_it_shall_be_is_left_alone(ec2, ensure):
    client, stubber = ec2
    looked(stubber, "t3.large")
    looked(stubber, "t3.large")

    assert not ensure(client)["changed"]


def test_a_check_changes_nothing(ec2, ensure):
    client, stubber = ec2
    looked(stubber)
    looked(stubber)

    result = ensure(client, check_mode=True)

    assert (result["changed"], result["instance_type"]) == (True, "t3.large")
