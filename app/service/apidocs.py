"""/api/docs: the OpenAPI description as a page of our own, which needs no script."""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from service.pictures.api import api


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "docs.html", {"operations": described(), "base": settings.SITE_URL})


@lru_cache(maxsize=1)
def described() -> list[dict]:
    return list(operations(api.get_openapi_schema()))


def operations(schema: dict):
    """The operations in the order of the schema, flattened for the template."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "parameters": [*parameters(operation), *form_fields(schema, operation)],
                "responses": [
                    {"status": status, "description": answer.get("description")}
                    for status, answer in sorted(
                        operation["responses"].items(), key=lambda item: int(item[0])
                    )
                ],
                "curl": curl(method, path),
            }


def parameters(operation: dict):
    for parameter in operation.get("parameters", []):
        yield field(
            parameter["name"], parameter["in"], parameter["schema"], parameter.get("required")
        )


def form_fields(schema: dict, operation: dict):
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = content["schema"]
        if "$ref" in body:
            body = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        for name, about in body.get("properties", {}).items():
            yield field(name, "form", about, name in body.get("required", []))


def field(name: str, where: str, about: dict, required: bool | None) -> dict:
    return {
        "name": name,
        "in": where,
        "required": required,
        "description": about.get("description", ""),
        "default": about.get("default"),
    }


CURL = {
    ("post", "/api/pictures"): "curl -F image=@me.jpg -F style=handlebar {base}/api/pictures",
    ("post", "/api/uploads"): (
        "curl -X POST {base}/api/uploads   # says URL, FIELDS and KEY\n"
        "curl -F policy=FIELDS -F file=@me.jpg URL\n"
        "curl -F key=KEY -F style=handlebar {base}/api/pictures"
    ),
    ("get", "/api/pictures"): "curl '{base}/api/pictures?limit=10'",
    ("get", "/api/pictures/{public_id}"): "curl {base}/api/pictures/ID",
    ("delete", "/api/pictures/{public_id}"): (
        "curl -X DELETE -H 'Authorization: Bearer TOKEN' {base}/api/pictures/ID"
    ),
    ("get", "/api/styles"): "curl {base}/api/styles",
    ("get", "/mustachify"): (
        "curl -o me.jpg '{base}/mustachify?src=https://example.com/me.jpg&style=handlebar'"
    ),
}


def curl(method: str, path: str) -> str:
    return CURL.get((method, path), "").format(base=settings.SITE_URL)
