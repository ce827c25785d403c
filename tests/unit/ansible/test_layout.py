"""The way through the playbooks: somebody new finds what they look for in a few files."""

import re
from ipaddress import ip_network
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
NEXT = re.compile(r"import_playbook: (\S+)|include_tasks: (\S+)|name: (\w+)\n\s+tasks_from: (\w+)")


def leads_to(path):
    """The files that a file names as what is done next."""
    for play, tasks, role, entry in NEXT.findall(path.read_text()):
        if role:
            yield ROOT / f"roles/{role}/tasks/{entry}.yml"
        else:
            yield (path.parent / (play or tasks)).resolve()


def steps(start, goal):
    """How many files there are from one to the first that has a text, both included."""
    ways, seen = [start], {start}
    for number in range(1, 10):
        if any(goal in path.read_text() for path in ways):
            return number
        ways = [each for path in ways for each in leads_to(path) if each.is_file()]
        ways = [each for each in ways if each not in seen]
        seen |= set(ways)
    return None


def test_from_make_to_the_load_balancer_it_is_five_files():
    make = (ROOT / "Makefile").read_text()

    assert "playbooks/$@.yml" in make.partition("\nstage%:")[2].partition("\n\n")[0]
    assert 1 + steps(ROOT / "playbooks/stage3.yml", "amazon.aws.elb_application_lb:") <= 5


def test_the_phases_that_are_described_are_those_of_site_yml():
    site = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    phases = [Path(play["ansible.builtin.import_playbook"]).stem for play in site]
    table = (ROOT / "docs/layout.md").read_text().partition("goes through the same phases:")[2]
    named = re.findall(r"^\| ([a-z, ]+) \|", table.partition("What is remembered")[0], re.M)

    assert ", ".join(named).split(", ") == [each for each in phases if each != "summary"]


def conditional(tasks, inside=False):
    """Each include, with whether a block around it has a condition, which it passes on."""
    for task in tasks or []:
        if "ansible.builtin.include_tasks" in task:
            yield task["ansible.builtin.include_tasks"], inside
        for part in ("block", "rescue", "always"):
            yield from conditional(task.get(part), inside or "when" in task)


def test_nothing_refreshes_the_inventory_beneath_a_condition_which_ansible_would_warn_of():
    files = [*ROOT.glob("playbooks/phases/*.yml"), *ROOT.glob("playbooks/*.yml")]
    plays = [play for path in files for play in yaml.safe_load(path.read_text())]
    found = [each for play in plays for each in conditional(play.get("tasks"))]
    refreshing = ("refresh_inventory.yml", "leave_hosts.yml")

    assert [name for name, inside in found if name.endswith(refreshing) and inside] == []
    assert any(name.endswith(refreshing) for name, _ in found)


def test_molecule_runs_beside_a_stage():
    """On one local cloud, whose networks must not overlap."""
    molecule = yaml.safe_load((ROOT / ".config/molecule/config.yml").read_text())
    cidr = molecule["provisioner"]["env"]["MUSTACHE_CIDR"].partition(":-")[2].rstrip("}")
    local = (ROOT / "inventories/local/group_vars/all/main.yml").read_text()
    of_a_stage = re.search(r"^network_cidr: .*default='([^']+)'", local, re.MULTILINE)[1]
    assert not ip_network(cidr).overlaps(ip_network(of_a_stage))
