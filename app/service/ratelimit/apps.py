from django.apps import AppConfig


class RateLimitConfig(AppConfig):
    name = "service.ratelimit"
    verbose_name = "Rate limits"
