"""How far a long command is, on standard error: number, bytes, per second, time left."""

import sys
import time
from datetime import timedelta

EVERY = 2.0  # seconds


class Progress:
    def __init__(self, what: str, total: int):
        self.what, self.total = what, total
        self.number = self.bytes = 0
        self.start = self.told = time.monotonic()

    def add(self, number: int, size: int) -> None:
        self.number += number
        self.bytes += size
        if time.monotonic() - self.told >= EVERY:
            self.tell()

    def tell(self) -> None:
        self.told = time.monotonic()
        rate = self.number / max(self.told - self.start, 0.001)
        parts = [
            f"{self.number} of about {max(self.total, self.number)} {self.what}",
            f"{self.bytes / 1e6:.1f} MB",
            f"{rate:.0f} per second",
        ]
        if rate:
            left = timedelta(seconds=round(max(self.total - self.number, 0) / rate))
            parts.append(f"{left} left")
        print(", ".join(parts), file=sys.stderr, flush=True)
