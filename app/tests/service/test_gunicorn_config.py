"""What gunicorn makes of a visitor's headers before the app sees them."""

import io
from importlib import import_module

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create
from service import admission

UNIX_PEER = ""


@pytest.fixture
def config(monkeypatch, tmp_path) -> Config:
    # Importing the module asks for metrics of several workers, which the other tests do not want.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    gunicorn_config = import_module("service.gunicorn_config")
    config = Config()
    for name in config.settings:
        if hasattr(gunicorn_config, name):
            config.set(name, getattr(gunicorn_config, name))
    return config


def test_threads_are_left_for_pages(config):
    assert config.threads >= admission.PLACES + admission.DRAINS + 3


def environ(config: Config, *headers: str) -> dict:
    """The WSGI environment of a request that came through the unix socket."""
    lines = ["GET /gallery HTTP/1.1", "Host: localhost", "X-Forwarded-Proto: http", *headers]
    data = "\r\n".join([*lines, "", ""]).encode()
    request = next(RequestParser(config, iter([data]), UNIX_PEER))
    return create(request, io.BytesIO(), UNIX_PEER, "/run/mustache/web.sock", config)[1]


@pytest.mark.parametrize(
    "claim",
    [
        "X-Forwarded-Ssl: on",
        "X-Forwarded-Protocol: ssl",
        "SCRIPT_NAME: /admin",
        "PATH_INFO: /metrics",
        "SCRIPT-NAME: /admin",
        "PATH-INFO: /metrics",
    ],
)
def test_a_visitor_behind_nginx_cannot_say_where_he_is(config, claim):
    found = environ(config, claim)
    assert found["wsgi.url_scheme"] == "http"
    assert found["PATH_INFO"] == "/gallery"
    assert found["SCRIPT_NAME"] == ""
    assert found["HTTP_X_FORWARDED_PROTO"] == "http"
