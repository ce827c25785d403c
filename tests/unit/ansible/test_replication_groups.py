"""Replication groups: what differs, what is asked of AWS, and when a change has arrived."""

from datetime import UTC, datetime

import pytest
from botocore.stub import ANY

from module_utils.replication_groups import (
    creation,
    differences,
    endpoint,
    fixed,
    found,
    modification,
    older,
    settled,
)
from tests.unit.ansible.aws import Failed, stubbed

ARN = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:shop"
ADDRESS = "master.shop.abc.use1.cache.amazonaws.com"
OURS = {
    "name": "shop",
    "description": "shop",
    "node_type": "cache.t4g.micro",
    "subnet_group": "shop",
    "parameter_group": "shop",
    "security_groups": ["sg-2", "sg-1"],
    "auth_token": "sixteen-or-more-characters",
    "tags": {"Project": "shop"},
}


def group(**more):
    return {
        "ReplicationGroupId": "shop",
        "Description": "shop",
        "Status": "available",
        "ARN": ARN,
        "MemberClusters": ["shop-001", "shop-002"],
        "NodeGroups": [
            {
                "NodeGroupId": "0001",
                "PrimaryEndpoint": {"Address": ADDRESS, "Port": 6379},
                "ReaderEndpoint": {"Address": ADDRESS.replace("master", "replica"), "Port": 6379},
            }
        ],
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "SnapshotRetentionLimit": 0,
        "CacheNodeType": "cache.t4g.micro",
        "AuthTokenEnabled": True,
        "TransitEncryptionEnabled": True,
        "AtRestEncryptionEnabled": True,
        "AutoMinorVersionUpgrade": True,
        **more,
    }


def member(**more):
    return {
        "CacheClusterId": "shop-001",
        "Engine": "valkey",
        "EngineVersion": "8.0.1",
        "CacheSubnetGroupName": "shop",
        "CacheParameterGroup": {"CacheParameterGroupName": "shop"},
        "SecurityGroups": [
            {"SecurityGroupId": "sg-1", "Status": "active"},
            {"SecurityGroupId": "sg-2", "Status": "active"},
        ],
        **more,
    }


# what differs


def test_a_group_that_is_being_made_has_no_endpoint_and_is_not_settled():
    young = group(Status="creating", NodeGroups=[])

    assert endpoint(young, "PrimaryEndpoint") == {}
    assert "port" not in found(young, {})
    assert not settled(young)
    assert not settled(group(PendingModifiedValues={"AuthTokenStatus": "ROTATING"}))
    assert settled(group(PendingModifiedValues={}))


@pytest.mark.parametrize(
    ("version", "wanted", "before"),
    [
        ("8.0.1", "8.0", False),
        ("8.0.1", "8", False),
        ("8.1.0", "8.0", False),
        ("7.2.6", "8.0", True),
        ("8.9", "8.10", True),
    ],
)
def test_an_engine_is_brought_further_and_never_back(version, wanted, before):
    assert older(version, wanted) is before
    assert bool(differences({"engine_version": version}, {"engine_version": wanted})) is before


def test_security_groups_have_no_order():
    state = found(
        group(), member(SecurityGroups=[{"SecurityGroupId": "b"}, {"SecurityGroupId": "a"}])
    )

    assert differences(state, {"security_groups": ["a", "b"]}) == {}


def test_what_cannot_change_is_told_from_what_can():
    changes = {"port": 1, "node_type": "cache.m7g.large", "nodes": 3, "auth_token": False}

    assert sorted(fixed(changes)) == ["auth_token", "port"]
    assert modification(changes) == {"CacheNodeType": "cache.m7g.large"}


def test_a_group_is_asked_for_with_the_names_of_the_api():
    wanted = {"nodes": 2, "engine": "valkey", "multi_az": True, "security_groups": ["sg-1"]}

    assert creation("shop", wanted, "secret") == {
        "ReplicationGroupId": "shop",
        "NumCacheClusters": 2,
        "Engine": "valkey",
        "MultiAZEnabled": True,
        "SecurityGroupIds": ["sg-1"],
        "AuthToken": "secret",
    }
    assert "AuthToken" not in creation("shop", wanted, None)


# elasticache_replication_group


@pytest.fixture
def cache():
    client, stubber = stubbed("elasticache")
    yield client, stubber
    stubber.assert_no_pending_responses()


def described(stubber, **more):
    stubber.add_response(
        "describe_replication_groups",
        {"ReplicationGroups": [group(**more)]},
        {"ReplicationGroupId": "shop"},
    )


def missing(stubber):
    stubber.add_client_error("describe_replication_groups", "ReplicationGroupNotFoundFault")


def looked(stubber, tags=(("Project", "shop"),), **more):
    stubber.add_response(
        "describe_cache_clusters",
        {"CacheClusters": [member(**more)]},
        {"CacheClusterId": "shop-001"},
    )
    stubber.add_response(
        "list_tags_for_resource",
        {"TagList": [{"Key": key, "Value": value} for key, value in tags]},
        {"ResourceName": ARN},
    )


