"""Sessions move between their stores while visitors come, change, log in and log out: none is lost,
none that was ended comes back, whatever the order of things and wherever it is cut."""

import json
import random
import time
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from service import copies, sessions
from service.errors import StoreUnavailable
from service.sessions import Kept, moving
from service.sessions.both import Both
from service.sessions.engine import SessionStore
from service.sessions.moving import Comparison, Copy
from tests.service.memory_sessions import MemorySessions
from tests.service.test_sessions import PAIRS, needed
from tests.service.turns import InTurns, Turns

LATER = int(time.time()) + 10 * 3600


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(moving, "PAUSE", 0.01)
    monkeypatch.setattr(copies.transaction, "on_commit", lambda tell: tell())


def nobody(batch) -> None:
    """Wants to know how far it is."""


def kept(number: int, data: str = "data") -> Kept:
    return Kept(f"{number:032d}", data, LATER)


def filled(*rows: Kept) -> MemorySessions:
    store = MemorySessions()
    store.rows = {row.key: row for row in rows}
    return store


def compared(first, second) -> Comparison:
    comparison = Comparison(first, second)
    comparison.run(nobody)
    return comparison


# --- Every order of things, on dictionaries -----------------------------------------------------
class Visitor:
    """Knows what his session must be, whatever the stores say."""

    def __init__(self, number: int, store: Both, seed: int):
        self.store, self.lot = store, random.Random(seed * 1000 + number)
        self.key, self.data = kept(number).key, "before"

    def __call__(self) -> None:
        for step in range(3):
            found = self.store.get(self.key)
            assert self.data == (None if found is None or found.gone else found.data)
            if self.data is None:
                return
            if self.lot.random() < 0.3:
                self.store.bury(found.ended())
                self.data = None
            else:
                new = found._replace(data=f"step {step}", expires=found.expires + step)
                assert self.store.replace(new)
                self.data = new.data


class Newcomer(Visitor):
    def __call__(self) -> None:
        assert self.store.add(Kept(self.key, "before", LATER))
        super().__call__()


@pytest.mark.parametrize("to", ["second", "first"])
@pytest.mark.parametrize("start", range(0, 100, 25))
def test_every_order_of_things(to, start):
    for seed in range(start, start + 25):
        turns = Turns(seed)
        rows = [kept(number, "before") for number in range(4)]
        source, target = filled(*rows), filled()
        if seed % 2 and to == "second":  # what was left there by a move that was cut
            target.rows = {row.key: row._replace(data="older") for row in rows[:2]}
        stores = InTurns(source, turns), InTurns(target, turns)
        both = Both(*(stores if to == "second" else reversed(stores)))
        visitors = [Visitor(number, both, seed) for number in range(4)]
        visitors.append(Newcomer(9, both, seed))
        copy = Copy(*stores, overwrites=to == "second")
        turns.run(*visitors, lambda copy=copy: copy.run(nobody))
        alive = {visitor.key: visitor.data for visitor in visitors if visitor.data is not None}
        for store in (source, target):
            there = {key: row.data for key, row in store.rows.items() if not row.gone}
            assert there == alive, seed
        comparison = compared(source, target)
        assert comparison.different == 0
        assert comparison.sides[0] == comparison.sides[1]


def test_hosts_change_their_settings_one_by_one_without_a_session_lost():
    """From A to A and B, B and A, B: half of the hosts are ever one step behind."""
    for seed in range(100):
        lot = random.Random(seed)
        a, b = filled(*(kept(number, "before") for number in range(6))), filled()
        steps = [a, Both(a, b), Both(b, a), b]
        data = dict.fromkeys(a.rows, "before")

        def visit(*hosts, data=data, lot=lot):
            for key in list(data):
                for _ in range(2):
                    host = lot.choice(hosts)
                    found = host.get(key)
                    assert data[key] == (None if found is None or found.gone else found.data)
                    if data[key] is None:
                        break
                    if lot.random() < 0.1:
                        host.bury(found.ended())
                        data[key] = None
                    else:
                        data[key] = str(lot.random())
                        assert host.replace(found._replace(data=data[key]))

        for before, after in pairwise(steps):
            visit(before, after)
            visit(after)
            if after is steps[1]:
                Copy(a, b, overwrites=True).run(nobody)
                assert compared(a, b).different == 0
        # And back, where the first store still has what was left in it.
        back = [b, Both(b, a), Both(a, b), a]
        for before, after in pairwise(back):
            visit(before, after)
            if after is back[1]:
                Copy(b, a, overwrites=True).run(nobody)
                assert compared(b, a).different == 0


# --- Cut, and disagreeing -----------------------------------------------------------------------
@pytest.mark.parametrize("cut", [0, 1, 99, 100, 150, 249])
def test_a_copy_that_was_cut_is_run_again(cut, monkeypatch):
    source, target = filled(*(kept(number) for number in range(250))), filled()
    add, left = target.add, iter(range(cut))

    def cut_off(row):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return add(row)

    monkeypatch.setattr(target, "add", cut_off)
    with pytest.raises(KeyboardInterrupt):
        Copy(source, target, overwrites=True).run(nobody)
    monkeypatch.setattr(target, "add", add)
    assert len(target.rows) == cut
    again = Copy(source, target, overwrites=True)
    again.run(nobody)
    assert (again.seen, again.copied) == (250, 250 - cut)
    assert target.rows == source.rows


