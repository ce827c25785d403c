"""Parameters and what becomes of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client


def expires(moment):
    return json.dumps(
        [{"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": moment.isoformat()}}]
    )


@pytest.fixture
def put(cloud):
    def make(name="/x", **options):
        client("ssm").put_parameter(Name=name, Value="v", Type="String", **options)

    return make


def described():
    return client("ssm").describe_parameters()["Parameters"]


def test_policies_are_always_described(put):
    put()
    put("/y", Tier="Advanced", Policies=expires(datetime.now(UTC) + timedelta(days=1)))
    assert [[p["PolicyType"] for p in each["Policies"]] for each in described()] == [
        [],
        ["Expiration"],
    ]


def test_a_parameter_ends_when_its_policy_says(cloud, put):
    put("/y", Tier="Advanced", Policies=expires(datetime.now(UTC) - timedelta(seconds=1)))
    cloud.reconcile()
    assert described() == []


@pytest.mark.parametrize(
    "options",
    [
        {"Policies": expires(datetime.now(UTC))},
        {"Policies": "[{]", "Tier": "Advanced"},
        {"Policies": '[{"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {}}]',
         "Tier": "Advanced"},
    ],
    ids=["tier", "syntax", "type"],
)  # fmt: skip
def test_a_policy_that_would_not_work_is_refused(put, options):
    with pytest.raises(ClientError, match="ValidationException"):
        put(**options)
    assert described() == []
