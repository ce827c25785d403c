"""Rules of security groups as sets."""

import pytest

from module_utils.security_groups import Rule, current_rules, permissions, plan, shown, wanted_rules
from tests.unit.ansible.aws import stubbed

IDS = {"lb": "sg-1", "web": "sg-2", "cdn": "pl-1"}


def rule(**options):
    return {
        "proto": "tcp",
        "ports": ["80"],
        "cidr_ip": None,
        "group": None,
        "prefix_list": None,
        "rule_desc": "",
    } | options


def test_each_port_and_source_is_a_rule():
    found = wanted_rules(
        [rule(ports=["80", "8000-8010"], cidr_ip=["10.0.0.0/8", "192.0.2.0/24"])], IDS
    )

    assert set(found) == {
        Rule("tcp", 80, 80, "cidr", "10.0.0.0/8"),
        Rule("tcp", 80, 80, "cidr", "192.0.2.0/24"),
        Rule("tcp", 8000, 8010, "cidr", "10.0.0.0/8"),
        Rule("tcp", 8000, 8010, "cidr", "192.0.2.0/24"),
    }


def test_a_prefix_list_comes_back_as_it_was_asked_for():
    wanted = wanted_rules([rule(prefix_list="cdn", rule_desc="it")], IDS)
    entries = permissions(wanted)

    assert wanted == {Rule("tcp", 80, 80, "prefix", "pl-1"): "it"}
    assert entries[0]["PrefixListIds"] == [{"PrefixListId": "pl-1", "Description": "it"}]
    assert current_rules(entries) == wanted
    assert shown(wanted, {"pl-1": "cdn"}) == ["tcp 80 from cdn"]


def test_a_group_is_named_by_its_id():
    assert wanted_rules([rule(group="lb", rule_desc="it")], IDS) == {
        Rule("tcp", 80, 80, "group", "sg-1"): "it"
    }


@pytest.mark.parametrize(
    "rules",
    [
        {Rule("tcp", 80, 80, "cidr", "0.0.0.0/0"): "visitors"},
        {Rule("tcp", 22, 22, "cidr", "2001:db8::/32"): ""},
        {Rule("udp", 5000, 5010, "group", "sg-1"): "them"},
        {Rule("-1", None, None, "group", "sg-1"): ""},
    ],
)
def test_what_is_sent_is_read_back_the_same(rules):
    assert current_rules(permissions(rules)) == rules


OLD = Rule("tcp", 80, 80, "cidr", "0.0.0.0/0")
NEW = Rule("tcp", 80, 80, "group", "sg-1")


def test_without_purge_what_was_let_in_stays():
    assert plan({OLD: ""}, {NEW: ""}, purge=False) == ({NEW: ""}, {}, {}, {OLD: "", NEW: ""})


def test_with_purge_it_goes():
    assert plan({OLD: ""}, {NEW: ""}, purge=True) == ({NEW: ""}, {OLD: ""}, {}, {NEW: ""})


def test_another_description_is_no_other_rule():
    assert plan({OLD: "was"}, {OLD: "is"}, purge=True) == ({}, {}, {OLD: "is"}, {OLD: "is"})


def test_what_is_as_wanted_is_left_alone():
    add, remove, describe, _ = plan({OLD: "x"}, {OLD: "x"}, purge=True)

    assert (add, remove, describe) == ({}, {}, {})


def test_people_see_names():
    assert shown({NEW: "", Rule("tcp", 1, 9, "cidr", "10.0.0.0/8"): ""}, {"sg-1": "lb"}) == [
        "tcp 1-9 from 10.0.0.0/8",
        "tcp 80 from lb",
    ]


def test_groups_of_a_moment_ago_that_aws_does_not_know_everywhere_yet(run):
    client, stubber = stubbed("ec2")
    stubber.add_response("describe_security_groups", {"SecurityGroups": []})
    stubber.add_response("create_security_group", {"GroupId": "sg-9"})
    stubber.add_client_error("describe_security_groups", "InvalidGroup.NotFound")
    stubber.add_response(
        "describe_security_groups",
        {"SecurityGroups": [{"GroupId": "sg-9"}]},
        {"GroupIds": ["sg-9"]},
    )
    stubber.add_client_error("authorize_security_group_ingress", "InvalidGroup.NotFound")
    stubber.add_response("authorize_security_group_ingress", {})
    group = {"name": "web", "description": "web", "rules": [rule(cidr_ip=["0.0.0.0/0"])]}

    result = run("ec2_security_groups", client, vpc_id="vpc-1", prefix="shop-", groups=[group])

    assert result["groups"] == {"web": "sg-9"}
    stubber.assert_no_pending_responses()
