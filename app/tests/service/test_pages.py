"""The pages, as a visitor with cookies and a form sees them."""

import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import mustache
import pytest
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageChops, ImageStat
from service.pictures import paging, uploads
from service.pictures.management.commands.draw_styles import FOLDER, small
from service.pictures.models import Original, Picture, StoredFile
from service.pictures.records import records
from service.pictures.styles import drawing_url

pytestmark = pytest.mark.django_db


def send(client, picture: bytes, **fields):
    file = SimpleUploadedFile("../../etc/passwd.jpg", picture, "image/jpeg")
    return client.post("/", {"image": file, "style": "handlebar", **fields})


@pytest.fixture
def uploaded(client, face):
    response = send(client, face)
    assert response.status_code == 303
    [picture] = records.pictures()
    assert response.headers["Location"] == f"/p/{picture.public_id}"
    return picture


@pytest.mark.parametrize("path", ["/", "/gallery", "/mine", "/info", "/api/docs"])
def test_page(client, path):
    response = client.get(path)
    page = response.content.decode()
    assert response.status_code == 200
    assert re.search(r"<title>[^<]*Simple Mustache Service</title>", page)
    assert not re.search(r"""<style|\s(style|on\w+)=["']""", page)  # the policy would refuse it
    assert "mustache_session" not in response.cookies


def test_content_security_policy_allows_nothing_inline(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_upload_shows_the_result(client, uploaded):
    page = client.get(uploaded.get_absolute_url()).content.decode()
    assert f"/media/{uploaded.result.preview}" in page
    assert f"/media/{uploaded.result.original.preview}" in page
    assert "1 face with the Handlebar mustache" in page
    assert "Delete for good" in page


def test_upload_for_a_script_answers_in_json(client, face):
    file = SimpleUploadedFile("me.jpg", face)
    response = client.post("/", {"image": file}, headers={"Accept": "application/json"})
    assert response.status_code == 201
    assert client.get(response.json()["location"]).status_code == 200


def test_page_without_a_face_is_friendly(client, no_face):
    page = client.get(send(client, no_face).headers["Location"]).content.decode()
    assert "No face, no mustache." in page


def test_other_visitors_see_but_cannot_change(uploaded):
    other = Client()
    path = uploaded.get_absolute_url()
    assert "Delete for good" not in other.get(path).content.decode()
    assert other.post(f"{path}/delete").status_code == 403
    assert other.post(f"{path}/style", {"style": "walrus"}).status_code == 403
    assert Picture.objects.get().result.style == "handlebar"


def test_change_style_keeps_the_address(client, uploaded):
    response = client.post(f"{uploaded.get_absolute_url()}/style", {"style": "walrus"})
    assert response.status_code == 303
    assert response.headers["Location"] == uploaded.get_absolute_url()
    shown = records.get(uploaded.public_id)
    assert shown == replace(uploaded, result=shown.result)
    assert shown.result.style == "walrus"


def test_change_to_unknown_style(client, uploaded):
    response = client.post(f"{uploaded.get_absolute_url()}/style", {"style": "bogus"})
    assert response.status_code == 404
    assert "There is no style of that name" in response.content.decode()


def test_delete_leaves_nothing(client, uploaded):
    client.post(f"{uploaded.get_absolute_url()}/style", {"style": "walrus"})
    response = client.post(f"{uploaded.get_absolute_url()}/delete", follow=True)
    assert "Gone" in response.content.decode()
    assert client.get(uploaded.get_absolute_url()).status_code == 404
    assert not Original.objects.exists()
    assert not StoredFile.objects.exists()


def test_mine_shows_only_my_pictures(client, uploaded):
    assert uploaded.get_absolute_url() in client.get("/mine").content.decode()
    assert uploaded.get_absolute_url() not in Client().get("/mine").content.decode()


def test_unlisted_picture_stays_out_of_the_gallery(client, face):
    path = send(client, face, unlisted="on").headers["Location"]
    assert path not in client.get("/gallery").content.decode()
    assert path not in client.get("/").content.decode()
    assert "noindex" in client.get(path).content.decode()
    assert path in client.get("/mine").content.decode()


def test_gallery_pages_through_everything(client, face, django_assert_num_queries):
    made = {uploads.create(face, "handlebar")[0].get_absolute_url() for _ in range(50)}
    seen, path = [], "/gallery"
    while path:
        with django_assert_num_queries(1):
            page = client.get(path).content.decode()
        seen += re.findall(r'href="(/p/[^"]+)"', page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = f"/gallery{older[1]}" if older else None
    assert len(seen) == 50
    assert set(seen) == made


def test_bad_cursor(client):
    for cursor in ("x", "%00", "LTE", "9" * 60, "_" * 21 + "x", "A" * 22 + "%3D", "*" * 22):
        assert client.get(f"/gallery?after={cursor}").status_code == 400, cursor
    for last in (UUID(int=0), UUID(int=2**128 - 1)):
        assert client.get(f"/gallery?after={paging.encode(last)}").status_code == 200


def test_views_write_nothing_and_read_no_bytes(client, uploaded, django_assert_max_num_queries):
    paths = ["/", "/gallery", "/mine", uploaded.get_absolute_url(), "/info", "/api/pictures"]
    for path in paths:
        with django_assert_max_num_queries(2) as queries:
            assert client.get(path).status_code == 200
        for query in queries.captured_queries:
            assert query["sql"].startswith("SELECT")
            assert "storedfile" not in query["sql"]


def test_form_needs_the_csrf_token(face):
    client = Client(enforce_csrf_checks=True)
    response = send(client, face)
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get("/").content.decode())[1]
    assert send(client, face, csrfmiddlewaretoken=token).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({}, 400, "Choose a picture first"),
        ({"src": "gopher://x"}, 400, "not the http or https address"),
        ({"src": "http://127.0.0.1/"}, 403, "cannot be fetched"),
        ({"image": SimpleUploadedFile("a.jpg", b"")}, 415, "empty"),
    ],
)
def test_bad_forms(client, fields, status, text):
    response = client.post("/", fields)
    assert response.status_code == status
    assert text in response.content.decode()
    assert not Picture.objects.exists()


