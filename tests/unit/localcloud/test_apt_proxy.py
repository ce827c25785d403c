"""The packages of hosts behind a proxy."""

from types import SimpleNamespace

import pytest

from localcloud.services.apt_proxy import FILE, AptProxy, configuration

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, ""),
        ({"http_proxy": PROXY}, f'Acquire::http::Proxy "{PROXY}";\n'),
        ({"HTTPS_PROXY": PROXY}, f'Acquire::https::Proxy "{PROXY}";\n'),
        # no host reaches a port of this machine
        ({"http_proxy": "http://127.0.0.1:3128", "https_proxy": "http://localhost:3128"}, ""),
        ({"http_proxy": f'{PROXY}"; APT::Update::Pre-Invoke {{"reboot"}}; "'}, ""),
    ],
)
def test_what_apt_is_told(environ, said):
    assert configuration(environ) == said


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a host; return its root directory."""
    cloud = SimpleNamespace(storage=SimpleNamespace(root=lambda _: tmp_path / "root"))

    def start(**environ):
        monkeypatch.setattr("os.environ", environ)
        AptProxy(cloud).host_started(SimpleNamespace(id="i-1"))
        return tmp_path / "root"

    (tmp_path / "root" / FILE).parent.mkdir(parents=True)
    return start


def test_a_host_forgets_a_proxy_that_is_no_more(start):
    assert PROXY in (start(http_proxy=PROXY) / FILE).read_text()
    assert not (start() / FILE).exists()


def test_a_link_of_a_host_leads_nowhere(start, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory = (tmp_path / "root" / FILE).parent
    directory.rmdir()
    directory.symlink_to(elsewhere)
    start(http_proxy=PROXY)

    assert list(elsewhere.iterdir()) == []
