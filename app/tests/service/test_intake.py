"""A picture that is sent before, and named by its key; the plain form is in test_pages.py."""

from datetime import timedelta

import pytest
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from service.pictures import files, intake, sweeping

pytestmark = pytest.mark.django_db


def ask(client) -> dict:
    answer = client.post("/api/uploads")
    assert answer.status_code == 201, answer.content
    return answer.json()


def send(client, offer: dict, data: bytes, **fields):
    form = offer["fields"] | fields | {"file": SimpleUploadedFile("me.jpg", data)}
    return client.post(offer["url"], form)


def take(client, key: str, **fields):
    return client.post("/api/pictures", {"key": key, "style": "walrus", **fields})


def incoming(stored) -> set[str]:
    return {name for name in stored() if name.startswith("incoming/")}


@pytest.fixture
def sent(client, face) -> dict:
    offer = ask(client)
    assert send(client, offer, face).status_code == 204
    return offer


def test_a_picture_sent_before_becomes_a_picture(client, face, any_storage, stored):
    offer = ask(client)
    assert offer["url"] == "http://testserver/api/uploads/file"
    assert offer["max_bytes"] == 20_000_000
    answer = send(client, offer, face)
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(incoming(stored)) == 1
    made = take(client, offer["key"])
    assert made.status_code == 201
    assert made.json()["style"] == "walrus"
    assert client.get(made.json()["original_url"]).content == face
    assert not incoming(stored)


class Undeletable(InMemoryStorage):
    def delete(self, name):
        raise ConnectionResetError("no route to the store")


def test_a_picture_is_not_refused_for_what_is_left_to_tidy(client, settings, face, stored):
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": f"{__name__}.Undeletable"}}
    offer = ask(client)
    name = intake.name_of(offer["key"], "")
    files.put({name: face})
    assert take(client, offer["key"]).status_code == 201
    assert incoming(stored) == {name}


def test_a_key_makes_one_picture(client, sent):
    assert take(client, sent["key"]).status_code == 201
    again = take(client, sent["key"])
    assert again.status_code == 404
    assert "No picture of yours was sent for this key" in again.json()["detail"]


def test_the_form_of_the_page_takes_a_key(client, sent, stored):
    answer = client.post("/", {"key": sent["key"], "style": "walrus", "unlisted": "on"})
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"]).content.decode()
    assert "Delete for good" in page
    assert not incoming(stored)


def test_a_visitor_with_a_session_keeps_his_key_to_himself(client, face):
    client.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    assert "mustache_session" in client.cookies
    offer = ask(client)
    send(Client(), offer, face)  # who sends the bytes does not matter
    for stranger in (Client(), other_visitor(face)):
        assert take(stranger, offer["key"]).status_code == 404
        assert stranger.post("/", {"key": offer["key"]}).status_code == 404
    assert take(client, offer["key"]).status_code == 201


def other_visitor(face) -> Client:
    other = Client()
    other.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    return other


def test_a_key_from_before_the_first_picture_stays_good(client, face, sent):
    client.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    assert take(client, sent["key"]).status_code == 201


def test_where_it_waits_tells_nobody_anything(client, sent, stored):
    [name] = incoming(stored)
    assert sent["key"] not in name
    assert client.get(f"/media/{name}").status_code == 404
    for guess in (name, name.partition("/")[2], "x", sent["fields"]["policy"][:100]):
        assert take(Client(), guess).status_code == 404


def test_only_a_form_that_we_made_is_taken(client, face, stored):
    offer = ask(client)
    policy = offer["fields"]["policy"]
    for wrong in ("", "x", policy[:-1], policy.replace(":", "x"), "x" + policy):
        answer = send(client, offer, face, policy=wrong)
        assert answer.status_code == 403
        assert "POST /api/uploads tells another" in answer.json()["detail"]
    assert not stored()


def test_an_old_form_is_not_taken(client, face, stored, monkeypatch):
    offer = ask(client)
    monkeypatch.setattr(intake, "LASTS", timedelta(seconds=-1))
    assert send(client, offer, face).status_code == 403
    assert not stored()


def test_limits_of_size(client, settings, stored):
    settings.MAX_UPLOAD_BYTES = 1000
    offer = ask(client)
    assert offer["max_bytes"] == 1000
    assert send(client, offer, b"x" * 1001).status_code == 413
    assert send(client, offer, b"").status_code == 415
    assert client.post(offer["url"], offer["fields"]).status_code == 400
    assert not stored()
    # A store elsewhere may have taken more.
    assert send(client, offer, b"x" * 1000).status_code == 204
    settings.MAX_UPLOAD_BYTES = 999
    assert take(client, offer["key"]).status_code == 413


def test_sent_twice_the_last_one_counts(client, face, no_face, any_storage):
    offer = ask(client)
    assert send(client, offer, no_face).status_code == 204
    assert send(client, offer, face).status_code == 204
    assert len(take(client, offer["key"]).json()["faces"]) == 1


def test_what_is_no_picture_is_gone_at_once(client, stored):
    offer = ask(client)
    send(client, offer, b"no picture")
    assert take(client, offer["key"]).status_code == 415
    assert not stored()


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_for_another_try(client, sent, stored, monkeypatch, status):
    def busy(*arguments, **options):
        raise intake.Problem(status)

    monkeypatch.setattr("service.pictures.uploads.create", busy)
    assert take(client, sent["key"]).status_code == status
    assert incoming(stored)
    monkeypatch.undo()
    assert take(client, sent["key"]).status_code == 201


def test_one_way_at_a_time(client, sent, face):
    both = take(client, sent["key"], image=SimpleUploadedFile("me.jpg", face))
    assert both.status_code == 400
    assert "not both" in both.json()["detail"]
    assert client.post("/api/pictures", {"style": "walrus"}).status_code == 400


def test_what_nobody_takes_is_swept(client, sent, any_storage, stored, monkeypatch):
    send(client, sent, b"again, into the storage of this test")
    assert sweeping.sweep() == 0
    assert incoming(stored)
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))
    assert sweeping.sweep() == 1
    assert not stored()
    assert take(client, sent["key"]).status_code == 404


def test_the_store_is_not_filled(client, face, stored, monkeypatch):
    monkeypatch.setattr(intake, "MANY_WAITING", 2)
    monkeypatch.setattr(intake, "MOST_WAITING", 2)
    files.put({"incoming/a": face, "incoming/b": face})
    full = send(client, ask(client), face)
    assert full.status_code == 503
    assert full.headers["Retry-After"]
    monkeypatch.setattr(intake, "LASTS", timedelta(0))
    offer = ask(client)
    monkeypatch.setattr("django.core.signing.loads", lambda *_, **__: "incoming/c")
    assert send(client, offer, face).status_code == 204
    assert incoming(stored) == {"incoming/c"}


def test_offers_are_limited(client, settings):
    settings.UPLOAD_RATE = (2, 60)
    assert [client.post("/api/uploads").status_code for _ in range(3)] == [201, 201, 429]
