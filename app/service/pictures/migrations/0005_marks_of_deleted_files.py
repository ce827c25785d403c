"""Marks of deleted files, so that no move between stores revives one (marks.py)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pictures", "0004_keys_of_old_pictures")]

    operations = [
        migrations.CreateModel(
            name="DeletedFile",
            fields=[
                ("name", models.CharField(max_length=150, primary_key=True, serialize=False)),
                ("deleted", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
    ]
