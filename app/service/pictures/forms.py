"""What a visitor sends from the home page."""

from collections.abc import Iterator
from contextlib import contextmanager

from django import forms

from service import addresses, fetch
from service.errors import Problem
from service.pictures import intake, styles


class UploadForm(forms.Form):
    image = forms.FileField(required=False, allow_empty_file=True)
    key = forms.CharField(required=False, max_length=100)
    src = forms.CharField(required=False, max_length=addresses.MAX_URL)
    style = forms.CharField(required=False, max_length=50)
    unlisted = forms.BooleanField(required=False)

    def asks_to_fetch(self) -> bool:
        given = self.cleaned_data
        return bool(given["src"] and not given["image"] and not given["key"])

    @contextmanager
    def picture(self, owner: str) -> Iterator[bytes]:
        """The bytes: of the file, of what the visitor sent before, or from the address given."""
        image, key = self.cleaned_data["image"], self.cleaned_data["key"]
        if self.asks_to_fetch():
            yield fetch.fetch(self.cleaned_data["src"])
            return
        if not image and not key:
            raise Problem(400, "Choose a picture first, or give the address of one.")
        with intake.taken(image, key, owner) as data:
            yield data

    def style_name(self) -> str:
        return styles.choose(self.cleaned_data["style"])
