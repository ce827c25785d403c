"""What docs/aws.md and README.md say of money: it is what `make check-aws` says."""

import re
from pathlib import Path

import pytest
import yaml

from tests.unit.ansible.test_wiring import trusted, wired

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs/aws.md").read_text()
PRICES = yaml.safe_load((ROOT / "group_vars/all/prices.yml").read_text())
TRAFFIC = yaml.safe_load((ROOT / "group_vars/all/traffic.yml").read_text())
COST = yaml.safe_load((ROOT / "group_vars/all/cost.yml").read_text())
SAID = {int(stage): int(usd) for stage, usd in re.findall(r"\| (\d) \| .* \| about (\d+) \|", DOCS)}


def bill(stage):
    lines = wired("cost_lines", stage=stage, **trusted(PRICES | TRAFFIC | COST))
    return {line["what"]: line["month"] for line in lines}


@pytest.mark.parametrize("stage", SAID)
def test_the_price_of_a_stage_is_the_bill_s(stage):
    assert SAID[stage] == round(sum(bill(stage).values()))


def test_the_readme_says_the_same():
    said = re.search(
        r"about (\d+), (\d+) and (\d+) USD at stages 1, 2 and 3", (ROOT / "README.md").read_text()
    )
    assert [int(usd) for usd in said.groups()] == [SAID[stage] for stage in (1, 2, 3)]


def test_why_hosts_behind_the_balancer_keep_addresses_is_said_with_both_prices():
    said = " ".join(DOCS.partition("**Public addresses.**")[2].partition("\n\n")[0].split())
    prices = PRICES["prices"]

    assert "the two addresses cost {:.2f}".format(bill(3)["2 x public IPv4 address"]) in said
    gateway = round(prices["nat_gateway_hour"] * prices["hours_per_month"])
    assert f"costs {gateway} USD a month for each zone" in said
    assert f"and {prices['nat_gateway_gb']} USD a GB" in said


def text(stage, **variables):
    """What a run of the stage says of its price."""
    template = trusted((ROOT / "playbooks/phases/templates/cost.txt").read_text())
    found = trusted(PRICES | TRAFFIC | COST) | {"text": template}
    return wired("text", stage=stage, **(found | variables))


def test_a_run_says_for_which_visitors_the_price_is():
    said = text(3)

    assert "at 10,000 pages\na month, 200 uploads and 2,400 pictures kept" in said
    assert "! " not in said
    assert "! These prices are 400 days old" in text(3, prices_days="400", prices_old=True)


def test_a_run_says_what_its_stage_has_too_little_of():
    many = {"pages_per_month": 400_000_000, "pictures_per_month": 0, "stored_pictures": 0}

    assert "! For this traffic there is too little: processors of the host, 3." in text(
        1, traffic=many
    )
    # 457 pages a second of 566 kB are 2.07 Gbit/s, of which a t3.small has 0.128.
    assert "! This traffic needs about 17 hosts in its busiest hour." in text(3, traffic=many)
