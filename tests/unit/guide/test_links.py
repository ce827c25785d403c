"""Links of the project's pages: to files that are there, and headings that are in them."""

import subprocess

import pytest

from guide import ROOT
from guide.links import anchors, local_links, problems

PAGES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout.split()  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    assert problems(path, path.read_text()) == []


def test_every_page_of_docs_is_reached_from_the_readme():
    seen, ways = set(), [ROOT / "README.md"]
    while ways:
        page = ways.pop()
        seen.add(page)
        found = {link.path for link in local_links(page, page.read_text())}
        ways += [path for path in found if path.suffix == ".md" and path not in seen]

    assert set((ROOT / "docs").glob("*.md")) <= seen


def test_what_leads_nowhere_is_said(tmp_path):
    (tmp_path / "other.md").write_text("# A heading, `code` & more\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    text = """
[there](other.md) [its heading](other.md#a-heading-code--more) [the second](other.md#twice-1)
[elsewhere](https://example.com/nothing.md) ![no picture](none.svg) [gone](gone.md)
[no heading](other.md#no) [not here](#nor) `[code](is-no-link.md)` [a folder](.)
"""

    assert [each.split(":")[0] for each in problems(page, text)] == [
        "none.svg", "gone.md", "other.md#no", "#nor",
    ]  # fmt: skip


def test_headings_that_are_alike_are_numbered():
    assert anchors("# One\n\n# One\n\n# Two_ - three\n") == {"one", "one-1", "two_---three"}
