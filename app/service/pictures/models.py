"""The data: pictures people uploaded, the originals and results behind them, and the bytes.

    Picture (one upload, has the permalink) -> Result (original + style) -> Original (by sha256)

The same original uploaded twice is one Original; with the same style it is one Result, worked out
once. Their bytes are files of the default storage. `StoredFile` is the table of the storage that
keeps them in the database; no other table holds bytes, so listing pictures never reads any.
"""

import secrets
from pathlib import PurePath

from django.db import models
from django.template.defaultfilters import pluralize
from django.urls import reverse

from service.pictures import styles

PUBLIC_ID_BYTES = 12


def new_public_id() -> str:
    return secrets.token_urlsafe(PUBLIC_ID_BYTES)


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

    @property
    def style_title(self) -> str:
        return styles.title(self.style)

    @property
    def caption(self) -> str:
        return self.style_title if self.faces else "No face"

    @property
    def description(self) -> str:
        """For people who do not see the picture."""
        if not self.faces:
            return "A picture in which no face was found"
        count = len(self.faces)
        return f"{count} face{pluralize(count)} with the {self.style_title} mustache"

    @property
    def extension(self) -> str:
        return PurePath(self.file.name).suffix


class Picture(models.Model):
    """One upload by one visitor."""

    public_id = models.CharField(max_length=24, unique=True, default=new_public_id)
    # An original stays for as long as someone shows it.
    result = models.ForeignKey(Result, models.PROTECT, related_name="pictures")
    listed = models.BooleanField(default=True, help_text="Shown in the gallery")
    owner_hash = models.CharField(max_length=64, blank=True, db_index=True)
    token_hash = models.CharField(max_length=64, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["-id"], name="gallery_order", condition=models.Q(listed=True))
        ]

    def __str__(self) -> str:
        return self.public_id

    def get_absolute_url(self) -> str:
        return reverse("picture", args=[self.public_id])


class StoredFile(models.Model):
    """One file of DatabaseStorage."""

    name = models.CharField(max_length=150, primary_key=True)
    data = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField(help_text="Bytes")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
