"""What browsers and caches on the way may keep."""

import re
from urllib.parse import urlsplit

import pytest

from tests.contract.site import bearer

YEAR = 365 * 24 * 3600


@pytest.fixture(params=["original_url", "mustached_url"])
def media(request, picture) -> str:
    return picture[request.param]


def max_age(response) -> int:
    found = re.search(r"max-age=(\d+)", response.headers.get("Cache-Control", ""))
    return int(found.group(1)) if found else 0


def test_pictures_are_kept_for_ever_by_everyone(visitor, media):
    answer = visitor.get(media)
    assert {"public", "immutable"} <= set(re.split(r",\s*", answer.headers["Cache-Control"]))
    assert max_age(answer) >= YEAR
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert answer.headers["ETag"].startswith('"'), "a strong one"
    assert "Last-Modified" in answer.headers


def test_a_picture_that_the_reader_has_is_not_sent_again(visitor, media):
    etag = visitor.get(media).headers["ETag"]
    for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = visitor.get(media, headers={"If-None-Match": condition})
        if condition.count('"') != 2 and "X-Cache" in answer.headers:
            # A cache on the way may know single tags only; else it sends all, which is never wrong.
            assert answer.status_code in {200, 304}
            continue
        assert answer.status_code == 304, condition
        assert answer.content == b""
        assert answer.headers["ETag"].removeprefix("W/") == etag
        assert max_age(answer) >= YEAR, "it stays fresh"


def test_another_one_is(visitor, media):
    answer = visitor.get(media, headers={"If-None-Match": '"other"'})
    assert answer.status_code == 200


def test_head_says_what_get_would_say(visitor, media):
    get, head = visitor.get(media), visitor.head(media)
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["Content-Length"]) == len(get.content)
    for name in ("ETag", "Content-Type", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-50", slice(-50, None)),
        ("bytes=10-99999999", slice(10, None)),
    ],
)
def test_a_part_of_a_picture(visitor, media, asked, part):
    whole = visitor.get(media).content
    answer = visitor.get(media, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[part]
    first = part.indices(len(whole))[0]
    last = first + len(whole[part]) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_part_that_is_not_there(visitor, media):
    size = len(visitor.get(media).content)
    answer = visitor.get(media, headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_a_part_of_the_picture_the_reader_knows(visitor, media):
    etag = visitor.get(media).headers["ETag"]
    same = visitor.get(media, headers={"Range": "bytes=0-9", "If-Range": etag})
    changed = visitor.get(media, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, len(same.content)) == (206, 10)
    assert changed.status_code == 200


@pytest.mark.parametrize("asked", ["bytes=9-2", "bytes=a-b", "lines=1-2", "bytes=-"])
def test_a_range_that_makes_no_sense_is_ignored(visitor, media, asked):
    assert visitor.get(media, headers={"Range": asked}).status_code in {200, 416}


def test_what_pages_load_is_kept_for_long(visitor):
    page = visitor.page("/")
    for address in page.assets:
        answer = visitor.get(address)
        assert max_age(answer) >= 600, address
        assert "Set-Cookie" not in answer.headers
        again = visitor.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


SHARED = ["/gallery"]
PAGES = ["/", "/large", "/mine", "/p/{id}", "/info", "/api/docs"]
PAGES += ["/admin/", "/admin/login/"]
PROGRAMS = ["/healthz", "/readyz", "/api/openapi.json", "/api/styles", "/api/pictures"]
PROGRAMS += ["/api/pictures/{id}", "/mustachify?src=nowhere"]
NOT_THERE = ["/nothing", "/p/0000000000000000", "/api/nothing", "/api/pictures/0000000000000000"]
NOT_THERE += ["/static/nothing.css", "/styles/beard.webp", "/media/nothing", "/metrics"]
NOT_THERE += [f"/media/{'0' * 64}/original-0.jpg"]


def kept(answer) -> set[str]:
    """What Cache-Control says; a header that is said twice counts as both."""
    return set(re.split(r",\s*", answer.headers.get("Cache-Control", "")))


@pytest.mark.parametrize("path", PAGES + PROGRAMS + NOT_THERE)
def test_nobody_keeps_what_is_for_one_visitor_or_true_now_only(visitor, picture, path):
    """`Vary: Cookie` would not do: caches in front of a site tell nobody apart by it."""
    get, head = (visitor.request(method, path.format(**picture)) for method in ("GET", "HEAD"))
    assert kept(get) == kept(head) == {"private", "no-store"}
    assert (head.status_code, head.content) == (get.status_code, b"")


@pytest.mark.parametrize("path", SHARED)
def test_some_pages_are_the_same_for_everybody_who_asks_at_once(visitor, path):
    get, head = (visitor.request(method, path) for method in ("GET", "HEAD"))
    for answer in (get, head):
        assert kept(answer) == {"public", "max-age=0", "s-maxage=5"}, "no browser keeps it"
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_nor_what_is_refused(visitor, picture):
    path = f"/p/{picture['id']}"
    answers = [
        visitor.post("/", data={}),  # without the form's token
        visitor.submit("/", visitor.page("/")),  # without a picture
        visitor.submit(f"{path}/delete", visitor.page("/")),  # somebody else's
        visitor.delete(f"/api/pictures/{picture['id']}"),
        visitor.request("PATCH", "/api/pictures"),
        visitor.get(picture["mustached_url"], headers={"Range": "bytes=99999999-"}),
    ]
    assert [answer.status_code for answer in answers] == [403, 400, 403, 401, 405, 416]
    for answer in answers:
        assert kept(answer) == {"private", "no-store"}, answer.url


def test_a_picture_that_was_deleted_is_nowhere_any_more(visitor, new_face):
    made = visitor.upload(new_face)
    addresses = [made["original_url"], made["mustached_url"], f"/p/{made['id']}"]
    etags = {url: visitor.get(url).headers.get("ETag", "*") for url in addresses}
    gone = visitor.delete(f"/api/pictures/{made['id']}", headers=bearer(made["token"]))
    assert (gone.status_code, kept(gone)) == (204, {"private", "no-store"})
    for url, etag in etags.items():
        answer = visitor.after_deletion("GET", url, headers={"If-None-Match": etag})
        assert (answer.status_code, kept(answer)) == (404, {"private", "no-store"}), url


def test_caches_on_the_way_ask_soon_whether_a_picture_is_still_there(visitor, media):
    [rule] = [rule for rule in kept(visitor.get(media)) if rule.startswith("s-maxage=")]
    assert int(rule.removeprefix("s-maxage=")) <= 600


def test_addresses_of_pictures_say_nothing_about_the_visitor(picture):
    for key in ("original_url", "mustached_url"):
        assert re.fullmatch(r"/media/[0-9a-f]{64}/[a-z0-9.-]+", urlsplit(picture[key]).path)
        assert urlsplit(picture[key]).query == ""
