"""Health checks and members of target groups."""

import pytest

from module_utils.target_groups import health_check, others_healthy, plan, wanted_health_check


def test_a_health_check_is_read_back_as_it_was_sent():
    wanted = {"path": "/readyz", "interval": 5, "timeout": 3, "healthy": 2, "unhealthy": 2}
    wanted["matcher"] = "200-299"

    assert health_check(wanted_health_check(wanted)) == wanted


def test_what_is_not_given_is_not_sent():
    assert wanted_health_check({"path": "/", "matcher": None}) == {"HealthCheckPath": "/"}


@pytest.mark.parametrize(
    ("states", "wanted", "purge", "register", "deregister"),
    [
        ({}, ["i-1", "i-2"], True, ["i-1", "i-2"], []),
        ({"i-1": "healthy"}, ["i-1"], True, [], []),
        ({"i-1": "healthy", "i-2": "unhealthy"}, ["i-1"], True, [], ["i-2"]),
        ({"i-1": "healthy", "i-2": "healthy"}, ["i-1"], False, [], []),
        # one that is on its way out is put back, and not deregistered twice
        ({"i-1": "draining"}, ["i-1"], True, ["i-1"], []),
        ({"i-1": "draining"}, [], True, [], []),
    ],
)
def test_members(states, wanted, purge, register, deregister):
    assert plan(states, wanted, purge) == (register, deregister)


@pytest.mark.parametrize(
    ("states", "leaving", "others"),
    [
        ({}, ["i-1"], False),
        ({"i-1": "healthy"}, ["i-1"], False),
        ({"i-1": "healthy", "i-2": "healthy"}, ["i-1"], True),
        ({"i-1": "healthy", "i-2": "healthy"}, ["i-1", "i-2"], False),
        ({"i-1": "healthy", "i-2": "unhealthy"}, ["i-1"], False),
        ({"i-1": "healthy", "i-2": "draining"}, ["i-1"], False),
        # one that is ill may go when a healthy one stays
        ({"i-1": "unhealthy", "i-2": "healthy"}, ["i-1"], True),
    ],
)
def test_who_serves_when_some_leave(states, leaving, others):
    assert others_healthy(states, leaving) is others
