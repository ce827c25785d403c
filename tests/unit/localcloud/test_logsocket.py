"""Lines of HAProxy's log, counted as they come."""

import socket
import time

import pytest

from localcloud import logsocket, registry
from localcloud.services.cloudfront import traffic as edge
from localcloud.services.elbv2.traffic import Traffic

NOON = 1_767_355_200
LINE = {
    "backend": "group_shop", "server": "10.0.1.5:8000", "accepted": str(NOON * 1000),
    "total_ms": "45", "response_ms": "40", "status": "200", "target_status": "200",
    "sent": "100", "location": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def queue(tmp_path, monkeypatch):
    """This machine's setting stays as it is."""
    path = tmp_path / "max_dgram_qlen"
    path.write_text("10\n")
    monkeypatch.setattr(logsocket, "QUEUE", path)
    monkeypatch.setattr(registry, "DIRECTORY", tmp_path / "run")
    return path


def test_the_queue_is_as_long_as_systemd_makes_it(tmp_path, queue):
    for before, after in (("10\n", "512"), ("2048\n", "2048\n")):
        queue.write_text(before)
        logsocket.LogSocket(tmp_path / "log.sock", print).close()
        assert queue.read_text() == after


def test_the_last_cloud_makes_the_queue_what_it_was(tmp_path, queue):
    logsocket.LogSocket(tmp_path / "log.sock", print).close()
    logsocket.LogSocket(tmp_path / "log.sock", print).close()
    other = registry.DIRECTORY / "beef.json"
    other.touch()
    logsocket.shorten()
    assert queue.read_text() == "512"
    other.unlink()
    logsocket.shorten()
    assert queue.read_text() == "10\n"
    logsocket.LogSocket(tmp_path / "log.sock", print).close()
    queue.write_text("4096")  # somebody else's
    logsocket.shorten()
    logsocket.shorten()
    assert queue.read_text() == "4096"


def test_lines_are_read_as_they_come(tmp_path):
    seen = []
    reader = logsocket.LogSocket(tmp_path / "log.sock", seen.append)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(tmp_path / "log.sock"))
        sender.send(b'<134>Jan  1 00:00:00 haproxy[7]: {"status": 200}')
        sender.send(b"<134>Jan  1 00:00:00 haproxy[7]: Server group_shop/a is UP")
        sender.send(b"<134>Jan  1 00:00:00 haproxy[7]: {broken")
        for number in range(300):
            sender.send(b'{"number": %d}' % number)
    give_up = time.monotonic() + 5
    while len(seen) < 301 and time.monotonic() < give_up:
        time.sleep(0.01)
    reader.close()
    assert seen[0] == {"status": 200}
    assert [each["number"] for each in seen[1:]] == list(range(300))


def test_one_bad_line_does_not_end_it(tmp_path, caplog):
    seen = []

    def take(entry):
        seen.append(entry["status"])

    reader = logsocket.LogSocket(tmp_path / "log.sock", take)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(tmp_path / "log.sock"))
        sender.send(b'{"other": 1}')
        sender.send(b'{"status": 200}')
    give_up = time.monotonic() + 5
    while not seen and time.monotonic() < give_up:
        time.sleep(0.01)
    reader.close()
    assert seen == [200]
    assert "a line of the log" in caplog.text


def test_what_a_node_served():
    traffic = Traffic()
    for changes in (
        {},
        {"response_ms": "60", "target_status": "503", "status": "503"},
        # a request that ended in the next minute
        {"total_ms": "60000"},
        # nobody to ask
        {"server": "<NOSRV>", "target_status": "", "status": "503", "response_ms": "-1"},
        {"backend": "listener_80", "server": "<NOSRV>", "target_status": "", "status": "301",
         "location": "https://shop.example/", "response_ms": "-1"},
        {"backend": "listener_80", "server": "<NOSRV>", "target_status": "", "status": "403",
         "response_ms": "-1"},
    ):  # fmt: skip
        traffic.add("alb-1", {**LINE, **changes})
    found = traffic.take(NOON + 60)
    group, alone = found["alb-1", NOON, "shop"], found["alb-1", NOON, ""]
    assert (group.chosen, dict(group.target), dict(group.own)) == (2, {200: 1, 503: 1}, {503: 1})
    assert dict(group.times) == {40: 1, 60: 1}
    assert (alone.redirects, alone.fixed, alone.chosen) == (1, 1, 0)
    assert traffic.take(NOON + 60) == {}
    assert traffic.take(NOON + 120)["alb-1", NOON + 60, "shop"].chosen == 1


def test_what_the_edge_served():
    traffic = edge.Traffic()
    for status in (200, 404, 502, 200):
        traffic.add({"distribution": "E1", "bytes": 10, "status": status}, NOON + 5)
    traffic.add({"distribution": "", "bytes": 10, "status": 403}, NOON + 5)
    found = traffic.take(NOON + 60)
    assert list(found) == [("E1", NOON)]
    assert (found["E1", NOON].requests, found["E1", NOON].sent) == (4, 40)
    assert dict(found["E1", NOON].statuses) == {2: 2, 4: 1, 5: 1}
