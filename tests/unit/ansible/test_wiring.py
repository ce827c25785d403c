"""wiring.yml of this machine and of the hosts: what roles get, also where no local run shows it."""

import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
HERE, ON_HOSTS = (
    yaml.safe_load((ROOT / "group_vars" / group / "wiring.yml").read_text())
    for group in ("all", "aws_ec2")
)
LADDER, PROVIDERS = (
    yaml.safe_load((ROOT / f"group_vars/all/{name}.yml").read_text())
    for name in ("ladder", "providers")
)
PROJECT = yaml.safe_load((ROOT / "group_vars/all/project.yml").read_text())
ACCOUNT = "123456789012"


def trusted(value):
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    return [trusted(each) for each in value] if isinstance(value, list) else value


def wired(name, **variables):
    found = trusted(LADDER | PROVIDERS | HERE | ON_HOSTS) | {
        "stage": 1,
        "network_cidr": "10.20.0.0/16",
        "operator_cidrs": ["192.0.2.7/32"],
        "alarm_emails": [],
        "operator_access": "ssh",
        "aws_region": "eu-west-1",
        "aws_partition": trust_as_template(PROJECT["aws_partition"]),
        "settings_path": "/mustache/production/web",
        "project_prefix": "mustache-production",
        "site_domain": "Mustache.example.com",
        "hostvars": {"localhost": {"aws_account": ACCOUNT, "dns_result": {"zone_id": "Z1"}}},
    }
    templar = Templar(loader=DataLoader(), variables=found | variables)
    return templar.template((found | variables)[name])


def test_hosts_that_prove_the_name_by_dns_may_write_that_record_only():
    statements = wired("web_policy_statements", site_tls_provider="letsencrypt")
    route53 = {
        action: statement
        for statement in statements
        for action in [statement["Action"]]
        if "route53:" in str(action)
    }

    assert sorted(route53) == [
        "route53:ChangeResourceRecordSets",
        "route53:GetChange",
        "route53:ListHostedZones",
    ]
    change = route53["route53:ChangeResourceRecordSets"]
    assert change["Resource"] == "arn:aws:route53:::hostedzone/Z1"
    assert change["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                "_acme-challenge.mustache.example.com"
            ],
            "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
        }
    }


def test_hosts_with_another_certificate_have_no_right_in_route_53():
    statements = wired("web_policy_statements", site_tls_provider="command")

    assert [each for each in statements if "route53" in str(each)] == []
    assert [each["Action"] for each in statements] == [
        "ssm:GetParametersByPath",
        ["s3:PutObject", "s3:AbortMultipartUpload"],
    ]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_begin_with_the_partition_of_the_region(region, partition):
    statements = wired("web_policy_statements", site_tls_provider="letsencrypt", aws_region=region)
    arns = [each["Resource"] for each in statements if each["Resource"] != "*"]

    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_the_boundary_leaves_the_hosts_and_the_app_what_they_are_given():
    boundary = json.loads((ROOT / "docs/aws-boundary.json").read_text())["Statement"]
    bounded = [
        (action, resource)
        for each in boundary
        for action in listed(each["Action"])
        for resource in listed(each["Resource"])
    ]
    given = {
        "site_tls_provider": "letsencrypt",
        "alarm_emails": ["me@example.com"],
        "operator_access": "session-manager",
        "my_values": {"stores": {"files": "s3", "rows": "dynamodb", "sessions": "dynamodb"}},
    }
    for each in wired("web_policy_statements", **given) + wired("web_app_statements", **given):
        for action in listed(each["Action"]):
            for resource in listed(each["Resource"]):
                assert any(
                    action == may and fnmatchcase(resource, pattern) for may, pattern in bounded
                ), f"{action} on {resource}"


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(("number", "provider"), [(1, "letsencrypt"), (2, "none")])
def test_the_host_that_the_name_may_lead_to_asks_for_a_certificate(number, provider):
    host = f"mustache-production-web-{number}"
    asked = wired("web_tls_provider", site_tls_provider="letsencrypt", inventory_hostname=host)

    assert asked == provider
    assert wired("web_entry_host") == "mustache-production-web-1"


