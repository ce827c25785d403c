"""What `make advise` says, of metrics as CloudWatch gave them and of load tests."""

import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml

from benchmarks.capacity import FAILED_SHARE, P95_SECONDS
from module_utils import site_load
from tests.unit.ansible.aws import stubbed
from tests.unit.ansible.test_filters import PRICES, load
from tests.unit.ansible.test_wiring import trusted, wired

ROOT = Path(__file__).parents[3]
VARIABLES = {
    name: value
    for file in ("prices", "traffic", "cost")
    for name, value in yaml.safe_load((ROOT / f"group_vars/all/{file}.yml").read_text()).items()
}
CAPACITY = VARIABLES["capacity"]
LADDER = yaml.safe_load((ROOT / "group_vars/all/ladder.yml").read_text())["ladder"]
CPUS = PRICES["burstable_cpus"]
LIMITS = {"connections": 79, "gbit": 0.128}


@cache
def sizes(stage):
    """What the ladder says of a stage; it takes a while."""
    names = ("cost_site", "cost_resources", "cost_hosts_limit", "cost_usage")
    parts = {name: "{{ " + name + " }}" for name in names}
    return wired("parts", stage=stage, **trusted(VARIABLES | {"parts": parts})).values()


def offers(traffic):
    """Of each stage, as playbooks/advise.yml makes them."""
    found = []
    for step in LADDER:
        site, resources, most, _ = sizes(step["stage"])
        usage = load("monthly_usage")(site, traffic, CAPACITY, VARIABLES["capacity_gbit"], CPUS)
        lines = load("monthly_cost")(resources | {"usage": usage}, PRICES)
        found.append(
            {key: step[key] for key in ("stage", "users", "adds")}
            | {
                "hosts": int(most) or int(resources["hosts"]["count"]),
                "most": int(most),
                "month": sum(line["month"] for line in lines),
                "functions": site["functions"],
                "host_month": 30,
                "usage": usage,
            }
        )
    return found


def advice(measured, stage):
    site, _, _, usage = sizes(stage)
    traffic = load("measured_traffic")(
        measured,
        site | {"page_seconds": usage["page_seconds"]},
        {"stored_pictures": 2400},
        CAPACITY,
        CPUS,
    )
    return load("site_advice")(measured, stage, offers(traffic), CAPACITY, LIMITS)


def on_hosts(cpu, count=1, **more):
    """A site of which only its hosts are known."""
    found = {"hosts": {"count": count, "type": "t3.small", "cpu": cpu, "gbit": 0.01}}
    apart = ("group", "balancer", "api", "functions", "tables", "database", "cache")
    return found | {name: {} for name in apart} | more


def behind(cpu, requests, p95, failed=0.0, database=10.0, **more):
    return on_hosts(
        cpu,
        2,
        balancer={"requests": requests, "failed": failed, "p95": p95},
        database={"class": "db.t4g.micro", "gib": 20, "free_gib": 19, "cpu": database,
                  "connections": 16, "multi_az": True},
        **more,
    )  # fmt: skip


def on_functions(concurrent, requests, p95, failed=0.0, throttled=0.0):
    """A site without hosts, whose limits are those of the ladder."""
    seconds = None if concurrent is None else 0.05
    return on_hosts(
        None,
        0,
        api={"requests": requests, "failed": failed, "p95": p95, "rate": 500.0},
        functions={"concurrency": 100, "concurrent": concurrent, "seconds": seconds,
                   "throttled": throttled},
        tables={"reads": 140.0, "writes": 2.5},
    ) | {"hosts": {"count": 0, "type": "", "cpu": None, "gbit": None}}  # fmt: skip


GROUP = {"group": {"in_service": 2, "most": 12}, "cache": {"cpu": 3, "type": "x", "nodes": 2}}


def test_an_idle_box_stays():
    said = advice(on_hosts(2), 1)
    assert (said["verdict"], said["stage"], said["hosts"]) == ("stay", None, 0)


