"""The site's door: it follows the record, and says why when nothing is there."""

import gc
import socket
import threading
import time

import pytest

from localcloud.forwarder import Forwarder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def visit(port, request=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as visitor:
        visitor.sendall(request)
        visitor.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: visitor.recv(4096), b""))


@pytest.fixture
def echo():
    """A server that sends back what it got."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        visitor, _ = server.accept()
        with visitor:
            while data := visitor.recv(4096):
                visitor.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    thread.join(timeout=5)
    server.close()


def test_bytes_pass_untouched_both_ways(echo):
    door = free_port()
    Forwarder("site", lambda: ["127.0.0.1"]).start({door: echo})
    assert visit(door, b"\x16\x03\x01 not http") == b"\x16\x03\x01 not http"


def test_a_visitor_who_has_said_all_is_not_forgotten_while_he_waits():
    door = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Forwarder("site", lambda: ["127.0.0.1"]).start({door: server.getsockname()[1]})
        with socket.create_connection(("127.0.0.1", door), timeout=5) as visitor:
            visitor.sendall(b"request")
            visitor.shutdown(socket.SHUT_WR)
            connection, _ = server.accept()
            with connection:
                asked = b"".join(iter(lambda: connection.recv(4096), b""))
                time.sleep(0.3)  # the door has seen it, too
                gc.collect()
                connection.sendall(b"answer to " + asked)
            answer = b"".join(iter(lambda: visitor.recv(4096), b""))
    assert answer == b"answer to request"


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [(None, b"No Route 53 record for site"), (["127.0.0.1"], b"does not answer")],
)
def test_a_visitor_learns_why_nothing_is_there(addresses, reason):
    door, closed = free_port(), 80
    Forwarder("site", lambda: addresses).start({door: closed})
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", closed)) == 0:
            pytest.fail("port 80 of this machine is in use: the test cannot see a closed port")
    answer = visit(door)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway")
    assert reason in answer


def test_a_taken_door_is_an_error():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        Forwarder("site", lambda: None).start({taken.getsockname()[1]: 80})
