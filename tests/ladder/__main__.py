"""Visitors who take note of everything, while playbooks move the site beneath them.

    python -m tests.ladder climb stage1 stage2 stage3 stage2 stage1 destroy
    python -m tests.ladder climb stage1 stage1:web_instance_type=t3.medium
    python -m tests.ladder during --max-error-seconds 5 -- ansible-playbook playbooks/drills/x.yml
    python -m tests.ladder publish --note "On a quiet machine." artifacts/ladder/straight

`climb` runs playbooks and reports, for each, what readers and writers met; it brings pictures after
the first one and looks for every one of them at the end. `during` visits a site that is there while
any command runs, then deletes what it brought. Both end with 1 if something was worse than allowed.
`publish` puts reports into docs/promises.md, each in place of an earlier one of its name.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.ladder.client import Client, Traffic, open_site
from tests.ladder.climb import ROOT, Move, Plan, climb, say
from tests.ladder.published import PAGE, page
from tests.ladder.report import Report, Span
from tests.localhost import resolve_localhost

BASE_URL = "https://mustache.localhost:8443"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.ladder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--base-url", default=os.environ.get("BASE_URL") or BASE_URL, help="the site")
    add("--ca-file", default=os.environ.get("CA_FILE") or None, help="authority to trust, PEM")
    add("--reads-per-second", type=float, default=10.0, metavar="N", help="default: 10")
    add(
        "--writes-per-second",
        type=float,
        default=0.8,
        metavar="N",
        help="default: 0.8, which is under the site's own limit of 60 a minute",
    )
    add("--pictures", type=int, default=200, metavar="N", help="brought at first (200)")
    add("--visitors", type=int, default=3, metavar="N", help="with a session (3)")
    add(
        "--output",
        type=Path,
        default=ROOT / "artifacts" / "ladder",
        metavar="DIR",
        help="for report.txt, report.json, requests.jsonl and logs (artifacts/ladder)",
    )

    climbing = commands.add_parser("climb", parents=[common], help="run playbooks, one by one")
    climbing.add_argument("moves", nargs="+", metavar="PLAYBOOK[:NAME=VALUE,...]")
    climbing.add_argument(
        "--max-refused-seconds", type=float, default=10.0, metavar="S", help="of writes (10)"
    )
    climbing.add_argument(
        "--max-down-seconds", type=float, default=0.0, metavar="S", help="of reads and writes (0)"
    )
    climbing.add_argument("--timeout", type=float, default=900.0, metavar="S", help="a playbook's")

    during = commands.add_parser("during", parents=[common], help="visit while a command runs")
    during.add_argument(
        "--max-error-seconds", type=float, default=0.0, metavar="S", help="of reads, of writes (0)"
    )
    during.add_argument(
        "--max-failed", type=int, default=-1, metavar="N", help="requests that fail (any number)"
    )
    during.add_argument("--name", help="of what goes on, for the report (the command)")
    during.add_argument("program", nargs="+", metavar="COMMAND")
    during.set_defaults(pictures=5)

    publishing = commands.add_parser("publish", help="put reports into docs/promises.md")
    publishing.add_argument("--note", default="", help="what was special about them, in a sentence")
    publishing.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    if options.command == "publish":
        PAGE.write_text(page(PAGE.read_text(), options.folders, options.note))
        return 0
    resolve_localhost()
    try:
        report = {"climb": up_and_down, "during": during}[options.command](options)
    except (ValueError, RuntimeError, requests.RequestException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.text(), end="")
    say(f"Every request: {options.output}/requests.jsonl")
    return 1 if report.problems else 0


def typed(options: argparse.Namespace) -> str:
    """A climb as it is typed, without what is only of this machine."""
    return f"python -m tests.ladder climb {' '.join(options.moves)} --pictures {options.pictures}"


def up_and_down(options: argparse.Namespace) -> Report:
    plan = Plan(
        base_url=options.base_url,
        ca_file=options.ca_file,
        pictures=options.pictures,
        visitors=options.visitors,
        reads_per_second=options.reads_per_second,
        writes_per_second=options.writes_per_second,
        timeout=options.timeout,
        output=options.output,
        command=typed(options),
    )
    allowed = {
        "max_refused_seconds": options.max_refused_seconds,
        "max_down_seconds": options.max_down_seconds,
    }
    return climb([Move.parse(text, **allowed) for text in options.moves], plan)


def during(options: argparse.Namespace) -> Report:
    client = Client(open_site(options.base_url, options.ca_file))
    client.settle(options.pictures, options.visitors, options.writes_per_second)
    traffic = Traffic(client, options.reads_per_second, options.writes_per_second)
    traffic.start()
    start = time.time()
    try:
        code = subprocess.run(options.program, check=False).returncode
    finally:
        traffic.stop()
        report = Report(uploads=len(client.uploads), sessions=len(client.owners))
        report.command = "" if options.name else shlex.join(options.program)
    span = Span.of(options.name or " ".join(options.program), start, time.time(), code, client.log)
    report.spans.append(span)
    allowed = options.max_error_seconds
    report.problems = span.problems(allowed, allowed, writes_may_fail=True)
    report.problems += span.too_many_failed(options.max_failed) + client.lost() + client.twice()
    client.clean_up()
    report.write(options.output, client.log)
    return report


if __name__ == "__main__":
    sys.exit(main())
