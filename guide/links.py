"""What a page of Markdown links to, and what can be linked to in it."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Link:
    """One to a file of the project. ``written`` is the address as the page has it."""

    written: str
    path: Path
    anchor: str
    image: bool


def tokens(text: str):
    """Those of the blocks, and those within them."""
    for token in PARSER.parse(text):
        yield token
        yield from token.children or []


def local_links(page: Path, text: str) -> list[Link]:
    """The links of a page that lead to files, itself included."""
    found = []
    for token in tokens(text):
        written = token.attrGet("href") if token.type == "link_open" else None
        if token.type == "image":
            written = token.attrGet("src")
        address = urlsplit(str(written)) if written else None
        if address and not address.scheme and not address.netloc:
            path = (page.parent / unquote(address.path)).resolve() if address.path else page
            found.append(Link(str(written), path, address.fragment, token.type == "image"))
    return found


def slug(heading: str) -> str:
    """The anchor that GitHub, and the guide, give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings; of those that are alike, the later ones are numbered."""
    found: list[str] = []
    parsed = PARSER.parse(text)
    for opening, inside in pairwise(parsed):
        if opening.type == "heading_open":
            words = "".join(each.content for each in inside.children or [])
            found.append(slug(words))
    return {f"{each}-{number}" if (number := found[:at].count(each)) else each
            for at, each in enumerate(found)}  # fmt: skip


def problems(page: Path, text: str) -> list[str]:
    """What is wrong with the links of a page."""
    wrong = []
    for link in local_links(page, text):
        if not link.path.exists():
            wrong.append(f"{link.written}: there is no such file")
        elif link.anchor and link.path.suffix == ".md":
            there = text if link.path == page else link.path.read_text()
            if link.anchor not in anchors(there):
                wrong.append(f"{link.written}: no heading there has this anchor")
        elif link.image and not link.path.is_file():
            wrong.append(f"{link.written}: not a picture")
    return wrong
