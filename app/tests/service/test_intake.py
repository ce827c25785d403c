"""A picture that is sent before, and named by its key; the plain form is in test_pages.py."""

import base64
import json
import re
import time
from datetime import timedelta

import pytest
import requests
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from service.pictures import files, intake, sweeping, uploads

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
    monkeypatch.setattr("django.core.signing.loads", lambda *_, **__: ["incoming/c", ""])
    assert send(client, offer, face).status_code == 204
    assert incoming(stored) == {"incoming/c"}


def test_work_on_it_is_done_once(client, sent, monkeypatch):
    create, while_at_work = uploads.create, []

    def at_work(*arguments, **options):
        while_at_work.append(take(Client(), sent["key"]))
        return create(*arguments, **options)

    monkeypatch.setattr("service.pictures.uploads.create", at_work)
    assert take(client, sent["key"]).status_code == 201
    [other] = while_at_work
    assert other.status_code == 503
    assert "being worked on" in other.json()["detail"]
    assert other.headers["Retry-After"]


def test_whoever_died_at_work_keeps_it_from_others_for_moments(client, sent, monkeypatch):
    name = intake.name_of(sent["key"], "")
    died = intake.claimed(name)
    died.__enter__()
    assert take(client, sent["key"]).status_code == 503
    later = time.time() + 3 * intake.CLAIMED_SECONDS
    monkeypatch.setattr(intake.time, "time", lambda: later)
    assert take(client, sent["key"]).status_code == 201


def form_of(page) -> tuple[str, dict[str, str]]:
    """Where the form of a page goes, and its hidden fields."""
    html = page.content.decode().partition("<main")[2]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html)
    return re.search(r'<form [^>]*action="([^"]+)"', html)[1], dict(fields)


def test_a_form_without_javascript_goes_there_in_two_pages(client, face):
    url, fields = form_of(client.get("/large"))
    fields["file"] = SimpleUploadedFile("me.jpg", face)
    sent = client.post(url, fields)
    assert sent.status_code == 303
    assert sent.headers["Location"].startswith("http://testserver/large?sent=")
    url, fields = form_of(client.get(sent.headers["Location"]))
    made = client.post(url, fields | {"style": "walrus", "unlisted": "on"})
    assert made.status_code == 303
    assert "Delete for good" in client.get(made.headers["Location"]).content.decode()


def test_where_it_comes_back_to_is_part_of_what_is_signed(client, face):
    url, fields = form_of(client.get("/large"))
    form = fields | {"file": SimpleUploadedFile("me.jpg", face)}
    form["success_action_redirect"] = "https://elsewhere.example.com/"
    assert client.post(url, form).headers["Location"].startswith("http://testserver/")


@pytest.fixture
def direct(settings, bucket, use_stores):
    """Pictures over 1 kB go to the bucket and come from where files are served."""
    use_stores("s3")
    settings.DIRECT_UPLOADS_OVER = settings.DIRECT_DOWNLOADS_OVER = 1000
    settings.PICTURE_BUCKET_URL = f"https://{bucket.name}.s3.us-east-1.amazonaws.com/"
    return bucket


def policy_of(fields) -> dict:
    return json.loads(base64.b64decode(fields["policy"]))


def test_the_offer_is_a_form_of_the_bucket(client, direct, face):
    offer = ask(client)
    name = intake.name_of(offer["key"], "")
    assert offer["url"] == f"https://{direct.name}.s3.us-east-1.amazonaws.com/"
    conditions = policy_of(offer["fields"])["conditions"]
    assert ["content-length-range", 1, 20_000_000] in conditions
    assert {"key": name} in conditions
    assert {"success_action_status": "204"} in conditions
    assert offer["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    sent = requests.post(
        offer["url"], data=offer["fields"], files={"file": ("me.jpg", face)}, timeout=10
    )
    assert int(sent.status_code) == 204  # moto gives it as text
    made = take(client, offer["key"])
    assert made.status_code == 201, made.content
    assert client.get(made.json()["original_url"]).content == face
    assert not list(direct.objects.filter(Prefix="incoming/"))


def test_the_form_without_javascript_comes_back_from_the_bucket(client, direct):
    url, fields = form_of(client.get("/large"))
    assert url.startswith(f"https://{direct.name}.s3.")
    back = fields["success_action_redirect"]
    assert back.startswith("http://testserver/large?sent=")
    assert {"success_action_redirect": back} in policy_of(fields)["conditions"]


@pytest.mark.parametrize("size", [1001, 200_000])  # as a picture, and as a body
def test_what_is_too_large_for_a_request_is_told_the_way(client, direct, size):
    image = SimpleUploadedFile("me.jpg", b"x" * size)
    answer = client.post("/api/pictures", {"image": image})
    assert answer.status_code == 413
    assert "POST /api/uploads" in answer.json()["detail"]
    page = client.post("/", {"image": SimpleUploadedFile("me.jpg", b"x" * size)})
    assert page.status_code == 413
    assert "/large" in page.content.decode()


def test_the_home_page_shows_the_way(client, direct):
    assert 'href="/large"' in client.get("/").content.decode()


def test_elsewhere_the_home_page_needs_no_other_way(client):
    assert 'href="/large"' not in client.get("/").content.decode()


def test_a_large_answer_comes_from_where_files_are_served(client, direct, face, monkeypatch):
    monkeypatch.setattr("service.fetch.fetch", lambda url: face)
    answer = client.get("/mustachify", {"src": "http://example.com/me.jpg", "style": "walrus"})
    assert (answer.status_code, answer.headers["X-Mustache-Faces"]) == (302, "1")
    assert answer.headers["Cache-Control"] == "private, no-store"
    there = client.get(answer.headers["Location"])
    assert there.headers["Content-Type"] == "image/jpeg"
    assert len(b"".join(there)) > 1000
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))
    assert sweeping.sweep() == 1
    assert client.get(answer.headers["Location"]).status_code == 404


def test_offers_are_limited(client, settings):
    settings.UPLOAD_RATE = (2, 60)
    assert [client.post("/api/uploads").status_code for _ in range(3)] == [201, 201, 429]
