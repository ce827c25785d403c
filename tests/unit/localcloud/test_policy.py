"""Policies say yes and no as IAM's do."""

import json

import pytest

from localcloud.identity.conditions import holds
from localcloud.identity.policy import Policies, Request, decide

BUCKET = "arn:aws:s3:::mustache-1"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect="Allow", action="s3:GetObject", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def may(own=(), action="s3:GetObject", resource=f"{BUCKET}/a", context=None, bounds=(), of=(),
        names=("arn:aws:iam::123456789012:user/me",)):  # fmt: skip
    policies = Policies(
        own=tuple(document(each) for each in own),
        bounds=tuple((document(*each),) for each in bounds),
        resource=tuple(document(each) for each in of),
    )
    account = ("arn:aws:iam::123456789012:root",)
    return decide(policies, Request(action, resource, context or {}, names, account)) is None


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        ([], False),
        ([statement()], True),
        ([statement(action="s3:getobject")], True),
        ([statement(action="s3:Get*")], True),
        ([statement(action="S3:GetObjec?")], True),
        ([statement(action="*")], True),
        ([statement(action="s3:PutObject")], False),
        ([statement(action=["s3:PutObject", "s3:GetObject"])], True),
        ([statement(resource=f"{BUCKET}/*")], True),
        ([statement(resource=BUCKET)], False),
        ([statement(resource="arn:aws:s3:::MUSTACHE-1/*")], False),
        ([statement(resource="arn:aws:s3:::mustache-[1]/a")], False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/*"}], False),
        ([statement(), statement("Deny", "s3:*")], False),
        ([statement(), statement("Deny", "s3:PutObject")], True),
        ([statement(resource="arn:aws:s3:::${aws:username}/a")], True),
        ([statement(resource="arn:aws:s3:::${aws:nothing}/a")], False),
    ],
)
def test_the_caller_s_own_policies(own, allowed):
    assert may(own, context={"aws:username": ["mustache-1"]}) == allowed


def test_what_bounds_the_caller_allows_nothing_by_itself():
    assert not may(bounds=[[statement()]])
    assert may([statement()], bounds=[[statement()]])
    assert not may([statement()], bounds=[[statement(action="s3:PutObject")]])
    assert not may([statement()], bounds=[[statement()], []])
    assert not may([statement()], bounds=[[statement(), statement("Deny")]])


@pytest.mark.parametrize(
    ("principal", "alone", "with_own"),
    [
        ("*", True, True),
        ({"AWS": "*"}, True, True),
        ({"AWS": "arn:aws:iam::123456789012:user/me"}, True, True),
        ({"AWS": ["arn:aws:iam::123456789012:user/you"]}, False, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, False, True),
        ({"Service": "delivery.logs.amazonaws.com"}, False, True),
    ],
)
def test_the_resource_s_policy(principal, alone, with_own):
    of = [statement(Principal=principal)]
    assert may(of=of) == alone
    assert may([statement()], of=of) == with_own


def test_the_resource_s_policy_may_refuse_anybody():
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    of = [statement("Deny", "s3:*", Principal="*", Condition=insecure)]
    assert not may([statement()], of=of, context={"aws:securetransport": ["false"]})
    assert may([statement()], of=of, context={"aws:securetransport": ["true"]})
    root = Policies(everything=True, resource=(document(*of),))
    assert decide(root, Request("s3:GetObject", "*", {"aws:securetransport": ["false"]}))


def test_a_principal_that_is_not_meant():
    of = [{"Effect": "Deny", "Action": "*", "Resource": "*",
           "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/me"}}]  # fmt: skip
    assert may([statement()], of=of)
    assert not may([statement()], of=of, names=("arn:aws:iam::123456789012:user/you",))


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "result"),
    [
        ("StringEquals", ["a", "b"], ["b"], True),
        ("StringEquals", ["a"], ["A"], False),
        ("StringEquals", ["a"], None, False),
        ("StringEqualsIfExists", ["a"], None, True),
        ("StringNotEquals", ["a"], None, True),
        ("StringNotEquals", ["a", "b"], ["b"], False),
        ("StringEqualsIgnoreCase", ["a"], ["A"], True),
        ("StringLike", ["mustache-*"], ["mustache-1"], True),
        ("StringLike", ["mustache-[1]"], ["mustache-1"], False),
        ("StringNotLike", ["mustache-*"], ["other"], True),
        ("ArnLike", ["arn:aws:s3:::m-*"], ["arn:aws:s3:::m-1"], True),
        ("ArnLike", ["arn:*:m-1"], ["arn:aws:s3:::m-1"], False),
        ("ArnNotEquals", ["arn:aws:s3:::m-1"], ["arn:aws:s3:::m-1"], False),
        ("IpAddress", ["10.0.0.0/8"], ["10.1.2.3"], True),
        ("NotIpAddress", ["10.0.0.0/8"], ["10.1.2.3"], False),
        ("Bool", ["true"], ["TRUE"], True),
        ("Null", ["true"], None, True),
        ("Null", ["false"], ["x"], True),
        ("Null", ["false"], None, False),
        ("NumericLessThan", ["10"], ["9"], True),
        ("NumericGreaterThanEquals", ["10"], ["9"], False),
        ("DateLessThan", ["2030-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z"], True),
        ("DateGreaterThan", ["2030-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z"], False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ["a", "c"], True),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("NoSuchOperator", ["a"], ["a"], False),
    ],
)
def test_conditions(operator, wanted, found, result):
    assert holds(operator, "key", wanted, found) == result
