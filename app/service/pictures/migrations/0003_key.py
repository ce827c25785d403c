"""Ids that sort by themselves, for cursors of any store: the first half of leaving `id`.

The release before this one goes on inserting rows that have no key: the database makes it.
"""

from django.db import migrations, models

import service.pictures.records.columns


class Migration(migrations.Migration):
    dependencies = [("pictures", "0002_sweep_originals")]

    operations = [
        migrations.AddField(
            model_name="picture",
            name="key",
            field=models.UUIDField(
                db_default=service.pictures.records.columns.UUID7(), editable=False, unique=True
            ),
        ),
        migrations.AlterField(model_name="picture", name="created", field=models.DateTimeField()),
        migrations.AddIndex(
            model_name="picture",
            index=models.Index(
                condition=models.Q(("listed", True)), fields=["-key"], name="gallery"
            ),
        ),
        migrations.AddIndex(
            model_name="picture",
            index=models.Index(fields=["owner_hash", "-key"], name="of_one_owner"),
        ),
    ]
