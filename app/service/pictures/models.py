"""The tables of records/sql.py, the one in which storage.py keeps files, and the one of marks.py.

Only those three and the admin know them. No table but StoredFile holds bytes, so listing pictures
never reads any.
"""

from django.db import models

from service.pictures.records.columns import UUID7
from service.pictures.records.ids import new_public_id


class Original(models.Model):
    """A picture as uploaded. Its files live under its sha256."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    file = models.FileField(max_length=150)
    preview = models.FileField(max_length=150, help_text="What pages show; often the file itself")
    content_type = models.CharField(max_length=50)
    size = models.PositiveIntegerField(help_text="Bytes")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256[:12]


class Result(models.Model):
    """An original with mustaches of one style."""

    original = models.ForeignKey(Original, models.CASCADE, related_name="results")
    style = models.CharField(max_length=50)
    file = models.FileField(max_length=150)
    preview = models.FileField(max_length=150, help_text="What pages show; often the file itself")
    thumbnail = models.FileField(max_length=150)
    content_type = models.CharField(max_length=50)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    faces = models.JSONField(default=list, help_text="As in the API")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["original", "style"], name="one_result_per_style")
        ]

    def __str__(self) -> str:
        return f"{self.original_id[:12]} {self.style}"


class Picture(models.Model):
    """One upload by one visitor."""

    # The id of the record. The table's own goes when no release is left that asks for it.
    key = models.UUIDField(unique=True, editable=False, db_default=UUID7())
    public_id = models.CharField(max_length=24, unique=True, default=new_public_id)
    # An original stays for as long as someone shows it.
    result = models.ForeignKey(Result, models.PROTECT, related_name="pictures")
    listed = models.BooleanField(default=True, help_text="Shown in the gallery")
    owner_hash = models.CharField(max_length=64, blank=True, db_index=True)
    token_hash = models.CharField(max_length=64, blank=True)
    created = models.DateTimeField()

    class Meta:
        indexes = [
            # For the release before this one.
            models.Index(fields=["-id"], name="gallery_order", condition=models.Q(listed=True)),
            models.Index(fields=["-key"], name="gallery", condition=models.Q(listed=True)),
            models.Index(fields=["owner_hash", "-key"], name="of_one_owner"),
        ]

    def __str__(self) -> str:
        return self.public_id


class StoredFile(models.Model):
    """One file of DatabaseStorage."""

    name = models.CharField(max_length=150, primary_key=True)
    data = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField(help_text="Bytes")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class DeletedFile(models.Model):
    """The mark of a deleted file."""

    name = models.CharField(max_length=150, primary_key=True)
    deleted = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.name