def test_bad_pictures_are_named_and_leave_nothing(client, face):
    for picture, status in ((b"<html>", 415), (face[:500], 415), (b"%PDF-1.7", 415)):
        response = send(client, picture)
        assert response.status_code == status
        assert "mustache_session" not in client.cookies
    assert not StoredFile.objects.exists()


def test_too_large_is_refused_by_its_length(client, settings, face):
    settings.MAX_UPLOAD_BYTES = len(face) - 1
    response = send(client, face)
    assert response.status_code == 413
    settings.MAX_UPLOAD_BYTES = 1000
    response = send(client, b"x" * 200_000)
    assert response.status_code == 413
    assert "Too much face" in response.content.decode()


def test_error_pages(client):
    response = client.get("/nothing")
    assert response.status_code == 404
    assert "Shaved off" in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    response = client.get("/p/AAAAAAAAAAAAAAAA/delete")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert "Wrong tool" in response.content.decode()


def test_broken_view_gives_our_page(client, monkeypatch, settings):
    settings.DEVELOPMENT = False
    client.raise_request_exception = False
    monkeypatch.setattr("service.pictures.paging.page", lambda *a: 1 / 0)
    response = client.get("/gallery")
    assert response.status_code == 500
    assert "We cut ourselves" in response.content.decode()


def test_broken_view_gives_the_developer_its_traceback(client, monkeypatch, settings, caplog):
    settings.DEVELOPMENT = True
    client.raise_request_exception = False
    monkeypatch.setattr("service.pictures.paging.page", lambda *a: 1 / 0)
    response = client.get("/gallery")
    assert response.status_code == 500
    assert "ZeroDivisionError" in response.content.decode()
    assert "Content-Security-Policy" not in response.headers
    [record] = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info[0] is ZeroDivisionError
    # A program gets what it gets everywhere.
    response = client.get("/api/pictures")
    assert (response.status_code, response.json()["error"]) == (500, "server_error")


def test_known_errors_are_the_same_for_a_developer(client, settings):
    settings.DEVELOPMENT = True
    assert "Shaved off" in client.get("/nothing").content.decode()
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_every_style_has_its_drawing(client):
    page = client.get("/").content.decode()
    for style in mustache.STYLES.values():
        assert f'src="{drawing_url(style)}"' in page
        path = finders.find(f"styles/{style.name}.webp")
        assert Path(path).stat().st_size < 20_000
        with Image.open(path) as drawn:
            # Premultiplied: the colour of what is transparent does not show.
            pair = (each.convert("RGBA").convert("RGBa") for each in (drawn, small(style)))
            wrong = max(ImageStat.Stat(ImageChops.difference(*pair)).mean)
        assert wrong < 5, f"{style.name}: run draw_styles"
    assert len(list(FOLDER.iterdir())) == len(mustache.STYLES)


def test_admin_needs_a_login(client):
    response = client.get("/admin/")
    assert response.status_code == 302
    assert "/admin/login/" in response.headers["Location"]


def test_admin_takes_a_picture_down_with_its_bytes(admin_client, uploaded):
    page = admin_client.get("/admin/pictures/picture/").content.decode()
    assert uploaded.public_id in page
    admin_client.post(
        "/admin/pictures/picture/",
        {"action": "delete_selected", "_selected_action": Picture.objects.get().pk, "post": "yes"},
    )
    assert not StoredFile.objects.exists()
