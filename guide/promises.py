"""The runs in docs/promises.md, as tests/ladder/published.py writes them."""

import re
from dataclasses import dataclass

from guide import ROOT

PAGE = ROOT / "docs/promises.md"
COLUMNS = 12


@dataclass(frozen=True)
class Requests:
    """What readers or writers met."""

    ok: int
    refused: int
    failed: int
    p95: float
    error_seconds: float

    @property
    def count(self) -> int:
        return self.ok + self.refused + self.failed

    @property
    def unserved(self) -> int:
        return self.refused + self.failed


@dataclass(frozen=True)
class Span:
    """One move or one drill; ``before`` is the stage that the site was at, 0 for a drill."""

    what: str
    seconds: int
    reads: Requests
    writes: Requests
    before: int = 0

    @property
    def after(self) -> int:
        """The stage that it led to; 0 for what is not a move between stages."""
        found = re.match(r"(?:\d+ )?stage(\d+)", self.what)
        return int(found[1]) if found else 0

    @property
    def settings(self) -> str:
        return self.what.partition(", ")[2]


@dataclass(frozen=True)
class Run:
    """What one command did to visitors."""

    name: str
    command: str
    date: str
    spans: tuple[Span, ...]
    verdict: str
    drill: bool


def requests(cells: list[str]) -> Requests:
    ok, refused, failed = (int(cell.replace(",", "")) for cell in cells[:3])
    return Requests(ok, refused, failed, float(cells[3]), float(cells[4]))


def spans(section: str) -> tuple[Span, ...]:
    """Those with visitors: nobody is there before the first stage, or when all is removed."""
    found: list[Span] = []
    before = 0
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != COLUMNS or not cells[1].isdigit():
            continue
        span = Span(cells[0], int(cells[1]), requests(cells[2:7]), requests(cells[7:12]), before)
        if span.reads.count:
            found.append(span)
        before = span.after
    return tuple(found)


def runs(text: str | None = None) -> list[Run]:
    """All of the page."""
    text = PAGE.read_text() if text is None else text
    found = []
    climbs, _, drills = text.partition("\n## Drills\n")
    for part in (climbs, drills):
        for section in part.split("\n### ")[1:]:
            name, _, rest = section.partition("\n")
            [(command, date)] = re.findall(r"^`([^`]+)`, (\d{4}-\d\d-\d\d)$", rest, re.M)
            verdict = rest.strip().splitlines()[-1].partition(" started. ")[2]
            found.append(Run(name, command, date, spans(rest), verdict, part is drills))
    return found


def move(before: int, after: int) -> tuple[Run, Span] | None:
    """The last run that is published in which the site was brought from one stage to another."""
    fitting = [
        (run, span) for run in runs() for span in run.spans
        if not run.drill and (span.before, span.after, span.settings) == (before, after, "")
    ]  # fmt: skip
    return max(fitting, key=lambda each: each[0].date, default=None)
