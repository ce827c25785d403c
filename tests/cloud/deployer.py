"""Somebody who may do what docs/aws-policy*.json say, and no more (`make test-rights`)."""

import os
from contextlib import suppress

from botocore.exceptions import ClientError
from cloud.project import ROOT

OWN = {"mustache": "aws-policy.json", "mustache-adapt": "aws-policy-adapt.json",
       "mustache-optimize": "aws-policy-optimize.json"}  # fmt: skip
POLICIES = OWN | {"mustache-boundary": "aws-boundary.json"}


def deployer(cloud):
    """Variables with which playbooks run as such a user, in an account that has the boundary; none
    where nobody asked for it, and they run as the account's owner."""
    if not os.environ.get("MUSTACHE_DEPLOYER"):
        return {}
    iam = cloud.client("iam")
    account = cloud.client("sts").get_caller_identity()["Account"]
    for name, file in POLICIES.items():
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_policy(PolicyName=name, PolicyDocument=(ROOT / "docs" / file).read_text())
    with suppress(ClientError):
        iam.create_user(UserName="deployer")
    for name in OWN:
        policy = f"arn:aws:iam::{account}:policy/{name}"
        iam.attach_user_policy(UserName="deployer", PolicyArn=policy)
    for key in iam.list_access_keys(UserName="deployer")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="deployer", AccessKeyId=key["AccessKeyId"])
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    return {
        "hosts_boundary": "mustache-boundary",
        "aws_environment": {
            "AWS_ENDPOINT_URL": "{{ aws_endpoint_url }}",
            "AWS_URL": "{{ aws_endpoint_url }}",
            "AWS_REGION": "{{ aws_region }}",
            "AWS_DEFAULT_REGION": "{{ aws_region }}",
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        },
        "aws_lookup": {
            "endpoint_url": "{{ aws_endpoint_url }}",
            "region": "{{ aws_region }}",
            "aws_access_key": key["AccessKeyId"],
            "aws_secret_key": key["SecretAccessKey"],
        },
    }
