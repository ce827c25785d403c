"""What requests add up to."""

import json

import pytest

from tests.ladder.log import (
    FAILED,
    OK,
    READ,
    REFUSED,
    Log,
    Request,
    Summary,
    interruptions,
    outcome,
    percentile,
)


def request(start: float, result: str = OK, seconds: float = 0.1) -> Request:
    return Request(READ, "page", start, seconds, result)


def spans(*requests: Request) -> list[tuple]:
    return [(round(i.start, 3), round(i.end, 3), i.requests) for i in interruptions(requests)]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, OK),
        (303, {}, OK),
        (503, {"Retry-After": "10"}, REFUSED),
        (503, {}, FAILED),
        (503, {"Retry-After": "soon"}, FAILED),
        (502, {"Retry-After": "10"}, FAILED),
        (404, {}, FAILED),
        (429, {"Retry-After": "10"}, FAILED),
    ],
)
def test_an_answer_is_served_refused_or_failed(status, headers, expected):
    assert outcome(status, headers) == expected


def test_without_errors_there_is_no_interruption():
    assert spans(request(0), request(1)) == []


def test_an_interruption_lasts_until_someone_is_served_again():
    assert spans(request(0), request(1, REFUSED), request(1.5, REFUSED), request(2)) == [(1, 2, 2)]


def test_an_interruption_that_nobody_sees_the_end_of_lasts_until_its_last_answer():
    assert spans(request(0), request(1, FAILED, seconds=20)) == [(1, 21, 1)]


def test_errors_of_one_host_of_two_are_one_interruption():
    mixed = [request(n / 10, FAILED if n % 2 else OK) for n in range(10)]
    assert spans(*mixed, request(1.0)) == [(0.1, 1.0, 5)]


def test_errors_far_apart_are_two():
    assert spans(request(1, FAILED), request(1.2), request(9, FAILED), request(9.3)) == [
        (1, 1.2, 1),
        (9, 9.3, 1),
    ]


def test_the_order_of_the_requests_does_not_matter():
    requests = [request(0), request(1, FAILED), request(1.4)]
    assert spans(*requests) == spans(*reversed(requests)) == [(1, 1.4, 1)]


def test_percentiles():
    assert percentile([], 0.95) == 0
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95


def test_a_summary_counts_and_measures_what_was_served():
    summary = Summary.of(
        [request(0, seconds=0.2), request(1, REFUSED), request(3, seconds=0.4), request(8, FAILED)]
    )
    assert (summary.ok, summary.refused, summary.failed) == (2, 1, 1)
    assert (summary.p50, summary.p95, summary.slowest) == (0.2, 0.4, 0.4)
    assert (summary.error_seconds, summary.longest_error_seconds) == (2.1, 2.0)


def test_the_log_gives_a_span_and_writes_lines(tmp_path):
    log = Log()
    for start in (3, 1, 2):
        log.add(request(start))
    assert [found.start for found in log.between(1.5, 3)] == [2]
    log.write(tmp_path / "requests.jsonl")
    lines = (tmp_path / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["start"] for line in lines] == [1, 2, 3]
