"""Two stores while sessions move, the first being the one that is right.

What is written is written to the first and then to the second, always; a gravestone in either wins.
So while hosts change from one setting to the next, this is safe in this order:

    A       ->  A, second B  ->  (move_sessions --to B, compare_sessions)  ->  B, second A  ->  B

Reading falls back to the second for those that the first does not have. That also allows to begin
with `B, second A`, but then what a host that knows only A writes meanwhile is not seen.
"""

from service.sessions import Kept, Store


class Both:
    def __init__(self, first: Store, second: Store):
        self.first, self.second = first, second

    def get(self, key: str) -> Kept | None:
        return self.first.get(key) or self.second.get(key)

    def add(self, kept: Kept) -> bool:
        if not self.first.add(kept):
            return False
        self.copy(kept)
        return True

    def replace(self, kept: Kept) -> bool:
        if not self.first.replace(kept) and not self.bring(kept):
            return False
        self.copy(kept)
        return True

    def bring(self, kept: Kept) -> bool:
        """Put it in the first if it was read from the second."""
        there = self.second.get(kept.key)
        if there is None or there.gone:
            return False
        # By now move_sessions may have brought it too.
        return self.first.add(kept) or self.first.replace(kept)

    def copy(self, kept: Kept) -> None:
        # Neither is possible over a gravestone: it was ended at this moment.
        if not self.second.replace(kept):
            self.second.add(kept)

    def bury(self, gravestone: Kept) -> None:
        self.first.bury(gravestone)
        self.second.bury(gravestone)

    def clear_expired(self) -> None:
        self.first.clear_expired()
        self.second.clear_expired()
