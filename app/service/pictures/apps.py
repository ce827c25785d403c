from django.apps import AppConfig


class PicturesConfig(AppConfig):
    name = "service.pictures"
    verbose_name = "Pictures"
