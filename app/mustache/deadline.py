"""A moment until which one picture may be worked on."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mustache.errors import TookTooLong


@dataclass(frozen=True, slots=True)
class Deadline:
    """moment: of time.monotonic(), or None for never.

    What calls into a decoder, an encoder or a network cannot be stopped on its way, so it is asked
    between these: before each frame, each look and each step of a file's way.
    """

    moment: float | None = None

    def check(self) -> None:
        """Raise TookTooLong when the moment has passed."""
        if self.moment is not None and time.monotonic() >= self.moment:
            raise TookTooLong
