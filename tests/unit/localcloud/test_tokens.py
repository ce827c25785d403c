"""A call with a client token is done once."""

import pytest
from botocore.exceptions import ClientError


def nat_gateway(ec2, site):
    return lambda **more: ec2.create_nat_gateway(
        SubnetId=site["subnet"], ConnectivityType="private", **more
    )["NatGateway"]["NatGatewayId"]


def volume(ec2, site):
    return lambda **more: ec2.create_volume(
        **{"AvailabilityZone": "us-east-1a", "Size": 1, **more}
    )["VolumeId"]


def template(ec2, site):
    return lambda **more: ec2.create_launch_template(
        **{"LaunchTemplateName": "web", "LaunchTemplateData": {}, **more}
    )["LaunchTemplate"]["LaunchTemplateId"]


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (nat_gateway, {"PrivateIpAddress": "10.9.1.9"}),
        (volume, {"Size": 2}),
        (template, {"LaunchTemplateName": "other"}),
    ],
)
def test_a_token_makes_one(ec2, site, kind, other):
    create = kind(ec2, site)
    first = create(ClientToken="t")
    assert create(ClientToken="t") == first
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        create(ClientToken="t", **other)
    assert create(**other, ClientToken="u") != first


def test_a_call_that_failed_may_be_tried_again(ec2, site):
    create = volume(ec2, site)
    with pytest.raises(ClientError, match="UnknownVolumeType"):
        create(VolumeType="gp9", ClientToken="t")
    create(ClientToken="t")


def test_a_token_is_known_after_a_restart(cloud, make_cloud, ec2, site):
    first = volume(ec2, site)(ClientToken="t")
    cloud.settle()
    make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert volume(ec2, site)(ClientToken="t") == first
