"""Pictures uploaded so far sort by when they were, not by when the column came.

A migration of its own, so that the tables are not locked meanwhile.
"""

from django.db import migrations

from service.pictures.records.ids import uuid7_of

AT_A_TIME = 1000


def sort(apps, schema_editor) -> None:
    Picture = apps.get_model("pictures", "Picture")
    last = 0
    while rows := list(Picture.objects.filter(id__gt=last).order_by("id")[:AT_A_TIME]):
        for row in rows:
            # Within a millisecond by their old ids.
            row.key = uuid7_of(int(row.created.timestamp() * 1000), row.id)
        Picture.objects.bulk_update(rows, ["key"])
        last = rows[-1].id


class Migration(migrations.Migration):
    dependencies = [("pictures", "0003_key")]

    operations = [migrations.RunPython(sort, migrations.RunPython.noop, elidable=True)]
