"""Bytes of pictures by their content's address: cacheable for ever, conditional, in ranges."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.http import condition, require_safe

from service.caching import forever
from service.pictures.models import StoredFile
from service.pictures.originals import CONTENT_TYPES

# Whatever the bytes may be made of, as a document they can do nothing.
HARMLESS = "default-src 'none'; sandbox"
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def etag(request: HttpRequest, name: str) -> str | None:
    digest = StoredFile.objects.filter(name=name).values_list("sha256", flat=True).first()
    return f'"{digest}"' if digest else None


@require_safe
@forever(asked_again=60)
def media(request: HttpRequest, name: str) -> HttpResponse:
    response = unless_known(request, name)
    response["Content-Security-Policy"] = HARMLESS
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@condition(etag_func=etag)
def unless_known(request: HttpRequest, name: str) -> HttpResponse:
    file = StoredFile.objects.filter(name=name).first()
    if file is None:
        raise Http404(name)
    response = ranged(request, bytes(file.data), f'"{file.sha256}"')
    response["Content-Type"] = CONTENT_TYPES[name.rpartition(".")[2]]
    response["Accept-Ranges"] = "bytes"
    response["Last-Modified"] = http_date(file.created.timestamp())
    return response


def ranged(request: HttpRequest, data: bytes, etag: str) -> HttpResponse:
    """The bytes, or the one range of them that was asked for (RFC 9110, section 14)."""
    match = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if_range = request.headers.get("If-Range", etag)
    if not match or match.group() == "bytes=-" or if_range != etag or request.method != "GET":
        return HttpResponse(data)
    first, last = match.groups()
    if first:
        start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
    else:
        start, stop = max(len(data) - int(last), 0), len(data)
    if first and last and int(first) > int(last):
        return HttpResponse(data)
    if start >= stop:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{len(data)}"
        return response
    response = HttpResponse(data[start:stop], status=206)
    response["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return response
