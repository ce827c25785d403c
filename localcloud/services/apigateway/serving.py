"""What becomes of a request: the API, the stage and the route that it is for, and the function's
answer, or API Gateway's own.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import base64
import json
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import unquote

from moto.apigatewayv2.models import Api, Stage
from moto.core.exceptions import JsonRESTError

from localcloud.errors import Refusal
from localcloud.identity import policy
from localcloud.services.apigateway import answer, event, model, refusals, routing
from localcloud.services.apigateway.model import Answer, Request
from localcloud.services.apigateway.throttling import Throttle
from localcloud.services.apigateway.traffic import Traffic
from localcloud.services.base import Service
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.invocations import Invocations
from localcloud.services.functions.model import PAYLOAD
from localcloud.settings import ACCOUNT, REGION

log = logging.getLogger("localcloud.apigateway")

SUFFIX = f".execute-api.{REGION}.amazonaws.com"
WORKERS = 200


@dataclass(frozen=True)
class Place:
    """The stage that a request is for. ``path`` is the function's, ``inner`` the one in the stage
    that routes are about."""

    api: Api
    stage: Stage
    path: str
    inner: str


@dataclass
class Course:
    """What happens to one request, for who counts."""

    id: str
    began: float = field(default_factory=time.monotonic)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    place: Place | None = None
    route: str = ""
    integration: float | None = None


class Serving(Service):
    """Asks the functions of this cloud, as many at once as ask."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.traffic = Traffic()
        self._throttle = Throttle()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="integration")

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)

    def serve(self, request: Request) -> Answer:
        """The answer to a visitor."""
        course = Course(base64.b64encode(secrets.token_bytes(11)).decode())
        found = self._answer(request, course)
        self._count(course, found)
        return replace(found, headers=(*found.headers, ("apigw-requestid", course.id)))

    def _answer(self, request: Request, course: Course) -> Answer:
        if request.size > model.HEADERS:
            return model.HEADERS_TOO_LARGE
        place = self._place(request)
        if isinstance(place, Answer):
            return place
        course.place = place
        routes = {each.route_key: each for each in place.api.get_routes()}
        match = routing.choose(routes, request.method, place.inner)
        if match is None:
            return model.NOT_FOUND
        course.route = match.key
        settings = place.stage.default_route_settings or {}
        if not self._throttle.admits(
            (place.api.api_id, place.stage.name, match.key),
            settings.get("throttlingRateLimit"),
            settings.get("throttlingBurstLimit"),
        ):
            return model.TOO_MANY
        target = routes[match.key].target or ""
        integration = place.api.integrations.get(target.partition("/")[2])
        if integration is None:
            return model.FAILED
        return self._integrate(request, course, match, integration)

    # where

    def _place(self, request: Request) -> Place | Answer:
        """What the name and the path of a request lead to."""
        backend = self.cloud.backend("apigatewayv2")
        # as on AWS the path comes decoded, and ends at what is a question mark then
        path = unquote(request.path).partition("?")[0]
        domain = backend.domain_names.get(request.host)
        if domain:
            mappings = {each.api_mapping_key or "": each
                        for each in backend.get_api_mappings(request.host)}  # fmt: skip
            found = routing.mapping_of(mappings, path)
            if found is None:
                return model.FORBIDDEN
            mapping = mappings[found[0]]
            api = backend.apis[mapping.api_id]
            return Place(api, api.stages[mapping.stage], found[1], found[1])
        api = backend.apis.get(request.host.removesuffix(SUFFIX))
        if api is None or not request.host.endswith(SUFFIX):
            return model.FORBIDDEN
        if api.disable_execute_api_endpoint:
            return model.NOT_FOUND
        found = routing.stage_of(api.stages, path)
        if found is None:
            return model.NOT_FOUND
        return Place(api, api.stages[found[0]], path, found[1])

    # what

    def _integrate(self, request: Request, course: Course, match, integration) -> Answer:
        place = course.place
        uri = refusals.URI.fullmatch(integration.integration_uri)
        if not self._permitted(uri["arn"], place, match.key):
            log.warning("%s may not invoke %s: the function has no permission for it",
                        place.api.api_id, uri["arn"])  # fmt: skip
            return model.FAILED
        said = event.event(request, event.Scene(
            api=place.api.api_id, stage=place.stage.name, route=match.key, path=place.path,
            parameters=match.parameters, variables=place.stage.stage_variables,
            request_id=course.id, trace=_trace(request), at=course.at,
        ))  # fmt: skip
        payload = json.dumps(said, separators=(",", ":")).encode()
        if len(payload) > PAYLOAD:
            return model.TOO_LARGE
        begun = time.monotonic()
        working = self._workers.submit(
            self.cloud.service(Invocations).run, uri["name"], uri["qualifier"], payload
        )
        try:
            result = working.result(integration.timeout_in_millis / 1000)
        except TimeoutError:
            return model.UNAVAILABLE  # the function goes on
        except Refusal as error:
            # no room is what AWS calls unavailable, and not the visitor's fault
            return model.UNAVAILABLE if error.named("rest-json")[0] == 429 else model.FAILED
        except JsonRESTError:
            return model.FAILED  # there is no such function
        finally:
            course.integration = (time.monotonic() - begun) * 1000
        if result.outcome.answer.failed:
            return model.FAILED
        return answer.answer(result.outcome.answer.payload)

    def _permitted(self, arn: str, place: Place, key: str) -> bool:
        """Whether the function's policy lets this route invoke it."""
        document = self.cloud.service(Functions).policy(arn)
        wanted = policy.Request(
            "lambda:InvokeFunction",
            arn,
            {
                "aws:sourcearn": [source_arn(place.api.api_id, place.stage.name, key)],
                "aws:sourceaccount": [ACCOUNT],
            },
            principals=(model.SERVICE,),
        )
        documents = (document,) if document else ()
        return policy.says(documents, wanted, "Allow") and not policy.says(
            documents, wanted, "Deny"
        )

    def _count(self, course: Course, found: Answer) -> None:
        if course.place is None:
            return
        settings = course.place.stage.default_route_settings or {}
        route = course.route if settings.get("detailedMetricsEnabled") else ""
        self.traffic.add(
            course.place.api.api_id, course.place.stage.name, route, found.status,
            len(found.body), (time.monotonic() - course.began) * 1000, course.integration,
        )  # fmt: skip


def source_arn(api: str, stage: str, key: str) -> str:
    """What a function's permission may name as the source: a route of a stage."""
    method, _, path = key.partition(" ")
    route = f"{'*' if method == 'ANY' else method}{path}"
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/{stage}/{route}"


def _trace(request: Request) -> str:
    own = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    given = request.header("x-amzn-trace-id")
    return f"Self={own};{given}" if "Root=" in given else f"Root={own}"
