"""Invocations that nobody waits for: tried again when they fail, and on the disk until they end."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from localcloud.errors import Refusal
from localcloud.services.functions.destinations import (
    FAILED,
    SUCCESS,
    TOO_OLD,
    Destinations,
    Ending,
)
from localcloud.services.functions.model import LATEST
from localcloud.shelves import LOCK, Shelf

log = logging.getLogger("localcloud.functions")

RETRY_SECONDS = (60, 120)
"""After the first and after the second failure of an event."""
OLDEST_EVENT = 6 * 3600
BUSY_SECONDS = (1, 300)
"""Between two tries of an event that finds no room, at first and at most."""
WORKERS = 8


@dataclass
class Event:
    """An invocation that nobody waits for. It is saved until it is done."""

    id: str
    function: str
    qualifier: str | None
    payload: bytes
    accepted: float
    due: float
    failures: int = 0
    throttles: int = 0


class Queue:
    """Events of all functions. ``run`` does what an event asks for, as `Invocations.run` does."""

    def __init__(self, cloud, run: Callable, destinations: Destinations):
        self.cloud = cloud
        self._run = run
        self._destinations = destinations
        self.events = Shelf("events of functions")
        self._new: list[Event] = []
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="events")
        self._working: set[str] = set()
        self._lock = threading.Lock()

    def accept(self, function: str, qualifier: str | None, payload: bytes) -> None:
        """Run it soon: as soon as it is on the disk, which it is before any call is answered."""
        now = time.time()
        event = Event(str(uuid.uuid4()), function, qualifier, payload or b"{}", now, now)
        with LOCK:
            self._put(event)
            self._new.append(event)

    def fill(self, older: list[Event]) -> None:
        """Take over what waits, and what an older state file has."""
        self.cloud.store.fill(self.events)
        with LOCK:
            for event in older:
                self._put(event)

    def save(self) -> None:
        with LOCK:
            new, self._new = self._new, []
            self.cloud.store.write([self.events])
        for event in new:
            self._submit(event)

    def submit_due(self) -> None:
        now = time.time()
        with LOCK:
            due = [event for event in self.events.values() if event.due <= now]
        for event in due:
            self._submit(event)

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _put(self, event: Event) -> None:
        self.events[event.id] = event
        self.events.changed.add(event.id)

    def _submit(self, event: Event) -> None:
        with self._lock:
            if event.id in self._working:
                return
            self._working.add(event.id)
        self._workers.submit(self._work, event)

    def _work(self, event: Event) -> None:
        done = False
        try:
            done = self._try(event)
        except Exception:
            log.exception("event %s of %s", event.id, event.function)
            event.due = time.time() + BUSY_SECONDS[1]
        with LOCK:
            if done:
                self.events.pop(event.id, None)
            self.events.changed.add(event.id)
        with self._lock:
            self._working.discard(event.id)
        self.cloud.save_entries()

    def _try(self, event: Event) -> bool:
        """Whether nothing more is to be done about the event."""
        function, config = self._function(event)
        retries = config.get("MaximumRetryAttempts", len(RETRY_SECONDS))
        now = time.time()
        if now - event.accepted > config.get("MaximumEventAgeInSeconds", OLDEST_EVENT):
            return self._end(event, function, config, Ending(TOO_OLD, runs=event.failures))
        try:
            result = self._run(event.function, event.qualifier, event.payload, event.id)
        except Refusal as error:
            if error.named("rest-json")[0] not in (429, 500):
                log.warning("%s: event %s: %s", event.function, event.id, error.message)
                return True
            least, most = BUSY_SECONDS
            event.due = now + min(most, least * 2**event.throttles)
            event.throttles += 1
            return False
        if not result.outcome.answer.failed:
            ending = Ending(SUCCESS, result, event.failures + 1)
            return self._end(event, function, config, ending)
        event.failures += 1
        if event.failures > retries:
            return self._end(event, function, config, Ending(FAILED, result, event.failures))
        event.due = time.time() + RETRY_SECONDS[event.failures - 1]
        return False

    def _end(self, event: Event, function, config: dict, ending: Ending) -> bool:
        if ending.condition != SUCCESS:
            log.warning("%s: event %s: %s", event.function, event.id, ending.condition)
        if function is not None:
            try:
                self._destinations.send(event, function, config.get("DestinationConfig") or {},
                                        ending)  # fmt: skip
            except Exception:  # once, as on AWS
                log.exception("%s: where event %s was to go", event.function, event.id)
        return True

    def _function(self, event: Event) -> tuple[object | None, dict]:
        """The function, if it is still there, and what is said of its events."""
        group = self.cloud.backend("lambda")._lambdas._functions.get(event.function)
        if not group or not group["latest"]:
            return None, {}
        latest = group["latest"]
        return latest, latest.event_configs.get(event.qualifier or LATEST, {})
