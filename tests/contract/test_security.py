"""Headers that protect visitors, and claims in requests that change nothing."""

import re
import socket

import pytest

from tests.contract.raw import raw

PAGES = ["/", "/gallery", "/info", "/api/docs", "/nothing-here", "/api/pictures", "/api/nothing"]


@pytest.mark.parametrize("path", PAGES)
def test_answers_protect_their_reader(site, visitor, path):
    headers = visitor.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera" in headers["Permissions-Policy"]
    if site.https:
        assert re.search(r"max-age=\d{7,}", headers["Strict-Transport-Security"])


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_only_the_sites_own_scripts(visitor, path):
    policy = visitor.get(path).headers["Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == ["'self'"]
    assert rules["frame-ancestors"] == ["'none'"]
    assert rules["base-uri"] == ["'none'"]
    assert "unsafe" not in policy


def test_pictures_are_harmless_as_documents(visitor, picture):
    for key in ("original_url", "mustached_url"):
        headers = visitor.get(picture[key]).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"].startswith("image/")
        assert "sandbox" in headers["Content-Security-Policy"]


def test_a_site_of_https_stays_there(site, visitor):
    if site.given_url == site.url:
        assert visitor.get(site.given_url + "/").status_code == 200
        return
    answer = visitor.get(site.given_url + "/gallery?after=x")
    assert answer.status_code in {301, 308}
    assert answer.headers["Location"] == site.url + "/gallery?after=x"


def test_nothing_says_which_version_runs_below(visitor):
    for path in ("/", "/nothing-here", "/api/nothing"):
        headers = visitor.get(path).headers
        assert not re.search(r"\d", headers.get("Server", ""))
        assert "X-Powered-By" not in headers


def test_the_metrics_are_for_the_host_itself(visitor):
    facts = visitor.get("/info?format=json").json()
    # `make dev` runs on this very machine, and this machine may read its own.
    at_home = facts["instance_id"] is None and facts["host"] == socket.gethostname()
    for claim in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}):
        answer = visitor.get("/metrics", headers=claim)
        assert answer.status_code == (200 if at_home else 404), claim


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/.git/config",
        "/static/../service/settings.py",
        "/static/%2e%2e/service/settings.py",
        "/media/../../../etc/passwd",
        "/media/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/media/" + "0" * 64 + "/../original.jpg",
        "/static//etc/passwd",
        "//etc/passwd",
        "/%00",
    ],
)
def test_files_of_the_host_are_out_of_reach(site, path):
    answer = raw(site, "GET", path)
    assert 400 <= answer.status < 500, path
    assert b"root:" not in answer.body


def test_the_admin_asks_who_you_are(visitor):
    answer = visitor.get("/admin/")
    assert answer.status_code in {302, 403, 404}
    assert "login" in answer.headers.get("Location", "login")


@pytest.mark.parametrize(
    "claims",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"},
        {"X-Forwarded-Proto": "http", "X-Forwarded-Port": "1"},
        {"Forwarded": "for=127.0.0.1;host=evil.example;proto=https"},
        {"X-Original-URL": "/admin/", "X-Rewrite-URL": "/admin/"},
        {"X-Host": "evil.example", "X-Forwarded-Server": "evil.example"},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_what_a_visitor_claims_about_the_way_changes_nothing(visitor, picture, claims):
    for path in ("/info?format=json", f"/p/{picture['id']}", f"/api/pictures/{picture['id']}"):
        plain, claimed = visitor.get(path), visitor.get(path, headers=claims)
        assert claimed.status_code == plain.status_code == 200
        assert claimed.headers.get("Strict-Transport-Security") == plain.headers.get(
            "Strict-Transport-Security"
        )
        assert "evil.example" not in claimed.text
        if path.startswith("/api"):
            assert claimed.json() == plain.json()
    redirect = visitor.get("/admin/", headers=claims)
    assert "evil.example" not in redirect.headers.get("Location", "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example"])
def test_another_sites_name_is_refused(site, host):
    answer = raw(site, "GET", "/", {"Host": host})
    assert 400 <= answer.status < 500
    assert b"evil.example" not in answer.body


def test_a_request_id_of_the_visitors_own_making_is_kept_only_if_it_is_sane(visitor):
    insane = "<script>" + "x" * 200
    answer = visitor.get("/nothing-here", headers={"X-Request-ID": insane})
    assert answer.headers["X-Request-ID"] != insane
    assert insane not in answer.text
