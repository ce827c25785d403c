"""Policies that tests give to IAM, as the documents it takes."""

import json


def policy(action: str, **target) -> str:
    """Allow an action, on everything unless `target` has a Resource or a Principal."""
    statement = {"Effect": "Allow", "Action": action, **(target or {"Resource": "*"})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(**principal: str) -> str:
    """Let a principal assume a role: `Service="lambda.amazonaws.com"`, `AWS="arn:..."`."""
    return policy("sts:AssumeRole", Principal=principal)


FUNCTIONS = trust(Service="lambda.amazonaws.com")
HOSTS = trust(Service="ec2.amazonaws.com")
