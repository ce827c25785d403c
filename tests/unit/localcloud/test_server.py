"""The API answers AWS clients on this machine and on hosts, and nobody's web page."""

import os
import subprocess
import sys

import pytest

from localcloud.calls import PAGE
from localcloud.httpd import USER
from localcloud.server import refuse, stranger


def request(path="/", remote="127.0.0.1", host="127.0.0.1:5000", **headers):
    names = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REMOTE_ADDR": remote, "HTTP_HOST": host,
            **names}  # fmt: skip


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:5000",
        "169.254.169.253:5000",
        "localhost:5000",
        "aws.localcloud:5000",
        "pictures.s3.us-east-1.amazonaws.com",
    ],
)
def test_clients_are_answered_by_every_name_of_the_api(host):
    assert refuse(request(host=host)) is None


@pytest.mark.parametrize("host", ["", "evil.example:5000", "127.0.0.1.evil.example", "10.0.0.1"])
def test_a_name_that_was_made_to_lead_here_is_refused(host):
    assert "not called that" in refuse(request(host=host))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_web_page_is_refused(headers):
    assert "Web pages" in refuse(request(**headers))


@pytest.mark.parametrize(
    "signed",
    [
        {"REQUEST_METHOD": "OPTIONS"},
        {"QUERY_STRING": "a=1&X-Amz-Signature=0"},
        {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "multipart/form-data; boundary=x"},
        {"HTTP_X_LOCALCLOUD_EDGE": "proof"},
    ],
)
def test_a_web_page_may_use_what_was_signed_for_it(signed):
    environ = {**request(origin="https://site.example"), **signed}
    assert refuse(environ) is None
    assert environ[PAGE] is True


def test_a_person_may_look():
    assert refuse(request("/bucket/key", sec_fetch_site="none", sec_fetch_mode="navigate")) is None


def test_the_state_cannot_be_reset():
    assert "moto's own API" in refuse(request("/moto-api/reset"))


def test_hosts_make_no_faults():
    assert refuse(request("/_localcloud/faults")) is None
    assert "Faults" in refuse(request("/_localcloud/faults", remote="10.20.1.4"))


def test_other_users_of_this_machine_are_refused():
    assert stranger({**request(), USER: 1000}, {0, 1000}) is None
    assert "who started it" in stranger({**request(), USER: 65534}, {0, 1000})
    assert "who started it" in stranger({**request(remote="127.0.0.9"), USER: None}, {0, 1000})
    assert stranger({**request(remote="10.20.1.4"), USER: None}, {0, 1000}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_the_user_at_the_other_end_is_known(api):
    ask = (
        "import os, socket, sys; os.setuid(int(sys.argv[2]))\n"
        "api = socket.socket(); api.connect((b'127.0.0.1', int(sys.argv[1])))\n"
        "api.send(b'GET /_localcloud/status HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n')\n"
        "print(b''.join(iter(lambda: api.recv(65536), b'')).decode())"
    )
    said = [
        subprocess.run([sys.executable, "-c", ask, str(api.port), user], text=True, check=True,
                       capture_output=True, timeout=30).stdout
        for user in ("0", "65534")
    ]  # fmt: skip
    assert " 200 OK" in said[0].splitlines()[0]
    assert "who started it" in said[1]
