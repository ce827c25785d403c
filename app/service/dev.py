"""`make dev`: the service on this machine with nothing to set up. All it keeps is in app/.dev/.

Static files come from the sources, and what breaks shows its traceback, on the page and in the log.
`DEBUG=false make dev` serves as a host does: hashed static files, error pages for visitors.
"""

import os
import secrets
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line

HOME = Path(__file__).parents[1] / ".dev"


def environment(home: Path, port: int) -> dict[str, str]:
    """What a developer's service runs with; the secret is made once and stays here."""
    home.mkdir(mode=0o700, exist_ok=True)
    secret = home / "secret-key"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(50))
    return {
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "DEBUG": "true",
        "SECRET_KEY": secret.read_text(),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "SITE_URL": f"http://localhost:{port}",
        "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
        "STATIC_ROOT": str(home / "static"),
        "GUNICORN_BIND": f"127.0.0.1:{port}",
        "GUNICORN_RELOAD": "1",
        "WEB_CONCURRENCY": "1",
        "LOG_LEVEL": "WARNING",
    }


def main() -> None:
    port = int(os.environ.get("PORT", "8000"))
    # What the developer sets himself wins.
    os.environ.update(environment(HOME, port) | os.environ)
    for command in (["migrate", "--no-input", "--verbosity=0"], ["createcachetable"]):
        execute_from_command_line(["python -m service", *command])
    if not settings.DEVELOPMENT:
        execute_from_command_line(["python -m service", "collectstatic", "--no-input", "-v0"])
    print(f"Simple Mustache Service: {os.environ['SITE_URL']}  (Ctrl-C ends it)", flush=True)
    os.execv(  # noqa: S606  # gunicorn takes our place, so that Ctrl-C is its own
        sys.executable,
        [sys.executable, "-m", "gunicorn", "-c", "python:service.gunicorn_config"],
    )


if __name__ == "__main__":
    main()
