"""Too many calls: one of some dozens is refused, and which one follows from the seed.

After a call that is refused the next few of its kind are answered, so who tries again gets through.
"""

import hashlib
from collections import defaultdict

from localcloud.calls import Call
from localcloud.errors import Refusal

ONE_OF = 40
PAUSE = 8
# Their limits are thousands a second, or they are asked by what visitors wait for.
FREE = ("s3", "dynamodb", "sts")


class Throttle:
    def __init__(self, seed: int):
        self._seed = seed
        self._count: dict[str, int] = defaultdict(int)
        self._last: dict[str, int] = {}

    def check(self, call: Call) -> None:
        """Raise `Refusal` when this one is one too many."""
        if call.service in FREE or not call.operation:
            return
        name = f"{call.service}:{call.operation}"
        self._count[name] += 1
        number = self._count[name]
        if number - self._last.get(name, -PAUSE) < PAUSE or not self._chosen(name, number):
            return
        self._last[name] = number
        message = "Request limit exceeded." if call.service == "ec2" else "Rate exceeded"
        raise Refusal("too many", message)

    def _chosen(self, name: str, number: int) -> bool:
        digest = hashlib.sha256(f"{self._seed} {name} {number}".encode()).digest()
        return int.from_bytes(digest[:4]) % ONE_OF == 0
