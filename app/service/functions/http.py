"""`service.functions.http.handler`: what an HTTP API of API Gateway (payload 2.0) calls.

The visitor's address is the one that the gateway saw, or the CDN before it: edge.py.
"""

from urllib.parse import quote

from apig_wsgi import make_lambda_handler

from service.functions import environment


def load():
    """Everything that a page needs, while the function starts: then it has a whole processor."""
    environment.complete()
    from service.wsgi import application

    warm()
    return make_lambda_handler(application)


def warm() -> None:
    """What Django does at the first request. Nothing here asks a store: none may be there yet."""
    from django.template.loader import get_template
    from django.urls import resolve

    resolve("/")  # imports the views of all
    for name in ("home.html", "gallery.html", "picture.html", "mine.html", "error.html"):
        get_template(name)


answer = load()


def handler(event: dict, context) -> dict:
    # An HTTP API gives the path decoded, and apig-wsgi decodes it: "é" would be no byte of WSGI's.
    answered = answer(event | {"rawPath": quote(event["rawPath"], errors="replace")}, context)
    if event["requestContext"]["http"]["method"] == "HEAD":
        answered |= {"body": "", "isBase64Encoded": False}  # as any web server leaves it out
    return answered
