"""What happened a moment ago."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    at: float
    until: float
    before: object = None


@dataclass
class Recent:
    """Events by name, each until its time. ``clock`` gives seconds."""

    clock: object = time.monotonic
    _events: dict[str, Event] = field(default_factory=dict)

    def note(self, name: str, seconds: float, before=None) -> None:
        """It has happened now, to what was ``before``; an event that is not over goes on first."""
        now = self.clock()
        for old in [key for key, each in list(self._events.items()) if each.until <= now]:
            self._events.pop(old, None)
        self._events.setdefault(name, Event(now, now + seconds, before))

    def forget(self, name: str) -> None:
        self._events.pop(name, None)

    def find(self, name: str) -> Event | None:
        """The event, unless its time is over."""
        found = self._events.get(name)
        return found if found and self.clock() < found.until else None

    def age(self, name: str) -> float | None:
        """Seconds since it, or None."""
        found = self.find(name)
        return self.clock() - found.at if found else None

    def any(self, prefix: str) -> bool:
        """Whether an event whose name begins so is not over."""
        return any(name.startswith(prefix) and self.find(name) for name in list(self._events))
