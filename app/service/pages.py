"""What the templates of all pages have in common."""

from urllib.parse import urljoin

import mustache
from django import template
from django.conf import settings
from django.http import HttpRequest

from service.pictures import files, styles

register = template.Library()


def site(request: HttpRequest) -> dict:
    """The context processor."""
    plain = settings.DIRECT_UPLOADS_OVER or settings.MAX_UPLOAD_BYTES
    return {
        # What a form may bring itself; the rest goes by way of the page `large`.
        "plain_bytes": plain,
        "plain_megabytes": plain // 1_000_000,
        "site_url": settings.SITE_URL,
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 1_000_000,
    }


@register.filter
def drawing(style: mustache.Style) -> str:
    """The address of the style's drawing."""
    return styles.drawing_url(style)


@register.filter
def media(name: str) -> str:
    """The address of a picture's file."""
    return files.url(name)


@register.filter
def absolute(url: str) -> str:
    """The address for readers outside this site."""
    return urljoin(settings.SITE_URL, url)