def test_a_box_that_is_half_busy_stays():
    said = advice(on_hosts(45), 1)
    assert said["verdict"] == "stay"
    assert said["resources"][0]["what"] == "processors of the hosts"
    assert said["why"] == ["processors of the hosts: 75% of what may be used in a busy hour"]


def test_a_full_box_goes_to_a_stage_that_carries_more_and_stage_2_does_not():
    said = advice(on_hosts(99), 1)
    assert (said["verdict"], said["saturated"]) == ("climb", True)
    # Measured: 100 users on the box, 80 with the database apart, 150 on two hosts; 99 of 60 %
    # are too many for these too, but not for two whose pictures are on S3.
    full = {each["stage"]: each["full"] for each in said["stages"]}
    assert full[2] == pytest.approx(full[1] * 100 / 80)
    assert full[3] == pytest.approx(full[1] * 100 / 150)
    assert full[3] > 1 > full[5]
    assert said["stage"] == next(stage for stage in (3, 4, 5) if full[stage] <= 1)


def test_before_visitors_notice_one_is_told_to_prepare():
    said = advice(on_hosts(70), 1)
    assert (said["verdict"], said["stage"]) == ("prepare", 3)
    assert not said["saturated"]


@pytest.mark.parametrize(
    ("stage", "more"), [(3, {}), (5, GROUP)], ids=["two hosts", "a group of two"]
)
def test_an_idle_site_may_go_down(stage, more):
    said = advice(behind(2, 0, None, **more), stage)
    assert (said["verdict"], said["stage"]) == ("descend", stage - 1)
    below = next(each for each in said["stages"] if each["stage"] == stage - 1)
    assert below["change"] < 0


def test_a_site_that_is_half_busy_stays():
    # A page is 9.8 requests; 150 users open 37.5 pages a second.
    said = advice(behind(50, 184, 0.08), 3)
    assert said["verdict"] == "stay"
    assert said["stages"][1]["full"] > 0.5


def test_slow_answers_are_full_whatever_processors_say():
    said = advice(behind(40, 184, 1.3), 3)
    assert said["verdict"] == "climb"
    assert said["why"] == ["95 of 100 requests took up to 1.30 s, promised is 1 s"]


def test_a_full_site_gets_more_hosts_or_the_next_stage():
    said = advice(behind(99, 400, 1.4), 3)
    assert (said["verdict"], said["stage"]) == ("climb", 4)
    # 99 % of two are 3.3 that may be busy to 60 %.
    assert said["hosts"] == 4


def test_a_database_that_is_full_is_not_helped_by_hosts():
    said = advice(behind(30, 184, 0.4, database=97.0), 3)
    assert said["resources"][0]["what"] == "processors of the database"
    # A cache spares it four of five questions.
    assert (said["verdict"], said["stage"], said["hosts"]) == ("climb", 4, 0)


def test_a_group_is_full_when_it_has_grown():
    half = advice(behind(55, 100, 0.3, **GROUP), 5)
    assert half["verdict"] != "climb"
    [hosts] = [each for each in half["resources"] if each["what"] == "processors of the hosts"]
    # Two of twelve.
    assert hosts["share"] == pytest.approx(0.55 / 6)
    grown = GROUP | {"group": {"in_service": 12, "most": 12}}
    full = advice(behind(98, 900, 1.2, **grown), 5)
    # There are no more hosts than the ladder says; functions can do it, when their API may.
    assert (full["verdict"], full["stage"], full["hosts"]) == ("climb", 6, 0)
    assert full["settings"] == {"api_rate_limit": 1148}


def test_a_group_that_grows_further_than_functions_may_goes_there_with_what_they_need():
    grown = GROUP | {"group": {"in_service": 12, "most": 12}}
    few = advice(behind(98, 300, 1.2, **grown), 5)
    assert (few["stage"], few["settings"]) == (6, {})
    many = advice(behind(98, 4000, 1.2, **grown), 5)
    above = many["stages"][-1]
    # 4,000 pages a second, a fiftieth of it uploads, of which four fifths may be used: 5,100. They
    # run for 0.04 s, those for 0.5 s, which is 200 at once, of which 60 % may be taken.
    assert many["settings"] == {"page_concurrency": 334, "api_rate_limit": 5100}
    assert (above["full"], above["carries"]) == (pytest.approx(10.2), True)