@pytest.mark.parametrize(
    ("front", "files", "asked"),
    [("cdn", "s3", True), ("cdn", "database", False), ("balancer", "s3", False)],
)
def test_the_app_may_have_the_cdn_forget_pictures_where_it_keeps_them(front, files, asked):
    arn = "arn:aws:cloudfront::123456789012:distribution/E1"
    found = {
        "aws_account": ACCOUNT,
        "cdn_result": {"arn": arn},
        "noted": {"stores": {"files": files}, "seconds": {}},
    }
    given = {"front": front, "hostvars": {"localhost": found}}
    statements = wired("web_app_statements", **given)
    cdn = [each for each in statements if each["Action"] == "cloudfront:CreateInvalidation"]
    names = [each["name"] for each in wired("cdn_buckets", **given)]

    assert [each["Resource"] for each in cdn] == ([arn] if asked else [])
    assert names == (["static"] if front == "cdn" else []) + (["media"] if files == "s3" else [])


def test_the_cdn_keeps_apart_whoever_has_a_session_and_shares_what_the_app_lets_it():
    settings = (ROOT / "app/service/settings.py").read_text()
    views = (ROOT / "app/service/pictures/views.py").read_text()
    [session] = re.findall(
        r'^SESSION_COOKIE_NAME = f"\{HOST if HTTPS else \'\'\}(\w+)"', settings, re.M
    )

    assert wired("cdn_shared_cookies") == [f"__Host-{session}"]
    assert wired("cdn_shared_paths") == [
        f"/{view}" for view in re.findall(r"^@briefly\ndef (\w+)", views, re.M)
    ]


def test_a_key_may_be_in_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")

    assert wired("ssh_public_key_file", ssh_private_key_file="~/id") == "/home/me/id.pub"


def test_each_value_of_the_stage_is_read_in_one_place():
    """Whoever else wants it reads the variable that took it, which -e may have changed."""
    read = {}
    for path in (*ROOT.glob("group_vars/**/*.yml"), *ROOT.glob("playbooks/**/*.*")):
        for name in re.findall(r"stage_values\.([\w.]+)", path.read_text()):
            read.setdefault(name, []).append(str(path.relative_to(ROOT)))
    wanted = LADDER["ladder"][0]["changes"]
    every = {name for name in wanted if name != "stores"}

    assert {name: places for name, places in read.items() if len(places) > 1} == {}
    assert {name for name in read if not name.startswith("stores.")} == every
    assert {name.partition(".")[2] for name in read} - {""} <= set(wanted["stores"])
    assert {path for places in read.values() for path in places} == {
        "group_vars/all/providers.yml",
        "group_vars/all/wiring.yml",
    }


@pytest.mark.parametrize(
    ("front", "groups"),
    [("address", ["web"]), ("balancer", ["web", "lb"]), ("cdn", ["web", "lb"])],
)
def test_a_front_comes_with_its_security_group_however_it_was_asked_for(front, groups):
    for asked in ({"front": front}, {"my_values": {"front": front}}):
        found = wired("network_security_groups", **asked)
        assert [group["name"] for group in found] == groups
        assert ("group" in found[0]["rules"][0]) == (front != "address")


def test_the_balancer_lets_in_the_cdn_only_and_on_one_port_since_its_list_counts_as_55_rules():
    (_, balancer) = wired("network_security_groups", front="cdn")
    (rule,) = balancer["rules"]

    assert rule["prefix_list"] == "com.amazonaws.global.cloudfront.origin-facing"
    assert rule["ports"] == [443]
    assert "cidr_ip" not in rule


@pytest.mark.parametrize(
    ("front", "noted", "only"),
    [
        ("balancer", "balancer", False),
        ("cdn", None, False),
        ("cdn", "balancer", False),
        ("cdn", "cdn", True),
        ("balancer", "cdn", False),
    ],
)
def test_the_balancer_refuses_others_when_the_name_leads_everybody_to_the_cdn(front, noted, only):
    found = {"aws_account": ACCOUNT, "noted": {"front": noted} if noted else {}}

    assert wired("lb_secret_only", front=front, hostvars={"localhost": found}) is only


