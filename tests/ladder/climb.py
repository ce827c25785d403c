"""Up and down the ladder by its playbooks, with visitors on the site all the time."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.ladder.client import Client, Traffic, wait_for
from tests.ladder.log import Log
from tests.ladder.report import Report, Span

ROOT = Path(__file__).parents[2]
DESTROY = "destroy"
# No exit code is negative but that of a run which a signal ended.
CUT, TIMED_OUT = -1000, 124


@dataclass(frozen=True)
class Move:
    """A playbook to run, and what visitors may meet meanwhile. Times in seconds."""

    playbook: str
    variables: dict[str, object] = field(default_factory=dict)
    # Refused with 503 and Retry-After.
    max_refused_seconds: float = 10.0
    # Not served at all, as when the only host is stopped to become a bigger one.
    max_down_seconds: float = 0.0
    # The play or task at whose start the run is killed, with all its processes; the next move goes
    # on from there.
    cut_at: str = ""

    @classmethod
    def parse(cls, text: str, **allowed: float) -> "Move":
        """`stage1` or `stage1:web_instance_type=t3.medium,web_volume_size=40`."""
        playbook, _, settings = text.partition(":")
        pairs = [pair.partition("=") for pair in settings.split(",") if pair]
        if not playbook or not all(name and equals for name, equals, _ in pairs):
            raise ValueError(f"{text!r} is not PLAYBOOK or PLAYBOOK:NAME=VALUE,NAME=VALUE")
        variables = {name: value for name, _, value in pairs}
        return cls(playbook, variables, **allowed)

    def __str__(self) -> str:
        settings = ",".join(f"{name}={value}" for name, value in self.variables.items())
        text = f"{self.playbook}:{settings}" if settings else self.playbook
        return f"{text}, cut at {self.cut_at!r}" if self.cut_at else text

    @property
    def command(self) -> list[str]:
        # Nobody sits there to be asked before something is removed.
        command = ["ansible-playbook", f"playbooks/{self.playbook}.yml", "-e", "confirm=yes"]
        return command + (["-e", json.dumps(self.variables)] if self.variables else [])


@dataclass
class Plan:
    """Where to climb, and with how much traffic. `timeout` is for one playbook, in seconds."""

    base_url: str
    ca_file: str | None = None
    pictures: int = 200
    visitors: int = 3
    reads_per_second: float = 10.0
    writes_per_second: float = 0.8
    settle_seconds: float = 5.0
    timeout: float = 900.0
    output: Path = ROOT / "artifacts" / "ladder"
    command: str = ""


class Company:
    """The visitors, once there is a site to visit."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.log = Log()
        self.client: Client | None = None
        self.traffic: Traffic | None = None

    def arrive(self) -> None:
        """Start sessions, bring pictures, and keep coming."""
        plan = self.plan
        self.client = Client(wait_for(plan.base_url, plan.ca_file, seconds=30), self.log)
        say(f"  {plan.visitors} visitors bring {plan.pictures} pictures to {self.client.site.url}")
        self.client.settle(plan.pictures, plan.visitors, plan.writes_per_second)
        self.traffic = Traffic(self.client, plan.reads_per_second, plan.writes_per_second)
        self.traffic.start()

    def leave(self, report: Report) -> None:
        """See whether all is still there. Does nothing if nobody came."""
        if self.client is None:
            return
        self.traffic.stop()
        say(f"  looking for {len(self.client.uploads)} uploads")
        report.uploads += len(self.client.uploads)
        report.sessions += len(self.client.owners)
        report.problems += self.client.lost() + self.client.twice()
        self.client.clean_up()
        self.client = None


def climb(moves: list[Move], plan: Plan, run=None, see=None) -> Report:
    """Make the moves and report; a playbook that fails ends the climb.

    `run(move, log_file)` runs a move's playbook and returns its exit code. `see(move, log_file)`
    looks at the site that it has made and says what is wrong; what visitors meet meanwhile is not
    counted.
    """
    run = run or (lambda move, log: playbook(move, log, plan.timeout))
    plan.output.mkdir(parents=True, exist_ok=True)
    report, company = Report(command=plan.command), Company(plan)
    for number, move in enumerate(moves, 1):
        if move.playbook == DESTROY:
            company.leave(report)
        say(f"{number}/{len(moves)} {move}")
        start, log = time.time(), plan.output / f"{number}-{move.playbook}.log"
        code = run(move, log)
        if company.client:
            # What the move left to happen belongs to it.
            time.sleep(plan.settle_seconds)
        span = Span.of(f"{number} {move}", start, time.time(), code, company.log)
        report.spans.append(span)
        report.problems += span.problems(
            max_read_error_seconds=move.max_down_seconds,
            max_write_error_seconds=max(move.max_refused_seconds, move.max_down_seconds),
            writes_may_fail=move.max_down_seconds > 0,
        )
        if code:
            break
        if see and move.playbook != DESTROY and not move.cut_at:
            report.problems += see(move, log)
        if company.client is None and move.playbook != DESTROY:
            company.arrive()
    company.leave(report)
    report.write(plan.output, company.log)
    return report


def playbook(move: Move, log_file: Path, timeout: float) -> int:
    """Run the move's playbook from the root of the project, its output in the file.

    A run that is to be cut has done so (0) when it was; that it ended by itself is an error.
    """
    own = bool(move.cut_at)
    environment = dict(os.environ)
    if own:
        # Otherwise a task is named no sooner than there is a result of it.
        environment["ANSIBLE_DISPLAY_SKIPPED_HOSTS"] = "true"
    with log_file.open("w") as log:
        # What is cut has a session of its own: its workers and connections are killed too, as with
        # a machine that dies. All else ends with whoever ends the climb.
        run = subprocess.Popen(
            move.command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=own,
        )
        try:
            code = wait(run, move.cut_at, log_file, time.monotonic() + timeout)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL) if own else run.kill()
                run.wait()
    if code == CUT:
        return 0
    if code == TIMED_OUT:
        say(f"  took more than {timeout:.0f} s")
    elif move.cut_at:
        say(f"  ended by itself and never came to {move.cut_at!r}")
        code = code or 1
    if code:
        say(f"  ended with {code}; the whole output is in {log_file}:")
        say("\n".join(log_file.read_text().splitlines()[-20:]))
    return code


def wait(run: subprocess.Popen, cut_at: str, log_file: Path, end: float) -> int:
    """The exit code of the run; CUT when it has come to that step, TIMED_OUT after `end`."""
    while (code := run.poll()) is None:
        if cut_at and started(cut_at, log_file.read_text()):
            return CUT
        if time.monotonic() > end:
            return TIMED_OUT
        time.sleep(0.1)
    return code


def started(step: str, output: str) -> bool:
    """Whether Ansible has begun this task, or one of this play, which may be nobody's before."""
    play = ""
    for line in output.splitlines():
        if line.startswith("PLAY ["):
            play = line
        elif line.startswith("TASK [") and step in (named(line), named(play)):
            return True
    return False


def named(header: str) -> str:
    """What is between the brackets."""
    return header.partition("[")[2].rpartition("]")[0]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
