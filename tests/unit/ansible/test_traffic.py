"""What visitors cost: figures reckoned by hand, of round weights."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.unit.ansible.test_filters import PRICES, load

ROOT = Path(__file__).parents[3]
TRAFFIC = yaml.safe_load((ROOT / "group_vars/all/traffic.yml").read_text())
COST = yaml.safe_load((ROOT / "group_vars/all/cost.yml").read_text())
# Of 100 kB each: 1,000 GiB.
PAGES = 10_737_418
# Of 1,000 kB each: 100 GiB.
STORED = 107_374
FIGURES = {
    "page_kb": 10, "page_picture_kb": 80, "page_static_kb": 10,
    "page_picture_requests": 6, "page_static_requests": 3,
    "upload_kb": 500, "stored_kb": 1000, "stored_files": 3,
    "box_pages": 100, "apart_pages": 80, "balanced_pages": 75, "light_pages": 150,
    "database_pages": 150, "cached_share": 0.2, "peak": 3, "busy": 0.6, "cdn_hits": 0.9,
    "connections_per_page": 0.2, "session_reads_per_page": 1, "session_writes_per_picture": 2,
    "row_reads_per_page": 4, "row_writes_per_picture": 10,
    "function_page_seconds": 0.04, "function_picture_seconds": 0.5,
    "system_gib": 8, "free_share": 0.2, "hourly_dumps": 80, "daily_dumps": 35,
    "dump_mib_second": 125, "volume_gib_most": 16384, "database_gib_most": 65536,
}  # fmt: skip
BOX = {"rows": "instance", "files": "database", "sessions": "database", "cache": "database"}
APART = BOX | {"rows": "rds"}
LIGHT = {"rows": "rds", "files": "s3", "sessions": "dynamodb", "cache": "elasticache"}


def usage(front="address", stores=BOX, pages=0, pictures=0, stored=0, kind="t3.small"):
    site = {"front": front, "stores": stores, "hosts": {"type": kind}}
    site["database"] = {"class": "db.t4g.micro"}
    traffic = {
        "pages_per_month": pages,
        "pictures_per_month": pictures,
        "stored_pictures": str(stored),
    }
    capacity = {name: {"value": value} for name, value in FIGURES.items()}
    return load("monthly_usage")(
        site, traffic, capacity, TRAFFIC["capacity_gbit"], PRICES["burstable_cpus"]
    )


def cost(front="address", stores=BOX, hosts=1, multi_az=False, **traffic):
    """The lines that visitors add."""
    database = {"class": "db.t4g.micro", "size": "20", "multi_az": multi_az}
    resources = {
        "hosts": {
            "count": str(hosts),
            "type": "t3.small",
            "volume": {"type": "gp3", "size": "20", "iops": "3000"},
        },
        "database": database if stores["rows"] == "rds" else {},
        "balancer": front != "address",
    }
    costs = load("monthly_cost")
    before = {line["what"] for line in costs(resources, PRICES)}
    used = usage(front, stores, **traffic)
    lines = costs(resources | {"usage": used}, PRICES)
    return {line["what"]: round(line["month"], 2) for line in lines if line["what"] not in before}


def test_without_visitors_nothing_is_added():
    assert cost() == {}
    assert cost("cdn", LIGHT) == {}


def test_a_host_sends_everything_to_the_internet():
    # 100 GiB for nothing, 900 at 0.09.
    assert cost(pages=PAGES) == {"1,000 GiB to the internet": 81.00}


@pytest.mark.parametrize(
    ("gib", "month"),
    [
        (100, 0),
        (10_240, 10_140 * 0.09),
        (51_200, 10_140 * 0.09 + 40_960 * 0.085),
        (200_000, 10_140 * 0.09 + 40_960 * 0.085 + 102_400 * 0.07 + 46_400 * 0.05),
    ],
)
def test_transfer_gets_cheaper_by_steps(gib, month):
    found = cost(pages=round(gib * 2**30 / 100_000))
    assert found.get(f"{gib:,} GiB to the internet", 0) == pytest.approx(month, abs=0.02)


def test_a_balancer_takes_units_by_the_gib_of_an_hour_and_zones_are_crossed():
    found = cost("balancer", APART, hosts=2, pages=PAGES)

    assert found == {
        "1,000 GiB to the internet": 81.00,
        # Half of 800 GiB of pictures, at 0.01.
        "400 GiB between zones": 4.00,
        # 1,000 GiB in 730 hours.
        "load balancer, 1.37 capacity units": 8.00,
    }


def test_many_connections_with_little_in_them_take_units_too(monkeypatch):
    for name in ("page_kb", "page_picture_kb", "page_static_kb"):
        monkeypatch.setitem(FIGURES, name, 0)
    # 1,000 pages a second, 200 connections, 8 units.
    assert usage("balancer", APART, pages=2_628_000_000)["balancer_units"] == pytest.approx(8)


def test_cloudfront_takes_requests_from_ten_million_and_transfer_from_a_tebibyte():
    found = cost("cdn", LIGHT, hosts=2, pages=2 * PAGES)

    # Ten requests for each page: 214,748,360, of which 10 million cost nothing.
    assert found["CloudFront, 214,748,360 requests"] == pytest.approx(204.75)
    # 976 of 2,000 GiB at 0.085.
    assert found["CloudFront, 2,000 GiB to visitors"] == pytest.approx(82.96)
    assert not any("internet" in what or "zones" in what for what in found)
    # Only pages reach the balancer: 200 GiB.
    assert found["load balancer, 0.27 capacity units"] == pytest.approx(1.60)
    assert cost("cdn", LIGHT, pages=PAGES).get("CloudFront, 1,000 GiB to visitors") is None


def test_pictures_in_a_bucket_cost_room_and_requests_and_no_dumps():
    found = cost("cdn", LIGHT, pages=PAGES, pictures=1_000_000, stored=10 * STORED)

    assert found["S3, 1,000.0 GiB of pictures"] == 23.00
    # 3 million puts at 5 a million; a tenth of 64,424,508 gets at 0.40 a million.
    assert found["S3, requests for pictures"] == pytest.approx(15.00 + 2.58)
    # 500 GB of uploads at 0.02 a GiB.
    assert found["CloudFront, 465.7 GiB of uploads"] == pytest.approx(9.31)
    assert not any("dumps" in what or "more" in what for what in found)


def test_sessions_in_a_table_cost_reads_and_writes():
    found = cost("cdn", LIGHT, pages=PAGES, pictures=1_000_000)

    # 10.74 million at 0.125, two million at 0.625.
    assert found["DynamoDB, 10.74 million reads and 2.00 million writes"] == pytest.approx(2.59)


def test_pictures_in_the_database_cost_disk_and_every_dump_of_them():
    assert cost(stored=STORED) == {
        # 80 times 100 GiB at 0.023.
        "S3, 8,000.0 GiB of dumps": 184.00,
        # 8 for the system, and 125 of which a fifth is free; 20 are there.
        "113 GiB more gp3": 9.04,
    }
    assert cost(stores=APART, stored=STORED, multi_az=True) == {
        "S3, 3,500.0 GiB of dumps": 80.50,
        # 105 GiB at 0.115, twice.
        "RDS storage, 105 GiB more": 24.15,
    }


def test_processors_that_are_busy_beyond_what_they_earn_cost_credits():
    found = cost("balancer", APART, hosts=2, pages=2_628_000_000)

    # 1,000 pages a second are 13.33 cores: 9,733 hours, of which two t3.small earn 584.
    assert found["credits of the hosts"] == pytest.approx(457.47, abs=0.01)
    # 6.67 cores: 4,867 hours, of which a db.t4g.micro earns 146.
    assert found["credits of the database"] == pytest.approx(354.05, abs=0.01)
    # A fifth of it with a warm cache: 973 hours.
    light = cost("cdn", LIGHT, hosts=2, pages=2_628_000_000)
    assert light["credits of the database"] == pytest.approx(62.05, abs=0.01)


def test_hosts_are_as_many_as_the_busiest_hour_needs():
    # 3 x 1,000 pages a second, 75 of a core that may be busy to 60 %, two in a host: 33.3.
    assert usage("balancer", APART, pages=2_628_000_000)["hosts"] == 34
    assert usage("balancer", APART, pages=2_628_000_000, kind="t3.xlarge")["hosts"] == 17
    assert usage("cdn", LIGHT, pages=2_628_000_000)["hosts"] == 17
    assert usage()["hosts"] == 1


def test_or_as_their_network_needs(monkeypatch):
    monkeypatch.setitem(FIGURES, "page_picture_kb", 980)
    # 3,000 pages of 1 MB are 24 Gbit/s; a t3.small has 0.128, a c5.large 0.75.
    assert usage("balancer", APART, pages=2_628_000_000)["hosts"] == 188
    assert usage("balancer", APART, pages=2_628_000_000, kind="c5.large")["hosts"] == 34


def test_one_host_and_one_database_can_be_full():
    # 40 pages a second, 120 in the busiest hour: 1 of 1.2 cores, and 96 of 128 Mbit/s.
    box = usage(pages=105_120_000, stored=STORED)["limits"]
    assert box == {
        "processors of the host": pytest.approx(1.0),
        "network of the host": pytest.approx(0.75),
        "disk of the host": pytest.approx(133 / 16384),
        # 100 GiB at 125 MiB/s are 819 s of an hour.
        "time for a dump": pytest.approx(819.2 / 3600, abs=1e-5),
    }
    apart = usage("balancer", APART, pages=105_120_000, stored=STORED)["limits"]
    assert apart == {
        # 0.8 of 1.2 cores.
        "processors of the database": pytest.approx(2 / 3),
        "disk of the database": pytest.approx(125 / 65536),
        "time for a dump": pytest.approx(819.2 / 86400, abs=1e-5),
    }


def test_every_figure_says_what_it_is_and_where_it_is_from():
    for name, figure in TRAFFIC["capacity"].items():
        assert figure["is"] in {"measured", "modelled", "AWS"}, name
        assert figure["source"], name
        file = figure["source"].split()[0].rstrip(",")
        assert "/" not in file or (ROOT / file).exists(), name


@pytest.mark.parametrize(("days", "old"), [(0, False), (364, False), (367, True)])
def test_prices_that_are_older_than_a_year_are_called_old(days, old):
    date = datetime.fromtimestamp(datetime.now(UTC).timestamp() - days * 86400, UTC)
    variables = {name: trust_as_template(COST[name]) for name in ("prices_days", "prices_old")}
    variables["prices"] = {"date": f"{date:%Y-%m-%d}"}
    templar = Templar(loader=DataLoader(), variables=variables)

    assert templar.template(variables["prices_old"]) is old


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        ({}, [10_000, 200, 2400]),
        ({"pages_per_month": 50_000}, [50_000, 1000, 12_000]),
        ({"pages_per_month": "50000", "pictures_per_month": 7}, [50_000, 7, 84]),
        ({"stored_pictures": 1}, [10_000, 200, 1]),
    ],
)
def test_traffic_that_is_said_in_part_is_completed(traffic, expected):
    variables = {
        name: {key: trust_as_template(text) for key, text in value.items()}
        if name == "traffic_now"
        else trust_as_template(value)
        for name, value in TRAFFIC.items()
        if name.startswith("traffic_")
    } | {"traffic": traffic, "capacity": TRAFFIC["capacity"]}
    templar = Templar(loader=DataLoader(), variables=variables)

    assert [int(each) for each in templar.template(variables["traffic_now"]).values()] == expected


def tool(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "tools/prices", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_the_page_of_prices_is_what_the_command_makes():
    done = tool("--check")
    assert done.returncode == 0, done.stderr


def test_the_chart_and_the_page_have_every_stage():
    ladder = yaml.safe_load((ROOT / "group_vars/all/ladder.yml").read_text())["ladder"]
    chart, page = ((ROOT / f"docs/prices.{kind}").read_text() for kind in ("svg", "md"))
    for step in ladder:
        assert f">stage {step['stage']}</text>" in chart
        assert f" stage {step['stage']} |" in page
    # Functions have no hosts that could be counted.
    last = [row.rpartition("| ")[2] for row in page.splitlines() if re.match(r"\| 1[0,]+ \|", row)]
    assert len(last) == 5
    assert not any("hosts" in cell for cell in last)


def test_your_own_traffic_is_reckoned_line_by_line():
    done = tool("--pages", "10000", "--pictures", "0", "--stored", "0")

    assert done.returncode == 0, done.stderr
    # As `make stage1` says it: host, disk, address and zone.
    assert "stage 1: 20.93 a month" in done.stdout
    # 10,000 runs of 0.04 s at 1769 MB, as many requests to the API, seven reads each; and the zone.
    assert "stage 6: 0.53 a month  the cheapest that carries it" in done.stdout
    assert "15.18  1 x t3.small" in done.stdout