def test_functions_that_nobody_uses_stay():
    said = advice(on_functions(None, 0, None), 6)
    # What is below costs more.
    assert (said["verdict"], said["stage"], said["cheapest"]) == ("stay", None, 6)
    assert (said["hosts"], said["settings"]) == (0, {})
    assert said["why"] == ["requests to the API: 0% of what may be used in a busy hour"]


def test_functions_that_are_half_busy_stay_or_are_cheaper_as_a_group():
    """Who pays by the request pays more than for hosts, when there are many."""
    said = advice(on_functions(40, 20, 0.2), 6)
    assert (said["verdict"], said["stage"]) == ("stay", None)
    assert said["resources"][0] == {
        "what": "concurrency of the functions", "share": 0.4, "most": 0.8, "full": 0.5,
    }  # fmt: skip
    many = advice(on_functions(40, 250, 0.2), 6)
    assert (many["verdict"], many["stage"]) == ("descend", 5)
    below = many["stages"][-2]
    # 250 pages a second, 135 of a core, two in each of twelve hosts.
    assert below["change"] < 0 < below["full"] < 0.5


def test_functions_that_are_full_may_do_more_at_once():
    said = advice(on_functions(90, 300, 0.3), 6)
    assert (said["verdict"], said["stage"]) == ("prepare", None)
    assert said["settings"] == {"page_concurrency": 200}
    over = advice(on_functions(100, 480, 0.3, failed=0.04, throttled=0.038), 6)
    assert (over["verdict"], over["stage"], over["saturated"]) == ("climb", None, True)
    assert over["why"] == [
        "4.0% of the requests failed",
        "3.8% of the functions' runs were one too many at once",
        "concurrency of the functions: 100% in use",
        "requests to the API: 96% in use",
    ]
    assert over["settings"] == {"page_concurrency": 200, "api_rate_limit": 1000}


def test_tables_are_never_full():
    said = advice(on_functions(100, 480, 0.3), 6)
    assert not any("database" in each["what"] for each in said["resources"])
    assert said["stages"][-1]["fullest"] == "concurrency of the functions"


def screen(measured, stage):
    """What `make advise` prints."""
    template = (ROOT / "playbooks/phases/templates/advice.txt").read_text()
    said = advice(measured, stage)
    return wired(
        "screen",
        stage=stage,
        **trusted(VARIABLES | {"screen": template}),
        stage_now=LADDER[stage - 1],
        site_url="https://mustache.example.com",
        site={"since": "2026-11-29 04:05 UTC", "load": measured},
        inventory="local",
        advice=said,
        advice_load=measured | {"start": "2026-11-29 04:00 UTC", "end": "2026-11-29 05:00 UTC"},
        advice_traffic={"pages_per_month": 17_520_000},
        offers=[{"stage": each["stage"], "host_month": 30} for each in said["stages"]],
    )


@pytest.mark.parametrize(
    ("measured", "stage"),
    [
        (on_functions(None, 0, None), 6),
        (on_functions(40, 20, 0.2), 6),
        (on_functions(100, 480, 0.3, failed=0.04, throttled=0.038), 6),
        (behind(98, 4000, 1.2, group={"in_service": 12, "most": 12}), 5),
        (behind(2, 0, None, **GROUP), 5),
    ],
    ids=["idle", "half", "over", "a full group", "an idle group"],
)
def test_nobody_is_told_of_no_hosts(measured, stage):
    said = screen(measured, stage)
    assert "{{" not in said
    assert not re.search(r"0 hosts", said)
    assert "None" not in said


