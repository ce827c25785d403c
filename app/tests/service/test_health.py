"""/healthz, /readyz, /info."""

import json

import pytest
from django.core.cache import cache
from service import health

pytestmark = pytest.mark.django_db


def test_healthz_asks_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"Host": "10.0.0.9"})
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-store"


def test_readyz(client, monkeypatch):
    monkeypatch.setattr(cache, "get", lambda key: None)
    response = client.get("/readyz", headers={"Host": "10.0.0.9"})
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checked": ["database", "pictures", "sessions", "cache"],
        "failed": {},
        "degraded": {},
    }


def test_readyz_names_what_fails(client, monkeypatch):
    def fail():
        raise ConnectionError("away")

    monkeypatch.setitem(health.CHECKS, "sessions", fail)
    monkeypatch.setitem(health.CHECKS, "cache", lambda: None)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["failed"] == {"sessions": "ConnectionError"}
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("store", ["cache", "pictures"])
def test_what_pages_do_without_takes_no_host_out(client, monkeypatch, store):
    def fail():
        raise ConnectionError("away")

    monkeypatch.setitem(health.CHECKS, "cache", lambda: None)
    monkeypatch.setitem(health.CHECKS, store, fail)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["ready"] is True
    assert response.json()["degraded"] == {store: "ConnectionError"}


def test_readyz_waits_for_a_lost_database_only_once(client, monkeypatch):
    def fail():
        raise ConnectionError("away")

    for name in health.CHECKS:
        monkeypatch.setitem(health.CHECKS, name, fail)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["failed"] == {"database": "ConnectionError"}


@pytest.fixture
def on_ec2(tmp_path, monkeypatch):
    data = tmp_path / "instance-data.json"
    data.write_text(
        json.dumps(
            {
                "v1": {
                    "platform": "ec2",
                    "instance_id": "i-0123456789abcdef0",
                    "availability_zone": "us-east-1b",
                    "region": "us-east-1",
                }
            }
        )
    )
    monkeypatch.setattr(health, "INSTANCE_DATA", data)
    health.instance.cache_clear()
    yield
    health.instance.cache_clear()


def test_info_on_ec2(client, on_ec2):
    facts = client.get("/info?format=json").json()
    assert facts["instance_id"] == "i-0123456789abcdef0"
    assert facts["zone"] == "us-east-1b"
    page = client.get("/info").content.decode()
    assert "i-0123456789abcdef0" in page


def test_a_release_is_known_by_the_folder_of_its_environment(tmp_path):
    venv = tmp_path / "releases/1.0.0-0123abcd/venv"
    venv.mkdir(parents=True)
    slot = tmp_path / "slot"
    slot.symlink_to(venv.parent)
    assert health.release_of(str(slot / "venv")) is None
    (venv.parent / "complete").touch()
    assert health.release_of(str(slot / "venv")) == "1.0.0-0123abcd"


@pytest.mark.parametrize("text", [None, "", "{", '{"v1": {"platform": "none"}}'])
def test_info_elsewhere(client, tmp_path, monkeypatch, text):
    data = tmp_path / "instance-data.json"
    if text is not None:
        data.write_text(text)
    monkeypatch.setattr(health, "INSTANCE_DATA", data)
    health.instance.cache_clear()
    facts = client.get("/info", headers={"Accept": "application/json"}).json()
    health.instance.cache_clear()
    assert facts["instance_id"] is None
    assert facts["version"]
    assert facts["release"] is None
    assert facts["host"]
    assert facts["stores"] == {
        "database": "sqlite",
        "pictures": "database",
        "sessions": "database",
        "cache": "DatabaseCache",
    }
