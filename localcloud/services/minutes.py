"""What services count by minute, for CloudWatch."""

import threading
from typing import NamedTuple


class Minutes[K: NamedTuple, T]:
    """Many threads count, one takes. A key's ``at`` is the second in which its minute began."""

    def __init__(self):
        self._lock = threading.Lock()
        self._seen: dict[K, T] = {}

    def take(self, before: int) -> dict[K, T]:
        """What was counted in minutes that began before then; it is forgotten here."""
        with self._lock:
            found = {key: tally for key, tally in self._seen.items() if key.at < before}
            for key in found:
                del self._seen[key]
        return found
