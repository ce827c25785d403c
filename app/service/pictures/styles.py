"""The mustaches there are, by name."""

import random

import mustache
from django.templatetags.static import static

from service.errors import Problem

RANDOM = "random"


def drawing_url(style: mustache.Style) -> str:
    """A static file, made by `manage.py draw_styles`."""
    return static(f"styles/{style.name}.webp")


def title(name: str) -> str:
    style = mustache.STYLES.get(name)
    return style.title if style else name.capitalize()


def all_styles() -> list[mustache.Style]:
    return list(mustache.STYLES.values())


def choose(name: str | None) -> str:
    """The style to use; `random` or nothing picks one."""
    if not name or name == RANDOM:
        return random.choice(list(mustache.STYLES))  # noqa: S311  # nothing secret about a mustache
    if name not in mustache.STYLES:
        raise Problem(404, f"There is no style of that name. Styles: {', '.join(mustache.STYLES)}.")
    return name
