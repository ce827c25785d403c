"""Who uploaded a picture is remembered, by whichever host answers."""

import pytest

REQUESTS = 12


def test_a_session_holds_over_many_connections_and_hosts(site, visitor, face):
    path = visitor.upload_by_form(face)
    for _ in range(REQUESTS):
        # A new connection each time, so that a balancer is free to choose another host.
        with site.visitor() as again:
            again.cookies.update(visitor.cookies)
            assert path in again.page("/mine").links
            assert again.page(path).all("form", action=f"{path}/delete")


def test_a_picture_is_read_from_every_host_that_answers(site, picture):
    hosts = {}
    for _ in range(REQUESTS):
        with site.visitor() as visitor:
            host = visitor.get("/info?format=json").json()["host"]
            # The same connection, so most likely the same host.
            hosts.setdefault(host, visitor.get(picture["mustached_url"]).content)
    assert len(set(hosts.values())) == 1, f"{list(hosts)} differ"


def test_every_host_runs_the_same_version(site):
    versions = set()
    for _ in range(REQUESTS):
        with site.visitor() as visitor:
            versions.add(visitor.get("/info?format=json").json()["version"])
    assert len(versions) == 1


def test_reading_starts_no_session(visitor, picture):
    for path in ("/", "/gallery", "/mine", "/info", f"/p/{picture['id']}", "/api/pictures"):
        visitor.get(path)
    assert visitor.site.session_cookie not in visitor.cookies


def test_a_made_up_session_is_nobodys(site, visitor, stranger, face):
    path = visitor.upload_by_form(face)
    stranger.cookies.set(site.session_cookie, "a" * 32)
    assert path not in stranger.page("/mine").links
    answer = stranger.submit(f"{path}/delete", stranger.page("/"))
    assert answer.status_code == 403


@pytest.mark.parametrize("before", ["", "__Host-"])
def test_a_session_key_given_by_someone_else_is_not_taken_over(site, visitor, face, before):
    """Session fixation: who knows the key beforehand would own the pictures."""
    fixed = "b" * 32
    visitor.cookies.set(f"{before}mustache_session", fixed)
    visitor.upload_by_form(face)
    keys = [cookie.value for cookie in visitor.cookies if cookie.name == site.session_cookie]
    assert keys[-1] != fixed


def test_the_session_cookie_is_out_of_reach(site, visitor, face):
    visitor.upload_by_form(face)
    [cookie] = [cookie for cookie in visitor.cookies if cookie.name == site.session_cookie]
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") in {"Lax", "Strict"}
    assert cookie.secure == site.https
    assert not cookie.domain_specified, "for this host only"
