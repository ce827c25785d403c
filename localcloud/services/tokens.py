"""Client tokens: a call of EC2 that is sent twice is done once."""

import functools
import threading
from contextlib import contextmanager

from moto.core.utils import get_service_model
from moto.ec2.responses import EC2Response

from localcloud.hooks import hook
from localcloud.services import launches
from localcloud.services.base import Service
from localcloud.services.lists import refused

KEPT = 100  # answers; they are saved with the API's state


class Tokens(Service):
    """RunInstances keeps its tokens with what it made; the answers of other calls are kept."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._locks: dict[str, threading.Lock] = {}

    @hook(EC2Response, "call_action", "self")
    def once(self, original, response):
        action = response._get_action()
        member = token_member(action)
        token = response._get_param(member) if member else None
        if not token or action == "RunInstances":
            return original(response)
        request = launches.digest({**response.params, member: None})
        with self._alone(token):
            answers = response.ec2_backend.__dict__.setdefault("answers_of_tokens", {})
            before, answer = answers.get((action, token), (request, None))
            if before != request:
                return refused(response, launches.mismatch())
            if answer is None:
                answer = original(response)
                if answer[0] < 400:
                    answers[action, token] = request, answer
                    for key in list(answers)[:-KEPT]:
                        del answers[key]
            return answer

    @contextmanager
    def _alone(self, token: str):
        """Only one call with this token at a time."""
        with self.cloud.lock:
            lock = self._locks.setdefault(token, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self.cloud.lock:
                self._locks.pop(token, None)


@functools.cache
def token_member(action: str) -> str | None:
    """The parameter of a call that makes it idempotent."""
    model = get_service_model("ec2")
    if action not in model.operation_names:
        return None
    shape = model.operation_model(action).input_shape
    for name, member in shape.members.items() if shape else ():
        if name == "ClientToken" or member.metadata.get("idempotencyToken"):
            return name
    return None
