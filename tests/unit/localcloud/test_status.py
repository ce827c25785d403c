"""`status` lists every resource, and no secret."""

import json

import pytest
from unit.localcloud.conftest import client


@pytest.fixture
def rows(cloud, ec2, site, launch):
    """Rows by kind, of a cloud that has one of each."""
    launch()
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=site["subnet"], AllocationId=elastic)
    ec2.create_key_pair(KeyName="operator")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    cloud.storage.snapshot = lambda *_, **__: None
    ec2.create_snapshot(VolumeId=volume)
    client("iam").create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    client("ssm").put_parameter(Name="/mustache/key", Value="hunter2", Type="SecureString")
    client("route53").create_hosted_zone(Name="mustache.localhost", CallerReference="1")
    found = {}
    for row in cloud.rows():
        found.setdefault(row.kind, []).append(row)
    return found


SHOWN = {
    "VPC": "10.9.0.0/16",
    "subnet": "10.9.1.0/24",
    "route table": "0.0.0.0/0 by igw-",
    "internet gateway": "attached",
    "NAT gateway": "available",
    "security group": "0 in, 1 out",
    "Elastic IP": "associated",
    "key pair": "operator",
    "snapshot 1 GiB": "completed",
    "IAM role": "web",
    "SSM parameter": "/mustache/key",
    "zone": "mustache.localhost",
}


def test_every_resource_is_shown_without_secrets(rows):
    listed = {kind: [json.dumps(vars(row)) for row in found] for kind, found in rows.items()}
    assert SHOWN.keys() <= listed.keys()
    for kind, words in SHOWN.items():
        assert any(words in row for row in listed[kind]), kind
    for hidden in ("hunter2", "PRIVATE KEY", "172.31."):  # the last is of the default VPC
        assert hidden not in str(listed)
