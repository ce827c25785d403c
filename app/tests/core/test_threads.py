"""Many pictures at once give the same answers as one after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from mustache import STYLES, mustachify


def test_threads_give_the_same_answers(portraits, encoded):
    work = [
        (encoded(portrait.scaled(eyes).rolled(roll).image, kind), style)
        for portrait in portraits.values()
        for (eyes, roll, kind), style in zip(
            ((20, 0, "JPEG"), (30, 180, "PNG"), (40, 25, "WEBP")), STYLES, strict=False
        )
    ]
    alone = [mustachify(*each) for each in work]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: mustachify(*each), work * 4))
    assert together == alone * 4
    assert sum(len(result.faces) for result in alone) >= len(work) - 1
