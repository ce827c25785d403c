"""What a host of a group does by itself: its size, its secrets, its hooks."""

import os
import runpy

import pytest
from botocore.exceptions import ClientError

from filter_plugins.spot_hosts import spot_hosts
from lookup_plugins.tree_digest import digest
from tests.unit.ansible.test_roles import ROOT


def script(role, name):
    return runpy.run_path(str(ROOT / f"roles/{role}/files/{name}"))


@pytest.mark.parametrize(
    ("processors", "memory", "quota", "limit", "processes"),
    [
        (2, 4000, "", "", 2),
        (8, 16000, "", "", 8),
        (8, 2000, "", "", 4),
        (8, 16000, "250000 100000", "max", 3),
        (8, 16000, "max 100000", str(2 * 2**30), 4),
        (1, 500, "", "", 2),
    ],
)
def test_a_host_has_as_many_processes_as_it_has_room_for(
    processors, memory, quota, limit, processes
):
    concurrency = script("web", "mustache-settings")["concurrency"]

    assert concurrency(processors, memory, quota, limit) == processes


def test_it_knows_the_cdn_as_ansible_would_have_written_it():
    names = script("web", "mustache-cdn")
    found = names["secrets"]('ALLOWED_HOSTS="x"\nCDN_SECRETS="one,two"\n')
    template = (ROOT / "roles/web/templates/cdn.conf").read_text()
    written = (
        template.replace("# {{ ansible_managed }}\n", "")
        .replace("{% for secret in web_cdn_secrets %}\n", "")
        .replace('    "{{ secret }}" "by cdn ";\n', '    "one" "by cdn ";\n    "two" "by cdn ";\n')
        .replace("{% endfor %}\n", "")
    )

    assert found == ["one", "two"]
    assert names["configuration"](found) == written
    assert names["secrets"]("ALLOWED_HOSTS=x\n") == []


class Scaling:
    """Waits for a hook from the call of that number on."""

    def __init__(self, **waits):
        self.waits, self.told, self.calls = waits, [], 0

    def complete_lifecycle_action(self, **options):
        self.calls += 1
        hook = options["LifecycleHookName"]
        if self.waits.get(hook, 99) > self.calls:
            error = {"Code": "ValidationError", "Message": "No active Lifecycle Action found"}
            raise ClientError({"Error": error}, "CompleteLifecycleAction")
        self.told.append((hook, options["LifecycleActionResult"], options["InstanceId"]))


@pytest.fixture
def member(monkeypatch, tmp_path):
    """Run it with a group and what the metadata service says at each look; no clock to wait for."""
    names = script("asg", "mustache-member")
    inner = names["main"].__globals__
    monkeypatch.setitem(inner, "LEAVING", tmp_path / "leaving")
    seconds = [0.0]
    clock = type("Clock", (), {})()
    clock.monotonic = lambda: seconds[0]
    clock.sleep = lambda more: seconds.__setitem__(0, seconds[0] + more)
    monkeypatch.setitem(inner, "time", clock)
    given = {"GROUP": "shop", "READY_HOOK": "ready", "FINISHED_HOOK": "finished"}
    for name, value in {**given, "FINISHED_SECONDS": "40"}.items():
        monkeypatch.setenv(name, value)

    def run(scaling, states, spot=(), answers=True, busy=False):
        states, spot = list(states), list(spot)

        def metadata(path):
            if path.endswith("instance-id"):
                return "i-1"
            left = spot if "spot" in path else states
            return (left.pop(0) if len(left) > 1 else left[0]) if left else ""

        monkeypatch.setitem(inner, "metadata", metadata)
        monkeypatch.setitem(inner, "ready", lambda: answers)
        monkeypatch.setitem(inner, "busy", lambda: busy)
        monkeypatch.setattr("boto3.client", lambda *_, **__: scaling)
        names["main"]()
        return seconds[0]

    run.leaving = tmp_path / "leaving"
    return run


def test_a_new_host_says_that_it_is_ready_when_the_group_waits_and_at_the_end_that_it_has_finished(
    member,
):
    scaling = Scaling(ready=2, finished=5)
    states = ["InService"] * 8 + ["Terminated"]

    member(scaling, states)

    assert scaling.told == [("ready", "CONTINUE", "i-1"), ("finished", "CONTINUE", "i-1")]
    assert member.leaving.exists()


def test_one_that_is_not_ready_says_nothing(member):
    scaling = Scaling(ready=0, finished=0)

    member(scaling, ["InService"] * 8 + ["Terminated"], answers=False)

    assert [hook for hook, *_ in scaling.told] == ["finished"]


def test_one_on_spot_goes_when_its_capacity_does(member):
    scaling = Scaling(ready=0, finished=0)

    member(scaling, ["InService"], spot=["", "", "", '{"action": "terminate"}'])

    assert [hook for hook, *_ in scaling.told] == ["ready", "finished"]


@pytest.mark.parametrize(("busy", "least", "most"), [(False, 15, 25), (True, 35, 45)])
def test_it_lets_what_it_has_begun_end_but_not_longer_than_the_group_waits(
    member, busy, least, most
):
    took = member(Scaling(finished=0), ["Terminated"], busy=busy)

    assert least <= took <= most


@pytest.mark.parametrize(
    ("group", "spot"), [((2, 2, 0), 0), ((12, 2, 0), 10), ((7, 2, 50), 2), ((4, 0, 100), 0)]
)
def test_what_is_beyond_the_base_is_on_spot_but_for_a_share(group, spot):
    assert spot_hosts(group) == spot


def test_a_digest_is_of_what_is_there_and_of_nothing_else(tmp_path):
    (tmp_path / "role").mkdir()
    file = tmp_path / "role/a"
    file.write_text("one")
    before = digest([tmp_path / "role"])
    (tmp_path / "role/README.md").write_text("words")
    os.utime(file, (0, 0))
    assert digest([tmp_path / "role"]) == before
    assert digest([tmp_path / "role", tmp_path / "missing"]) == before

    file.write_text("two")
    changed = digest([tmp_path / "role"])
    file.rename(tmp_path / "role/b")

    assert len({before, changed, digest([tmp_path / "role"])}) == 3
