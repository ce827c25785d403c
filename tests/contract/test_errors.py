"""Bad input gets a clear answer, and leaves nothing."""

import struct
import zlib
from urllib.parse import urlencode

import pytest

from tests.contract.raw import raw


def mustachify(visitor, **query):
    return visitor.patient("GET", "/mustachify?" + urlencode(query))


def explained(answer, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"] == name
    assert body["detail"].endswith(".")
    assert "Traceback" not in answer.text


def png_of(width: int, height: int) -> bytes:
    """A PNG that announces so many pixels and brings none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "status", "name"),
    [
        (b"", 415, "unsupported_picture"),
        (b"Dear Sir or Madam", 415, "unsupported_picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported_picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "unsupported_picture"),
        (b"GIF89a" + bytes(20), 415, "unsupported_picture"),
        (png_of(60_000, 60_000), 413, "too_large"),
    ],
    ids=["empty", "text", "svg", "postscript", "broken", "bomb"],
)
def test_what_is_no_picture_is_refused(visitor, data, status, name):
    explained(visitor.upload_response(data), status, name)


def test_a_truncated_picture_is_refused(visitor, face):
    explained(visitor.upload_response(face[: len(face) // 3]), 415, "unsupported_picture")


def test_the_form_explains_it_on_a_page(visitor):
    answer = visitor.submit("/", visitor.page("/"), files={"image": ("me.jpg", b"no picture")})
    assert answer.status_code == 415
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Simple Mustache Service" in answer.text


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(site, visitor):
    [form] = visitor.page("/").all("form", enctype="multipart/form-data")
    too_large = int(form["data-max-bytes"]) + 5_000_000
    for path in ("/", "/api/pictures"):
        headers = {
            "Content-Length": str(too_large),
            "Content-Type": "multipart/form-data; boundary=b",
        }
        assert raw(site, "POST", path, headers).status == 413, path


def test_a_picture_as_large_as_the_form_takes_is_looked_at(visitor):
    """What is larger, up to what the page allows, goes another way: test_direct_upload.py."""
    [form] = visitor.page("/").all("form", enctype="multipart/form-data")
    answer = visitor.upload_response(bytes(int(form["data-plain-bytes"])))
    explained(answer, 415, "unsupported_picture")


def test_an_upload_without_a_picture(visitor):
    answer = visitor.patient("POST", "/api/pictures", data={"style": "dali"})
    explained(answer, 400, "bad_request")


def test_an_unknown_style(visitor, face):
    explained(visitor.upload_response(face, style="goatee"), 404, "not_found")
    explained(
        mustachify(visitor, src="https://example.com/a.jpg", style="goatee"), 404, "not_found"
    )


def test_a_name_is_never_a_path(visitor, face):
    answer = visitor.upload_response(face, name="../../../../etc/cron.d/evil\x00.jpg")
    assert answer.status_code == 201
    assert "evil" not in answer.text


@pytest.mark.parametrize("cursor", ["x", "LTE", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM", "é", "\x00"])
def test_a_cursor_that_no_page_gave(visitor, cursor):
    answer = visitor.get("/api/pictures?" + urlencode({"cursor": cursor}))
    assert answer.status_code in {200, 400}
    answer = visitor.get("/gallery?" + urlencode({"after": cursor}))
    assert answer.status_code in {200, 400}


@pytest.mark.parametrize("limit", ["0", "-1", "101", "many"])
def test_a_page_size_out_of_bounds(visitor, limit):
    explained(visitor.get(f"/api/pictures?limit={limit}"), 400, "bad_request")


@pytest.mark.parametrize("src", ["", "nowhere", "ftp://example.com/a.jpg", "file:///etc/passwd"])
def test_what_is_no_web_address(visitor, src):
    explained(mustachify(visitor, src=src), 400, "bad_request")


@pytest.mark.parametrize(
    "src",
    [
        "http://127.0.0.1/",
        "http://localhost:22/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_a_source_that_is_not_public(visitor, src):
    explained(mustachify(visitor, src=src), 403, "forbidden")


def test_the_site_itself_is_no_source(site, visitor):
    explained(mustachify(visitor, src=f"{site.url}/healthz"), 403, "forbidden")


def test_a_source_that_does_not_exist(visitor):
    explained(mustachify(visitor, src="http://nothing.invalid/a.jpg"), 502, "source_failed")


def test_what_is_not_there(visitor):
    page = visitor.get("/nothing-here")
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Simple Mustache Service" in page.text
    for path in ("/p/0000000000000000", "/media/" + "0" * 64 + "/original.jpg", "/p/x"):
        assert visitor.get(path).status_code == 404, path
    explained(visitor.get("/api/pictures/0000000000000000"), 404, "not_found")
    explained(visitor.get("/api/nothing"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/pictures"),
        ("POST", "/api/styles"),
        ("DELETE", "/"),
        ("PUT", "/"),
        ("POST", "/gallery"),
        ("TRACE", "/"),
    ],
)
def test_a_method_that_the_address_does_not_take(visitor, method, path):
    # Without the form's token a POST may as well be refused for that.
    assert visitor.request(method, path).status_code in {403, 405}


def test_a_form_full_of_fields_is_refused(visitor):
    page = visitor.page("/")
    answer = visitor.submit("/", page, data={f"field{number}": "x" for number in range(2000)})
    assert answer.status_code == 400


def test_a_broken_multipart_body_is_refused(visitor):
    body = b"--b\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\nabc"
    kind = {"Content-Type": "multipart/form-data; boundary=c"}
    answer = visitor.patient("POST", "/api/pictures", data=body, headers=kind)
    assert answer.status_code == 400
