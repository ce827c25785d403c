"""What the commands about two stores of records have in common."""

from django.conf import settings
from django.core.management.base import CommandError

from service.pictures.models import Picture
from service.progress import Progress


def both_are_known() -> None:
    if not settings.ROWS_TABLE:
        raise CommandError("ROWS_TABLE is empty. Example: ROWS_TABLE=mustache-prod-rows")
    if settings.DATABASES["default"]["NAME"] in ("", ":memory:") and not settings.DEVELOPMENT:
        raise CommandError("DATABASE_URL is empty. Example: DATABASE_URL=postgres://user@host/name")


def progress() -> Progress:
    return Progress("pictures", Picture.objects.count())
