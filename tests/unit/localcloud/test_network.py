"""VPCs, routes, groups and addresses become the firewall's interfaces."""

import ipaddress
import json
import os

import pytest
from botocore.exceptions import ClientError

from localcloud import registry
from localcloud.services.network import Interfaces


def interface(cloud, instance):
    return next(
        each
        for each in cloud.service(Interfaces).interfaces()
        if each.address == instance["PrivateIpAddress"]
    )


def test_a_public_address_is_this_clouds_own_loopback_address(cloud, launch):
    block = registry.loopback_block(cloud.settings.id)
    assert block.subnet_of(ipaddress.ip_network("127.0.0.0/8"))
    instance = launch()
    assert ipaddress.ip_address(instance["PublicIpAddress"]) in block
    seen = interface(cloud, instance)
    assert seen.public == (instance["PublicIpAddress"],)
    assert seen.internet


def test_without_a_route_to_the_gateway_there_is_no_internet(cloud, ec2, site, launch):
    instance = launch()
    ec2.delete_route(RouteTableId=site["table"], DestinationCidrBlock="0.0.0.0/0")
    seen = interface(cloud, instance)
    assert (seen.public, seen.internet) == ((), False)


def test_a_group_as_source_means_its_members(cloud, ec2, site, launch):
    other = ec2.create_security_group(GroupName="app", Description="app", VpcId=site["vpc"])
    ec2.authorize_security_group_ingress(
        GroupId=site["group"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "UserIdGroupPairs": [{"GroupId": other["GroupId"]}],
            }
        ],
    )
    database = launch()
    app = launch(SecurityGroupIds=[other["GroupId"]])
    assert [rule.peers for rule in interface(cloud, database).ingress] == [
        (app["PrivateIpAddress"],)
    ]


def test_a_group_that_something_uses_cannot_be_deleted(ec2, site, launch):
    other = ec2.create_security_group(GroupName="app", Description="app", VpcId=site["vpc"])
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    mutual = [(site["group"], other["GroupId"]), (other["GroupId"], site["group"])]
    for group, source in [*mutual, (other["GroupId"], other["GroupId"])]:
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[rule | {"UserIdGroupPairs": [{"GroupId": source}]}]
        )

    def delete(group):
        ec2.delete_security_group(GroupId=group)

    instance = launch()
    for group in mutual[0]:
        with pytest.raises(ClientError, match="DependencyViolation"):
            delete(group)
    ec2.revoke_security_group_ingress(
        GroupId=site["group"],
        IpPermissions=[rule | {"UserIdGroupPairs": [{"GroupId": other["GroupId"]}]}],
    )
    delete(other["GroupId"])  # it refers to itself still, which is no hindrance
    with pytest.raises(ClientError, match="DependencyViolation"):
        delete(site["group"])
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    delete(site["group"])


def test_the_firewall_is_applied_once_per_change(cloud, launch):
    instance = launch()
    cloud.settle()
    cloud.settle()
    assert len(cloud.scripts) == 1
    assert instance["PrivateIpAddress"] in cloud.scripts[0]


def test_a_vpc_that_overlaps_another_cloud_is_refused(cloud, ec2, site, monkeypatch):
    assert cloud.network.held() == {"10.9.0.0/16"}
    with pytest.raises(ClientError, match="overlaps the VPC"):
        ec2.create_vpc(CidrBlock="10.9.0.0/16")
    (registry.DIRECTORY / "cafe.json").write_text(
        json.dumps({"state": "/other", "pid": os.getpid(), "cidrs": ["10.20.0.0/16"]})
    )
    with pytest.raises(ClientError, match="overlaps the local cloud in /other"):
        ec2.create_vpc(CidrBlock="10.20.4.0/24")


def test_a_vpc_that_overlaps_this_machines_network_is_refused(cloud, ec2, monkeypatch):
    monkeypatch.setattr(
        "localcloud.services.network.conflicting_route", lambda cidr: "10.0.0.0/8 dev eth0"
    )
    with pytest.raises(ClientError, match=r"route 10\.0\.0\.0/8 dev eth0"):
        ec2.create_vpc(CidrBlock="10.30.0.0/16")


def test_a_deleted_vpc_gives_its_addresses_back(cloud, ec2):
    vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=vpc)
    assert cloud.network.held() == set()
    ec2.create_vpc(CidrBlock="10.40.0.0/16")
