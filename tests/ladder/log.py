"""What happened to each request, and what it adds up to."""

import json
import math
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

OK, REFUSED, FAILED = "ok", "refused", "failed"
READ, WRITE = "read", "write"
# Errors closer than this are one interruption.
GAP_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """One request. Times are Unix times in seconds."""

    kind: str
    name: str
    start: float
    seconds: float
    outcome: str
    status: int | None = None
    detail: str = ""

    @property
    def end(self) -> float:
        return self.start + self.seconds


def outcome(status: int, headers: dict) -> str:
    """503 with Retry-After is a refusal, which clients know how to take; all else is a failure."""
    if 200 <= status < 400:
        return OK
    return REFUSED if status == 503 and headers.get("Retry-After", "").isdigit() else FAILED


class Log:
    """Requests of all threads."""

    def __init__(self):
        self._requests: list[Request] = []
        self._lock = threading.Lock()

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def between(self, start: float = 0, end: float = math.inf) -> list[Request]:
        """Requests begun in this time, oldest first."""
        with self._lock:
            found = [request for request in self._requests if start <= request.start < end]
        return sorted(found, key=lambda request: request.start)

    def write(self, path: Path) -> None:
        """As JSON lines."""
        lines = (json.dumps(asdict(request)) + "\n" for request in self.between())
        path.write_text("".join(lines))


@dataclass(frozen=True)
class Interruption:
    """A time in which some requests were not served."""

    start: float
    end: float
    requests: int

    @property
    def seconds(self) -> float:
        return self.end - self.start


def interruptions(requests: Iterable[Request]) -> list[Interruption]:
    """Times with errors: from the first one's start until a request is served again.

    Errors at one host of two come between served requests: as long as they are not further apart
    than GAP_SECONDS they are one interruption, up to the end of its last error.
    """
    found: list[Interruption] = []
    ordered = sorted(requests, key=lambda request: request.start)
    served = [request.start for request in ordered if request.outcome == OK]
    for request in ordered:
        if request.outcome == OK:
            continue
        # Whoever asked then knows that it is over only when someone is served after it.
        end = next((start for start in served if start >= request.end), request.end)
        if found and request.start <= found[-1].end + GAP_SECONDS:
            last = found.pop()
            found.append(Interruption(last.start, max(last.end, end), last.requests + 1))
        else:
            found.append(Interruption(request.start, end, 1))
    return found


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Summary:
    """Requests of one kind in one span of time. Times in seconds."""

    ok: int
    refused: int
    failed: int
    p50: float
    p95: float
    slowest: float
    error_seconds: float
    longest_error_seconds: float

    @classmethod
    def of(cls, requests: Iterable[Request]) -> "Summary":
        requests = list(requests)
        count = dict.fromkeys((OK, REFUSED, FAILED), 0)
        for request in requests:
            count[request.outcome] += 1
        served = [request.seconds for request in requests if request.outcome == OK]
        times = [interruption.seconds for interruption in interruptions(requests)]
        return cls(
            **count,
            p50=round(percentile(served, 0.50), 3),
            p95=round(percentile(served, 0.95), 3),
            slowest=round(max(served, default=0.0), 3),
            error_seconds=round(sum(times), 2),
            longest_error_seconds=round(max(times, default=0.0), 2),
        )