def test_the_screen_says_what_to_type():
    full = screen(on_functions(100, 480, 0.3, throttled=0.038), 6).splitlines()
    at = full.index("=> Raise now what it may do at once. That itself costs nothing:")
    raised = '   make stage6 ARGUMENTS="-e page_concurrency=200 -e api_rate_limit=1000"'
    assert full[at + 1] == raised
    grown = behind(98, 4000, 1.2, group={"in_service": 12, "most": 12})
    assert any("never full" in line and "140.0 reads and 2.5 writes" in line for line in full)
    climb = '   make stage6 ARGUMENTS="-e page_concurrency=334 -e api_rate_limit=5100"'
    assert climb in screen(grown, 5).splitlines()
    assert "The cheapest that carries this is stage 6, -" in screen(behind(2, 0, None, **GROUP), 5)


def test_what_an_account_has_to_ask_for_is_said():
    full = on_functions(100, 480, 0.3)
    full["functions"] |= {"concurrency": 800, "concurrent": 800}
    assert "AWS gives an account 900 of page_concurrency by default" in screen(full, 6)


def test_failures_are_noticed():
    said = advice(behind(20, 50, 0.1, failed=0.05), 3)
    assert said["why"] == ["5.0% of the requests failed"]


def test_what_a_site_shows_corrects_what_is_thought_of_the_others():
    """Hosts that are twice as busy with a page as the measured ones would be so at every stage."""
    quick, slow = (advice(behind(cpu, 184, 0.2), 3)["stages"] for cpu in (25, 50))
    for stage in (0, 3, 4):
        if quick[stage]["fullest"] == slow[stage]["fullest"] == "processors of the hosts":
            assert slow[stage]["full"] == pytest.approx(2 * quick[stage]["full"])
    assert slow[1]["full"] == pytest.approx(2 * quick[1]["full"])


def test_where_nothing_is_known_yet_the_model_answers():
    unknown = on_hosts(None)
    unknown["hosts"]["gbit"] = None
    said = advice(unknown, 1)
    assert said["resources"] == []
    assert said["verdict"] == "stay"


def test_the_promises_are_those_of_the_load_test():
    module = load("site_advice").__globals__
    assert module["P95_SECONDS"] == P95_SECONDS
    assert module["FAILED_SHARE"] == FAILED_SHARE
    # Locust, which it imports, would change the standard library.
    text = (ROOT / "benchmarks/load.py").read_text()
    thought = map(int, re.search(r"^THOUGHT = \((\d+), (\d+)\)$", text, re.M).groups())
    assert CAPACITY["page_every"]["value"] == sum(thought) / 2


@pytest.mark.parametrize(
    ("figure", "test", "cores"),
    [
        ("box_pages", "quarter-stage1", 0.25),
        ("apart_pages", "quarter-stage2", 0.25),
        ("balanced_pages", "quarter-stage3", 0.5),
        # Of one database.
        ("database_pages", "quarter-stage3", 0.25),
    ],
)
def test_the_capacity_of_a_core_is_what_the_load_test_found(figure, test, cores):
    result = json.loads((ROOT / f"docs/load/{test}.json").read_text())
    known = CAPACITY[figure]
    pages = result["carried"] / CAPACITY["page_every"]["value"] / cores
    assert known["value"] == pages
    assert f"docs/load/{test}.json, {result['carried']} users" in known["source"]
    assert known["date"] == result["date"].partition(" ")[0]


def test_every_measured_figure_has_its_command_and_its_day():
    for name, figure in CAPACITY.items():
        if figure["is"] == "measured":
            datetime.strptime(figure["date"], "%Y-%m-%d").replace(tzinfo=UTC)
            module = figure["command"].split()[-1]
            assert (ROOT / f"{module.replace('.', '/')}.py").exists(), name


# What a load test says.


