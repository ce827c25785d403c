"""What browsers and caches on the way may keep."""

import re
from urllib.parse import urlsplit

import pytest

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


@pytest.mark.parametrize("path", ["/", "/mine", "/p/{id}"])
def test_no_cache_gives_one_visitors_page_to_another(visitor, picture, path):
    answer = visitor.get(path.format(**picture))
    kept = answer.headers.get("Cache-Control", "")
    assert "public" not in kept
    assert "s-maxage" not in kept
    varies = "Cookie" in re.split(r",\s*", answer.headers.get("Vary", ""))
    assert varies or "private" in kept or "no-store" in kept


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/info", "/api/pictures/0000000000000000"])
def test_what_is_true_now_is_not_kept(visitor, path):
    assert "no-store" in visitor.get(path).headers["Cache-Control"]


def test_addresses_of_pictures_say_nothing_about_the_visitor(picture):
    for key in ("original_url", "mustached_url"):
        assert re.fullmatch(r"/media/[0-9a-f]{64}/[a-z0-9.-]+", urlsplit(picture[key]).path)
        assert urlsplit(picture[key]).query == ""