def test_a_store_that_is_busy_is_asked_again(monkeypatch):
    source, target = filled(kept(1)), filled()
    add, troubles = target.add, iter([True] * (moving.ATTEMPTS - 1) + [False])

    def busy(row):
        if next(troubles):
            raise StoreUnavailable("busy")
        return add(row)

    monkeypatch.setattr(target, "add", busy)
    Copy(source, target, overwrites=True).run(nobody)
    assert target.rows == source.rows
    monkeypatch.setattr(target, "add", lambda row: (_ for _ in ()).throw(StoreUnavailable("away")))
    target.rows.clear()
    with pytest.raises(StoreUnavailable):
        Copy(source, target, overwrites=True).run(nobody)


@pytest.mark.parametrize(
    ("first", "second", "different"),
    [
        ([kept(1)], [kept(1)], 0),
        ([kept(1)], [], 1),
        ([], [kept(1)], 1),
        ([kept(1)], [kept(1, "other")], 1),
        ([kept(1)], [kept(1).ended()], 1),
        ([kept(1).ended()], [kept(1)], 1),
        ([kept(1).ended()], [], 0),
        ([kept(1), kept(2)], [kept(2), kept(3)], 2),
    ],
)
def test_what_differs_is_counted(first, second, different):
    assert compared(filled(*first), filled(*second)).different == different
    assert compared(filled(*second), filled(*first)).different == different


def test_the_second_store_follows_the_first_and_the_ended_stay_ended():
    source = filled(kept(1, "new"), kept(2).ended(), kept(3))
    target = filled(kept(1, "old"), kept(2), kept(3).ended())
    Copy(source, target, overwrites=True).run(nobody)
    assert target.rows[kept(1).key].data == "new"
    for store in (source, target):
        assert store.rows[kept(2).key].gone
        assert store.rows[kept(3).key].gone


# --- The stores there are, through the commands ---------------------------------------------------
@pytest.fixture(params=PAIRS, ids=" to ".join)
def pair(request, settings):
    needed(request, *request.param)
    settings.SESSION_STORE, settings.SESSION_STORE_SECOND = request.param
    return request.param


def said(capsys, *command, **options) -> dict:
    call_command(*command, json=True, **options)
    out, error = capsys.readouterr()
    assert "sessions" in error
    assert "per second" in error
    return json.loads(out)


@pytest.mark.django_db
def test_every_way_between_the_stores(pair, settings, capsys):
    first, second = pair
    settings.SESSION_STORE_SECOND = ""
    made = []
    for number in range(130):
        session = SessionStore()
        session["owner"] = f"secret {number}"
        session.save()
        made.append(session.session_key)
    SessionStore(made[0]).flush()

    settings.SESSION_STORE_SECOND = second
    new = SessionStore()
    new["owner"] = "came meanwhile"
    new.save()
    SessionStore(made[1]).flush()
    same_rows = {first, second} == {"database", "elasticache"}
    facts = said(capsys, "move_sessions", to=second)
    assert facts == {"to": second, "seen": 131, "copied": 0 if same_rows else 129}
    assert said(capsys, "move_sessions", to=second)["copied"] == 0
    facts = said(capsys, "compare_sessions")
    assert facts[first] == facts[second]
    assert (facts[first]["count"], facts["different"]) == (129, 0)

    settings.SESSION_STORE, settings.SESSION_STORE_SECOND = second, first
    SessionStore(made[2]).flush()
    settings.SESSION_STORE_SECOND = ""
    for number, key in enumerate(made):
        owner = SessionStore(key).get("owner")
        assert owner == (None if number < 3 else f"secret {number}")
    assert SessionStore(new.session_key)["owner"] == "came meanwhile"


@pytest.mark.django_db
def test_stores_that_differ_are_a_failure(settings, dynamodb, capsys):
    settings.SESSION_STORE, settings.SESSION_STORE_SECOND = "database", "dynamodb"
    sessions.store("database").add(kept(1))
    with pytest.raises(CommandError, match="1 sessions differ"):
        call_command("compare_sessions")
    assert "database has 1, dynamodb has 0; 1 differ." in capsys.readouterr().out
    call_command("move_sessions", to="dynamodb")
    call_command("compare_sessions")


@pytest.mark.django_db
def test_no_move_without_a_second_store(settings):
    for command, options in (("move_sessions", {"to": "dynamodb"}), ("compare_sessions", {})):
        with pytest.raises(CommandError, match="SESSION_STORE_SECOND is empty"):
            call_command(command, **options)
    settings.SESSION_STORE_SECOND = "elasticache"
    with pytest.raises(CommandError, match="dynamodb is neither"):
        call_command("move_sessions", to="dynamodb")


@pytest.mark.django_db
def test_no_key_is_in_what_is_said(settings, dynamodb, capsys, caplog):
    """It would let whoever reads it in."""
    settings.SESSION_STORE, settings.SESSION_STORE_SECOND = "database", "dynamodb"
    sessions.store("dynamodb").add(kept(1))
    with pytest.raises(CommandError):
        call_command("compare_sessions")
    call_command("move_sessions", to="database", verbosity=3)
    out, error = capsys.readouterr()
    assert kept(1).key not in out + error + caplog.text
    assert sessions.store("database").get(kept(1).key)