@pytest.mark.parametrize(
    ("pages", "verdict", "p95"),
    [
        (100_000, "descend", 0.019),
        # 75 of the 150 users that are carried.
        (16_425_000, "stay", 0.019),
        (40_000_000, "climb", None),
    ],
)
def test_a_load_test_says_whether_the_site_carries_a_traffic(pages, verdict, p95):
    test = json.loads((ROOT / "docs/load/quarter-stage3.json").read_text())
    traffic = {"pages_per_month": pages, "pictures_per_month": 0, "stored_pictures": 0}
    result = load("load_result")(test, traffic, CAPACITY)
    assert result["carried"] == 37.5
    said = load("site_advice")(result, 3, offers(traffic), CAPACITY, LIMITS)
    assert said["verdict"] == verdict
    if p95 is None:
        assert result["balancer"]["p95"] >= 1
    else:
        assert result["balancer"]["p95"] < 1


def test_a_load_test_of_functions_says_how_many_run_at_once():
    test = json.loads((ROOT / "docs/load/quarter-stage3.json").read_text())
    traffic = {"pages_per_month": 16_425_000, "pictures_per_month": 0, "stored_pictures": 0}
    result = load("load_result")(test, traffic, CAPACITY, {"concurrency": 100, "rate": 500})
    # 75 of the 150 users that are carried, and 9.8 requests of each of 18.75 pages a second.
    assert result["functions"]["concurrent"] == pytest.approx(50)
    assert (result["balancer"], result["hosts"]["cpu"]) == ({}, None)
    said = load("site_advice")(result, 6, offers(traffic), CAPACITY, LIMITS)
    assert said["resources"][0]["what"] == "concurrency of the functions"
    assert said["resources"][0]["share"] == pytest.approx(0.5)


def test_a_load_test_that_found_nothing_is_refused():
    with pytest.raises(ValueError, match="no number of users"):
        load("load_result")({"label": "x", "carried": 0}, {"pages_per_month": 1}, CAPACITY)


# What CloudWatch says.


def test_whiles_that_have_not_ended_do_not_count():
    start, end = site_load.window(60, datetime(2026, 11, 29, 4, 13, 20, tzinfo=UTC))
    assert (start, end) == (
        datetime(2026, 11, 29, 3, 10, tzinfo=UTC),
        datetime(2026, 11, 29, 4, 10, tzinfo=UTC),
    )


def test_a_group_is_asked_for_as_one():
    asked = site_load.queries(["i-1", "i-2"], group="shop")
    assert [each["MetricStat"]["Metric"]["Dimensions"] for each in asked] == [
        [{"Name": "AutoScalingGroupName", "Value": "shop"}]
    ] * 2


def pages(**series):
    """An answer: of each metric, a value for each while."""
    results = [
        {
            "Id": id,
            "Timestamps": [at for at, value in enumerate(values) if value is not None],
            "Values": [value for value in values if value is not None],
        }
        for id, values in series.items()
    ]
    return [{"MetricDataResults": results[:2]}, {"MetricDataResults": results[2:]}]


def test_a_deploy_in_a_quiet_while_is_no_load():
    named = site_load.lines(
        pages(
            host_cpu_0=[95, 40, 50],
            host_cpu_1=[85, 60, None],
            requests_2=[30, 3000, 2900],
            app_errors_2=[0, 30, None],
            p95_2=[4.0, 0.2, 0.3],
        )
    )
    whiles = site_load.busy_whiles(named)
    assert whiles == {1, 2}
    # The second one has ended: the mean of those that are there.
    assert site_load.host_load(named, 1, whiles) == {"cpu": 50, "gbit": None}
    assert site_load.balancer_load(named, whiles) == {
        "requests": 10, "failed": 30 / 5900, "p95": 0.3,
    }  # fmt: skip


def test_without_visitors_the_last_while_counts_and_without_a_balancer_all():
    named = site_load.lines(pages(host_cpu_0=[95, 3], host_out_0=[0, 30_000_000], requests_1=[]))
    whiles = site_load.busy_whiles(named)
    assert site_load.host_load(named, 1, whiles) == {"cpu": 3, "gbit": 0.0008}
    assert site_load.balancer_load(named, whiles) == {"requests": 0, "failed": 0, "p95": None}
    assert site_load.host_load(named, 1, None)["cpu"] == 95


