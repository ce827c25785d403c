"""One run at a time: who gets the lock, who is told what, and when it is given back."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import util
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[3]
_specification = util.spec_from_file_location(
    "environment_lock", ROOT / "action_plugins/environment_lock.py"
)
environment_lock = util.module_from_spec(_specification)
_specification.loader.exec_module(environment_lock)
Lock, Held = environment_lock.Lock, environment_lock.Held
NAME = "/mustache/test/state/lock"


class Parameters:
    """SSM as far as a lock sees it, with a clock that a test may turn."""

    class exceptions:
        class ParameterAlreadyExists(Exception):
            pass

        class ParameterNotFound(Exception):
            pass

    def __init__(self):
        self.kept, self.now, self._alone = {}, 1000.0, threading.Lock()

    def put_parameter(self, Name, Value, Type, Overwrite=False):
        with self._alone:
            if Name in self.kept and not Overwrite:
                raise self.exceptions.ParameterAlreadyExists
            self.kept[Name] = Value, self.now

    def get_parameter(self, Name):
        if Name not in self.kept:
            raise self.exceptions.ParameterNotFound
        value, at = self.kept[Name]
        told = environment_lock.email.utils.formatdate(self.now, usegmt=True)
        return {
            "Parameter": {
                "Value": value,
                "LastModifiedDate": environment_lock.datetime.fromtimestamp(
                    at, environment_lock.UTC
                ),
            },
            "ResponseMetadata": {"HTTPHeaders": {"date": told}},
        }

    def delete_parameters(self, Names):
        for name in Names:
            self.kept.pop(name, None)


@pytest.fixture
def ssm():
    return Parameters()


def lock(ssm, run):
    about = {"who": "ada", "host": "laptop", "what": "stage3.yml", "since": "2026-11-25T13:00:00"}
    return Lock(ssm, NAME, about | {"run": run})


def test_the_second_is_told_who_has_it_and_how_to_break_it(ssm):
    lock(ssm, "first").take()
    ssm.now += 70

    with pytest.raises(Held) as refusal:
        lock(ssm, "second").take()

    told = str(refusal.value)
    assert "ada on laptop runs stage3.yml here since 2026-11-25 13:00:00" in told
    assert "70 s ago" in told
    assert "-e break_lock=true" in told


def test_of_many_at_once_one_gets_it(ssm):
    def attempt(number):
        try:
            lock(ssm, number).take()
        except Held:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1


def test_the_lock_of_a_dead_machine_falls(ssm):
    lock(ssm, "dead").take()
    ssm.now += 301
    next_one = lock(ssm, "next")
    next_one.take()

    assert next_one.renew()


def test_signs_of_life_keep_it(ssm):
    first = lock(ssm, "first")
    first.take()
    for _ in range(10):
        ssm.now += 60
        assert first.renew()

    with pytest.raises(Held):
        lock(ssm, "second").take()


def test_who_was_broken_neither_renews_nor_releases_the_other_ones(ssm):
    first, second = lock(ssm, "first"), lock(ssm, "second")
    first.take()
    second.take(take_over=True)

    assert not first.renew()
    first.release()
    assert second.renew()


def test_it_is_given_back_when_the_run_is_killed(ssm):
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    held = lock(ssm, "first")
    held.take()
    watcher = threading.Thread(target=environment_lock.watch, args=(run.pid, held))
    watcher.start()
    run.kill()
    run.wait()
    watcher.join(timeout=10)

    assert not watcher.is_alive()
    assert ssm.kept == {}


def test_a_moment_without_aws_does_not_give_it_up(ssm, monkeypatch):
    monkeypatch.setattr(environment_lock, "SIGN_OF_LIFE", 0.01)
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    held = lock(ssm, "first")
    held.take()
    asked = []

    def renew():
        asked.append(1)
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "GetParameter")

    monkeypatch.setattr(held, "renew", renew)
    watcher = threading.Thread(target=environment_lock.watch, args=(run.pid, held))
    watcher.start()
    while len(asked) < 3:
        assert watcher.is_alive()
    run.kill()
    run.wait()
    watcher.join(timeout=10)

    assert ssm.kept == {}


def test_it_is_given_back_although_aws_was_away_at_the_end(ssm, monkeypatch):
    run = subprocess.Popen([sys.executable, "-c", ""])
    run.wait()
    held = lock(ssm, "first")
    held.take()
    answers = [ClientError({"Error": {"Code": "ServiceUnavailable"}}, "GetParameter")] * 2
    look = ssm.get_parameter

    def get_parameter(Name):
        if answers:
            raise answers.pop()
        return look(Name)

    monkeypatch.setattr(ssm, "get_parameter", get_parameter)
    monkeypatch.setattr(environment_lock.time, "sleep", lambda _: None)
    environment_lock.watch(run.pid, held)

    assert ssm.kept == {}
