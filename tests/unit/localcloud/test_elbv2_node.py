"""Targets of a node that come and go, as far as processes are concerned that a reload has left."""

import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcloud.services.elbv2.model import Target, TargetGroup
from localcloud.services.elbv2.node import Node
from localcloud.services.elbv2.runtime import Haproxy, Seen

TARGET = Target("i-1", "10.0.0.5", 80)
GROUP = TargetGroup("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1", "web")
PROCESSES = """#<PID>          <type>          <reloads>       <uptime>        <version>
7               master          2               0d00h02m07s     3.0.11
# workers
31              worker          0               0d00h00m05s     3.0.11
# old workers
19              worker          1               0d00h00m43s     3.0.11
12              worker          2               0d00h01m50s     3.0.11
# programs

"""


class Running:
    """A HAProxy as a node speaks to it, that a reload has left processes of, or not."""

    def __init__(self):
        self.names, self.told, self.left = {TARGET.name}, [], True

    def leaving(self):
        return self.left

    def servers(self):
        return [Seen(GROUP.name, name, "UP", "L7OK", "200", 0) for name in self.names]

    def must(self, command, expected=""):
        self.told.append(command)

    def ask(self, command):
        self.names.discard(command.rpartition("/")[2])
        return "Server deleted."


def test_a_target_is_gone_when_no_process_of_before_can_ask_it(tmp_path):
    node = Node(SimpleNamespace(sockets=lambda host: tmp_path), SimpleNamespace(extra={}), {})
    node.haproxy = Running()
    balancer = SimpleNamespace(groups=[GROUP])

    node.sync(balancer, {})

    assert node.haproxy.told == [f"set server group_web/{TARGET.name} state maint"]
    assert node.haproxy.names == {TARGET.name}

    node.haproxy.left = False
    node.sync(balancer, {})

    assert node.haproxy.names == set()


@pytest.fixture
def haproxy(tmp_path):
    """One whose master answers as `show proc` does."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "master.sock"))
    server.listen()

    made = SimpleNamespace(says=PROCESSES, running=Haproxy(Path(tmp_path)))

    def answer():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(1000)
                client.sendall(made.says.encode())

    thread = threading.Thread(target=answer)
    thread.start()
    yield made
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_those_that_a_reload_has_left_are_known_by_the_master(haproxy):
    assert haproxy.running.leaving()
    haproxy.says = PROCESSES.partition("19  ")[0] + "# programs\n"
    assert not haproxy.running.leaving()
