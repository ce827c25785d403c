"""The whole service as on a host: gunicorn, two workers, production settings, a real database."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request):
    return request.getfixturevalue(f"{request.param}_site")


def path_of(url: str, site) -> str:
    return url.removeprefix(site.url)


def test_round_trip(site, other_face):
    answer = site.upload(other_face)
    assert answer.status == 201
    made = answer.json()
    assert site.get(path_of(made["original_url"], site)).data == other_face
    result = site.get(path_of(made["mustached_url"], site))
    assert result.headers["Content-Type"] == "image/png"
    ranged = site.get(path_of(made["mustached_url"], site), headers={"Range": "bytes=0-7"})
    assert (ranged.status, ranged.data) == (206, b"\x89PNG\r\n\x1a\n")
    assert "1 face with" in site.get(path_of(made["url"], site)).data.decode()
    header = {"Authorization": f"Bearer {made['token']}"}
    gone = site.http.request("DELETE", f"{site.url}/api/pictures/{made['id']}", headers=header)
    assert gone.status == 204
    assert site.get(path_of(made["original_url"], site)).status == 404


def test_static_files_are_hashed_and_compressed(site):
    page = site.get("/").data.decode()
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = site.get(path, headers={"Accept-Encoding": "br"})
    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert site.http.request(
        "GET", site.url + path, headers={"Accept-Encoding": "br"}, decode_content=False
    ).headers["Content-Encoding"] == "br"  # fmt: skip


def test_same_picture_from_many_at_once(site, other_face):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(site.upload_patiently, [other_face] * 16))
    assert [answer.status for answer in answers] == [201] * 16
    made = [answer.json() for answer in answers]
    assert len({one["id"] for one in made}) == 16
    assert len({one["mustached_url"] for one in made}) == 1
    # Delete all but one at once, while new ones arrive: the bytes must stay.
    keep = made.pop()

    def delete(one):
        header = {"Authorization": f"Bearer {one['token']}"}
        return site.http.request(
            "DELETE", f"{site.url}/api/pictures/{one['id']}", headers=header
        ).status

    with ThreadPoolExecutor(8) as pool:
        gone = pool.map(delete, made)
        more = pool.map(site.upload_patiently, [other_face] * 4)
        assert set(gone) == {204}
        new = [answer.json() for answer in more]
    assert site.get(path_of(keep["mustached_url"], site)).status == 200
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(delete, [keep, *new])) == {204}
    assert site.get(path_of(keep["mustached_url"], site)).status == 404
    checksum = json.loads(site.manage("pictures_checksum"))
    assert checksum["missing_files"] == []


def test_upload_and_delete_of_one_picture_at_once(site, other_face):
    """Whatever comes first, no picture may end up without its bytes."""
    made = site.upload(other_face).json()
    for _ in range(10):
        header = {"Authorization": f"Bearer {made['token']}"}
        address = f"{site.url}/api/pictures/{made['id']}"
        delete = threading.Thread(
            target=site.http.request, args=["DELETE", address], kwargs={"headers": header}
        )
        delete.start()
        answer = site.upload(other_face)
        delete.join()
        assert answer.status == 201
        made = answer.json()
        assert site.get(path_of(made["mustached_url"], site)).status == 200
        assert site.get(path_of(made["original_url"], site)).status == 200


def test_too_large_for_gunicorn_too(site):
    answer = site.upload(b"x" * 20_100_000)
    assert answer.status == 413
    assert answer.json()["error"] == "too_large"


def test_readyz_and_metrics_over_all_workers(site):
    assert site.get("/readyz").json()["ready"] is True
    for _ in range(20):
        site.get("/gallery")
    counts = [
        line for line in site.get("/metrics").data.decode().splitlines()
        if line.startswith("mustache_request_seconds_count") and 'view="gallery"' in line
    ]  # fmt: skip
    assert sum(float(line.split()[-1]) for line in counts) >= 20


def test_log_lines_are_json(site):
    site.get("/gallery", headers={"X-Request-ID": "find-me"})
    time.sleep(0.1)
    lines = [json.loads(line) for line in Path(site.environment["LOG"]).read_text().splitlines()]
    assert any(line["request_id"] == "find-me" and line["path"] == "/gallery" for line in lines)
    assert any(line["logger"] == "gunicorn.error" for line in lines)
