import pytest

from localcloud.services.elbv2 import health, runtime
from localcloud.services.elbv2.runtime import Seen

STAT = """\
# pxname,svname,scur,status,check_status,check_code
group_web,10.0.1.5:80,2,UP,L7OK,200
group_web,any:10.0.1.5:80,0,no check,,
group_web,10.0.2.5:80,0,UP 1/2,* L7STS,500
group_web,new:10.0.3.5:80,0,DRAIN -1/2,INI,
group_web,10.0.4.5:80,,MAINT,,

"""


def seen(status="DOWN", check="L4CON", code=""):
    return Seen("web", "10.0.1.5:80", status, check, code, 0)


def test_statistics_of_haproxy():
    servers = {each.name: each for each in runtime.parse(STAT)}
    assert servers["10.0.1.5:80"] == Seen("web", "10.0.1.5:80", "UP", "L7OK", "200", 2)
    assert servers["10.0.2.5:80"].up
    assert servers["10.0.2.5:80"].check == "L7STS"
    assert not servers["new:10.0.3.5:80"].up
    assert servers["10.0.4.5:80"].maintenance


@pytest.mark.parametrize(
    ("server", "state", "reason", "description"),
    [
        (seen("UP", "L7OK", "200"), "healthy", None, None),
        (seen("UP 1/2", "L7STS", "500"), "healthy", None, None),
        (
            seen(check="L7STS", code="503"),
            "unhealthy",
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [503]",
        ),
        (seen(check="L4TOUT"), "unhealthy", "Target.Timeout", "Request timed out"),
        (seen(check="L7TOUT"), "unhealthy", "Target.Timeout", "Request timed out"),
        (seen(check="L4CON"), "unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    ],
)
def test_health_in_awss_words(server, state, reason, description):
    found = health.of_server(server)
    assert (found.state, found.reason, found.description) == (state, reason, description)


def test_a_target_is_healthy_when_every_node_says_so():
    sick = health.of_server(seen())
    assert health.combine([health.HEALTHY, health.HEALTHY]) is health.HEALTHY
    assert health.combine([health.HEALTHY, sick]) is sick
    assert health.combine([sick, health.CHECKING]) is health.CHECKING
    assert health.combine([None, health.HEALTHY]) is health.HEALTHY
    assert health.combine([]) is health.INITIAL
