"""Around the views: request ids, logs, metrics, a database that is away."""

import json
import logging
import logging.config

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InternalError, OperationalError
from django.test import Client
from service import logs
from service.errors import Problem, StoreUnavailable
from service.pictures import uploads

pytestmark = pytest.mark.django_db


def test_request_id_is_taken_over(client):
    assert client.get("/", headers={"X-Request-ID": "abc-123"}).headers["X-Request-ID"] == "abc-123"


@pytest.mark.parametrize("given", ["", "a b", "<script>", "x" * 101, "a\u00e9"])
def test_strange_request_ids_are_not(client, given):
    found = client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert found != given
    assert len(found) == 32


def test_metrics_count_requests_and_pictures(client, face):
    uploads.create(face, "pencil")
    client.get("/gallery")
    text = client.get("/metrics").content.decode()
    assert 'mustache_request_seconds_count{method="GET",status="200",view="gallery"}' in text
    assert 'mustache_picture_seconds_count{style="pencil"}' in text
    assert "mustache_faces_total" in text


def test_logs_are_json_with_the_request_id(client):
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(self.format(record)))

    parts = logs.dictionary()
    handler = Keep()
    formatter = dict(parts["formatters"]["json"])
    formatter.pop("()")
    rename = formatter.pop("rename_fields")
    from pythonjsonlogger.json import JsonFormatter

    handler.setFormatter(
        JsonFormatter(formatter["format"], style=formatter["style"], rename_fields=rename)
    )
    handler.addFilter(logs.RequestIdFilter())
    logger = logging.getLogger("service.request")
    logger.addHandler(handler)
    client.get("/gallery?secret=1", headers={"X-Request-ID": "r-1"})
    logger.removeHandler(handler)
    (line,) = lines
    assert line["request_id"] == "r-1"
    assert line["path"] == "/gallery"
    assert line["status"] == 200
    assert line["milliseconds"] > 0
    assert line["level"] == "INFO"
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(
    "error", [OperationalError("away"), InternalError("read-only"), StoreUnavailable("away")]
)
def test_store_that_cannot_serve(client, face, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(uploads, "create", fail)
    for path in ("/", "/api/pictures"):
        response = client.post(path, {"image": SimpleUploadedFile("me.jpg", face)})
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "10"
        assert response.headers["Cache-Control"] == "private, no-store"
    assert response.json()["error"] == "unavailable"


@pytest.mark.parametrize("error", [OperationalError, StoreUnavailable])
def test_session_that_cannot_be_saved(client, face, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error("away")

    monkeypatch.setattr("service.sessions.engine.SessionStore.save", fail)
    response = client.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    assert response.status_code == 503


@pytest.mark.parametrize(("problem", "lines"), [(Problem(503), 0), (ZeroDivisionError(), 1)])
def test_only_what_we_did_not_mean_is_an_error_in_the_log(monkeypatch, caplog, problem, lines):
    """With a traceback. What is refused on purpose has its line of the request."""

    def fail(*arguments):
        raise problem

    logging.config.dictConfig(logs.dictionary() | {"handlers": {}, "root": {}})
    monkeypatch.setattr("service.pictures.paging.page", fail)
    Client(raise_request_exception=False).get("/gallery")
    found = [record for record in caplog.records if record.name == "django.request"]
    assert len(found) == lines
