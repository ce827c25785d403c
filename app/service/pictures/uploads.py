"""Making, restyling and deleting pictures: everything that writes, with no HTTP in it."""

import secrets
from collections.abc import Callable
from hashlib import sha256

from django.utils import timezone

from service.errors import Problem
from service.pictures import files
from service.pictures.making import make
from service.pictures.records import Picture, Result, Vanished, records
from service.pictures.records.ids import new_public_id, uuid7

ATTEMPTS = 3


def hashed(secret: str) -> str:
    """What is kept of a secret: enough to recognise it, useless to a thief."""
    return sha256(secret.encode()).hexdigest() if secret else ""


def create(data: bytes, style: str, *, owner: str = "", listed: bool = True) -> tuple[Picture, str]:
    """Put the mustaches on and keep the picture.

    Returns the picture and the token that may delete it. `owner` is the visitor's own secret.
    """
    token = secrets.token_urlsafe(24)

    def add(result: Result, brought: frozenset[str]) -> Picture:
        picture = Picture(
            id=uuid7(),
            public_id=new_public_id(),
            result=result,
            listed=listed,
            owner_hash=hashed(owner),
            token_hash=hashed(token),
            created=timezone.now(),
        )
        return records.add(picture, brought)

    return keep(lambda: data, style, sha256(data).hexdigest(), add), token


def restyle(picture: Picture, style: str) -> Picture:
    """Show the picture with another style at the same address."""
    original = picture.result.original

    def show(result: Result, brought: frozenset[str]) -> Picture | None:
        return records.show(picture.public_id, result, brought)

    try:
        shown = keep(lambda: files.read(original.file), style, original.sha256, show)
    except FileNotFoundError:
        shown = None
    if shown is None:  # deleted meanwhile
        raise Problem(404)
    return shown


def keep(
    read: Callable[[], bytes],
    style: str,
    digest: str,
    save: Callable[[Result, frozenset[str]], Picture | None],
) -> Picture | None:
    """Save a picture with its result, which is worked out unless it is there already.

    When `save` fails without saying whether it saved, the files stay: sweeping finds out.
    """
    for _ in range(ATTEMPTS):
        result, brought = records.result(digest, style), frozenset()
        if result is None:
            made = make(read(), style, digest, records.original(digest))
            files.put(made.files)
            result, brought = made.result, frozenset(made.files)
        try:
            picture = save(result, brought)
        except Vanished:
            files.tidy(brought)
            continue
        used = picture.result.files | picture.result.original.files if picture else frozenset()
        files.tidy(brought - used)
        return picture
    raise RuntimeError(f"{digest} is uploaded and deleted all the time")


def delete(public_id: str) -> None:
    """Delete the picture, and all bytes that no other picture shows."""
    unneeded = records.remove(public_id)
    if unneeded is None:
        raise Problem(404)
    files.delete(unneeded)