def keep(run, client, check_mode=False, **more):
    return run("elasticache_replication_group", client, check_mode, **OURS | more)


def test_a_group_is_made_and_waited_for(run, cache):
    client, stubber = cache
    missing(stubber)
    stubber.add_response(
        "create_replication_group",
        {},
        {
            "ReplicationGroupId": "shop", "ReplicationGroupDescription": "shop",
            "NumCacheClusters": 2, "Engine": "valkey", "CacheNodeType": "cache.t4g.micro",
            "AutomaticFailoverEnabled": True, "MultiAZEnabled": True, "Port": 6379,
            "CacheSubnetGroupName": "shop", "CacheParameterGroupName": "shop",
            "SecurityGroupIds": ["sg-1", "sg-2"], "TransitEncryptionEnabled": True,
            "AtRestEncryptionEnabled": True, "SnapshotRetentionLimit": 0,
            "AutoMinorVersionUpgrade": True, "AuthToken": OURS["auth_token"],
            "Tags": [{"Key": "Project", "Value": "shop"}],
        },
    )  # fmt: skip
    described(stubber, Status="creating")
    described(stubber)
    looked(stubber)
    result = keep(run, client)
    assert result["changed"]
    assert result["primary"] == {"address": ADDRESS, "port": 6379}
    assert OURS["auth_token"] not in str(result)


def test_a_group_is_announced_in_check_mode(run, cache):
    client, stubber = cache
    missing(stubber)
    result = keep(run, client, check_mode=True)
    assert result["changed"]
    assert (result["arn"], result["primary"]) == ("", {})
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["node_type"] == "cache.t4g.micro"


def test_a_second_run_changes_nothing(run, cache):
    client, stubber = cache
    described(stubber)
    looked(stubber)
    result = keep(run, client)
    assert not result["changed"]
    assert result["diff"]["before"] == result["diff"]["after"]


def test_what_cannot_change_is_refused_with_both_values(run, cache):
    client, stubber = cache
    described(stubber)
    looked(stubber, CacheSubnetGroupName="other")
    with pytest.raises(Failed, match="subnet_group of shop is other and cannot become shop"):
        keep(run, client)


def test_a_token_cannot_be_taken_away(run, cache):
    client, stubber = cache
    described(stubber)
    looked(stubber)
    with pytest.raises(Failed, match="auth_token of shop is True and cannot become False"):
        keep(run, client, auth_token=None)


def test_a_change_has_arrived_when_aws_tells_the_new_value(run, cache):
    client, stubber = cache
    described(stubber)
    looked(stubber)
    stubber.add_response(
        "modify_replication_group",
        {},
        {
            "ReplicationGroupId": "shop",
            "CacheNodeType": "cache.m7g.large",
            "ApplyImmediately": True,
        },
    )
    described(stubber)  # not yet taken note of
    looked(stubber)
    described(stubber, Status="modifying")
    for _ in range(2):
        described(stubber, CacheNodeType="cache.m7g.large")
        if not _:
            looked(stubber)
    assert keep(run, client, node_type="cache.m7g.large")["changed"]


def test_nodes_come_before_the_failover_that_wants_them(run, cache):
    client, stubber = cache
    alone = {"MemberClusters": ["shop-001"], "AutomaticFailover": "disabled", "MultiAZ": "disabled"}
    described(stubber, **alone)
    looked(stubber)
    stubber.add_response(
        "increase_replica_count",
        {},
        {"ReplicationGroupId": "shop", "NewReplicaCount": 1, "ApplyImmediately": True},
    )
    described(stubber, **alone | {"MemberClusters": ["shop-001", "shop-002"]})
    looked(stubber)
    stubber.add_response(
        "modify_replication_group",
        {},
        {
            "ReplicationGroupId": "shop",
            "AutomaticFailoverEnabled": True,
            "MultiAZEnabled": True,
            "ApplyImmediately": True,
        },
    )
    described(stubber)
    looked(stubber)
    described(stubber)
    assert keep(run, client)["changed"]


@pytest.mark.parametrize("strategy", ["rotate", "set"])
def test_a_token_is_changed_when_aws_says_so(run, cache, strategy):
    client, stubber = cache
    before, after = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
    described(stubber, AuthTokenLastModifiedDate=before)
    looked(stubber)
    stubber.add_response(
        "modify_replication_group",
        {},
        {
            "ReplicationGroupId": "shop",
            "AuthToken": OURS["auth_token"],
            "AuthTokenUpdateStrategy": strategy.upper(),
            "ApplyImmediately": True,
        },
    )
    described(stubber, AuthTokenLastModifiedDate=before)
    described(stubber, PendingModifiedValues={"AuthTokenStatus": "ROTATING"})
    for _ in range(2):
        described(stubber, AuthTokenLastModifiedDate=after)
    result = keep(run, client, auth_strategy=strategy)
    assert result["changed"]
    assert result["diff"]["after"]["auth_token"] == f"another one ({strategy})"
    assert OURS["auth_token"] not in str(result)


