"""How events of a function, a version or an alias are tried again, and who hears of the end."""

import json
import time
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.functions import destinations, refusals
from localcloud.services.functions.invocations import named
from localcloud.services.functions.model import LATEST

LIMITS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21600)}


class EventConfigs(Service):
    """moto has one for a function, whatever its qualifier."""

    @hook(LambdaResponse, "put_function_event_invoke_config", "self")
    def put(self, original, response):
        return self._set(response, {})

    @hook(LambdaResponse, "update_function_event_invoke_config", "self")
    def update(self, original, response):
        return self._set(response, self._found(response)[2])

    @hook(LambdaResponse, "get_function_event_invoke_config", "self")
    def get(self, original, response):
        function, qualifier, config = self._found(response)
        return _answer(_shown(function, qualifier, config))

    @hook(LambdaResponse, "delete_function_event_invoke_config", "self")
    def delete(self, original, response):
        function, qualifier, _ = self._found(response)
        del function.event_configs[qualifier]
        return 204, {"status": 204}, ""

    @hook(LambdaResponse, "list_function_event_invoke_configs", "self")
    def listed(self, original, response):
        function, _ = self._function(response, -3)
        found = [_shown(function, *each) for each in sorted(function.event_configs.items())]
        return _answer({"FunctionEventInvokeConfigs": found})

    def _set(self, response, before: dict):
        function, qualifier = self._function(response)
        asked = json.loads(response.body or "{}")
        for name, (least, most) in LIMITS.items():
            value = asked.get(name)
            if value is not None and not least <= value <= most:
                raise refusals.out_of_bounds(name[0].lower() + name[1:], value, least, most)
        destinations.check(self.cloud, asked.get("DestinationConfig") or {}, function.role)
        config = {**before, **{key: value for key, value in asked.items() if value is not None}}
        function.event_configs[qualifier] = {**config, "LastModified": time.time()}
        return _answer(_shown(function, qualifier, function.event_configs[qualifier]))

    def _function(self, response, place: int = -2):
        """The function, and what the call is about: an alias, a version or the newest code."""
        name = unquote(response.path.split("/")[place])
        qualifier = (response.querystring or {}).get("Qualifier", [None])[0]
        name, qualifier = named(name, qualifier)
        response.backend.get_function(name, qualifier)  # there is one
        return response.backend.get_function(name), qualifier or LATEST

    def _found(self, response):
        function, qualifier = self._function(response)
        config = function.event_configs.get(qualifier)
        if config is None:
            raise Refusal(
                (404, "ResourceNotFoundException"),
                f"The function {_arn(function, qualifier)} doesn't have an EventInvokeConfig",
            )
        return function, qualifier, config


def _arn(function, qualifier: str) -> str:
    return ":".join([*function.function_arn.split(":")[:7], qualifier])


def _shown(function, qualifier: str, config: dict) -> dict:
    return {"FunctionArn": _arn(function, qualifier),
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}, **config}  # fmt: skip


def _answer(what: dict):
    return 200, {"Content-Type": "application/json"}, json.dumps(what)
