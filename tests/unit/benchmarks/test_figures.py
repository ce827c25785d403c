"""Every figure of README.md and docs/ has the command that made it, and the day.

A figure is a number with a unit, or a table whose head names one. Command and day are in its
section, in one above it, or in the page of measurements that the section links.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Where a section may send its reader for command and day.
MEASURED = {
    "docs/benchmarks.md", "docs/promises.md", "docs/prices.md", "docs/scale.md",
    "group_vars/all/prices.yml",
}  # fmt: skip
UNITS = r"(?:ms|s|MB|MiB/s|USD|Gbit/s|users carried|requests? a second|times the floor)"
FIGURE = re.compile(rf"(?<![\w.`-])\d[\d,.]*\s?{UNITS}\b(?![/`])")
HEAD = re.compile(
    r"^(\|.*(?:\bms\b|\bseconds?\b|(?<!')\bs\b|\bMB\b|per second|/s\b|a month).*\|)\n\|[-:| ]+\|$",
    re.M,
)
DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
COMMAND = re.compile(
    r"(?:`|^    )(?:\S*python3?|make|ansible-playbook|tools/|benchmarks/)\b[^`\n]*", re.M
)
LINK = re.compile(r"\]\(([^)#]+)")


def sections(text):
    """``(title, own text, texts of those above)`` of each."""
    # A comment in a block of code is no title.
    text = re.sub(r"(?ms)^```.*?^```$", lambda block: block[0].replace("\n#", "\n #"), text)
    above = []
    for part in re.split(r"(?m)^(?=#+ )", text):
        level = len(part) - len(part.lstrip("#"))
        above = [each for each in above if each[0] < level]
        yield part.partition("\n")[0].strip("# "), part, [each for _, each in above]
        above.append((level, part))


def sources(page, own, above):
    """All that may hold command and day."""
    linked = [
        path
        for target in LINK.findall(own)
        if (path := (page.parent / target).resolve()).is_file()
        and str(path.relative_to(ROOT)) in MEASURED
    ]
    return "\n".join([own, *above, *(path.read_text() for path in linked)])


def figures(text):
    return FIGURE.findall(text) + HEAD.findall(text)


def lacking(page):
    """What each section with figures lacks."""
    for title, own, above in sections(page.read_text()):
        if found := figures(own):
            known = sources(page, own, above)
            missing = [
                what
                for what, pattern in (("a command", COMMAND), ("a day", DAY))
                if not pattern.search(known)
            ]
            if missing:
                yield f"{title}: {' and '.join(missing)} for {found[:3]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_has_its_command_and_its_day(page):
    assert list(lacking(page)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A\n\nIt takes 3 s.\n", ["A: a command and a day for ['3 s']"]),
        ("# A\n\n2026-11-29: it takes 0.5 s.\n", ["A: a command for ['0.5 s']"]),
        ("# A\n\n`make load`, 2026-11-29\n\n## B\n\nIt takes 3 s.\n", []),
        # That of a neighbour is no help.
        (
            "# A\n\n## B\n\n`make load`, 2026-11-29\n\n## C\n\n95 USD\n",
            ["C: a command and a day for ['95 USD']"],
        ),
        ("# A\n\n| what | p95 ms |\n|---|---|\n| x | 3 |\n",
         ["A: a command and a day for ['| what | p95 ms |']"]),
        ("# A\n\nStage 3 has 2 hosts.\n", []),
    ],
)  # fmt: skip
def test_what_lacks_them_is_found(tmp_path, text, expected):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(lacking(page)) == expected


def test_the_pages_that_others_are_sent_to_have_both():
    for name in MEASURED:
        text = (ROOT / name).read_text()
        assert DAY.search(text), name
        assert COMMAND.search(text), name
