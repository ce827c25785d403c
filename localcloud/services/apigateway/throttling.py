"""How many requests of a route are let through: a bucket of tokens, as AWS documents it."""

import threading
import time
from collections.abc import Callable


class Throttle:
    """Buckets by name. Each fills at its rate and holds as many as its burst."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple, tuple[float, float]] = {}

    def admits(self, name: tuple, rate: float | None, burst: int | None) -> bool:
        """Whether there is a token; it is taken then. Without limits there always is."""
        if rate is None and burst is None:
            return True
        rate = rate if rate is not None else float("inf")
        burst = burst if burst is not None else max(1, int(rate))
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.get(name, (float(burst), now))
            tokens = min(float(burst), tokens + (now - since) * rate if rate else tokens)
            taken = tokens >= 1
            self._buckets[name] = (tokens - taken, now)
        return taken