@pytest.mark.parametrize(
    "asked", [{"db_provider": "rds"}, {"my_values": {"stores": {"rows": "rds"}}}]
)
def test_rds_comes_with_its_subnets_and_security_group_however_it_was_asked_for(asked):
    groups = wired("network_security_groups", **asked)
    subnets = wired("network_subnets", **asked)

    assert [group["name"] for group in groups] == ["web", "db"]
    assert [subnet["name"] for subnet in subnets] == ["public-a", "private-a"]


def test_elasticache_comes_with_its_subnets_and_security_group():
    asked = {
        "my_values": {"stores": {"cache": "elasticache"}},
        "stage": 2,
        "db_provider": "instance",
    }
    *_, cache = wired("network_security_groups", **asked)

    assert (cache["name"], cache["rules"][0]["ports"]) == ("cache", [6379])
    assert [each["name"] for each in wired("network_subnets", **asked)] == [
        "public-a", "private-a", "public-b", "private-b",
    ]  # fmt: skip


def test_the_app_knows_the_cache_for_as_long_as_its_sessions_are_there():
    """Going down, both leave it; the one that holds nothing first."""
    stores = {"rows": "rds", "files": "database", "cache": "database", "sessions": "database"}
    found = {
        "aws_account": ACCOUNT,
        "db_result": {"urls": {"instance": "postgres://here", "rds": "postgres://there"}},
    }

    def settings(seconds):
        noted = {"stores": stores, "seconds": seconds}
        given = {"localhost": found | {"noted": noted}}
        listed = wired(
            "parameters_values", hostvars=given, site_url="https://m.example.com", app_settings={},
            elasticache_url_noted="rediss://there", stage=3,
        )  # fmt: skip
        return {each["name"]: each.get("value") for each in listed}

    leaving, left = settings({"sessions": "elasticache"}), settings({})
    assert leaving["CACHE_URL"] == "rediss://there"
    assert leaving["SESSION_STORE_SECOND"] == "elasticache"
    assert {"CACHE_URL", "SESSION_STORE_SECOND"} & set(left) == set()


def test_the_wiring_of_hosts_is_not_seen_elsewhere():
    assert set(HERE) & set(ON_HOSTS) == set()


IN_TABLES = {"rows": "dynamodb", "files": "s3", "sessions": "dynamodb", "cache": "dynamodb"}


def test_rows_in_dynamodb_need_no_database_and_their_tables_only():
    found = {"aws_account": ACCOUNT, "db_result": {"urls": {}}}
    given = {
        "hostvars": {"localhost": found},
        "my_values": {"stores": IN_TABLES},
        "site_url": "https://m.example.com",
        "app_settings": {},
    }
    settings = {each["name"]: each.get("value") for each in wired("parameters_values", **given)}
    rights = {
        (action, each["Resource"].rpartition("/")[2])
        for each in wired("web_app_statements", **given)
        for action in listed(each["Action"])
        if action.startswith("dynamodb:")
    }

    assert settings["ROWS"] == settings["COUNTERS"] == "dynamodb"
    assert settings["ROWS_TABLE"] == "mustache-production-rows"
    assert settings["COUNTERS_TABLE"] == "mustache-production-counters"
    assert settings["CACHE_URL"] == "locmem://"
    assert "DATABASE_URL" not in settings
    assert wired("database_used", **given) is False
    assert ("dynamodb:PutItem", "mustache-production-rows") in rights
    assert {right for right in rights if right[1].endswith("counters")} == {
        (f"dynamodb:{name}", "mustache-production-counters") for name in ("GetItem", "UpdateItem")
    }
    assert [each["name"] for each in wired("network_security_groups", **given)] == ["web"]


@pytest.mark.parametrize(
    ("now", "wanted", "turning", "by_role"),
    [
        ("rds", "dynamodb", True, []),
        ("dynamodb", "instance", True, []),
        ("instance", "rds", False, ["rows"]),
        ("dynamodb", "dynamodb", False, []),
    ],
)
def test_rows_turn_between_a_database_and_dynamodb_and_no_role_moves_them(
    now, wanted, turning, by_role
):
    noted = {"stores": {"rows": now}, "seconds": {}}
    found = {"noted": noted, "db_result": {"rds_host": "there"}}
    given = {"hostvars": {"localhost": found}, "db_provider": wanted, "has_rows": True}
    (play,) = [
        task
        for play in yaml.safe_load((ROOT / "playbooks/phases/move.yml").read_text())
        for task in play["tasks"]
        if "moving_stores" in task.get("ansible.builtin.set_fact", {})
    ]
    moving = trust_as_template(play["ansible.builtin.set_fact"]["moving_stores"])

    assert wired("rows_turning", **given) is turning
    assert wired("moving", moving=moving, **given) == by_role
    assert (wired("stores_found", **given)["rows"] == []) is ("dynamodb" in (now, wanted))


