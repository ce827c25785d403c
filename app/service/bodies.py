"""What visitors send: not more than fits, however it is framed, whatever its file is called."""

from io import BytesIO

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParser
from django.urls import reverse

from service import errors, metrics

FORM_FIELDS = 1 << 16


def most() -> int:
    """Bytes of a body."""
    return (settings.DIRECT_UPLOADS_OVER or settings.MAX_UPLOAD_BYTES) + FORM_FIELDS


def other_way() -> str | None:
    """What to tell who brings what is too large for a request, but not for the site."""
    if not settings.DIRECT_UPLOADS_OVER:
        return None
    here, all_ = settings.DIRECT_UPLOADS_OVER // 1_000_000, settings.MAX_UPLOAD_BYTES // 1_000_000
    return (
        f"A picture over {here} MB, up to {all_}, is sent another way: POST /api/uploads tells a "
        f"program where, {reverse('large')} a person."
    )


class BodyMiddleware:
    """Refuses a body that is too large, and reads one that comes in chunks.

    An announced length is enough to refuse it before any of it is read. A body in chunks announces
    none, and Django would take it for empty: it is read here, into memory like any picture.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0
        return too_large(request) if length > most() else self.get_response(request)

    def process_view(self, request: HttpRequest, *view) -> HttpResponse | None:
        if request.META.get("CONTENT_LENGTH") or "Transfer-Encoding" not in request.headers:
            return None
        # Only some servers know where such a body ends, and say so (PEP 3333 does not).
        if not request.META.get("wsgi.input_terminated"):
            return errors.error(request, 411)
        body = request.META["wsgi.input"].read(most() + 1)
        if len(body) > most():
            return too_large(request)
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)
        return None


def too_large(request: HttpRequest) -> HttpResponse:
    metrics.REFUSED.labels("TooManyBytes").inc()
    return errors.error(request, 413, other_way())


class ReadableNames(FileUploadHandler):
    """Takes a file whose name is not in UTF-8, as older programs send it: Django drops the part.

    A picture stays in memory on its way: nothing of a visitor's is ever written to the disk.
    """

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):
        body = in_utf8(input_data.read(), boundary)
        meta = META | {"CONTENT_LENGTH": str(len(body))}
        handlers = [MemoryFileUploadHandler(self.request)]
        return MultiPartParser(meta, BytesIO(body), handlers, encoding).parse()

    def receive_data_chunk(self, raw_data, start):
        raise NotImplementedError  # handle_raw_input takes all

    file_complete = receive_data_chunk


def in_utf8(body: bytes, boundary: bytes) -> bytes:
    """The body, with those headers of its parts as UTF-8 that are Latin-1."""
    repaired, done, at = [], 0, 0
    while (start := body.find(b"--" + boundary + b"\r\n", at)) >= 0:
        end = body.find(b"\r\n\r\n", start)
        if end < 0:
            break
        try:
            body[start:end].decode()
        except UnicodeDecodeError:
            repaired += [body[done:start], body[start:end].decode("latin-1").encode()]
            done = end
        at = end
    return b"".join([*repaired, body[done:]]) if repaired else body
