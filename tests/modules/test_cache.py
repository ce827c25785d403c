"""The modules for ElastiCache against Valkey itself (`make test-modules`)."""

import pytest
from cloud.test_modules import play

pytestmark = pytest.mark.cloud


def test_a_cache_comes_changes_and_goes(cloud, variables):
    elasticache = cloud.client("elasticache")

    def group() -> dict:
        (found,) = elasticache.describe_replication_groups(ReplicationGroupId="modules")[
            "ReplicationGroups"
        ]
        return found

    assert play(cloud, "cache", variables, "--check", "--diff") == 3
    assert play(cloud, "cache", variables) == 3
    assert play(cloud, "cache", variables) == 0
    zones = {
        each["PreferredAvailabilityZone"] for each in group()["NodeGroups"][0]["NodeGroupMembers"]
    }
    assert len(zones) == group()["MultiAZ"].count("enabled") + 1 == 2
    try:
        changes = ("-e", "policy=volatile-lru", "-e", '{"nodes": 1}')
        assert play(cloud, "cache", variables, *changes, "--check", "--diff") == 2
        assert play(cloud, "cache", variables, *changes) == 2
        assert len(group()["MemberClusters"]) == 1
        # A token is changed when somebody says so, in two steps.
        token = ("-e", "token=another-token-of-the-same-kind")
        assert play(cloud, "cache", variables, *changes, *token) == 0
        for strategy in ("rotate", "set"):
            step = ("-e", f"strategy={strategy}")
            assert play(cloud, "cache", variables, *changes, *token, *step) == 1
    finally:
        removed = play(cloud, "cache_gone", variables)
    assert removed == 3
    assert play(cloud, "cache_gone", variables) == 0
    assert elasticache.describe_replication_groups()["ReplicationGroups"] == []