def test_rows_that_turn_have_both_places_in_the_settings_and_are_read_at_the_first():
    urls = {"rds": "postgres://there"}
    for first, second in (("rds", "dynamodb"), ("dynamodb", "rds")):
        noted = {"stores": IN_TABLES | {"rows": first}, "seconds": {"rows": second}}
        found = {"aws_account": ACCOUNT, "noted": noted, "db_result": {"urls": urls}}
        given = {
            "hostvars": {"localhost": found},
            "my_values": {"stores": IN_TABLES},
            "site_url": "https://m.example.com",
            "app_settings": {},
        }
        settings = {each["name"]: each.get("value") for each in wired("parameters_values", **given)}

        assert settings["ROWS"] == ("dynamodb" if first == "dynamodb" else "database")
        assert settings["DATABASE_URL"] == "postgres://there"
        assert settings["ROWS_TABLE"] == "mustache-production-rows"
        assert not [name for name in settings if name.startswith("ROWS_SECOND")]
        # With the database goes what else is kept in it; not before the rows are elsewhere.
        assert wired("database_going", **given) is (first == "dynamodb")


def test_session_manager_needs_no_open_port():
    given = {"operator_access": "session-manager", "aws_instance_id": "i-1"}
    (web,) = wired("network_security_groups", **given)
    inventory = yaml.safe_load((ROOT / "inventories/aws/group_vars/all/main.yml").read_text())
    ways = {name: trusted(inventory[name]) for name in inventory if name.startswith("ssh_")}

    assert [rule["ports"] for rule in web["rules"]] == [[80, 443]]
    assert "debian_amd64/amazon-ssm-agent.deb" in wired("web_user_data", **given)
    assert shlex.split(wired("ssh_options", **ways | given))[1].startswith(
        "ProxyCommand=aws ssm start-session --region eu-west-1 --target i-1 "
    )
    assert wired("web_user_data") == wired("ssh_options", **ways) == ""
    assert [22] in [rule["ports"] for rule in wired("network_security_groups")[0]["rules"]]


def test_a_store_stays_where_it_was_noted_until_it_has_moved():
    noted = {"stores": {"rows": "instance", "files": "database"}}
    urls = {"instance": "postgres://here", "rds": "postgres://there"}
    found = {
        "aws_account": ACCOUNT,
        "noted": noted,
        "db_result": {"urls": urls, "rds_host": "there"},
    }
    given = {"hostvars": {"localhost": found}, "db_provider": "rds"}

    assert wired("stores_to_move", **given) == ["rows"]
    assert wired("stores_now", **given)["rows"] == "instance"
    settings = {
        each["name"]: each.get("value")
        for each in wired(
            "parameters_values",
            **given
            | {"site_url": "https://m.example.com", "app_settings": {"UPLOAD_RATE": "1/60"}},
        )
    }
    assert settings["DATABASE_URL"] == "postgres://here"
    assert settings["SESSION_STORE"] == settings["PICTURE_STORE"] == "database"
    assert settings["UPLOAD_RATE"] == "1/60"


def test_pictures_that_move_are_written_to_both_places():
    noted = {"stores": {"files": "database"}, "seconds": {"files": "s3"}}
    found = {
        "aws_account": ACCOUNT,
        "noted": noted,
        "db_result": {"urls": {"rds": "", "instance": ""}},
    }
    given = {
        "hostvars": {"localhost": found},
        "site_url": "https://m.example.com",
        "app_settings": {},
    }
    settings = {each["name"]: each.get("value") for each in wired("parameters_values", **given)}

    assert (settings["PICTURE_STORE"], settings["PICTURE_STORE_SECOND"]) == ("database", "s3")
    assert settings["PICTURE_BUCKET"] == f"mustache-production-pictures-eu-west-1-{ACCOUNT}"
    assert wired("storage_pictures", **given) is True


