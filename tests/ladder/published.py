"""Reports of climbs and drills as one page of Markdown, for docs/."""

import json
import re
import time
from pathlib import Path

import yaml

from tests.ladder.climb import ROOT

HEAD = """\
# What moves and failures did to visitors

Each table is of one run: three visitors with sessions read and wrote without a pause while
playbooks moved the site, or while something was broken and mended. An upload that was answered 201
was looked for at the end, byte for byte. *Refused* is a 503 with `Retry-After`; *errors* are the
seconds in which some requests were not served
([how it is measured](../tests/ladder/README.md)).
"""
COLUMNS = (
    "| what | seconds | reads ok | refused | failed | p95 s | errors s "
    "| writes ok | refused | failed | p95 s | errors s |\n" + "|---" + "|--:" * 11 + "|\n"
)


def page(machine: str, climbs: list[Path], drills: list[Path]) -> str:
    """The page of the runs whose reports are in these folders; ``machine`` says where they ran."""
    text = f"{HEAD}\nMachine: {machine}.\n"
    for heading, folders in (("Climbs", climbs), ("Drills", drills)):
        text += f"\n## {heading}\n" + "".join(map(section, folders)) if folders else ""
    return text


def section(folder: Path) -> str:
    """A run's heading, command, date, table and verdict."""
    facts = json.loads((folder / "report.json").read_text())
    spans = facts["spans"]
    day = time.strftime("%Y-%m-%d", time.gmtime(spans[0]["start"]))
    verdict = "; ".join(facts["problems"]) or "All as promised"
    return (
        f"\n### {folder.name.replace('-', ' ').capitalize()}\n\n"
        f"`{command(folder)}`, {day}\n\n"
        f"{COLUMNS}{''.join(map(row, spans))}\n"
        f"{facts['uploads']:,} uploads were acknowledged, {facts['sessions']} sessions started. "
        f"{verdict}.\n"
    )


def command(folder: Path) -> str:
    """What made the report, as it is typed."""
    for drill in (ROOT / "playbooks/drills").glob("*.yml"):
        names = [each.get("name", "") for each in yaml.safe_load(drill.read_text())]
        if folder.name in [name.lower().replace(" ", "-") for name in names]:
            return f"ansible-playbook playbooks/drills/{drill.name}"
    return f"make test-ladder CLIMB={folder.name}"


def row(span: dict) -> str:
    cells = [what(span["name"]), f"{span['seconds']:.0f}"]
    for each in (span["reads"], span["writes"]):
        cells += [
            f"{each['ok']:,}", str(each["refused"]), str(each["failed"]),
            f"{each['p95']:.2f}", f"{each['error_seconds']:.1f}",
        ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def what(name: str) -> str:
    """A span's name without the settings that only lift the limit of visitors."""
    return re.sub(r"app_settings=\{.*?\},?", "", name).rstrip(":").replace(":", ", ")
