"""Read settings from the environment; a missing or wrong one names itself and shows an example."""

from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError

env = Env()

REQUIRED = object()
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def setting(
    name: str,
    *,
    example: str,
    read: Callable[..., Any] = env.str,
    default: Any = REQUIRED,
    check: Callable[[Any], str | None] | None = None,
) -> Any:
    """The value of the environment variable `name`.

    `read` converts the text; `check` returns what is wrong with the value, or None.
    """
    arguments = {} if default is REQUIRED else {"default": default}
    try:
        value = read(name, **arguments)
        problem = check(value) if check else None
    except (EnvError, ValueError) as error:
        problem = str(error).rstrip(".")
    if problem:
        raise ImproperlyConfigured(f"{name}: {problem}. Example: {name}={example}")
    return value


def at_least(length: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if len(value) >= length else f"needs at least {length} characters"

    return check


def each(one: Callable[[str], str | None]) -> Callable[[list[str]], str | None]:
    def check(values: list[str]) -> str | None:
        return not_empty(values) or next(filter(None, map(one, values)), None)

    return check


def one_of(*names: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if value in names else f"is {value!r}, must be one of {', '.join(names)}"

    return check


def optional(check: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """The check of a setting that may be empty."""
    return lambda value: check(value) if value else None


def positive(value: int) -> str | None:
    return None if value > 0 else f"is {value}, must be more than 0"


def needs(met: bool, what: str) -> Callable[[int], str | None]:
    """The check of a number that may be more than 0 only with something else."""

    def check(value: int) -> str | None:
        if value < 0:
            return f"is {value}, must not be less than 0"
        return None if met or not value else f"needs {what}"

    return check


def not_empty(value: list | str) -> str | None:
    return None if value else "is empty"


def known_database(value: dict) -> str | None:
    known = value["ENGINE"].rpartition(".")[2] in {"postgresql", "sqlite3"}
    return None if known else "is neither a postgres:// nor a sqlite:// address"


# Caches, and the Python package that each needs besides.
CACHES = {
    "DatabaseCache": None,
    "LocMemCache": None,
    "ValkeyCache": "redis",
    "PyMemcacheCache": "pymemcache",
}


def cache(name: str, default: str) -> dict:
    """What the address of a cache means for Django."""
    address = env.str(name, default=default)
    if not address.startswith(("redis://", "rediss://")):
        return env.dj_cache_url(name, default=default)
    parts = urlsplit(address)
    if not parts.hostname:
        raise ValueError("names no host")
    if {"ssl_cert_reqs", "ssl_check_hostname"} & set(parse_qs(parts.query)):
        raise ValueError("must not say how certificates are verified: they always are")
    return {
        "BACKEND": "service.valkey.ValkeyCache",
        "LOCATION": [address],  # a list: a token may have what Django separates addresses with
        "KEY_PREFIX": "mustache",
    }


def usable_cache(value: dict) -> str | None:
    backend = value["BACKEND"].rpartition(".")[2]
    if backend not in CACHES:
        return "is none of db://, locmem://, redis://, rediss:// and pymemcache://"
    package = CACHES[backend]
    if package and find_spec(package) is None:
        return f"needs the Python package {package}, which is not installed"
    return None


def counting_cache(value: dict) -> str | None:
    if value["BACKEND"].endswith("DatabaseCache"):
        return "is a cache that cannot count, as COUNTERS=cache asks for"
    return usable_cache(value)


def shared_cache(value: dict) -> str | None:
    if value["BACKEND"] != "service.valkey.ValkeyCache":
        return "is not redis:// or rediss://, as SESSION_STORE=elasticache asks for"
    return usable_cache(value)


def log_level() -> str:
    return setting("LOG_LEVEL", default="INFO", check=one_of(*LOG_LEVELS), example="INFO")


def web_address(value: str) -> str | None:
    parts = urlsplit(value)
    if parts.scheme in {"http", "https"} and parts.hostname and parts.path in {"", "/"}:
        return None
    return f"{value!r} is not the address of a site"


def networks(name: str, default: list[str]) -> list:
    """A comma-separated list of networks in CIDR notation."""
    return [ip_network(text) for text in env.list(name, default=default)]


def rate(name: str, default: str) -> tuple[int, int]:
    """`30/60`: 30 requests in 60 seconds; `0/60` switches the limit off."""
    text = env.str(name, default=default)
    count, slash, seconds = text.partition("/")
    if not (slash and count.isdigit() and seconds.isdigit() and int(seconds) > 0):
        raise ValueError(f"{text!r} is not COUNT/SECONDS")
    return int(count), int(seconds)
