"""Whether this host can serve: for load balancers, deployments and people."""

import os
import socket
import sys
from functools import lru_cache
from json import loads
from pathlib import Path

import mustache
from django.conf import settings
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from service.errors import RETRY_AFTER_SECONDS, wants_json
from service.pictures import stores
from service.pictures.records import records

# cloud-init leaves here what the instance metadata service said at boot.
INSTANCE_DATA = Path("/run/cloud-init/instance-data.json")


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def rows_table() -> None:
    records.original("readyz")


def pictures() -> None:
    stores.check(default_storage)


def cached() -> None:
    # One that fails open would say nothing of it.
    check = getattr(cache, "check", None)
    check() if check else cache.get("readyz")


def sessions() -> None:
    from importlib import import_module

    import_module(settings.SESSION_ENGINE).SessionStore().exists("readyz")


# Where the rows are is asked first.
ROWS = {"database": database, "dynamodb": rows_table}
CHECKS = {
    settings.ROWS: ROWS[settings.ROWS],
    "pictures": pictures,
    "sessions": sessions,
    "cache": cached,
}
# Without one of these no page is right. Without the others all is slower, or cannot be counted, or
# no picture can come and none may be seen: to take every host out of service would be worse.
NEEDED = {settings.ROWS, "sessions"}


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """503 with the stores that do not answer, if one is needed; 200 when all do, or degraded."""
    failed, degraded = {}, {}
    for name, check in CHECKS.items():
        try:
            check()
        except Exception as error:  # whatever it is, the store does not answer
            (failed if name in NEEDED else degraded)[name] = type(error).__name__
            if name == "database":  # others are in it: each would wait for it as long again
                break
    response = JsonResponse(
        {
            "ready": not failed,
            "checked": list(CHECKS),
            "failed": failed,
            "degraded": degraded,
        },
        status=503 if failed else 200,
    )
    if failed:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


class HealthMiddleware:
    """Answers before ALLOWED_HOSTS is looked at: a load balancer asks by IP address."""

    VIEWS = {"/healthz": healthz, "/readyz": readyz}

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = self.VIEWS.get(request.path_info)
        if view is None:
            return self.get_response(request)
        return view(request)


@lru_cache(maxsize=1)
def instance() -> dict[str, str]:
    """The EC2 instance this runs on (id, type, zone); empty elsewhere."""
    try:
        data = loads(INSTANCE_DATA.read_text())
    except (OSError, ValueError):
        return {}
    about = data.get("v1", {})
    # Not cloud_name: a host that is a container has no firmware that says aws.
    if about.get("platform") != "ec2":
        return {}
    return {
        "instance_id": about.get("instance_id"),
        "zone": about.get("availability_zone"),
        "region": about.get("region"),
    }


def release_of(prefix: str) -> str | None:
    """The release whose environment is ``prefix`` (roles/web: NAME/venv); None elsewhere."""
    home = Path(prefix).resolve().parent
    return home.name if (home / "complete").exists() else None


# Found out at the start: a later release may take the place that this one was started from.
RELEASE = settings.RELEASE or release_of(sys.prefix)


def about() -> dict:
    return {
        "service": "Simple Mustache Service",
        "version": mustache.__version__,
        "release": RELEASE,
        "host": socket.gethostname(),
        "worker": os.getpid(),
        "instance_id": None,
        "zone": None,
        "region": None,
        "stores": {
            "database": connection.vendor if settings.ROWS == "database" else settings.ROWS,
            "pictures": settings.PICTURE_STORE,
            "sessions": settings.SESSION_STORE,
            "cache": settings.CACHES["default"]["BACKEND"].rpartition(".")[2],
        },
    } | instance()


def rows(facts: dict) -> list[tuple[str, object]]:
    """The facts as the page lists them."""
    names = {"instance_id": "Instance", "zone": "Zone", "host": "Host", "version": "Version"}
    return [
        *((title, facts[name]) for name, title in names.items()),
        *((f"Store of {name}", kind) for name, kind in facts["stores"].items()),
    ]


@require_safe
def info(request: HttpRequest) -> HttpResponse:
    """GET /info: which host answered, for people and (JSON) for programs."""
    facts = about()
    if request.GET.get("format") == "json" or wants_json(request):
        response = JsonResponse(facts)
    else:
        response = render(request, "info.html", {"facts": rows(facts)})
    response["Vary"] = "Accept"
    return response
