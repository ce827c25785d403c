"""What a move, a drill or a whole climb did to readers and writers: for people and as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.ladder.log import OK, READ, WRITE, Log, Request, Summary

SHOWN_PROBLEMS = 20
GOOD = "All as promised."
SHOWN_ERRORS = 10


@dataclass
class Span:
    """Something that went on for a while under traffic. Times are Unix times in seconds."""

    name: str
    start: float
    end: float
    exit_code: int
    reads: Summary
    writes: Summary
    errors: list[Request] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, start: float, end: float, exit_code: int, log: Log) -> "Span":
        requests = log.between(start, end)
        return cls(
            name,
            start,
            end,
            exit_code,
            Summary.of(request for request in requests if request.kind == READ),
            Summary.of(request for request in requests if request.kind == WRITE),
            [request for request in requests if request.outcome != OK],
        )

    def problems(
        self,
        max_read_error_seconds: float = 0.0,
        max_write_error_seconds: float = 0.0,
        writes_may_fail: bool = False,
    ) -> list[str]:
        """What was worse than allowed. Refused writes (503, Retry-After) have not failed."""
        found = []
        if self.exit_code:
            found.append(f"{self.name}: the playbook ended with {self.exit_code}")
        if self.reads.error_seconds > max_read_error_seconds:
            found.append(
                f"{self.name}: {self.reads.failed + self.reads.refused} reads were not served in "
                f"{self.reads.error_seconds} s; allowed are {max_read_error_seconds} s"
            )
        if self.writes.failed and not writes_may_fail:
            found.append(f"{self.name}: {self.writes.failed} writes failed")
        if self.writes.error_seconds > max_write_error_seconds:
            found.append(
                f"{self.name}: {self.writes.failed + self.writes.refused} writes were not served "
                f"in {self.writes.error_seconds} s; allowed are {max_write_error_seconds} s"
            )
        return found

    def too_many_failed(self, most: int) -> list[str]:
        """Whether more requests failed (those refused have not); less than 0 is any number."""
        failed = self.reads.failed + self.writes.failed
        too_many = 0 <= most < failed
        return [f"{self.name}: {failed} requests failed; allowed are {most}"] * too_many

    def as_dict(self) -> dict:
        return asdict(self) | {
            "seconds": round(self.end - self.start, 1),
            "errors": [asdict(request) for request in self.errors[:SHOWN_ERRORS]],
        }


@dataclass
class Report:
    """The spans in order, and what was wrong."""

    spans: list[Span] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    uploads: int = 0
    sessions: int = 0
    # What was typed; empty where the folder's name says it.
    command: str = ""

    def text(self) -> str:
        lines = [TITLE]
        for span in self.spans:
            lines.append(row(span))
            lines += [f"    {error(span, request)}" for request in span.errors[:SHOWN_ERRORS]]
            if len(span.errors) > SHOWN_ERRORS:
                lines.append(f"    and {len(span.errors) - SHOWN_ERRORS} more")
        lines.append(f"{self.uploads} uploads were acknowledged, {self.sessions} sessions started.")
        lines += [f"WRONG  {each}" for each in self.problems[:SHOWN_PROBLEMS]] or [GOOD]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"WRONG  {len(self.problems) - SHOWN_PROBLEMS} more: report.json has all")
        return "\n".join(lines) + "\n"

    def write(self, directory: Path, log: Log) -> None:
        """report.txt, report.json, and every request in requests.jsonl."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.txt").write_text(self.text())
        facts = asdict(self) | {"spans": [span.as_dict() for span in self.spans]}
        (directory / "report.json").write_text(json.dumps(facts, indent=2) + "\n")
        log.write(directory / "requests.jsonl")


TITLE = (
    f"{'':30}{'':>9}  {'reads':^39}  {'writes':^39}\n"
    f"{'what':30}{'seconds':>9}"
    + 2
    * f"  {'ok':>6}{'refused':>8}{'failed':>7}{'p95 s':>8}{'errors s':>10}"
)


def row(span: Span) -> str:
    line = f"{span.name[:29]:30}{span.end - span.start:9.1f}"
    for of in (span.reads, span.writes):
        line += f"  {of.ok:6}{of.refused:8}{of.failed:7}{of.p95:8.3f}{of.error_seconds:10.1f}"
    return line


def error(span: Span, request: Request) -> str:
    status = request.status or "no answer"
    return (
        f"at {request.start - span.start:.1f} s: {request.kind} {request.name} {request.outcome}, "
        f"{status} after {request.seconds:.1f} s {' '.join(request.detail.split())[:100]}".rstrip()
    )
