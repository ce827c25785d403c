"""Whose picture is it: the session that uploaded it, or whoever holds the upload's token."""

import secrets

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from service.pictures.records import Picture
from service.pictures.uploads import hashed

# Not the session's key: that one changes at login, and is a secret of its own.
SESSION_ENTRY = "owner"


def owner(request: HttpRequest) -> str:
    """The visitor's secret, or empty. Reads the session only if the visitor has one."""
    return request.session.get(SESSION_ENTRY, "")


def owner_to_be(request: HttpRequest) -> str:
    """The visitor's secret, or a new one for his first upload."""
    return owner(request) or secrets.token_urlsafe(24)


def remember(request: HttpRequest, secret: str) -> None:
    """Start the visitor's session: after a first upload that succeeded, and for nothing else."""
    if owner(request) != secret:
        request.session[SESSION_ENTRY] = secret


def owns(request: HttpRequest, picture: Picture) -> bool:
    return matches(owner(request), picture.owner_hash)


def matches(secret: str, stored_hash: str) -> bool:
    return bool(secret) and constant_time_compare(hashed(secret), stored_hash)