@pytest.mark.parametrize(
    ("stores", "seconds", "wanted", "allowed"),
    [
        ({"files": "database"}, {}, "database", False),
        ({"files": "database"}, {}, "s3", True),
        ({"files": "database"}, {"files": "s3"}, "database", True),
        ({"files": "s3"}, {"files": "database"}, "database", True),
        ({}, {}, "s3", True),
    ],
)
def test_the_app_has_a_role_wherever_it_needs_the_bucket(stores, seconds, wanted, allowed):
    noted = {"stores": stores, "seconds": seconds}
    given = {
        "hostvars": {"localhost": {"aws_account": ACCOUNT, "noted": noted}},
        "my_values": {"stores": {"files": wanted}},
        "site_tls_provider": "command",
    }
    statements = wired("web_app_statements", **given)
    role = f"arn:aws:iam::{ACCOUNT}:role/mustache-production-app-eu-west-1"

    assert bool(statements) is allowed
    assert wired("storage_pictures", **given) is allowed
    assert wired("web_app_role_arn", **given) == (role if allowed else "")
    hosts = wired("web_policy_statements", **given)
    assert ({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role} in hosts) is allowed
    # What the app has, its hosts have not.
    assert "pictures" not in json.dumps(hosts)
    for each in statements:
        assert "pictures" in json.dumps(each["Resource"])


@pytest.mark.parametrize(
    ("members", "going", "allowed"),
    [
        ([], [], False),
        (["i-1"], [], True),
        (["i-1"], [{"axis": "compute", "name": "group"}], False),
        (["i-1"], [{"axis": "files", "name": "database"}], True),
    ],
)
def test_rights_of_a_group_go_with_it_in_the_same_run(members, going, allowed):
    """Its hosts are in the inventory until the next one."""
    hostvars = {"localhost": {"aws_account": ACCOUNT, "going": going}}
    given = {"groups": {"role_asg": members}, "hostvars": hostvars, "site_tls_provider": "command"}
    statements = wired("web_policy_statements", **given)
    assert ("autoscaling:CompleteLifecycleAction" in json.dumps(statements)) is allowed


def test_what_nobody_noted_is_where_it_is_wanted():
    given = {"hostvars": {"localhost": {}}, "db_provider": "rds"}

    assert wired("stores_now", **given)["rows"] == "rds"
    assert wired("stores_to_move", **given) == []


@pytest.mark.parametrize(
    ("has_rows", "address", "found"),
    [(True, "", ["instance"]), (False, "there", ["rds"]), (True, "there", ["instance", "rds"])],
)
def test_where_rows_are_shows_in_what_there_is(has_rows, address, found):
    given = {"hostvars": {"localhost": {"db_result": {"rds_host": address}}}, "has_rows": has_rows}

    assert wired("stores_found", **given) == {"rows": found}


def test_every_provider_can_be_found_and_retired_or_goes_with_something_else():
    for axis, known in PROVIDERS["providers"].items():
        for name, provider in known.items():
            known = {"role", "place", "found", "retire"}
            who = {"leaves", "hands", "members", "lost"}
            assert set(provider) - who in (set(), known), name
            assert ("hands" in provider) == (axis == "compute" and name != "functions")
            if "role" in provider:
                tasks = ROOT / "roles" / provider["role"] / "tasks"
                assert (tasks / f"{provider['retire']}.yml").exists(), (axis, name)


def test_a_provider_goes_alone_where_its_role_has_another_of_the_same_axis():
    """To destroy all that a role makes took the tables with the rows that had just moved there."""
    for axis, known in PROVIDERS["providers"].items():
        roles = [provider["role"] for provider in known.values() if "role" in provider]
        for name, provider in known.items():
            if roles.count(provider.get("role")) > 1:
                folder = ROOT / "roles" / provider["role"] / "tasks"
                tasks = (folder / f"{provider['retire']}.yml").read_text()
                assert provider["retire"] != "destroy", (axis, name)
                assert not re.search(r"include_tasks: (destroy|retire_)", tasks), (axis, name)


@pytest.mark.parametrize("kind", ["db", "subgrp", "pg"])
def test_rds_is_found_by_whatever_is_left_of_it(kind):
    """The tagging API does not list every kind everywhere, and a run may be cut off in between."""
    found = PROVIDERS["providers"]["rows"]["rds"]["found"]

    assert re.match(found, f"rds:{kind}")
    assert not re.match(found, "rds:snapshot")


