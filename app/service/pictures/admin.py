from functools import partial

from django.contrib import admin
from django.db import transaction

from service.pictures import uploads
from service.pictures.models import Picture
from service.pictures.records import records


@admin.register(Picture)
class PictureAdmin(admin.ModelAdmin):
    """For taking down what should not be shown, while rows are in the database.

    Anywhere else there is `python -m service takedown ID`.
    """

    list_display = ("public_id", "created", "listed")
    list_filter = ("listed", "created")
    search_fields = ("public_id",)
    readonly_fields = ("public_id", "result", "created")
    fields = (*readonly_fields, "listed")

    def has_add_permission(self, request) -> bool:
        return False

    def save_model(self, request, picture: Picture, form, change: bool) -> None:
        records.set_listed(picture.public_id, picture.listed)

    def delete_model(self, request, picture: Picture) -> None:
        # Bytes do not come back when the admin's transaction does.
        transaction.on_commit(partial(uploads.delete, picture.public_id))

    def delete_queryset(self, request, queryset) -> None:
        for public_id in queryset.values_list("public_id", flat=True):
            uploads.delete(public_id)
