"""Environments of all functions: who is free, who works, and how many there may be."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from localcloud.services.functions.environment import Environment
from localcloud.services.functions.model import Plan

IDLE_SECONDS = 300
OLDEST_SECONDS = 4 * 3600
"""After that its credentials would end in the middle of something."""


class Throttled(Exception):
    """There are as many already as there may be; the message is AWS's reason."""


class Fleet:
    """``make(plan, slot, provisioned)`` starts an environment; there are ``room`` slots."""

    def __init__(self, make: Callable[[Plan, int, bool], Environment], room: int):
        self._make = make
        self.room = room
        self._lock = threading.Lock()
        self._idle: list[Environment] = []
        self._working: dict[int, Environment | None] = {}  # by slot; None is about to start
        self._busy: Counter[str] = Counter()
        self._retired: set[Plan] = set()
        self._provided: dict[Plan, int] = {}

    def take(self, plan: Plan, limit: int | None) -> Environment:
        """A free environment of this plan, the one used last, or a new one."""
        with self._lock:
            if limit is not None and self._busy[plan.function] >= limit:
                raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            self._retired.discard(plan)
            while found := self._latest(plan):
                self._idle.remove(found)
                if found.alive:
                    self._working[found.slot] = found
                    self._busy[plan.function] += 1
                    return found
                threading.Thread(target=found.remove, daemon=True).start()
            slot, surplus = self._place()
            self._busy[plan.function] += 1
        try:
            if surplus:
                surplus.remove()
            made = self._make(plan, slot, False)
        except BaseException:
            with self._lock:
                self._working.pop(slot, None)
                self._busy[plan.function] -= 1
            raise
        with self._lock:
            self._working[slot] = made
        return made

    def give_back(self, environment: Environment, usable: bool) -> None:
        """It is free for the next one, or it goes."""
        keep = usable and environment.plan not in self._retired
        if not keep:
            environment.remove()
        with self._lock:
            self._working.pop(environment.slot, None)
            self._busy[environment.plan.function] -= 1
            if keep:
                self._idle.append(environment)

    def retire(self, plan: Plan) -> None:
        """No function has this plan any more: its environments go as soon as they are free."""
        with self._lock:
            self._retired.add(plan)
        self._remove(lambda each: each.plan == plan)

    def trim(self) -> None:
        """Remove those that nobody has asked for a while, that are old, or that died."""
        now = time.monotonic()
        self._remove(
            lambda each: (
                (now - each.used > IDLE_SECONDS and not each.provisioned)
                or now - each.born > OLDEST_SECONDS
                or not each.alive
            )
        )

    # provisioned concurrency

    def provide(self, wanted: dict[Plan, int]) -> list[Plan]:
        """Keep so many environments of each plan from now on; return those to `start` for it."""
        with self._lock:
            self._provided = dict(wanted)
            kept = Counter(each.plan for each in self._known() if each.provisioned and each.alive)
            for each in self._known():
                if each.provisioned and kept[each.plan] > wanted.get(each.plan, 0):
                    each.provisioned = False  # one like any other, that goes when nobody asks
                    kept[each.plan] -= 1
            lacking = Counter(wanted) - kept
        return list(lacking.elements())

    def start(self, plan: Plan) -> None:
        """Start an environment that is kept, and let it initialise."""
        with self._lock:
            slot, surplus = self._place()
        made = None
        try:
            if surplus:
                surplus.remove()
            made = self._make(plan, slot, True)
            made.prepare()
            with self._lock:
                kept = self.ready(plan) < self._provided.get(plan, 0)
                if kept:
                    made.provisioned = True
                    self._idle.append(made)
            if not kept:
                made.remove()
        except BaseException:
            if made:
                made.remove()
            raise
        finally:
            with self._lock:
                self._working.pop(slot, None)

    def ready(self, plan: Plan) -> int:
        """How many are kept of a plan, and can work."""
        return sum(each.plan == plan and each.provisioned and each.alive for each in self._known())

    def all(self) -> list[Environment]:
        with self._lock:
            return self._known()

    def slots(self) -> set[int]:
        """Places on the network that are in use, or are about to be."""
        with self._lock:
            return {*self._working, *(each.slot for each in self._idle)}

    def busy(self, function: str) -> int:
        return self._busy[function]

    def _place(self) -> tuple[int, Environment | None]:
        """A slot, and who has to leave it: who waited longest and is not provided."""
        slot, surplus = self._free_slot(), None
        if slot is None:
            others = [each for each in self._idle if not each.provisioned]
            if not others:
                raise Throttled("ConcurrentInvocationLimitExceeded")
            surplus = min(others, key=lambda each: each.used)
            self._idle.remove(surplus)
            slot = surplus.slot
        self._working[slot] = None
        return slot, surplus

    def _known(self) -> list[Environment]:
        return [*self._idle, *(each for each in list(self._working.values()) if each)]

    def _latest(self, plan: Plan) -> Environment | None:
        found = [each for each in self._idle if each.plan == plan]
        return max(found, key=lambda each: (each.provisioned, each.used), default=None)

    def _free_slot(self) -> int | None:
        used = {*self._working, *(each.slot for each in self._idle)}
        return next((slot for slot in range(self.room) if slot not in used), None)

    def _remove(self, unwanted: Callable[[Environment], bool]) -> None:
        with self._lock:
            gone = [each for each in self._idle if unwanted(each)]
            self._idle = [each for each in self._idle if each not in gone]
            for each in gone:  # its slot is taken until it is gone
                self._working[each.slot] = None
        for each in gone:
            each.remove()
            with self._lock:
                self._working.pop(each.slot, None)
