"""Delete originals that no picture shows.

Changing the style of a picture whose upload carried metadata once made a second original and left
the first behind, public at its address for as long as anybody remembered it.
"""

from django.db import migrations


def sweep(apps, schema_editor) -> None:
    Original = apps.get_model("pictures", "Original")
    StoredFile = apps.get_model("pictures", "StoredFile")
    unshown = Original.objects.exclude(results__pictures__isnull=False)
    for digest in list(unshown.values_list("sha256", flat=True)):
        # An upload of the same picture holds this lock until its rows are there.
        original = Original.objects.select_for_update().filter(sha256=digest).first()
        if original is None or original.results.filter(pictures__isnull=False).exists():
            continue
        StoredFile.objects.filter(name__startswith=f"{digest}/").delete()
        original.delete()


class Migration(migrations.Migration):
    dependencies = [("pictures", "0001_initial")]

    operations = [migrations.RunPython(sweep, migrations.RunPython.noop, elidable=True)]
