"""`service.functions.manage.handler`: a management command, where there is no host to run it on.

    {"command": ["sweep"]}  ->  {"rc": 0, "output": "...", "more": false}

A function has fifteen minutes at most. A command that needs longer is cut before; `more` says so,
and the same event goes on: every command of ours can be cut at any point and run again.
"""

import io
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from service.functions import environment

log = logging.getLogger(__name__)

# Besides those of the service's own apps. None runs code or SQL that the event brings.
DJANGOS = {"check", "clearsessions", "migrate", "showmigrations"}
CUT_SECONDS = 20  # before the function's own end: enough for a call that is under way
MOST_OUTPUT = 1_000_000  # characters, the last ones
NO_SUCH_COMMAND, CUT = 64, 75  # as sysexits.h calls them: usage, temporary failure


class OutOfTime(BaseException):
    """No Exception: what a command makes of those must not keep it from ending."""


def load() -> None:
    environment.complete()
    import django

    django.setup()


load()


def handler(event: dict, context) -> dict:
    return run(event["command"], context.get_remaining_time_in_millis() / 1000 - CUT_SECONDS)


def run(command: list[str], seconds: float) -> dict:
    """Run it as a terminal would, for so many seconds."""
    if command[0] not in allowed():
        known = ", ".join(sorted(allowed()))
        return told(NO_SUCH_COMMAND, f"{command[0]} is not one of {known}")
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output), cut_after(seconds):
            code = execute(command)
    except OutOfTime:
        return told(CUT, output.getvalue(), more=True)
    return told(code, output.getvalue())


def told(code: int, output: str, more: bool = False) -> dict:
    return {"rc": code, "output": output[-MOST_OUTPUT:], "more": more}


def allowed() -> set[str]:
    from django.core.management import get_commands

    ours = {name for name, app in get_commands().items() if str(app).startswith("service.")}
    return ours | DJANGOS


def execute(command: list[str]) -> int:
    """Its exit status."""
    from django.core.management import ManagementUtility

    line = ["manage", *command]
    try:
        # Not execute(): that would set up logging anew, into our output.
        ManagementUtility(line).fetch_command(command[0]).run_from_argv(line)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        log.exception("%s failed", command[0])
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


@contextmanager
def cut_after(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in whatever is done then."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Only the main thread hears a timer")

    def cut(*signalled):
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
