"""What a page weighs, a picture too: bytes and requests of a visit, bytes that an upload leaves.

    .venv/bin/python -m benchmarks.weight

A visitor with nothing in his browser's cache opens the home page, the gallery, a picture, the
gallery again and another picture, and loads what they show once. The gallery is full of pictures of
1920 pixels. Texts are compressed as nginx does it. Only sizes are measured: a busy machine does not
matter. Figures of group_vars/all/traffic.yml are from here.
"""

import gzip
import re
import sqlite3
import tempfile
from contextlib import closing
from itertools import count
from pathlib import Path

import urllib3

from benchmarks.http import URL, Site, picture, unique

PICTURES = 24
# Of a request and its answer, with a session's cookie; HTTP/2 and a CDN make it less.
HEADERS = 700
LINKS = re.compile(r'(?:src|href)="(/(?:media|static)/[^"]+)"')


def weight(http: urllib3.PoolManager, path: str) -> tuple[int, str]:
    """Bytes of an answer as nginx sends it, and its text if it is a page."""
    response = http.request("GET", URL + path)
    assert response.status == 200, (path, response.status)
    kind = response.headers["Content-Type"]
    body = response.data
    if kind.startswith(("text/", "application/javascript", "image/svg")):
        body = gzip.compress(body, 1)
    return len(body) + HEADERS, response.data.decode() if kind.startswith("text/html") else ""


def visit(http: urllib3.PoolManager, pages: list[str]) -> dict[str, list[int]]:
    """The bytes of each answer of a visit, by kind."""
    found: dict[str, list[int]] = {"pages": [], "pictures": [], "static files": []}
    kept: set[str] = set()
    for page in pages:
        size, html = weight(http, page)
        found["pages"].append(size)
        for path in set(LINKS.findall(html)) - kept:
            kept.add(path)
            kind = "pictures" if path.startswith("/media/") else "static files"
            found[kind].append(weight(http, path)[0])
    return found


def main() -> None:
    numbers = count()
    with tempfile.TemporaryDirectory() as home, Site(Path(home), 0, "gthread", 4, None):
        http = urllib3.PoolManager()
        jpeg = picture(1920)
        made = [
            http.request(
                "POST", f"{URL}/api/pictures",
                fields={"style": "walrus", "image": ("me.jpg", unique(jpeg, next(numbers)))},
            ).json()["url"].removeprefix(URL)
            for _ in range(PICTURES)
        ]  # fmt: skip
        pages = ["/", "/gallery", made[0], "/gallery", made[1]]
        found = visit(http, pages)
        for kind, sizes in found.items():
            requests, size = len(sizes) / len(pages), sum(sizes) / len(pages)
            print(f"{kind}: {requests:.1f} requests and {size / 1000:.1f} kB for each page")
        with closing(sqlite3.connect(Path(home) / "db.sqlite3")) as database:
            files, size = database.execute(
                "SELECT count(*), sum(size) FROM pictures_storedfile"
            ).fetchone()
        print(
            f"an upload of {len(jpeg) / 1000:.0f} kB leaves {files / PICTURES:.1f} files of "
            f"{size / PICTURES / 1000:.0f} kB in all"
        )


if __name__ == "__main__":
    main()
