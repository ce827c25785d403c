"""Other firewalls: which of their chains would cut hosts off."""

import pytest

from localcloud.neighbours import drops

ACCEPTS = {"hook": "forward", "policy": "accept"}
MATCH = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}


@pytest.mark.parametrize(
    ("chain", "rules", "cut_off"),
    [
        ({"hook": "forward", "policy": "drop"}, [], True),
        (ACCEPTS, [], False),
        # firewalld's last rule
        (ACCEPTS, [{"expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}], True),
        (ACCEPTS, [{"expr": [{"counter": {"packets": 0, "bytes": 0}}, {"drop": None}]}], True),
        (ACCEPTS, [{"expr": [MATCH, {"drop": None}]}], False),
        (ACCEPTS, [{"expr": [{"jump": {"target": "DOCKER-USER"}}]}], False),
        (ACCEPTS, [{"comment": "nothing said"}], False),
    ],
)
def test_a_chain(chain, rules, cut_off):
    assert drops(chain, rules) is cut_off
