"""What an ARN says about the resource."""

import pytest

from module_utils.arns import by_kind, ec2_arn, kind, left_out


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:rds:us-east-1:1:db:shop", "rds:db"),
        ("arn:aws:ec2:us-east-1:1:instance/i-1", "ec2:instance"),
        ("arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/shop/1",
         "elasticloadbalancing:loadbalancer"),
        ("arn:aws:acm:us-east-1:1:certificate/1-2", "acm:certificate"),
        ("arn:aws:s3:::bucket", "s3"),
    ],
)  # fmt: skip
def test_kind(arn, expected):
    assert kind(arn) == expected


def test_by_kind_keeps_every_arn():
    arns = ["arn:aws:rds:us-east-1:1:db:a", "arn:aws:rds:us-east-1:1:db:b", "arn:aws:s3:::c"]

    assert by_kind(arns) == {"rds:db": arns[:2], "s3": arns[2:]}


def test_a_resource_that_two_services_name_is_left_once_and_one_that_has_ended_not_at_all():
    address = ec2_arn("aws", "us-east-1", "elastic-ip", "eipalloc-1")
    instance = "arn:aws:ec2:us-east-1:1:instance/i-1"
    role = "arn:aws:iam::1:role/shop-web"
    found = [
        "arn:aws:ec2:us-east-1:1:vpc/vpc-1",
        ec2_arn("aws", "us-east-1", "vpc", "vpc-1"),
        address,
        instance,
        role,
        role.replace(":role/", ":instance-profile/"),
    ]

    assert left_out(found, {"i-1"}) == [
        "arn:aws:ec2:us-east-1:1:vpc/vpc-1",
        address,
        "arn:aws:iam::1:instance-profile/shop-web",
        role,
    ]
