"""What is deleted is gone at every address it had."""

import io
import os
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.contract.site import Visitor, bearer

MAKE, GPS = 0x010F, 0x8825
PREVIEWED = 2100  # pixels; pages show a smaller copy of what is larger than 2048


def phones_picture(face: bytes, side: int | None = None) -> bytes:
    """As phones write them, with where and when; bytes that nobody has brought before."""
    exif = Image.Exif()
    exif[MAKE] = "Phone"
    exif.get_ifd(GPS)[2] = (52.0, 30.0, 1.0)
    out = io.BytesIO()
    with Image.open(io.BytesIO(face)) as picture:
        if side:
            picture = picture.resize((side, side))
        picture.paste(Image.frombytes("RGB", (16, 16), os.urandom(768)), (0, 0))
        picture.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def addresses(visitor: Visitor, path: str, public_id: str) -> set[str]:
    """All that the pages and the API show of a picture."""
    body = visitor.get(f"/api/pictures/{public_id}").json()
    shown = {urlsplit(body[name]).path for name in ("original_url", "mustached_url")}
    page = visitor.page(path)
    mine = visitor.page("/mine")
    seen = {*page.images, *page.links, *mine.images}
    return shown | {urlsplit(link).path for link in seen if "/media/" in link}


def test_every_address_of_a_picture_is_gone(visitor, face):
    path = visitor.upload_by_form(phones_picture(face, PREVIEWED), "walrus")
    public_id = path.rpartition("/")[2]
    known = addresses(visitor, path, public_id)
    changed = visitor.submit(f"{path}/style", visitor.page(path), data={"style": "chevron"})
    assert changed.status_code == 303
    known |= addresses(visitor, path, public_id)
    # The original and its preview, and of each style a result, its preview and its thumbnail.
    assert len(known) == 8
    assert {visitor.get(address).status_code for address in known} == {200}

    assert visitor.delete_by_form(path).status_code == 303

    visitor.uploaded.remove(path)
    for address in {*known, path, f"/api/pictures/{public_id}"}:
        for method in ("GET", "HEAD"):
            answer = visitor.after_deletion(method, address)
            assert answer.status_code in {404, 410}, address
            assert "no-store" in answer.headers["Cache-Control"], address
    page = visitor.page("/mine")
    assert not {urlsplit(image).path for image in page.images} & known


def test_those_who_have_a_copy_are_told_too(visitor, face):
    body = visitor.upload(phones_picture(face), "walrus")
    address = urlsplit(body["mustached_url"]).path
    etag = visitor.get(address).headers["ETag"]
    visitor.delete(f"/api/pictures/{body['id']}", headers=bearer(body["token"]))
    for headers in ({"If-None-Match": etag}, {"Range": "bytes=0-9", "If-Range": etag}):
        answer = visitor.after_deletion("GET", address, headers=headers)
        assert answer.status_code in {404, 410}


@pytest.mark.parametrize("again", ["walrus", "chevron"])
def test_what_another_uploaded_as_well_stays_his(visitor, stranger, face, again):
    data = phones_picture(face)
    mine, his = visitor.upload(data, "walrus"), stranger.upload(data, again)
    visitor.delete(f"/api/pictures/{mine['id']}", headers=bearer(mine["token"]))
    for name in ("original_url", "mustached_url"):
        assert stranger.get(urlsplit(his[name]).path).status_code == 200
    if again != "walrus":
        answer = stranger.after_deletion("GET", urlsplit(mine["mustached_url"]).path)
        assert answer.status_code in {404, 410}


def test_a_picture_that_comes_again_is_another(visitor, face):
    data = phones_picture(face)
    first = visitor.upload(data, "walrus")
    visitor.delete(f"/api/pictures/{first['id']}", headers=bearer(first["token"]))
    second = visitor.upload(data, "walrus")
    assert second["mustached_url"] != first["mustached_url"]
    answer = visitor.after_deletion("GET", urlsplit(first["mustached_url"]).path)
    assert answer.status_code in {404, 410}
    assert visitor.get(urlsplit(second["mustached_url"]).path).status_code == 200