def test_a_table_shows_that_its_own_provider_is_there_and_no_other():
    """That of sessions had the tables of the rows removed once more in every run."""
    known = wired("providers")
    tables = {"rows": ["rows", "counters"], "sessions": ["sessions"]}
    for axis, names in tables.items():
        for other, others in tables.items():
            found = [
                bool(
                    re.match(known[axis]["dynamodb"]["found"], f"table:mustache-production-{each}")
                )
                for each in others
            ]
            assert found == [axis == other] * len(others), (axis, names)


def test_the_ladder_names_providers_that_there_are():
    known = PROVIDERS["providers"]
    for step in LADDER["ladder"]:
        changes = step["changes"]
        asked = {name: changes[name] for name in ("front", "compute") if name in changes}
        for axis, provider in (asked | changes.get("stores", {})).items():
            assert provider in known[axis], (step["stage"], axis)


@pytest.mark.parametrize("store", PROVIDERS["movers"])
def test_a_role_that_moves_a_store_has_its_four_tasks_and_the_wiring_its_lines(store):
    role = PROVIDERS["movers"][store]
    for tasks in ("copy", "switch", "undo", "finish"):
        assert (ROOT / f"roles/{role}/tasks/{tasks}.yml").exists()
    assert set(HERE["store_settings"][store]) == set(PROVIDERS["providers"][store])
    assert store in ON_HOSTS["stores_found"]
    assert (ROOT / f"playbooks/phases/templates/moved/{store}.txt").exists()


@pytest.mark.parametrize("store", PROVIDERS["app_movers"])
def test_a_store_that_the_app_moves_has_its_commands_and_the_wiring_its_lines(store):
    mover = PROVIDERS["app_movers"][store]
    assert set(HERE["store_settings"][store]) == set(PROVIDERS["providers"][store])
    assert ("move" in mover) == ("compare" in mover) == ("setting" in mover)
    if "setting" in mover:
        for provider, settings in HERE["store_settings"][store].items():
            assert settings[mover["setting"]] == provider


def test_nothing_means_the_first_host():
    """It is named for what it is: manage_host, web_entry_host."""
    meant = [
        str(path.relative_to(ROOT))
        for folder in ("playbooks", "group_vars", "roles")
        for path in (ROOT / folder).rglob("*.yml")
        if "drills" not in path.parts
        and re.search(r"groups\.?\S* \|.*\bfirst\b|groups\.\w+\[0\]", path.read_text())
    ]

    assert meant == []


GROUP = {
    "stage": 5,
    "site_url": "https://m.example.com",
    "elasticache_authority_file": "",
    "db_authority_file": "",
    "project_root": str(ROOT),
    "project_name": "mustache",
    "project_environment": "production",
    "project_tags": {"Project": "mustache", "Environment": "production"},
}


def test_with_a_group_there_are_no_fixed_hosts_and_a_builder_only_where_no_image_is():
    for image, builder in (("", True), ("ami-1", False)):
        found = {"aws_account": ACCOUNT, "asg_image_result": {"id": image}}
        given = GROUP | {"hostvars": {"localhost": found}}
        assert (wired("web_count", **given), wired("web_builder", **given)) == (0, builder)
    assert wired("web_count", stage=4) == 2
    assert wired("web_builder", stage=4) is False


@pytest.mark.parametrize(
    ("provider", "leaving"), [("hosts", ["web-2"]), ("group", []), ("functions", [])]
)
def test_hosts_stay_until_a_group_or_functions_have_taken_over(provider, leaving):
    [drain] = yaml.safe_load((ROOT / "playbooks/phases/drain.yml").read_text())
    there = [{"name": "web-1"}, {"name": "web-2"}]
    given = {
        "web_provider": provider,
        "web_found": there,
        "web_result": {"instances": there[:1] if provider == "hosts" else []},
        "leaving": trusted(drain["vars"]["leaving"]),
    }
    assert [each["name"] for each in wired("leaving", **given)] == leaving


