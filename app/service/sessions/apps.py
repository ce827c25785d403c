from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "service.sessions"
    label = "session_stores"  # Django's own app has the other name