def test_what_is_least_free_is_what_counts():
    named = site_load.lines(
        pages(database_cpu_0=[5, 9], connections_0=[7, 3], free_0=[19 * 2**30, 18 * 2**30])
    )
    assert site_load.database_load(named, None) == {"cpu": 9, "connections": 7, "free_gib": 18}
    assert site_load.cache_load(named, None) == {"cpu": None}


def test_the_module_asks_each_service_once(run):
    clients, stubs = {}, {}
    for service in ("ec2", "elbv2", "rds", "elasticache", "autoscaling", "cloudwatch", "ssm"):
        clients[service], stubs[service] = stubbed(service)
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/50dc"
    hosts = [{"InstanceId": f"i-{n}", "InstanceType": "t3.small"} for n in (1, 2)]
    noted = datetime(2026, 11, 29, 4, 5, 33, tzinfo=UTC)
    told = {"database_cpu_3": [20.0], "host_cpu_0": [30.0], "host_cpu_1": [50.0],
            "requests_2": [3000.0], "cache_cpu_4": [2.0], "cache_cpu_5": [4.0]}  # fmt: skip
    for service, method, answer in (
        ("ssm", "get_parameter", {"Parameter": {"LastModifiedDate": noted}}),
        ("ec2", "describe_instances", {"Reservations": [{"Instances": hosts}]}),
        ("elbv2", "describe_load_balancers", {"LoadBalancers": [{"LoadBalancerArn": arn}]}),
        ("rds", "describe_db_instances", {"DBInstances": [
            {"DBInstanceClass": "db.t4g.micro", "MultiAZ": True, "AllocatedStorage": 20}]}),
        ("elasticache", "describe_replication_groups", {"ReplicationGroups": [
            {"CacheNodeType": "cache.t4g.micro", "MemberClusters": ["shop-001", "shop-002"]}]}),
        ("cloudwatch", "get_metric_data", {"MetricDataResults": [
            {"Id": id, "Timestamps": [noted], "Values": values} for id, values in told.items()]}),
    ):  # fmt: skip
        stubs[service].add_response(method, answer)

    result = run(
        "site_load", clients, tags={"Project": "shop"}, stage_parameter="/shop/state/stage",
        balancer="shop", database="shop", cache="shop", minutes=60,
    )  # fmt: skip

    assert (result["changed"], result["since"]) == (False, "2026-11-29 04:05 UTC")
    found = result["load"]
    assert found["hosts"] == {"count": 2, "type": "t3.small", "cpu": 40, "gbit": None}
    assert found["balancer"]["requests"] == 10
    assert found["database"] == {
        "class": "db.t4g.micro", "multi_az": True, "gib": 20,
        "cpu": 20, "connections": None, "free_gib": None,
    }  # fmt: skip
    assert found["cache"] == {"type": "cache.t4g.micro", "nodes": 2, "cpu": 4}
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def test_an_api_tells_of_milliseconds_and_its_function_of_runs_at_once():
    named = site_load.lines(
        pages(
            requests_0=[30, 3000, 2900],
            app_errors_0=[30, 60, None],
            p95_0=[900, 250, 200],
            runs_1=[30, 3000, 2850],
            run_time_1=[800, 50, 40],
            concurrent_1=[1, 7, 5],
            throttles_1=[9, 100, 50],
        )
    )
    whiles = site_load.busy_whiles(named)
    assert whiles == {1, 2}
    assert site_load.api_load(named, whiles) == {
        "requests": 10, "failed": 60 / 5900, "p95": 0.25,
    }  # fmt: skip
    assert site_load.function_load(named, whiles) == {
        "concurrent": 7, "seconds": 0.05, "throttled": 150 / 6000,
    }  # fmt: skip


