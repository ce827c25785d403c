"""The shape of a ramp, and what is said about it."""

from benchmarks.ramp import Moment, climb, plot, summary, users_at


def test_users_grow_stay_and_go():
    numbers = [users_at(second, 100, 80) for second in range(0, 101, 5)]
    top = numbers.index(80)
    assert numbers[0] == 1
    assert numbers[: top + 1] == sorted(numbers[: top + 1])
    assert numbers[top:] == sorted(numbers[top:], reverse=True)
    assert numbers.count(80) > 3
    assert numbers[-3:] == [1, 1, 1]


def moments(p95=(100, 2000, 3000, 100), hosts=(2, 2, 4, 2), wanted=(2, 4, 4, 2), after=0):
    users = iter(zip(p95, hosts, wanted, strict=True))
    state = {}

    def step(users_now, seconds):
        state["p95"], state["hosts"], state["wanted"] = next(users)
        return {"requests": 10, "failed": 1, "uploads": 1, "p50": 10.0, "p95": state["p95"]}

    def look():
        return {"hosts": state["hosts"], "wanted": state["wanted"], "cpu": None}

    state["hosts"], state["wanted"] = hosts[0], wanted[0]
    return list(climb(20, 40, 5, step, look, after))


def test_each_moment_has_what_users_met_and_what_the_group_was():
    found = moments()
    assert [each.second for each in found] == [5, 10, 15, 20]
    assert isinstance(found[0], Moment)
    assert found[2].hosts == 4


def test_after_it_the_group_is_watched_until_it_is_small_again():
    sizes = (2, 4, 4, 4, 3, 2, 2, 2)
    assert len(moments((100,) * 8, sizes, sizes, after=20)) == 6
    assert len(moments((100,) * 8, sizes, sizes, after=5)) == 5


def test_a_summary_tells_slow_moments_while_hosts_were_on_their_way_from_others():
    found = summary(moments())
    assert found["slow_moments"] == 2
    assert found["slow_while_growing"] == 1
    assert found["most_hosts"] == 4
    assert found["hosts_at_the_end"] == 2
    assert (found["requests"], found["failed"], found["uploads"]) == (40, 4, 4)


def test_a_ramp_is_drawn_also_before_cloudwatch_has_values(tmp_path):
    plot({"moments": [vars(each) for each in moments()]}, tmp_path / "ramp.svg")
    assert "in service" in (tmp_path / "ramp.svg").read_text()
