"""The ladder: each stage is a delta, and what it adds up to is what the playbooks read."""

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
LADDER = yaml.safe_load((ROOT / "group_vars/all/ladder.yml").read_text())
STAGES = [step["stage"] for step in LADDER["ladder"]]


def values(stage, mine=None):
    variables = {"ladder": LADDER["ladder"], "my_values": mine or {}, "stage": stage}
    templar = Templar(loader=DataLoader(), variables=variables)
    return templar.template(trust_as_template(LADDER["stage_values"]))


def flat(changes):
    """Each store is a value of its own."""
    stores = {f"stores.{name}": provider for name, provider in changes.get("stores", {}).items()}
    return {name: value for name, value in changes.items() if name != "stores"} | stores


def test_stages_are_numbered_from_one():
    assert list(range(1, len(STAGES) + 1)) == STAGES


def test_the_first_stage_has_a_baseline_for_every_value():
    named = {name for step in LADDER["ladder"] for name in flat(step["changes"])}

    assert named == set(flat(LADDER["ladder"][0]["changes"]))


def test_a_stage_names_only_what_it_changes():
    for before, step in zip(LADDER["ladder"], LADDER["ladder"][1:], strict=False):
        so_far = flat(values(before["stage"]))
        changes = flat(step["changes"])
        repeated = [name for name, value in changes.items() if so_far[name] == value]
        assert repeated == [], step["stage"]


@pytest.mark.parametrize("stage", STAGES)
def test_changes_add_up(stage):
    expected = {}
    for step in LADDER["ladder"][:stage]:
        expected |= flat(step["changes"])

    assert flat(values(stage)) == expected


def test_your_own_values_win_at_every_stage():
    mine = {"web_instance_type": "t3.large", "stores": {"rows": "rds"}}
    for stage in STAGES:
        found = values(stage, mine)
        assert found["web_instance_type"] == "t3.large"
        assert found["stores"] == values(stage)["stores"] | {"rows": "rds"}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_has_a_playbook_that_only_names_it(stage):
    (play,) = yaml.safe_load((ROOT / f"playbooks/stage{stage}.yml").read_text())

    assert play["ansible.builtin.import_playbook"] == "site.yml"
    assert play["vars"] == {"stage": stage}


def test_no_role_asks_for_the_stage_or_the_target():
    asked = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "roles").rglob("*.yml")
        for line in path.read_text().splitlines()
        if any(f"{word} {sign}" in line for word in ("stage", "project_environment")
               for sign in ("==", "!=", "<", ">", "in "))
    ]  # fmt: skip

    assert asked == []
