"""The guide as a site: made without a warning, whole, and asking nothing of other hosts."""

import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from guide import ROOT


class Page(HTMLParser):
    """What a page has, loads and links to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loaded, self.links = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        has = dict(attrs)
        self.ids.add(has.get("id"))
        if tag == "a":
            self.links.add(has.get("href", ""))
        elif tag in {"link", "img", "script", "iframe", "source"}:
            self.loaded |= {has.get("src") or has.get("href") or ""} - {""}


def there(folder, path, address):
    """The file that an address on a page leads to."""
    way = unquote(urlsplit(address).path)
    found = (path.parent / way).resolve() if way else path
    return found if found.is_relative_to(folder) and found.is_file() else None


def test_the_site_is_whole(tmp_path):
    folder = tmp_path / "guide"
    done = subprocess.run(
        [sys.executable, "-m", "guide", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"website_folder={folder}" in done.stdout

    folder = folder.resolve()
    # S3's checksum of an empty file is none that s3_sync knows: a second run would bring it again.
    assert all(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    pages = {path: Page(path.read_text()) for path in folder.rglob("*.html")}
    assert {"index.html", "ladder.html", "docs/aws.html", "roles/web/README.html"} <= {
        path.relative_to(folder).as_posix() for path in pages
    }
    foreign = [each for page in pages.values() for each in page.loaded if urlsplit(each).netloc]
    assert foreign == []
    dead = [
        f"{path.relative_to(folder)}: {address}"
        for path, page in pages.items()
        for address in page.loaded | page.links
        if not urlsplit(address).scheme
        and (
            not (found := there(folder, path, address))
            or (
                (anchor := urlsplit(address).fragment)
                and found in pages
                and unquote(anchor) not in pages[found].ids
            )
        )
    ]
    assert dead == []
