"""What a call meets before it is answered, and what is remembered of it."""

from localcloud.calls import Call
from localcloud.services.pace.capacity import Capacity
from localcloud.services.pace.pace import Pace
from localcloud.services.pace.spread import Spread
from localcloud.services.pace.states import States
from localcloud.services.pace.throttle import Throttle


class Manners:
    """All of them, for the API; without `LOCALCLOUD_PACE` none."""

    def __init__(self, cloud):
        pace = cloud.service(Pace)
        self._on = pace.on
        self._throttle = Throttle(cloud.settings.pace or 0)
        self._spread = Spread(cloud, pace.recent)
        self._states = cloud.service(States)
        self._capacity = Capacity(pace.recent)

    def before(self, call: Call) -> None:
        """Raise `Refusal` for what AWS would refuse for now."""
        if self._on:
            self._throttle.check(call)
            self._spread.before(call)
            self._states.check(call)
            self._capacity.check(call)

    def after(self, call: Call, answer: bytes) -> None:
        """The call has changed what it was to change."""
        if self._on:
            self._spread.after(call, answer)
            self._states.note(call)
