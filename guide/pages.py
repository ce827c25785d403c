"""The pages that are made of the project's data: each figure with its command and its day."""

import json
import re
from html import escape
from pathlib import Path
from textwrap import wrap

from guide import ROOT, charts, diagram
from guide.links import slug
from guide.promises import Run, Span, move, runs
from guide.stages import PAGES, Stage, prices, stages

# In this order in the margin; what is there besides follows by itself.
CONTENTS = {
    "The ladder": ["ladder.md", "visitors.md", "load.md", "docs/prices.md", "docs/scale.md"],
    "Use it": ["docs/work.md", "docs/own-app.md", "docs/aws.md", "docs/screenshots/README.md"],
    "How it works": ["docs/layout.md", "localcloud/README.md", "app/README.md"],
}


def raw(html: str, tag: str, caption: str = "") -> str:
    """HTML that stands in a page as it is."""
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"```{{raw}} html\n<{tag}>{html}{said}</{tag}>\n```"


def table(header: list[str], rows: list[list[object]]) -> str:
    # Numbers end below each other.
    sides = ["--:" if all(str(row[at])[:1].isdigit() for row in rows) else "---"
             for at in range(1, len(header))]  # fmt: skip
    lines = [header, ["---", *sides], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def number(count: int) -> str:
    return f"{count:,}" if count else "none"


# --- the ladder --------------------------------------------------------------------------------
def flat(values: dict) -> dict:
    """Settings of a stage; each store is one of its own."""
    kept = {name: value for name, value in values.items() if name != "stores"}
    return kept | {f"stores.{name}": each for name, each in values.get("stores", {}).items()}


def shown(value: object) -> str:
    words = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None
    return words or (", ".join(map(str, value)) if isinstance(value, list) else str(value))


def changes(stage: Stage, before: Stage) -> str:
    """What a stage sets otherwise than the one before."""
    old = flat(before.values)
    rows = [[f"`{name}`", shown(old[name]), shown(value)]
            for name, value in flat(stage.about["changes"]).items()]  # fmt: skip
    return table(["changes", f"stage {before.number}", f"stage {stage.number}"], rows)


def met(before: int, after: int) -> str:
    """What visitors met on the way from one stage to another."""
    found = move(before, after)
    if not found:
        return f"From {before} to {after}: no run with visitors is published."
    run, span = found
    reads, writes = span.reads, span.writes
    return (
        f"From {before} to {after}: {span.seconds} s. "
        f"Of {reads.count:,} reads {number(reads.unserved)}, "
        f"of {writes.count:,} uploads {number(writes.unserved)} had to be asked again or failed "
        f"(`{run.command}`, {run.date})."
    )


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def heading(stage: Stage) -> str:
    return f"Stage {stage.number}: {stage.about['edition']}"


def section(stage: Stage, before: Stage | None) -> str:
    """A stage: its diagram, and what is known of it."""
    priced = prices().Ladder().value("prices")
    facts = [
        f"**Users: {stage.about['users']}.** {capital(stage.about['adds'])}.",
        f"```\nmake stage{stage.number}\n```",
        f"About {stage.month:,.0f} {priced['currency']} a month for {PAGES:,} pages a month, "
        f"at prices of {priced['date']} ([`make prices`](docs/prices.md)).",
    ]
    if before:
        facts += [met(before.number, stage.number), met(stage.number, before.number)]
        facts.append(changes(stage, before))
    said = "\n\n".join(facts)
    return (
        f"## {heading(stage)}\n\n"
        f"::::{{container}} stage\n{raw(diagram.draw(stage), 'figure')}\n\n"
        f":::{{container}} facts\n{said}\n:::\n::::\n"
    )


def ladder() -> str:
    """All stages, drawn."""
    every = stages()
    sections = [
        section(stage, before) for stage, before in zip(every, (None, *every), strict=False)
    ]
    return f"""# The ladder

Each stage is a playbook, and each goes **from anywhere**: from nothing, from an earlier stage or
back from a later one. Pictures and sessions come along, visitors stay. The diagrams are drawn from
[ladder.yml](group_vars/all/ladder.yml) and [providers.yml](group_vars/all/providers.yml), which the
playbooks read, with the sizes of a first run; your own go into `my_values`. What a stage brings or
changes has a thick edge: blue the front, orange the compute, green the stores.

{"\n".join(sections)}"""


# --- visitors ----------------------------------------------------------------------------------
# Letters of a chart's label in a line: more, and there is no room for the bars.
LABEL = 42


def moved(run: Run, span: Span) -> str:
    """A move as a chart's label: the stages, or what else was changed."""
    if span.settings:
        lines = [part for each in span.settings.split(",") for part in wrap(each, LABEL)]
        return "\n".join([f"{span.after}:", *lines])
    return f"{span.before} → {span.after}\n{run.name.lower()}"


def wrapped(name: str) -> str:
    words = name.split()
    half = (len(words) + 1) // 2
    return " ".join(words[:half]) + "\n" + " ".join(words[half:])


def breakable(label: str) -> str:
    """A label that narrow screens may break within the names of settings."""
    return re.sub(r"([_=])", "\\1\u200b", label.replace("\n", " "))


def met_table(spans: list[tuple[Run, str, Span]]) -> str:
    """The same in numbers, and the runs that they are from."""
    header = ["", "seconds", "reads", "not served", "uploads", "not served"]
    rows = [
        [breakable(label), span.seconds, f"{span.reads.count:,}", span.reads.unserved,
         f"{span.writes.count:,}", span.writes.unserved]
        for _, label, span in spans
    ]  # fmt: skip
    made_by = dict.fromkeys(f"- {run.name}: `{run.command}`, {run.date}" for run, _, _ in spans)
    return "\n".join([table(header, rows), "", *made_by])


def visitors() -> str:
    """Moves and drills, as their visitors met them."""
    climbs = [
        (run, moved(run, span), span) for run in runs() if not run.drill for span in run.spans
    ]
    drills = [(run, wrapped(run.name), span) for run in runs() if run.drill for span in run.spans]
    drawn = [
        raw(
            charts.unserved([(label, span) for _, label, span in each], name, title),
            "figure", f"{title}, as in docs/promises.md",
        )
        for name, title, each in (
            ("moves", "Seconds of moves in which visitors were not all served", climbs),
            ("drills", "Seconds of drills in which visitors were not all served", drills),
        )
    ]  # fmt: skip
    return f"""# What visitors meet

Three visitors with sessions read and upload without a pause, each request once, while a playbook
moves the site or a drill breaks it. What was acknowledged is looked for at the end, byte for byte.
These charts are made of [What moves and failures did to visitors](docs/promises.md), which tells
what was refused, a 503 with `Retry-After`, from what failed, and of which of them the machine, two
virtual cores, had no other work to do.

## Moves between stages

{drawn[0]}

{met_table(climbs)}

## Drills

A drill breaks one thing on purpose, waits until the site is whole again and fails when visitors met
more errors than it promises.

{drawn[1]}

{met_table(drills)}
"""


# --- load --------------------------------------------------------------------------------------
# What the labels of results begin with.
TERMS = {
    "": "Hosts with their share of the machine",
    "quarter-": "Hosts of a quarter core",
    "tenth-": "Hosts of a tenth of a core, users who only look",
    "cold-": "Functions, none of them running when the users of a step come",
    "warm-": "Functions, some of them running when users come",
}


def measured() -> list[dict]:
    """The results of benchmarks.load, by label."""
    return [json.loads(path.read_text()) for path in sorted((ROOT / "docs/load").glob("*.json"))]


def load() -> str:
    """The stages under load: those that were measured on the same terms in one chart."""
    terms: dict[str, list[dict]] = {}
    for result in measured():
        terms.setdefault(result["label"].rpartition("stage")[0], []).append(result)
    sections = []
    for name, results in sorted(terms.items(), reverse=True):
        rows = [
            [f"[{label}](docs/load/{label}.json)", each["carried"],
             f"`{each.get('command', f'make load LABEL={label}')}`, {each['date'].split()[0]}"]
            for each in results for label in [each["label"]]
        ]  # fmt: skip
        notes = dict.fromkeys(each["note"] for each in results)
        title = "Response times over users"
        drawn = charts.load(results, f"load-{name}stages", title)
        sections.append(
            f"## {TERMS.get(name, name)}\n\n"
            f"{'; '.join(notes)}.\n\n{raw(drawn, 'figure', title + ', of docs/load')}\n\n"
            f"{table(['', 'users carried', 'command and day'], rows)}\n"
        )
    return f"""# Load

Users double until more than one of a hundred requests fails or p95 is over a second, then the gap
is halved. A user opens a page every few seconds with all its pictures, and uploads now and then:
[the model](docs/benchmarks.md#users). The dashed lines are what each stage carries.

{"\n".join(sections)}"""


# --- the way in --------------------------------------------------------------------------------
def card(stage: Stage) -> str:
    users = stage.about["users"]
    # The last one has no number.
    whose = {"1": " user", "beyond": ""}.get(users, " users")
    title = f"Stage {stage.number}: {users}{whose}"
    return (
        f'<a href="ladder.html#{slug(heading(stage))}">'
        f"<strong>{escape(title)}</strong> {escape(stage.about['adds'])}</a>"
    )


def index() -> str:
    cards = "".join(map(card, stages()))
    return f"""# Simple Mustache Service

**From 1 user to 500,000 on AWS, one playbook per stage, on a live site with its data kept.**

[![A picture with its mustache](docs/screenshots/result.webp)](docs/screenshots/README.md)

```
git clone … && cd simple-mustache-service
make stage3
```

A few minutes later the site is served from two web hosts behind a load balancer, with a database
that survives the loss of its zone: on this machine, against an
[AWS API whose hosts are real](localcloud/README.md), or on [a real account](docs/aws.md).

{raw(f'<div class="cards">{cards}</div>', "nav")}

[The ladder](ladder.md) has them drawn. [What visitors meet](visitors.md) says what a move or a
failure costs them, [Load](load.md) what each stage carries, [Prices](docs/prices.md) what it costs.
Then [bring your own app](docs/own-app.md).
"""


def made() -> dict[str, str]:
    """The pages, by their names."""
    return {
        "index.md": index(),
        "ladder.md": ladder(),
        "visitors.md": visitors(),
        "load.md": load(),
    }


def tree(caption: str, names: list[str]) -> str:
    lines = "\n".join(name.removesuffix(".md") for name in names)
    return f"\n```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{lines}\n```\n"


def contents(found: dict[Path, str]) -> str:
    """The margin's table of contents, with every page in it."""
    names = {path.as_posix() for path, text in found.items() if not text.startswith("---\norphan")}
    groups = {
        caption: [name for name in each if name in names] for caption, each in CONTENTS.items()
    }
    named = {"index.md", *(name for each in groups.values() for name in each)}
    roles = sorted(name for name in names if name.startswith("roles/"))
    groups["How it works"] += sorted(names - named - {*roles})
    return "".join(tree(caption, each) for caption, each in (groups | {"Roles": roles}).items())
