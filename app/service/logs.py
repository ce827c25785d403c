"""Logs: one JSON object per line on standard error, each with the request it belongs to."""

import logging.config
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    """Adds the id of the request being served, wherever the line was written from."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def brings_a_traceback(record: logging.LogRecord) -> bool:
    """Every 503 on purpose would be an error of ours else; service.request has its line already."""
    return bool(record.exc_info)


def dictionary(level: str = "INFO") -> dict:
    """The configuration for `logging.config.dictConfig`, shared by Django and gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": "service.logs.RequestIdFilter"},
            "traceback": {"()": lambda: brings_a_traceback},
        },
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{asctime}{levelname}{name}{message}{request_id}",
                "style": "{",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["request_id"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # service.request has one line for every request already.
            "django.request": {"level": "ERROR", "filters": ["traceback"]},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "gunicorn.error": {"level": level, "propagate": True, "handlers": []},
            "gunicorn.access": {"level": "CRITICAL", "propagate": False, "handlers": []},
        },
    }


def configure(config: dict) -> None:
    """Django calls this with settings.LOGGING."""
    logging.config.dictConfig(dictionary(**config))
