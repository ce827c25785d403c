"""The module for versions of launch templates, against moto's EC2."""

import boto3
import pytest
from moto import mock_aws

NAME = "shop-web"
# moto makes no template of an image that there is not.
IMAGE = "ami-12c6146b"


@pytest.fixture
def ec2(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("ec2", region_name="us-east-1")


def keep(run, client, kind, check_mode=False, **more):
    data = {"ImageId": IMAGE, "InstanceType": kind, "UserData": "#cloud-config\n"}
    options = {
        "name": NAME,
        "data": data,
        "description": f"with {kind}",
        "tags": {"Project": "shop"},
    }
    return run("launch_template_version", client, check_mode, **options | more)


def versions(client):
    found = client.describe_launch_template_versions(LaunchTemplateName=NAME)
    return sorted(each["VersionNumber"] for each in found["LaunchTemplateVersions"])


def test_a_content_gets_a_version_once_and_for_all(run, ec2):
    first = keep(run, ec2, "t3.small", check_mode=True)
    assert (first["changed"], first["version"]) == (True, 1)
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []

    first = keep(run, ec2, "t3.small")
    second = keep(run, ec2, "t3.medium")

    assert [each["changed"] for each in (first, second)] == [True, True]
    assert [each["version"] for each in (first, second)] == [1, 2]
    assert second["diff"] == {"before": {"versions": [1]}, "after": {"versions": [1, 2]}}
    assert not keep(run, ec2, "t3.medium")["changed"]
    (template,) = ec2.describe_launch_templates()["LaunchTemplates"]
    assert template["Tags"] == [{"Key": "Project", "Value": "shop"}]


def test_going_back_takes_the_version_that_there_is(run, ec2):
    for kind in ("t3.small", "t3.medium"):
        keep(run, ec2, kind)

    back = keep(run, ec2, "t3.small")

    assert (back["changed"], back["version"]) == (False, 1)
    assert versions(ec2) == [1, 2]


def test_what_a_check_announces_is_what_comes(run, ec2):
    keep(run, ec2, "t3.small")
    announced = keep(run, ec2, "t3.medium", check_mode=True)
    come = keep(run, ec2, "t3.medium")

    assert (announced["version"], announced["diff"]) == (come["version"], come["diff"])


def test_a_user_data_is_encoded_once(run, ec2):
    keep(run, ec2, "t3.small")
    found = ec2.describe_launch_template_versions(LaunchTemplateName=NAME)
    (version,) = found["LaunchTemplateVersions"]

    assert version["LaunchTemplateData"]["UserData"] == "I2Nsb3VkLWNvbmZpZwo="


@pytest.fixture
def deletes(ec2, monkeypatch):
    """moto does not delete versions; what AWS is asked to."""
    asked = []

    def delete(LaunchTemplateName, Versions):
        asked.append(Versions)
        return {"UnsuccessfullyDeletedLaunchTemplateVersions": []}

    monkeypatch.setattr(ec2, "delete_launch_template_versions", delete)
    return asked


def test_the_last_ones_stay_and_those_in_use_and_the_one_that_is_wanted_is_the_default(
    run, ec2, deletes
):
    kinds = ["t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large"]
    for kind in kinds:
        keep(run, ec2, kind)
    announced = keep(run, ec2, "t3.large", check_mode=True, keep=2, used=[2])
    assert (announced["changed"], announced["deleted"], deletes) == (True, [1, 3], [])

    kept = keep(run, ec2, "t3.large", keep=2, used=[2])

    assert (kept["changed"], kept["deleted"], deletes) == (True, [1, 3], [["1", "3"]])
    (template,) = ec2.describe_launch_templates()["LaunchTemplates"]
    assert template["DefaultVersionNumber"] == 5
    assert kept["images"] == [IMAGE]


def test_a_template_goes_with_all_its_versions(run, ec2):
    keep(run, ec2, "t3.small")
    gone = run("launch_template_version", ec2, name=NAME, state="absent")

    assert (gone["changed"], gone["deleted"]) == (True, [1])
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert not run("launch_template_version", ec2, name=NAME, state="absent")["changed"]
