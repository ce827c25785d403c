"""Bytes of pictures: whatever stores them, cacheable for ever, conditional, in ranges."""

import re
from collections.abc import Iterator
from hashlib import sha256

from django.core.files.base import File
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from service.caching import forever
from service.pictures import files
from service.pictures.originals import CONTENT_TYPES

# Whatever the bytes may be made of, as a document they can do nothing.
HARMLESS = "default-src 'none'; sandbox"
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
AT_ONCE = 1 << 20  # bytes; what is larger is read from the store as the reader takes it


@require_safe
@forever
def media(request: HttpRequest, name: str) -> HttpResponseBase:
    try:
        with files.opened(name) as file:
            response = unless_known(request, name, file)
    except FileNotFoundError:
        raise Http404(name) from None
    response["Content-Security-Policy"] = HARMLESS
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def unless_known(request: HttpRequest, name: str, file: File) -> HttpResponseBase:
    """The answer, 304 if the reader has the file already; raises FileNotFoundError."""
    # A name never means other bytes.
    etag = f'"{sha256(name.encode()).hexdigest()[:32]}"'
    known = HttpResponse(headers={"ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=known)
    if answer is not known:
        return answer
    response = ranged(request, name, file, etag)
    response["Content-Type"] = CONTENT_TYPES[name.rpartition(".")[2]]
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    modified = getattr(file, "modified", None) or files.about(name).modified
    response["Last-Modified"] = http_date(modified.timestamp())
    return response


def ranged(request: HttpRequest, name: str, file: File, etag: str) -> HttpResponseBase:
    """The bytes, or the one range of them that was asked for (RFC 9110, section 14)."""
    size = file.size
    match = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if_range = request.headers.get("If-Range", etag)
    if not match or match.group() == "bytes=-" or if_range != etag or request.method != "GET":
        return between(request, name, file, 0, size)
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return between(request, name, file, 0, size)
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
    else:
        start, stop = max(size - int(last), 0), size
    if start >= stop:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    response = between(request, name, file, start, stop)
    response.status_code = 206
    response["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response


def between(request: HttpRequest, name: str, file: File, start: int, stop: int) -> HttpResponseBase:
    if request.method == "HEAD":
        response = HttpResponse()
    else:
        first = files.part(file, start, min(stop - start, AT_ONCE))
        rest = start + len(first)
        response = (
            HttpResponse(first)
            if rest == stop
            else StreamingHttpResponse(pieces(name, first, rest, stop))
        )
    response["Content-Length"] = str(stop - start)
    return response


def pieces(name: str, first: bytes, start: int, stop: int) -> Iterator[bytes]:
    yield first
    with files.opened(name) as file:
        while start < stop:
            piece = files.part(file, start, min(stop - start, AT_ONCE))
            if not piece:
                raise FileNotFoundError(name)
            start += len(piece)
            yield piece