def test_a_wait_that_is_too_long_says_what_for(run, cache):
    client, stubber = cache
    missing(stubber)
    stubber.add_response("create_replication_group", {}, ANY_ARGUMENTS)
    described(stubber, Status="creating")
    with pytest.raises(
        Failed, match=r"shop was waited for to be made, for -1 s: it is still creat"
    ):
        keep(run, client, wait_timeout=-1)


ANY_ARGUMENTS = {
    "ReplicationGroupId": "shop",
    **dict.fromkeys(
        (
            "ReplicationGroupDescription", "NumCacheClusters", "Engine", "CacheNodeType",
            "AutomaticFailoverEnabled", "MultiAZEnabled", "Port", "CacheSubnetGroupName",
            "CacheParameterGroupName", "SecurityGroupIds", "TransitEncryptionEnabled",
            "AtRestEncryptionEnabled", "SnapshotRetentionLimit", "AutoMinorVersionUpgrade",
            "AuthToken", "Tags",
        ),
        ANY,
    ),
}  # fmt: skip


def test_a_group_that_could_not_be_made_is_not_waited_for(run, cache):
    client, stubber = cache
    missing(stubber)
    stubber.add_response("create_replication_group", {}, ANY_ARGUMENTS)
    described(stubber, Status="create-failed")
    with pytest.raises(Failed, match="waited for to be made, but it is create-failed"):
        keep(run, client)


def test_tags_are_added_and_strangers_tags_stay(run, cache):
    client, stubber = cache
    described(stubber)
    looked(stubber, tags=[("Theirs", "x")])
    stubber.add_response(
        "add_tags_to_resource",
        {},
        {"ResourceName": ARN, "Tags": [{"Key": "Project", "Value": "shop"}]},
    )
    described(stubber)
    result = keep(run, client)
    assert result["diff"]["after"]["tags"] == {"Theirs": "x", "Project": "shop"}


def test_a_busy_group_goes_when_it_can(run, cache):
    client, stubber = cache
    described(stubber, Status="modifying")
    looked(stubber)
    described(stubber)
    stubber.add_response("delete_replication_group", {}, {"ReplicationGroupId": "shop"})
    described(stubber, Status="deleting")
    missing(stubber)
    assert run("elasticache_replication_group", client, name="shop", state="absent")["changed"]


def test_a_group_that_somebody_deletes_is_waited_for(run, cache):
    client, stubber = cache
    described(stubber, Status="deleting")
    described(stubber, Status="deleting")
    missing(stubber)
    assert not run("elasticache_replication_group", client, name="shop", state="absent")["changed"]


def test_what_aws_refuses_is_said(run, cache):
    client, stubber = cache
    stubber.add_client_error("describe_replication_groups", "AccessDenied", "not you")
    with pytest.raises(Failed, match=r"Cannot keep the cache shop.*not you"):
        keep(run, client)


# cache_parameter_group


def parameters(stubber, **values):
    stubber.add_response(
        "describe_cache_parameter_groups",
        {"CacheParameterGroups": [{"CacheParameterGroupFamily": "valkey8"}]},
        {"CacheParameterGroupName": "shop"},
    )
    stubber.add_response(
        "describe_cache_parameters",
        {
            "Parameters": [
                {"ParameterName": key, "ParameterValue": value} for key, value in values.items()
            ]
        },
        {"CacheParameterGroupName": "shop", "Source": "user"},
    )


def test_parameters_are_set_and_set_back(run, cache):
    client, stubber = cache
    parameters(stubber, timeout="60")
    stubber.add_response(
        "modify_cache_parameter_group",
        {},
        {
            "CacheParameterGroupName": "shop",
            "ParameterNameValues": [
                {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}
            ],
        },
    )
    stubber.add_response(
        "reset_cache_parameter_group",
        {},
        {
            "CacheParameterGroupName": "shop",
            "ParameterNameValues": [{"ParameterName": "timeout", "ParameterValue": "60"}],
        },
    )
    values = {"maxmemory-policy": "allkeys-lru"}
    result = run("cache_parameter_group", client, name="shop", family="valkey8", values=values)
    assert result["changed"]
    assert result["diff"] == {"before": {"timeout": "60"}, "after": values}


def test_parameters_that_are_so_stay(run, cache):
    client, stubber = cache
    parameters(stubber, timeout="60")
    options = {"name": "shop", "family": "valkey8", "values": {"timeout": 60}}
    assert not run("cache_parameter_group", client, **options)["changed"]


def test_a_parameter_group_cannot_change_its_family(run, cache):
    client, stubber = cache
    parameters(stubber)
    with pytest.raises(Failed, match="family of shop is valkey8 and cannot become valkey9"):
        run("cache_parameter_group", client, name="shop", family="valkey9")


def test_a_parameter_group_in_use_is_deleted_a_little_later(run, cache):
    client, stubber = cache
    parameters(stubber)
    stubber.add_client_error("delete_cache_parameter_group", "InvalidCacheParameterGroupState")
    stubber.add_response("delete_cache_parameter_group", {}, {"CacheParameterGroupName": "shop"})
    assert run("cache_parameter_group", client, name="shop", state="absent")["changed"]
