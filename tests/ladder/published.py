"""Reports of climbs and drills as sections of one page of Markdown: docs/promises.md."""

import json
import re
import time
from pathlib import Path

import yaml

from tests.ladder.climb import ROOT

PAGE = ROOT / "docs/promises.md"
HEAD = """\
# What moves and failures did to visitors

Each table is of one run: three visitors with sessions read and wrote without a pause while
playbooks moved the site, or while something was broken and mended. An upload that was answered 201
was looked for at the end, byte for byte. *Refused* is a 503 with `Retry-After`; *errors* are the
seconds in which some requests were not served
([how it is measured](../tests/ladder/README.md)). All of it on two virtual cores, which had other
work to do where a section does not say that they were quiet.

"""
CLIMBS, DRILLS = "## Climbs\n\n", "## Drills\n\n"
COLUMNS = (
    "| what | seconds | reads ok | refused | failed | p95 s | errors s "
    "| writes ok | refused | failed | p95 s | errors s |\n" + "|---" + "|--:" * 11 + "|\n"
)


def page(old: str, folders: list[Path], note: str = "") -> str:
    """``old`` with the runs whose reports are in these folders, instead of those of their names.

    ``note`` says what was special, such as where they ran.
    """
    climbs, _, drills = old.removeprefix(HEAD).partition(DRILLS)
    parts = {CLIMBS: sections(climbs.partition(CLIMBS)[2]), DRILLS: sections(drills)}
    for folder in folders:
        kind = DRILLS if "playbooks/drills/" in command(folder) else CLIMBS
        parts[kind][heading(folder)] = section(folder, note)
    text = "".join(kind + "".join(found.values()) for kind, found in parts.items() if found)
    return f"{HEAD}{text.rstrip()}\n"


def sections(part: str) -> dict[str, str]:
    """Those of a part, by their headings."""
    found = re.split(r"(?m)^(?=### )", part)[1:]
    return {each.partition("\n")[0].removeprefix("### "): f"{each.strip()}\n\n" for each in found}


def section(folder: Path, note: str) -> str:
    """A run's heading, command, date, note, table and verdict."""
    facts = report(folder)
    spans = facts["spans"]
    day = time.strftime("%Y-%m-%d", time.gmtime(spans[0]["start"]))
    problems = [re.sub(r":app_settings=\{.*?\}", "", each) for each in facts["problems"]]
    verdict = "; ".join(problems) or "All as promised"
    paragraphs = [
        f"### {heading(folder)}",
        f"`{command(folder)}`, {day}",
        *([note] if note else []),
        COLUMNS + "".join(map(row, spans)).rstrip(),
        f"{facts['uploads']:,} uploads were acknowledged, {facts['sessions']} sessions started. "
        f"{verdict}.",
    ]
    return "\n\n".join(paragraphs) + "\n\n"


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def heading(folder: Path) -> str:
    return folder.name.replace("-", " ").capitalize().replace(" aws ", " AWS ")


def command(folder: Path) -> str:
    """What made the report, as it is typed."""
    if typed := report(folder).get("command"):
        return typed
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
    return re.sub(r"app_settings=\{.*?\},? ?", "", name).rstrip(":").replace(":", ", ", 1)
