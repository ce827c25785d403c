from django.urls import path, register_converter

from service.pictures import intake, media, views


class FileName:
    """The names that making.py gives, so that no other reaches the storage."""

    regex = r"[0-9a-f]{64}/[a-z0-9-]+\.[a-z]+"

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


class PublicId(FileName):
    regex = r"[A-Za-z0-9_-]{16}"


register_converter(FileName, "file")
register_converter(PublicId, "id")

urlpatterns = [
    path("", views.home, name="home"),
    path("large", views.large, name="large"),
    path("gallery", views.gallery, name="gallery"),
    path("mine", views.mine, name="mine"),
    path("p/<id:public_id>", views.picture, name="picture"),
    path("p/<id:public_id>/style", views.change_style, name="style"),
    path("p/<id:public_id>/delete", views.delete, name="delete"),
    path("api/uploads/file", intake.receive, name="receive"),
    path("media/<file:name>", media.media, name="media"),
]
