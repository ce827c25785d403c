"""What takes long is done by threads of its own, beside the reconciler."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger("localcloud")


def threads(name: str, count: int) -> Callable[[Callable[[], None]], None]:
    """A function that runs jobs, ``count`` at a time; one that fails says so in the log."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def run(job: Callable[[], None]) -> None:
        pool.submit(_logged, name, job)

    return run


def _logged(name: str, job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:
        log.exception("%s", name)
