"""Provisioned concurrency: environments that have started before anybody asks, and are kept."""

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError

from localcloud.errors import Refusal
from localcloud.hooks import addition
from localcloud.services.base import Service
from localcloud.services.functions import refusals
from localcloud.services.functions.environment import StillbornError
from localcloud.services.functions.fleet import Throttled
from localcloud.services.functions.functions import Functions, provided
from localcloud.services.functions.invocations import named
from localcloud.services.functions.model import CONCURRENCY, LATEST, UNRESERVED, Plan
from localcloud.services.managed import FAILURES

log = logging.getLogger("localcloud.functions")

AGAIN_SECONDS = 15
# moto has no such calls.
urls.url_paths[
    r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/provisioned-concurrency/?$"
] = LambdaResponse.dispatch


@dataclass
class Config:
    """What was asked for, when, and why it could not be had."""

    requested: int
    modified: str
    reason: str = ""


class ProvisionedConcurrency(Service):
    """What was asked for is started by a thread beside the reconciler, one after the other."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._thread: threading.Thread | None = None
        self._again = 0.0

    @addition(LambdaResponse, "put_provisioned_concurrency_config", "self")
    def put(self, response):
        function, qualifier = self._function(response)
        requested = json.loads(response.body or "{}").get("ProvisionedConcurrentExecutions") or 0
        self._check(function, qualifier, requested)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}+0000"
        function.provisioned[qualifier] = Config(requested, now)
        said = self._shown(function, qualifier) | {"Status": "IN_PROGRESS"}
        self._again = 0.0
        self.reconcile()
        return _answer(202, said)

    @addition(LambdaResponse, "get_provisioned_concurrency_config", "self")
    def get(self, response):
        function, qualifier = self._function(response)
        self._find(function, qualifier)
        return _answer(200, self._shown(function, qualifier))

    @addition(LambdaResponse, "delete_provisioned_concurrency_config", "self")
    def delete(self, response):
        function, qualifier = self._function(response)
        self._find(function, qualifier)
        del function.provisioned[qualifier]
        self.reconcile()
        return 204, {"status": 204}, ""

    @addition(LambdaResponse, "list_provisioned_concurrency_configs", "self")
    def listed(self, response):
        function, _ = self._function(response)
        base = ":".join(function.function_arn.split(":")[:7])
        found = [
            {"FunctionArn": f"{base}:{qualifier}", **self._shown(function, qualifier)}
            for qualifier in sorted(function.provisioned)
        ]
        return _answer(200, {"ProvisionedConcurrencyConfigs": found})

    # what is there

    def reconcile(self) -> None:
        """Keep what was asked for, also when an alias has moved or an environment has died."""
        fleet = self.cloud.service(Functions).fleet
        lacking = fleet.provide(self._wanted())
        busy = self._thread is not None and self._thread.is_alive()
        if lacking and not busy and time.monotonic() >= self._again:
            self._thread = threading.Thread(target=self._start, args=(lacking,),
                                            name="provision", daemon=True)  # fmt: skip
            self._thread.start()

    def _start(self, lacking: list[Plan]) -> None:
        fleet = self.cloud.service(Functions).fleet
        for plan in lacking:
            reason = ""
            try:
                fleet.start(plan)
            except (Throttled, StillbornError, *FAILURES) as error:
                log.warning("%s:%s is not provided: %s", plan.function, plan.version, error)
                reason = "FUNCTION_ERROR_INIT_FAILURE" if isinstance(error, StillbornError) else (
                    f"{error}")  # fmt: skip
                self._again = time.monotonic() + AGAIN_SECONDS
            for function, qualifier, config in self._configs():
                if plan in self._plans(function, qualifier, config):
                    config.reason = reason
            if reason:
                return

    def _wanted(self) -> Counter[Plan]:
        wanted: Counter[Plan] = Counter()
        for function, qualifier, config in self._configs():
            wanted.update(self._plans(function, qualifier, config))
        return wanted

    def _configs(self) -> Iterator[tuple[object, str, Config]]:
        for function in list(self.cloud.backend("lambda")._lambdas.latest()):
            for qualifier, config in list(function.provisioned.items()):
                yield function, qualifier, config

    def _plans(self, function, qualifier: str, config: Config) -> dict[Plan, int]:
        """What runs behind a version or an alias, and how many of it; nothing if that is gone."""
        shares = dict(self._versions(function, qualifier))
        found = {}
        backend = self.cloud.backend("lambda")
        for version, share in shares.items():
            with contextlib.suppress(JsonRESTError):
                plan = backend.get_function(function.function_name, version).plan
                if plan is not None and round(config.requested * share):
                    found[plan] = round(config.requested * share)
        return found

    def _versions(self, function, qualifier: str) -> list[tuple[str, float]]:
        aliases = self.cloud.backend("lambda").list_aliases(function.function_name)
        alias = next((each for each in aliases if each.name == qualifier), None)
        if alias is None:
            return [(qualifier, 1.0)]
        weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
        return [(alias.function_version, 1 - sum(weights.values())), *weights.items()]

    # how

    def _function(self, response):
        name = unquote(response.path.rstrip("/").split("/")[-2])
        qualifier = (response.querystring or {}).get("Qualifier", [None])[0]
        name, qualifier = named(name, qualifier)
        response.backend.get_function(name, qualifier)  # there is one
        return response.backend.get_function(name), qualifier or LATEST

    def _find(self, function, qualifier: str) -> Config:
        if qualifier not in function.provisioned:
            raise Refusal(
                (404, "ProvisionedConcurrencyConfigNotFoundException"),
                "No Provisioned Concurrency Config found for this function",
            )
        return function.provisioned[qualifier]

    def _check(self, function, qualifier: str, requested: int) -> None:
        functions = self.cloud.service(Functions)
        versions = {version for version, _ in self._versions(function, qualifier)}
        if LATEST in versions:
            raise refusals.invalid("Provisioned Concurrency Configs cannot be applied to "
                                   "unpublished function versions.")  # fmt: skip
        if requested < 1:
            raise refusals.out_of_bounds("provisionedConcurrentExecutions", requested, 1, 1 << 31)
        for other in function.provisioned:
            if other != qualifier and versions & {v for v, _ in self._versions(function, other)}:
                raise refusals.invalid(f"{qualifier} leads to a version that has provisioned "
                                       f"concurrency as {other}.")  # fmt: skip
        before = function.provisioned.get(qualifier, Config(0, "")).requested
        total = provided(function) - before + requested
        reserved = function.reserved_concurrency
        if reserved is not None and total > reserved:
            raise refusals.invalid("Requested Provisioned Concurrency should not be greater than "
                                   "the reservedConcurrentExecution for function")  # fmt: skip
        if reserved is None and functions.claimed(function) + total > CONCURRENCY - UNRESERVED:
            raise refusals.invalid(
                "Specified ConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )
        room = functions.fleet.room - 1  # one is for all who have none
        everything = sum(config.requested for _, _, config in self._configs())
        if everything - before + requested > room:
            raise Refusal("not supported", f"The local cloud refuses {requested} environments: it "
                          f"has {functions.fleet.room} at once, and keeps one free.")  # fmt: skip

    def _shown(self, function, qualifier: str) -> dict:
        config = function.provisioned[qualifier]
        fleet = self.cloud.service(Functions).fleet
        plans = self._plans(function, qualifier, config)
        ready = sum(min(fleet.ready(plan), count) for plan, count in plans.items())
        said = {
            "RequestedProvisionedConcurrentExecutions": config.requested,
            "AvailableProvisionedConcurrentExecutions": ready,
            "AllocatedProvisionedConcurrentExecutions": ready,
            "LastModified": config.modified,
            "Status": "READY" if plans and ready == sum(plans.values()) else "IN_PROGRESS",
        }
        if config.reason and said["Status"] != "READY":
            said |= {"Status": "FAILED", "StatusReason": config.reason}
        return said


def _answer(status: int, what: dict):
    return status, {"status": status, "Content-Type": "application/json"}, json.dumps(what)
