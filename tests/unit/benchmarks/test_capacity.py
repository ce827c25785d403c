"""Finding how many users a site carries, and whose site may be asked."""

import pytest

from benchmarks.capacity import Step, calm_from, carried, check_host, find_capacity, row
from benchmarks.load_plot import plot, spread


def step(users: int, p95: float = 100, failed: int = 0) -> Step:
    return Step(users, 1000, 50.0, p95 / 2, p95, p95 * 2, failed, 0, 10.0)


def site_for(capacity: int):
    return lambda users: step(users, p95=100 if users <= capacity else 3000)


@pytest.mark.parametrize(
    ("p95", "failed", "expected"),
    [(999, 0, True), (1000, 0, False), (100, 10, True), (100, 11, False)],
)
def test_a_site_carries_its_users_if_it_is_quick_and_rarely_fails(p95, failed, expected):
    assert step(10, p95, failed).carried is expected
    assert ("too many" in row(step(10, p95, failed))) is not expected


def test_silence_is_not_success():
    assert not Step(10, 0, 0.0, 0, 0, 0, 0, 0, 0.0).carried


def test_users_double_until_it_is_too_much_then_the_gap_is_halved():
    steps = find_capacity(site_for(70), first=10, most=1000)
    assert [s.users for s in steps] == [10, 20, 40, 80, 60, 70, 75]
    assert carried(steps) == 70


@pytest.mark.parametrize("capacity", [1, 3, 9, 10, 11, 37, 100, 641])
def test_the_answer_is_never_too_high_and_within_an_eighth(capacity):
    found = carried(find_capacity(site_for(capacity), first=10, most=2000))
    assert found <= capacity
    assert found > capacity * 7 / 8 - 2


def test_a_site_that_carries_the_most_is_not_pressed_further():
    steps = find_capacity(site_for(10_000), first=10, most=50)
    assert [s.users for s in steps] == [10, 20, 40, 50]
    assert carried(steps) == 50


def test_a_site_that_carries_nobody():
    steps = find_capacity(site_for(0), first=10, most=50)
    assert len(steps) <= 5
    assert carried(steps) == 0


@pytest.mark.parametrize(
    "host",
    [
        "http://mustache.localhost:8080",
        "https://MUSTACHE.localhost:8443",
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://127.9.8.7",
        "http://[::1]:8000",
    ],
)
def test_sites_of_this_machine_may_be_asked(host):
    check_host(host, owned=False)


@pytest.mark.parametrize(
    "host",
    [
        "https://example.com",
        "http://localhost.example.com",
        "http://notlocalhost",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost@example.com",
        "",
        "localhost",
    ],
)
def test_others_need_a_word(host):
    with pytest.raises(ValueError, match="is an attack"):
        check_host(host, owned=False)


def test_the_word():
    check_host("https://example.com", owned=True)


def test_results_are_drawn_side_by_side(tmp_path):
    steps = [{"users": u, "p50": 10, "p95": 20 * u, "requests_per_second": u} for u in (5, 10, 90)]
    results = [{"label": f"stage{n}", "carried": 10 * n, "steps": steps} for n in (1, 2)]
    for name in ("one.svg", "again.svg"):
        plot(results, tmp_path / name)
    text = (tmp_path / "one.svg").read_text()
    assert "stage1: 10 users" in text
    assert "stage2: 20 users" in text
    assert text == (tmp_path / "again.svg").read_text()


def test_marks_on_the_axis_do_not_touch():
    assert spread([10, 11, 12, 20, 25, 40]) == [10, 20, 40]


@pytest.mark.parametrize(
    ("p95", "expected"),
    [
        ((4000, 900, 100, 100), 5),
        ((100, 100), 0),
        ((100, 4000, 100), 10),
        ((100, 1000), None),
        ((100, None), None),
    ],
)
def test_after_a_burst_it_is_calm_when_all_that_follow_are_served_quickly(p95, expected):
    moments = [
        {"second": 5 * number, "requests": 0 if each is None else 10, "p95": each or 0}
        for number, each in enumerate(p95)
    ]
    assert calm_from(moments) == expected
