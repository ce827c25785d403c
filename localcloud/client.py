"""Requests to the running local cloud, which never go through the caller's proxy."""

import urllib.request

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")

open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def proxies(environ) -> dict[str, str]:
    """What ``environ`` says of proxies, under the names that it has there."""
    return {name: text for name, text in environ.items() if name.lower() in PROXIES}


def without_proxy(environ) -> dict[str, str]:
    """The variables with which this machine's own addresses are reached directly."""
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY")
    names = ",".join(filter(None, [excepted, "localhost", ".localhost", "127.0.0.1"]))
    return {"no_proxy": names, "NO_PROXY": names}
