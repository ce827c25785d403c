"""The proof that two databases hold the same rows, with servers made up of lists."""

import sys
import time

import pytest

from module_utils.postgresql_move import Comparison, Move, MoveError, contents, digest_of


class Server:
    """Answers Comparison's three queries from ``{table: {key: (version, digest)}}``."""

    def __init__(self, tables):
        self.tables = tables
        self.digested = []

    def rows(self, statement, parameters=None):
        if isinstance(statement, str):
            return [(table, ["id"]) for table in self.tables]
        text = statement.as_string(None)
        table = next(name for name in self.tables if f'"public"."{name}"' in text)
        rows = self.tables[table]
        if "md5" not in text:
            return [(key, version) for key, (version, _) in rows.items()]
        keys = parameters[0] if parameters else list(rows)
        self.digested += keys
        return [(key, *rows[key]) for key in keys]


def test_equal_rows_are_proved_whatever_their_versions():
    source = Server({"picture": {"(1)": ("70", "aa"), "(2)": ("71", "bb")}})
    target = Server({"picture": {"(2)": ("900", "bb"), "(1)": ("900", "aa")}})

    proof = Comparison(source, target).prove()

    assert proof["picture"]["rows"] == 2
    assert proof["picture"]["digest"] == digest_of({"(1)": "aa", "(2)": "bb"})


@pytest.mark.parametrize(
    "there",
    [
        {"(1)": ("5", "aa")},
        {"(1)": ("5", "aa"), "(2)": ("5", "other")},
        {"(1)": ("5", "aa"), "(2)": ("5", "bb"), "(3)": ("5", "cc")},
    ],
    ids=["one is missing", "one differs", "one is too many"],
)
def test_any_difference_is_named(there):
    source = Server({"picture": {"(1)": ("7", "aa"), "(2)": ("7", "bb")}})

    with pytest.raises(MoveError, match="differ in picture"):
        Comparison(source, Server({"picture": there})).prove()


def test_the_second_reading_looks_only_at_new_versions():
    rows = {"(1)": ("7", "aa"), "(2)": ("7", "bb")}
    source, target = Server({"picture": dict(rows)}), Server({"picture": dict(rows)})
    comparison = Comparison(source, target)
    comparison.read()
    source.digested.clear()

    source.tables["picture"] |= {"(2)": ("8", "changed"), "(3)": ("8", "new")}
    target.tables["picture"] |= {"(2)": ("9", "changed"), "(3)": ("9", "new")}
    proof = comparison.prove()

    assert sorted(source.digested) == ["(2)", "(3)"]
    assert proof["picture"]["rows"] == 3


def test_a_row_that_went_is_forgotten():
    source = Server({"picture": {"(1)": ("7", "aa"), "(2)": ("7", "bb")}})
    target = Server({"picture": {"(1)": ("7", "aa")}})
    comparison = Comparison(source, target)
    comparison.read()

    del source.tables["picture"]["(2)"]

    assert comparison.prove()["picture"]["rows"] == 1


def test_the_digest_does_not_depend_on_the_order():
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1", "b": "2"}) != digest_of({"a": "2", "b": "1"})
    assert contents({"a": ("version", "1")}) == {"a": "1"}


def lead(program):
    return Move(None, "the target", "owner", "move").lead([sys.executable, "-c", program])


def test_writes_are_refused_until_the_app_is_led_not_until_it_is_tidied_up():
    ended = lead("import time; print('led', flush=True); time.sleep(0.5)")

    assert time.monotonic() - ended >= 0.4


def test_an_app_that_is_not_led_to_the_target_fails_the_move():
    with pytest.raises(MoveError, match="not led to the target: no slot"):
        lead("raise SystemExit('no slot')")


def test_what_fails_after_the_app_was_led_takes_nothing_back():
    assert lead("print('led'); raise SystemExit(1)") <= time.monotonic()


class Noting(Move):
    """A move between servers that only have marks; notes when writes are allowed again."""

    def __init__(self, switched):
        super().__init__("the source", "the target", "owner", "move")
        self.allowed = False
        self.was_switched = switched

    def switched(self):
        return self.was_switched

    def proof(self):
        return {"picture": {"rows": 1, "digest": "aa"}}

    def allow_writes(self):
        self.allowed = True


def test_a_switch_that_is_finished_later_never_opens_the_old_server():
    move = Noting(switched=True)

    with pytest.raises(MoveError, match="not led"):
        move.switch(1, ["false"])

    assert not move.allowed


def test_a_switch_that_is_finished_later_has_the_proof_of_the_first_run():
    result = Noting(switched=True).switch(1, ["echo", "led"])

    assert result == {"tables": {"picture": {"rows": 1, "digest": "aa"}}, "refused_seconds": None}


def test_the_server_that_the_app_has_left_is_never_opened_by_finishing():
    move = Noting(switched=False)
    move.superseded = lambda server: server == "the target"

    with pytest.raises(MoveError, match="led from the target to the source"):
        move.finish()
