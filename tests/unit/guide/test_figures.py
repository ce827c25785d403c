"""Figures that were measured come with the command and the day that made them."""

import re

import pytest

from guide import ROOT

PAGES = ("benchmarks", "promises", "prices")
DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
COMMAND = re.compile(r"(?:`| {4})(?:make|python3?(?: -m)?|ansible-playbook|pytest) \S+")


def sections(name):
    """The parts of a page that have a table with figures: heading and text."""
    text = (ROOT / f"docs/{name}.md").read_text()
    for part in re.split(r"^(?=##+ )", text, flags=re.MULTILINE):
        if re.search(r"^\|.*\d.*\|$", part, re.MULTILINE):
            yield part.partition("\n")[0].strip("# "), part


FOUND = [(name, *section) for name in PAGES for section in sections(name)]


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=f"{page}: {heading}") for page, heading, text in FOUND]
)
def test_figures_have_their_command_and_their_day(text):
    assert DAY.search(text)
    assert COMMAND.search(text) or "benchmarks/" in text


def test_pages_with_figures_are_looked_at():
    assert {page for page, _, _ in FOUND} == set(PAGES)
