"""`service.wsgi:application`, what gunicorn serves."""

import os
from contextlib import suppress
from socket import AF_UNIX
from threading import BoundedSemaphore
from time import monotonic

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from service import admission

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")

DRAIN_SECONDS = 2
drains = BoundedSemaphore(admission.DRAINS)
CHUNK = 1 << 20

django = get_wsgi_application()


def application(environ, start_response):
    answer = django(environ, start_response)
    has_body = environ.get("CONTENT_LENGTH", "0") not in {"", "0"}
    return Drained(answer, environ) if has_body else answer


class Drained:
    """An answer, after which the rest of the body is thrown away.

    Who is refused before his picture is read sends it still. Cut off, he might not see the answer,
    and gunicorn throws little away itself. nginx has the body at hand; of others, who may be slow,
    a few get moments for a large one.
    """

    def __init__(self, answer, environ):
        self.answer, self.environ = answer, environ

    def __iter__(self):
        return iter(self.answer)

    def close(self) -> None:
        self.answer.close()
        connection = self.environ.get("gunicorn.socket")
        at_hand = connection is None or connection.family == AF_UNIX
        if at_hand or int(self.environ["CONTENT_LENGTH"]) <= CHUNK:
            self.drain(connection)
        elif drains.acquire(blocking=False):
            try:
                self.drain(connection)
            finally:
                drains.release()

    def drain(self, connection) -> None:
        end = monotonic() + DRAIN_SECONDS
        with suppress(OSError):
            while monotonic() < end:
                if connection is not None:
                    connection.settimeout(DRAIN_SECONDS)
                if not self.environ["wsgi.input"].read(CHUNK):
                    break


if not settings.DEVELOPMENT and not (settings.STATIC_ROOT / "staticfiles.json").exists():
    raise ImproperlyConfigured(
        f"No static files in {settings.STATIC_ROOT}: "
        "run `python -m service collectstatic --no-input` first"
    )
