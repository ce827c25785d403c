"""What visitors see and do, without JavaScript."""

import re
from io import BytesIO
from urllib.parse import urljoin

import pytest
from PIL import Image

from tests.contract.site import Page


@pytest.mark.parametrize("path", ["/", "/gallery", "/mine", "/api/docs", "/info"])
def test_a_page_is_there(visitor, path):
    page = visitor.page(path)
    assert "Simple Mustache Service" in page.title
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("meta", name="viewport")


@pytest.mark.parametrize("path", ["/", "/gallery", "/api/docs"])
def test_everything_a_page_loads_is_there_and_the_sites_own(site, visitor, path):
    page = visitor.page(path)
    loaded = page.assets + page.images
    assert page.all("link", rel="stylesheet")
    for address in loaded:
        url = urljoin(f"{site.url}{path}", address)
        assert url.startswith(site.url + "/"), "no other site learns who reads this one"
        answer = visitor.get(url)
        assert answer.status_code == 200, url
        assert answer.content, url


def test_the_home_page_offers_an_upload_that_needs_no_javascript(visitor):
    page = visitor.page("/")
    [form] = [form for form in page.all("form") if form.get("enctype") == "multipart/form-data"]
    assert form["method"] == "post"
    assert page.all("input", type="file", name="image")
    assert page.all("input", name="src")
    assert len(page.all("input", type="radio", name="style")) >= 8


def test_an_upload_leads_to_its_page(visitor, face):
    path = visitor.upload_by_form(face, style="walrus")
    page = visitor.page(path)
    assert "Walrus" in page.title
    sizes = set()
    for address in page.all("img", width="512"):
        answer = visitor.get(address["src"])
        assert answer.status_code == 200
        with Image.open(BytesIO(answer.content)) as picture:
            sizes.add(picture.size)
    assert sizes == {(512, 512)}, "before and after, in full"


def test_the_pages_link_can_be_shared(site, visitor, stranger, face):
    path = visitor.upload_by_form(face)
    own, shared = visitor.page(path), stranger.page(path)
    assert own.all("form", action=f"{path}/delete")
    assert not shared.all("form", action=f"{path}/delete")
    assert not shared.all("form", action=f"{path}/style")
    [image] = shared.all("meta", property="og:image")
    assert image["content"].startswith("http")
    assert stranger.get(urljoin(site.url, image["content"])).status_code == 200


def test_the_style_can_be_changed_afterwards(visitor, face):
    path = visitor.upload_by_form(face, style="walrus")
    before = visitor.page(path)
    answer = visitor.submit(f"{path}/style", before, data={"style": "dali"})
    assert answer.status_code == 303
    after = visitor.page(path)
    assert before.title != after.title
    assert before.images != after.images


def test_a_deleted_picture_is_gone_with_its_bytes(visitor, stranger, face):
    path = visitor.upload_by_form(face + b"\0the bytes of this test only")
    page = visitor.page(path)
    # The drawings of the styles stay.
    images = [address for address in page.images if address.startswith("/media/")]
    assert images
    assert path in visitor.page("/mine").links
    assert visitor.delete_by_form(path).status_code == 303
    assert path not in visitor.page("/mine").links
    for address in [path, *images]:
        assert stranger.get(address).status_code == 404, address


def test_only_the_uploader_may_change_or_delete(visitor, stranger, face):
    path = visitor.upload_by_form(face)
    for action in ("style", "delete"):
        answer = stranger.submit(f"{path}/{action}", stranger.page("/"), data={"style": "dali"})
        assert answer.status_code == 403
    assert "Walrus" in visitor.page(path).title


def test_a_picture_without_a_face_gets_a_friendly_page(visitor, no_face):
    page = visitor.page(visitor.upload_by_form(no_face))
    assert "No face" in page.html


def test_the_gallery_shows_listed_pictures_only(visitor, face):
    listed = visitor.upload_by_form(face, unlisted="")
    unlisted = visitor.upload_by_form(face)
    links = visitor.page("/gallery").links
    assert listed in links
    assert unlisted not in links


def test_the_gallerys_pages_never_show_a_picture_twice(visitor):
    seen, path = set(), "/gallery"
    for _ in range(3):
        page = visitor.page(path)
        pictures = {link for link in page.links if re.fullmatch(r"/p/[\w-]+", link)}
        assert not seen & pictures
        seen |= pictures
        older = page.all("a", rel="next")
        if not older:
            break
        path = urljoin("/gallery", older[0]["href"])


def test_the_download_is_the_mustached_picture(visitor, face):
    page = visitor.page(visitor.upload_by_form(face))
    [link] = [link for link in page.all("a") if "download" in link]
    answer = visitor.get(link["href"])
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.content not in (b"", face)


def test_who_served_the_page_is_a_page_for_people_and_json_for_programs(visitor):
    assert isinstance(visitor.page("/info"), Page)
    by_header = visitor.get("/info", headers={"Accept": "application/json"})
    by_query = visitor.get("/info?format=json")
    for answer in (by_header, by_query):
        assert answer.headers["Content-Type"] == "application/json"
        assert {"version", "host", "instance_id", "zone", "stores"} <= answer.json().keys()
