"""What a visitor sends from the home page."""

from django import forms
from django.conf import settings

from service import addresses, fetch
from service.errors import Problem
from service.pictures import styles


class UploadForm(forms.Form):
    image = forms.FileField(required=False, allow_empty_file=True)
    src = forms.CharField(required=False, max_length=addresses.MAX_URL)
    style = forms.CharField(required=False, max_length=50)
    unlisted = forms.BooleanField(required=False)

    def picture(self) -> bytes:
        """The bytes, from the file or from the address given."""
        image = self.cleaned_data["image"]
        if image:
            return read(image)
        if self.cleaned_data["src"]:
            return fetch.fetch(self.cleaned_data["src"])
        raise Problem(400, "Choose a picture first, or give the address of one.")

    def style_name(self) -> str:
        return styles.choose(self.cleaned_data["style"])


def read(upload) -> bytes:
    if upload.size > settings.MAX_UPLOAD_BYTES:
        raise Problem(413, f"The picture is over {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")
    if not upload.size:
        raise Problem(415, "The file is empty.")
    return upload.read()