@pytest.mark.parametrize(
    ("groups", "left"),
    [({}, False), ({"role_web": ["w"]}, True), ({"role_asg": ["i-1"], "role_web": []}, True),
     ({"role_web": []}, False)],
)  # fmt: skip
def test_hosts_that_functions_take_over_from_get_the_rights_that_the_move_needs(groups, left):
    assert wired("web_hosts_left", web_provider="functions", groups=groups) is left


@pytest.mark.parametrize(
    ("groups", "hands", "manager"),
    [
        ({"role_web": ["w"], "role_builder": ["b"], "role_asg": ["i-1"]}, ["b", "w"], "b"),
        ({"role_asg": ["i-2", "i-1"]}, [], "i-1"),
        ({"role_builder": ["b"]}, ["b"], "b"),
    ],
)
def test_work_is_done_by_who_gets_the_app_installed_or_else_by_who_has_it_from_an_image(
    groups, hands, manager
):
    names = {name for each in groups.values() for name in each}
    told = {name: {"inventory_hostname": name} for name in names} | {"localhost": {}}
    given = {"stage": 5, "hostvars": told, "groups": groups}
    noted = groups | {"hands": wired("hands", **given), "members": wired("members", **given)}

    assert noted["hands"] == hands
    noted["aws_ec2"] = sorted(names)
    assert wired("manage_host", **given | {"groups": noted}) == manager


def test_work_is_not_for_a_builder_that_has_gone_though_it_is_still_noted():
    groups = {"hands": ["b"], "members": ["i-1"], "role_asg": ["i-1"], "aws_ec2": ["i-1"]}
    told = {name: {"inventory_hostname": name} for name in ("b", "i-1")} | {"localhost": {}}
    assert wired("manage_host", stage=5, hostvars=told, groups=groups) == "i-1"


def test_the_hosts_of_a_group_are_asked_whether_they_live_and_finish_before_spot_ends():
    assert wired("lb_health_path", **GROUP) == "/healthz"
    assert wired("lb_health_path", stage=4) == "/readyz"
    defaults = yaml.safe_load((ROOT / "roles/asg/defaults/main.yml").read_text())
    assert wired("asg_drain_seconds", **GROUP) + defaults["asg_termination_seconds"] < 110


def test_another_release_or_another_role_of_the_app_is_another_image():
    def fingerprint(release, **more):
        found = {"aws_account": ACCOUNT, "release": {"name": release}}
        return wired("asg_fingerprint", **GROUP | {"hostvars": {"localhost": found}} | more)

    first = fingerprint("1")

    assert first == fingerprint("1")
    assert len({first, fingerprint("2"), fingerprint("1", web_app_role_arn="arn:of:another")}) == 3


def test_what_you_set_yourself_of_a_host_is_another_image_too():
    def fingerprint(**more):
        found = {"aws_account": ACCOUNT, "release": {"name": "1"}}
        return wired("asg_fingerprint", **GROUP | {"hostvars": {"localhost": found}} | more)

    defaults = [
        yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text())
        for role in ("common", "db", "web", "backup")
    ]
    names = re.findall(r"(\w+) \| default", HERE["image_parts"]["own"])
    images = {fingerprint(), *(fingerprint(**{name: "mine"}) for name in names)}

    assert [name for name in names if not any(name in each for each in defaults)] == []
    assert "web_max_body" in names
    assert len(images) == len(names) + 1


def test_a_database_takes_as_many_connections_as_its_memory_has_room_for():
    small, medium = (
        wired("database_connections", db_instance_class=kind)
        for kind in ("db.t4g.micro", "db.t4g.medium")
    )

    assert small < 112 < 400 < medium < 450


# --- functions ---------------------------------------------------------------------------------

FUNCTIONS = {
    "stage": 6,
    "site_url": "https://mustache.example.com",
    "pictures_url": "",
    "hosts_boundary": "",
    "hostvars": {
        "localhost": {
            "aws_account": ACCOUNT,
            "release": {"name": "1.0.0-0f"},
            "cdn_result": {"arn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"},
        }
    },
    "parameters_result": {
        "parameters": {
            "SECRET_KEY": "(secret)",
            "SITE_URL": "https://mustache.example.com",
            "PROXY": "cdn,nginx",
            "DATABASE_URL": "postgres://mustache@db/mustache",
            "ROWS": "dynamodb",
            "PICTURE_STORE_SECOND": "database",
        }
    },
}


