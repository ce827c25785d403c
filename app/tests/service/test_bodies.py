"""Bodies in chunks, and files whose names are in an older encoding."""

import http.client
import io
from urllib.parse import urlsplit

import pytest
from django.test import RequestFactory
from service import bodies

BOUNDARY = "frontier"


def form(face: bytes, name: bytes, style: bytes = b"walrus") -> bytes:
    """A multipart body with the picture, as a program writes it."""
    return b"".join(
        [
            b'--frontier\r\nContent-Disposition: form-data; name="image"; filename="' + name,
            b'"\r\nContent-Type: image/jpeg\r\n\r\n' + face,
            b'\r\n--frontier\r\nContent-Disposition: form-data; name="style"\r\n\r\n' + style,
            b"\r\n--frontier--\r\n",
        ]
    )


def sent(face: bytes, name: bytes = b"me.jpg", **options):
    body = form(face, name)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return RequestFactory().post("/", body, content_type=kind, **options)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (b"me.jpg", "me.jpg"),
        ("M\u00fcnchen.jpg".encode(), "M\u00fcnchen.jpg"),
        ("M\u00fcnchen.jpg".encode("latin-1"), "M\u00fcnchen.jpg"),
        (b"\xff\xfe", "\u00ff\u00fe"),
    ],
)
def test_a_name_in_any_encoding(name, read):
    # The picture's bytes look like the end of a header, and are no UTF-8 either.
    picture = b"\xff\r\n\r\n-frontier \xff"
    request = sent(picture, name)
    assert request.FILES["image"].name == read
    assert request.FILES["image"].read() == picture
    assert request.POST["style"] == "walrus"


def test_a_field_whose_value_is_no_text():
    request = RequestFactory().post(
        "/", form(b"x", b"a", b"\xff"), content_type="multipart/form-data; boundary=frontier"
    )
    assert request.POST["style"] == "\ufffd"
    assert request.FILES["image"].read() == b"x"


@pytest.mark.parametrize("body", [b"", b"--frontier", b"--frontier\r\n\xff", b"\xff" * 100])
def test_what_is_no_form_is_left_alone(body):
    assert bodies.in_utf8(body, b"frontier") == body


@pytest.mark.django_db
def test_a_server_that_cannot_tell_where_chunks_end(client):
    answer = client.post(
        "/api/pictures", headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    assert answer.status_code == 411
    assert answer.json()["error"] == "length_required"


def chunked(site, body: bytes, size: int, path: str = "/api/pictures") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
    stream = io.BytesIO(body)
    parts = iter(lambda: stream.read(size), b"")
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    headers = {"Content-Type": kind, "Transfer-Encoding": "chunked", "Accept": "application/json"}
    connection.request("POST", path, parts, headers, encode_chunked=True)
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


def test_a_picture_in_chunks(sqlite_site, face):
    """Programs that do not know the length beforehand, such as `curl -T -` in a pipe."""
    for size in (1000, 1 << 20):
        answer = chunked(sqlite_site, form(face, b"me.jpg"), size)
        assert answer.status == 201, answer.text
    nothing = chunked(sqlite_site, b"", 1000)
    assert nothing.status == 400


def test_too_much_in_chunks(sqlite_site):
    answer = chunked(sqlite_site, form(bytes(21_000_000), b"me.jpg"), 1 << 20)
    assert answer.status == 413


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/gallery"])
def test_who_is_refused_unread_can_read_why_and_ask_again(sqlite_site, path):
    """On the same connection, after all of the body was sent."""
    connection = http.client.HTTPConnection(urlsplit(sqlite_site.url).netloc, timeout=30)
    for _ in range(3):
        connection.request("POST", path, bytes(5_000_000))
        answer = connection.getresponse()
        assert answer.status in {403, 404, 405}
        answer.read()
        assert answer.headers.get("Connection") != "close"
        first = connection.sock
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        assert connection.sock is first
    connection.close()
