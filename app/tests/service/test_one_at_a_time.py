"""A process works on one picture at a time: large ones together would take a host's memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import mustache
import pytest
from service.errors import Problem
from service.pictures import making, workbench


@pytest.fixture
def overlaps(monkeypatch) -> list[int]:
    """How many were worked on whenever one more began."""
    seen, now = [], set()
    real = mustache.mustachify

    def slow(*arguments, **options):
        now.add(threading.get_ident())
        seen.append(len(now))
        time.sleep(0.05)
        try:
            return real(*arguments, **options)
        finally:
            now.discard(threading.get_ident())

    monkeypatch.setattr(mustache, "mustachify", slow)
    return seen


def make(data: bytes, style: str):
    return making.make(data, style, "0" * 64, None)


@pytest.mark.parametrize("work", [workbench.mustachify, make])
def test_pictures_wait_for_each_other(overlaps, face, work):
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: work(face, "walrus"), range(4)))) == 4
    assert overlaps == [1, 1, 1, 1]


def test_who_waits_too_long_is_told_to_come_back(monkeypatch, face):
    monkeypatch.setattr(workbench, "MOST_SECONDS_IN_LINE", 0.01)
    with (
        workbench.one_at_a_time(),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(Problem) as refused,
    ):
        pool.submit(workbench.mustachify, face, "walrus").result(timeout=10)
    assert refused.value.status == 503
    assert refused.value.retry_after


def test_a_picture_that_is_refused_frees_the_place(face):
    with pytest.raises(Problem):
        workbench.mustachify(b"no picture", "walrus")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(workbench.mustachify, face, "walrus").result(timeout=30).faces
