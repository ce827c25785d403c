"""Static files straight from their sources, for developing."""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


class SourceStorage(StaticFilesStorage):
    """Browsers may keep them as they do elsewhere: another content has another address."""

    def url(self, name: str | None) -> str:
        source = finders.find(name)
        changed = f"?{Path(source).stat().st_mtime_ns:x}" if source else ""
        return super().url(name) + changed
