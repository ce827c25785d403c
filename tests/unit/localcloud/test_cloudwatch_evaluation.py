"""Alarms decide as AWS's documentation says, row by row of its tables."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.services.cloudwatch import wording
from localcloud.services.cloudwatch.evaluation import (
    ALARM,
    INSUFFICIENT,
    OK,
    Decision,
    Rule,
    Seen,
    decide,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MISSING = ("missing", "ignore", "breaching", "notBreaching")
# 0 is fine, X breaches, - is missing; the newest comes last
THREE_OF_THREE = {
    "0-X-X": (OK, OK, OK, OK),
    "0----": (OK, OK, OK, OK),
    "-----": (INSUFFICIENT, None, ALARM, OK),
    "0XX-X": (ALARM, ALARM, ALARM, ALARM),
    "--X--": (ALARM, None, ALARM, OK),
    "----X": (OK, OK, ALARM, OK),
    "---X-": (OK, OK, ALARM, OK),
    "XXX00": (OK, OK, OK, OK),
}
TWO_OF_THREE = {
    "0-X-X": (ALARM, ALARM, ALARM, ALARM),
    "00X0X": (ALARM, ALARM, ALARM, ALARM),
    "0-X--": (OK, OK, ALARM, OK),
    "----0": (OK, OK, ALARM, OK),
    "---X-": (ALARM, None, ALARM, OK),
}


def seen(text: str) -> list[Seen | None]:
    """The newest first, a minute each."""
    return [
        None if each == "-" else Seen(NOON - timedelta(minutes=age), 9.0 if each == "X" else 1.0)
        for age, each in enumerate(reversed(text), 1)
    ]


@pytest.mark.parametrize(
    ("needed", "text", "missing", "state"),
    [
        (needed, text, missing, state)
        for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
        for text, states in table.items()
        for missing, state in zip(MISSING, states, strict=True)
    ],
)
def test_the_tables_of_the_documentation(needed, text, missing, state):
    rule = Rule("GreaterThanThreshold", 5, 3, needed, missing)
    assert decide(rule, seen(text)).state == state


@pytest.mark.parametrize(
    ("comparison", "values"),
    [
        ("GreaterThanThreshold", (OK, OK, ALARM)),
        ("GreaterThanOrEqualToThreshold", (OK, ALARM, ALARM)),
        ("LessThanThreshold", (ALARM, OK, OK)),
        ("LessThanOrEqualToThreshold", (ALARM, ALARM, OK)),
    ],
)
def test_comparisons(comparison, values):
    rule = Rule(comparison, 5, 1, 1)
    assert tuple(decide(rule, [Seen(NOON, each), None, None]).state for each in (4, 5, 6)) == values


def test_one_datapoint_in_words():
    rule = Rule("GreaterThanOrEqualToThreshold", 150.0, 1, 1)
    high = Decision(ALARM, (Seen(NOON, 161.0),))
    low = Decision(OK, (Seen(NOON, 95.0),))
    assert wording.reason(rule, high) == (
        "Threshold Crossed: 1 datapoint [161.0 (02/01/26 12:00:00)] was greater than or equal to "
        "the threshold (150.0)."
    )
    assert wording.reason(rule, low) == (
        "Threshold Crossed: 1 datapoint [95.0 (02/01/26 12:00:00)] was not greater than or equal "
        "to the threshold (150.0)."
    )


def test_several_datapoints_in_words():
    rule = Rule("GreaterThanThreshold", 5.0, 3, 2)
    assert wording.reason(rule, decide(rule, seen("00X0X"))) == (
        "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (02/01/26 11:59:00), 9.0 "
        "(02/01/26 11:57:00)] were greater than the threshold (5.0) (minimum 2 datapoints for "
        "OK -> ALARM transition)."
    )
    assert wording.reason(rule, decide(rule, seen("00X00"))).endswith(
        "were not greater than the threshold (5.0) (minimum 2 datapoints for ALARM -> OK "
        "transition)."
    )


def test_no_datapoints_in_words():
    rule = Rule("GreaterThanThreshold", 5.0, 3, 3)
    assert wording.reason(rule, decide(rule, seen("-----"))) == (
        "Insufficient Data: 3 datapoints were unknown."
    )
    rule = Rule("GreaterThanThreshold", 5.0, 1, 1, "breaching")
    assert wording.reason(rule, decide(rule, seen("---"))) == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [Breaching]."
    )
