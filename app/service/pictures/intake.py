"""How a picture comes: with the request itself, or sent before to where it was told to be sent.

Sent before, it takes three steps, wherever the bytes go (with DIRECT_UPLOADS_OVER to the bucket):

1. POST /api/uploads tells a key, an address, and the fields of a form.
2. That form with the picture as its last field, `file`, goes to the address; any 2xx is a yes.
3. POST /api/pictures, or the form of the home page, names the key instead of the picture.

A form without JavaScript does the same in two pages: after 2. it comes back to us with the key.

The key is a secret of whoever asked for it. The fields of the form are signed, say where the
picture goes, and end. Nobody can read what waits there, and sweeping ends that too. Work on it is
done once: who names a key while another request with it is at work is told to wait.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from service import bodies
from service.errors import RETRY_AFTER_SECONDS, STORE_ERRORS, Problem
from service.pictures import files, owners, stores, sweeping
from service.ratelimit import counters

LASTS = timedelta(minutes=15)
SALT = "service.pictures.intake"
# Where the database keeps files, they must not fill it; whoever is refused sends the plain form.
MOST_WAITING = 50
MANY_WAITING = 5  # from here on each that comes clears those away that are too late
CLAIMED_SECONDS = 30  # more than work may take
# No picture, or one that is too large: that stays so.
HOPELESS = {413, 415}


@dataclass(frozen=True)
class Offer:
    """Where to send a picture, and what to say that it was sent."""

    key: str
    url: str
    fields: dict[str, str]
    max_bytes: int
    expires: datetime


def name_of(key: str, owner: str) -> str:
    """Where the picture waits. From the name nobody learns the key; it is no other visitor's."""
    return f"{stores.INCOMING}/{sha256(f'{key} {owner}'.encode()).hexdigest()}"


def offer(request: HttpRequest, back: str = "") -> Offer:
    """`back` is where a browser comes then, with the key at its end."""
    key = secrets.token_urlsafe(24)
    name, back = name_of(key, owners.owner(request)), back and f"{back}{key}"
    if settings.DIRECT_UPLOADS_OVER:
        url, fields = files.form(name, settings.MAX_UPLOAD_BYTES, int(LASTS.total_seconds()), back)
    else:
        url = request.build_absolute_uri(reverse("receive"))
        fields = {"policy": signing.dumps([name, back], salt=SALT)}
    return Offer(
        key=key,
        url=url,
        fields=fields,
        max_bytes=settings.MAX_UPLOAD_BYTES,
        expires=timezone.now() + LASTS,
    )


# The signed field is what allows it: no cookie does.
@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """The address that `offer` tells."""
    try:
        name, back = signing.loads(request.POST.get("policy", ""), salt=SALT, max_age=LASTS)
    except signing.BadSignature:
        raise Problem(
            403, "This form is not one of ours, or too old. POST /api/uploads tells another."
        ) from None
    data = read(request.FILES.get("file"), "file")
    if len(files.waiting()) >= MANY_WAITING:
        sweeping.sweep_incoming(LASTS)
        if len(files.waiting()) >= MOST_WAITING:
            raise Problem(503, "Too many pictures are waiting.", RETRY_AFTER_SECONDS)
    # Sent twice, the last one counts.
    files.delete([name])
    files.put({name: data})
    if not back:
        return HttpResponse(status=204)
    response = HttpResponseRedirect(back)
    response.status_code = 303
    return response


@contextmanager
def taken(image: UploadedFile | None, key: str, owner: str) -> Iterator[bytes]:
    """The picture, from the request itself or by its key, of which one must be given.

    What was sent before is deleted at the end, unless trying again may help.
    """
    if not key:
        yield read(image, "image")
        return
    if image:
        raise Problem(400, "Send the picture or the key of one that you sent before, not both.")
    name = find(key, owner)
    with claimed(name):
        try:
            yield contents(name)
        except Problem as problem:
            if problem.status in HOPELESS:
                files.tidy([name])
            raise
        files.tidy([name])


@contextmanager
def claimed(name: str) -> Iterator[None]:
    """Nobody else works on it meanwhile. A claim of one who died ends by itself."""
    window = int(time.time() // CLAIMED_SECONDS)

    def count(what: str, amount: int) -> int:
        return sum(counters.counters().add(f"{what}:{name}", window, CLAIMED_SECONDS, amount))

    begun = count("begun", 1)
    try:
        if begun - count("ended", 0) > 1:
            raise Problem(503, "This picture is being worked on.", RETRY_AFTER_SECONDS)
        yield
    finally:
        with suppress(*STORE_ERRORS):
            count("ended", 1)


def find(key: str, owner: str) -> str:
    # The first picture that comes makes the visitor an owner: the key may be from before.
    for name in dict.fromkeys((name_of(key, owner), name_of(key, ""))):
        with suppress(FileNotFoundError):
            check(files.about(name).size)
            return name
    raise Problem(404, "No picture of yours was sent for this key, or it was taken, or too late.")


def contents(name: str) -> bytes:
    try:
        return files.read(name)
    except FileNotFoundError:  # taken by another request of the same visitor
        raise Problem(404) from None


def read(upload: UploadedFile | None, field: str) -> bytes:
    if upload is None:
        raise Problem(400, f"{field}: Field required.")
    check(upload.size)
    if settings.DIRECT_UPLOADS_OVER and upload.size > settings.DIRECT_UPLOADS_OVER:
        raise Problem(413, bodies.other_way())
    return upload.read()


def check(size: int) -> None:
    """Of a picture, however it came."""
    if size > settings.MAX_UPLOAD_BYTES:
        raise Problem(413, f"The picture is over {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")
    if not size:
        raise Problem(415, "The file is empty.")