def test_hosts_of_a_group_are_replaced_for_settings_that_last_and_not_for_the_end_of_a_move():
    def told(stage=5, **versions):
        found = {"SECRET_KEY": 1, "SESSION_STORE": 2, "DATABASE_URL": 1} | versions
        return wired("asg_environment", stage=stage, parameters_result={"versions": found})

    assert set(told()) == {"SETTINGS_FINGERPRINT"}
    assert told() == told(SESSION_STORE_SECOND=1)
    assert told() != told(SECRET_KEY=2)
    assert told() != told(DATABASE_URL=2)


def test_functions_are_told_where_secrets_are_and_nothing_of_a_database():
    told = wired("functions_environment", **FUNCTIONS)

    assert told == {
        "SITE_URL": "https://mustache.example.com",
        "ROWS": "dynamodb",
        "PROXY": "cdn,gateway",
        "RELEASE": "1.0.0-0f",
        "SECRET_KEY_PARAMETER": "/mustache/production/web/SECRET_KEY",
        "CDN_SECRETS_PARAMETER": "/mustache/production/web/CDN_SECRETS",
        "DIRECT_UPLOADS_OVER": "4000000",
        "DIRECT_DOWNLOADS_OVER": "4000000",
    }


def test_functions_may_read_those_secrets_and_the_boundary_leaves_them_that():
    statements = wired("functions_statements", **FUNCTIONS)
    secrets = next(each for each in statements if each["Action"] == "ssm:GetParameters")

    assert [arn.rpartition(":")[2] for arn in secrets["Resource"]] == [
        "parameter/mustache/production/web/SECRET_KEY",
        "parameter/mustache/production/web/CDN_SECRETS",
    ]
    boundary = json.loads((ROOT / "docs/aws-boundary.json").read_text())["Statement"]
    bounded = [
        (action, resource)
        for each in boundary
        for action in listed(each["Action"])
        for resource in listed(each["Resource"])
    ]
    for each in statements:
        for action in listed(each["Action"]):
            for resource in listed(each["Resource"]):
                assert any(
                    action == may and fnmatchcase(resource, pattern) for may, pattern in bounded
                ), f"{action} on {resource}"


@pytest.mark.parametrize(
    ("stage", "noted", "entry", "now"),
    [
        (1, {}, "host", "host"),
        (4, {}, "balancer", "balancer"),
        (6, {}, "api", "api"),
        (6, {"front": "cdn", "stores": {}}, "api", "balancer"),
        (6, {"front": "cdn", "entry": "balancer", "stores": {}}, "api", "balancer"),
        (4, {"front": "cdn", "entry": "api", "stores": {}}, "balancer", "api"),
    ],
)
def test_who_takes_requests_to_the_app_and_who_does_until_now(stage, noted, entry, now):
    given = {"stage": stage, "hostvars": {"localhost": {"aws_account": ACCOUNT, "noted": noted}}}

    assert wired("entry", **given) == entry
    assert wired("entry_now", **given) == now


def test_a_distribution_stays_with_what_serves_until_the_next_one_does():
    def origin(**noted):
        here = {"aws_account": ACCOUNT, "noted": {"stores": {}} | noted}
        given = {"lb_result": {"dns_name": "lb"}, "api_result": {"dns_name": "api"}}
        return wired("cdn_origin", stage=6, hostvars={"localhost": here}, **given)

    assert origin() == "api"
    assert origin(front="address", entry="host") == "api"
    assert origin(front="cdn", entry="balancer") == ""
    assert origin(front="cdn", entry="api") == "api"


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        ({}, True),  # a deploy to a group provisions without having looked
        ({"found": {"kinds": {}}}, False),
        ({"found": {"kinds": {"rds:db": ["arn"]}}}, True),
    ],
)
def test_rds_is_asked_for_unless_it_is_known_that_there_is_none(found, asked):
    assert wired("db_rds_there", **found) is asked


def test_rds_is_asked_for_while_the_rows_are_there_whatever_its_tags_say():
    noted = {"localhost": {"noted": {"stores": {"rows": "rds"}}}}
    assert wired("db_rds_there", hostvars=noted, found={"kinds": {}}) is True
