"""Sessions in the table of Django's own app."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from service.sessions import BATCH, GONE, Kept


def as_kept(row: Session) -> Kept:
    return Kept(row.session_key, row.session_data, int(row.expire_date.timestamp()))


def columns(kept: Kept) -> dict:
    expires = datetime.fromtimestamp(kept.expires, UTC)
    return {"session_data": kept.data, "expire_date": expires}


class Database:
    at_once = 1

    @property
    def rows(self) -> QuerySet[Session]:
        return Session.objects.filter(expire_date__gt=timezone.now())

    def get(self, key: str) -> Kept | None:
        row = self.rows.filter(session_key=key).first()
        return row and as_kept(row)

    def get_many(self, keys: Collection[str]) -> dict[str, Kept]:
        rows = self.rows.filter(session_key__in=keys)
        return {row.session_key: as_kept(row) for row in rows}

    def add(self, kept: Kept) -> bool:
        return self.insert(kept) or (self.drop_expired(kept.key) and self.insert(kept))

    def insert(self, kept: Kept) -> bool:
        try:
            with transaction.atomic():
                Session.objects.create(session_key=kept.key, **columns(kept))
        except IntegrityError:
            return False
        return True

    def drop_expired(self, key: str) -> bool:
        rows = Session.objects.filter(session_key=key, expire_date__lte=timezone.now())
        return bool(rows.delete()[0])

    def replace(self, kept: Kept, seen: Kept | None = None) -> bool:
        rows = self.rows.filter(session_key=kept.key).exclude(session_data=GONE)
        if seen:
            rows = rows.filter(session_data=seen.data)
        return bool(rows.update(**columns(kept)))

    def bury(self, gravestone: Kept) -> None:
        Session.objects.bulk_create(
            [Session(session_key=gravestone.key, **columns(gravestone))],
            update_conflicts=True,
            unique_fields=["session_key"],
            update_fields=["session_data", "expire_date"],
        )

    def all(self) -> Iterator[list[Kept]]:
        last = ""
        while rows := list(self.rows.filter(session_key__gt=last).order_by("session_key")[:BATCH]):
            yield [as_kept(row) for row in rows]
            last = rows[-1].session_key

    def about_how_many(self) -> int:
        return self.rows.count()

    def clear_expired(self) -> None:
        Session.objects.filter(expire_date__lt=timezone.now()).delete()
