"""What can befall an environment in the middle of a request, on purpose: `localcloud fault`.

Each is done to the process that works; what becomes of the request is Lambda's to say, as always.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable

from localcloud import shell
from localcloud.services.functions import eater
from localcloud.services.functions.environment import Environment

PATIENCE_SECONDS = 10
"""That a fault waits for a request."""
EATER_SECONDS = 20


class NobodyAsksError(Exception):
    """There is no request whose middle it could be."""


def befall(kind: str, environments: Callable[[], Iterable[Environment]],
           patience: float = PATIENCE_SECONDS) -> Environment:  # fmt: skip
    """Do it to the first of them that works on a request."""
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        for each in environments():
            if each.working and not each.befallen:
                each.befallen = True  # it may go on working for a while, if standing still is that
                KINDS[kind](each)
                return each
        time.sleep(0.002)
    raise NobodyAsksError


def crash(environment: Environment) -> None:
    os.kill(environment.pid, signal.SIGKILL)


def hang(environment: Environment) -> None:
    """It stands still until its time is over."""
    os.kill(environment.pid, signal.SIGSTOP)


def exhaust(environment: Environment) -> None:
    """Fill what memory it may have. It waits meanwhile, so that the request does not end before."""
    os.kill(environment.pid, signal.SIGSTOP)
    try:
        shell.run(
            sys.executable, "-I", eater.__file__, environment.pid, *environment.memory_groups(),
            timeout=EATER_SECONDS,
        )  # fmt: skip
    except shell.CommandError:
        try:
            os.kill(environment.pid, signal.SIGCONT)
        except ProcessLookupError:  # it was ended, and the eater with all that is in its group
            return
        raise


KINDS = {"crash": crash, "hang": hang, "exhaust": exhaust}
