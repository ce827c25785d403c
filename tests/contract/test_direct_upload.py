"""A picture sent to where the site says, then named by its key: the same wherever the bytes go."""

import io
import os
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.contract.site import bearer


@pytest.fixture
def offer(visitor) -> dict:
    return ask(visitor)


def ask(visitor) -> dict:
    answer = visitor.patient("POST", "/api/uploads")
    assert answer.status_code == 201, answer.text
    return answer.json()


def send(visitor, offer: dict, data: bytes, **fields) -> int:
    """The address may be another host's: nothing but the form goes there."""
    form = [(name, (None, value)) for name, value in (offer["fields"] | fields).items()]
    answer = visitor.patient("POST", offer["url"], files=[*form, ("file", ("me.jpg", data))])
    return answer.status_code


def take(visitor, key: str, **fields):
    fields = {"key": key, "style": "walrus", "unlisted": "true"} | fields
    answer = visitor.patient("POST", "/api/pictures", data=fields)
    if answer.status_code == 201:
        body = answer.json()
        visitor.site.tokens[body["id"]] = body["token"]
    return answer


def test_an_offer_says_where_and_how_much_and_until_when(site, offer):
    where = urlsplit(offer["url"])
    # This machine itself is as good as https to a browser.
    assert where.scheme in (urlsplit(site.url).scheme, "https") or where.hostname == "127.0.0.1"
    assert offer["max_bytes"] >= 5_000_000
    assert all(isinstance(value, str) for value in offer["fields"].values())
    left = datetime.fromisoformat(offer["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=2) < left < timedelta(hours=1)


def test_a_picture_that_was_sent_becomes_one(visitor, offer, face):
    assert 200 <= send(visitor, offer, face) < 300
    made = take(visitor, offer["key"])
    assert made.status_code == 201, made.text
    assert len(made.json()["faces"]) == 1
    assert visitor.get(urlsplit(made.json()["original_url"]).path).content == face


def test_a_large_one_too(visitor, offer):
    noise = Image.effect_noise((2600, 2000), 80).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=1)
    assert len(out.getvalue()) > 4_600_000
    assert 200 <= send(visitor, offer, out.getvalue()) < 300
    assert take(visitor, offer["key"]).json()["width"] == 2600


def of_size(size: int) -> bytes:
    """A picture of about so many bytes: of noise, which nothing makes smaller."""
    side = int((size / 3) ** 0.5)
    out = io.BytesIO()
    picture = Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))
    picture.save(out, "PNG", compress_level=0)
    return out.getvalue()


@pytest.mark.parametrize("size", [1_000_000, 8_000_000, 19_900_000])
def test_pictures_of_all_sizes_become_one(visitor, offer, size):
    data = of_size(size)
    if len(data) > offer["max_bytes"]:
        # The site takes less, by its settings, and says so; S3 says it with 400.
        assert send(visitor, offer, data) in (400, 413)
        return
    assert 200 <= send(visitor, offer, data) < 300
    made = take(visitor, offer["key"])
    assert made.status_code == 201, made.text
    original = visitor.get(urlsplit(made.json()["original_url"]).path)
    assert original.status_code == 200
    with Image.open(io.BytesIO(original.content)) as kept, Image.open(io.BytesIO(data)) as brought:
        assert kept.tobytes() == brought.tobytes()


@pytest.mark.parametrize("size", [1_000_000, 4_200_000, 8_000_000])
def test_with_the_request_it_comes_or_is_told_too_large(visitor, size):
    """A site that takes less in a request than in all says so, and where it can, the way."""
    answer = visitor.upload_response(of_size(size), style="walrus")
    if size == 1_000_000 or answer.status_code != 413:
        assert answer.status_code == 201, answer.text
    elif size == 4_200_000:
        assert "/api/uploads" in answer.json()["detail"]


def test_a_form_without_javascript_brings_a_large_one_in_two_pages(visitor):
    """The first sends it to wherever it goes, which leads back to the second with its key."""
    page = visitor.page("/large")
    [form] = [each for each in page.all("form", method="post") if "action" in each]
    fields = {
        each["name"]: (None, each["value"])
        for each in page.all("input", type="hidden")
        if "name" in each
    }
    files = fields | {"file": ("me.png", of_size(8_000_000))}
    sent = visitor.patient("POST", form["action"], files=files)
    assert sent.status_code == 303, sent.text
    back = urlsplit(sent.headers["Location"])
    assert back.netloc == urlsplit(visitor.site.url).netloc
    page = visitor.page(f"{back.path}?{back.query}")
    [key] = page.all("input", type="hidden", name="key")
    fields = {"key": key["value"], "style": "walrus", "unlisted": "on"}
    made = visitor.submit("/", page, data=fields)
    assert made.status_code == 303, made.text
    path = urlsplit(made.headers["Location"]).path
    visitor.uploaded.append(path)
    assert visitor.get(path).status_code == 200


def test_the_home_page_takes_the_key(visitor, offer, face):
    assert 200 <= send(visitor, offer, face) < 300
    fields = {"key": offer["key"], "style": "walrus", "unlisted": "on"}
    answer = visitor.submit("/", visitor.page("/"), data=fields)
    assert answer.status_code == 303
    path = urlsplit(answer.headers["Location"]).path
    visitor.uploaded.append(path)
    assert visitor.get(path).status_code == 200


def test_a_key_is_good_once(visitor, offer, face):
    send(visitor, offer, face)
    assert take(visitor, offer["key"]).status_code == 201
    assert take(visitor, offer["key"]).status_code == 404


def test_nobody_takes_what_another_sent(visitor, stranger, face):
    """Not even with the key: the visitor has a session, which the stranger has not."""
    visitor.upload_by_form(face)
    offer = ask(visitor)
    assert 200 <= send(stranger, offer, face) < 300
    assert take(stranger, offer["key"]).status_code == 404
    stranger.upload_by_form(face)
    assert take(stranger, offer["key"]).status_code == 404
    assert take(visitor, offer["key"]).status_code == 201


def test_what_was_never_sent_is_not_there(visitor, offer):
    for key in (offer["key"], "x", "../../etc/passwd"):
        answer = take(visitor, key)
        assert answer.status_code == 404
        assert answer.json()["error"] == "not_found"


def test_a_form_that_was_tampered_with_is_refused(visitor, offer, face):
    for name, value in offer["fields"].items():
        if name.lower() in {"policy", "x-amz-signature"}:
            changed = value[:-1] + ("A" if value[-1] != "A" else "B")
            assert send(visitor, offer, face, **{name: changed}) == 403
    assert take(visitor, offer["key"]).status_code == 404


def test_what_is_no_picture_is_refused_when_it_is_taken(visitor, offer):
    assert 200 <= send(visitor, offer, b"no picture") < 300
    assert take(visitor, offer["key"]).status_code == 415


def test_the_picture_or_its_key(visitor, offer, face):
    send(visitor, offer, face)
    files = {"image": ("me.jpg", face)}
    both = visitor.patient("POST", "/api/pictures", data={"key": offer["key"]}, files=files)
    assert both.status_code == 400
    assert visitor.patient("POST", "/api/pictures", data={"style": "walrus"}).status_code == 400


def test_it_is_deleted_as_any_other(visitor, offer, face):
    send(visitor, offer, face)
    body = take(visitor, offer["key"]).json()
    path = f"/api/pictures/{body['id']}"
    assert visitor.delete(path, headers=bearer(body["token"])).status_code == 204
    assert visitor.get(path).status_code == 404