def test_of_functions_that_nobody_invokes_nothing_is_known():
    whiles = site_load.busy_whiles({})
    assert site_load.api_load({}, whiles) == {"requests": 0, "failed": 0, "p95": None}
    assert site_load.function_load({}, whiles) == {
        "concurrent": None, "seconds": None, "throttled": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "entry", "looked"),
    [
        (1, "host", {}),
        (3, "balancer", {"balancer": "mustache-production"}),
        (5, "balancer", {"balancer": "mustache-production", "group": "mustache-production-asg",
                         "tables": ["mustache-production-sessions"]}),
        (6, "api", {"api": "mustache-production", "function": "mustache-production-http",
                    "tables": ["mustache-production-rows", "mustache-production-counters",
                               "mustache-production-sessions"]}),
    ],
)  # fmt: skip
def test_the_playbook_looks_at_what_there_is(stage, entry, looked):
    plays = yaml.safe_load((ROOT / "playbooks/advise.yml").read_text())
    [asked] = [task["site_load"] for task in plays[1]["tasks"] if "site_load" in task]
    names = ("balancer", "api", "function", "group", "tables")
    stores = wired("stores_wanted", stage=stage)
    noted = {"entry": entry, "stores": stores, "front": LADDER[stage - 1]["changes"].get("front")}
    found = wired(
        "asked",
        stage=stage,
        hostvars={"localhost": {"aws_account": "1", "noted": noted}},
        asked=trusted({name: asked[name] for name in names}),
    )
    assert {name: value for name, value in found.items() if value} == looked


def test_tables_are_taken_together():
    named = site_load.lines(
        pages(table_reads_0=[300, 900, 600], table_reads_1=[None, 600, 3000], table_writes_1=[30])
    )
    assert site_load.table_load(named, {0, 1}) == {"reads": 5, "writes": 0.1}
    assert site_load.table_load({}, {0, 1}) == {"reads": 0, "writes": 0}


def test_the_module_looks_at_a_site_on_functions(run):
    clients, stubs = {}, {}
    for service in ("ec2", "apigatewayv2", "lambda", "cloudwatch", "ssm"):
        clients[service], stubs[service] = stubbed(service)
    noted = datetime(2026, 11, 29, 4, 5, 33, tzinfo=UTC)
    told = {"requests_0": 3000.0, "p95_0": 250.0, "runs_1": 3000.0, "concurrent_1": 7.0,
            "table_reads_2": 6000.0, "table_reads_3": 3000.0, "table_writes_3": 30.0}  # fmt: skip
    found = {
        "Name": "shop",
        "ApiId": "a1b2",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$",
    }
    other = found | {"Name": "other", "ApiId": "c3d4"}
    limits = {"ThrottlingRateLimit": 500.0, "ThrottlingBurstLimit": 500}
    for service, method, answer, asked in (
        ("ssm", "get_parameter", {"Parameter": {"LastModifiedDate": noted}}, None),
        ("ec2", "describe_instances", {"Reservations": []}, None),
        ("apigatewayv2", "get_apis", {"Items": [other, found]}, {}),
        ("apigatewayv2", "get_stage", {"StageName": "$default", "DefaultRouteSettings": limits},
         {"ApiId": "a1b2", "StageName": "$default"}),
        ("lambda", "get_function_concurrency", {"ReservedConcurrentExecutions": 100},
         {"FunctionName": "shop-http"}),
        ("cloudwatch", "get_metric_data", {"MetricDataResults": [
            {"Id": id, "Timestamps": [noted], "Values": [value]} for id, value in told.items()]},
         None),
    ):  # fmt: skip
        stubs[service].add_response(method, answer, asked)

    result = run(
        "site_load", clients, tags={"Project": "shop"}, stage_parameter="/shop/state/stage",
        api="shop", function="shop-http", tables=["shop-rows", "shop-sessions"], minutes=60,
    )  # fmt: skip

    load = result["load"]
    assert load["hosts"] == {"count": 0, "type": "", "cpu": None, "gbit": None}
    assert load["balancer"] == {}
    assert load["api"] == {"requests": 10, "failed": 0, "p95": 0.25, "rate": 500}
    assert load["functions"] == {
        "concurrency": 100, "concurrent": 7, "seconds": None, "throttled": 0,
    }  # fmt: skip
    assert load["tables"] == {"reads": 30, "writes": 0.1}
    for stub in stubs.values():
        stub.assert_no_pending_responses()
