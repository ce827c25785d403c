"""How far a long command is, on standard error: number, bytes, per second, time left."""

import sys
import time
from datetime import timedelta

EVERY = 2.0  # seconds


class Progress:
    """Of about so many things, and of so many bytes where that is known."""

    def __init__(self, what: str, total: int, size: int = 0):
        self.what, self.total, self.size = what, total, size
        self.number = self.bytes = 0
        self.start = self.told = time.monotonic()

    def add(self, number: int, size: int) -> None:
        self.number += number
        self.bytes += size
        if time.monotonic() - self.told >= EVERY:
            self.tell()

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self.start, 0.001)

    @property
    def part(self) -> float:
        """How much of it is done: at most 1."""
        done, total = (self.bytes, self.size) if self.size else (self.number, self.total)
        return min(done / total, 1) if total else 1

    def tell(self) -> None:
        self.told = time.monotonic()
        parts = [
            f"{self.number} of about {max(self.total, self.number)} {self.what}",
            f"{self.bytes / 1e6:.1f} MB" + (f" of {self.size / 1e6:.1f}" if self.size else ""),
            f"{self.number / self.seconds:.0f} per second",
        ]
        if self.part:
            left = timedelta(seconds=round(self.seconds * (1 - self.part) / self.part))
            parts.append(f"{left} left")
        print(", ".join(parts), file=sys.stderr, flush=True)
