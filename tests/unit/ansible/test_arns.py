"""What an ARN says about the resource."""

import pytest

from module_utils.arns import by_kind, kind


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
