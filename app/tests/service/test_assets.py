"""Static files while developing."""

import os

from django.contrib.staticfiles import finders
from service.assets import SourceStorage


def test_what_was_changed_has_another_address(tmp_path, monkeypatch):
    source = tmp_path / "site.css"
    source.write_text("a {}")
    monkeypatch.setattr(finders, "find", lambda name: str(source) if name == "site.css" else None)
    storage = SourceStorage()
    before = storage.url("site.css")
    assert before.startswith("/static/site.css?")
    assert storage.url("site.css") == before
    os.utime(source, ns=(1, 1))
    assert storage.url("site.css") != before
    assert storage.url("nothing.css") == "/static/nothing.css"
