"""What Prometheus reads at /metrics: request rate, latency, picture time.

With several gunicorn workers the numbers of all are summed through PROMETHEUS_MULTIPROC_DIR,
which gunicorn_config.py sets. Where prometheus_client is not installed, nothing is counted: nobody
could read the numbers of a function, which is one of many and soon gone.
"""

import os
from importlib.util import find_spec

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from service.clients import is_this_host
from service.errors import error_page

COUNTED = find_spec("prometheus_client") is not None


class Uncounted:
    """Stands for a counter and a histogram, and takes what they take."""

    def __init__(self, *description, **options):
        pass

    def labels(self, *values) -> "Uncounted":
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


if COUNTED:
    from prometheus_client import Counter, Histogram
else:
    Counter = Histogram = Uncounted

REQUESTS = Histogram(
    "mustache_request_seconds",
    "Time to answer a request, by view, method and status.",
    ["view", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
PICTURES = Histogram(
    "mustache_picture_seconds",
    "Time from the bytes of a picture to the bytes of the result.",
    ["style"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8),
)
FACES = Counter("mustache_faces_total", "Faces that got a mustache.")
REFUSED = Counter("mustache_refused_pictures_total", "Pictures refused, by reason.", ["reason"])
BUSY = Counter("mustache_busy_total", "Pictures refused because others are being worked on.")
LIMITED = Counter("mustache_rate_limited_total", "Requests over a rate limit.", ["limit"])


@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """GET /metrics, for a reader on the same host only: it tells too much to be public."""
    if not COUNTED or not is_this_host(request):
        return error_page(request, 404)
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        REGISTRY,
        CollectorRegistry,
        generate_latest,
        multiprocess,
    )

    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
