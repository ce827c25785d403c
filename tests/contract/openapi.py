"""Answers of the API against the site's own description of them."""

import re

import jsonschema
import requests


class Description:
    """/api/openapi.json."""

    def __init__(self, document: dict):
        self.document = document

    def check(self, response: requests.Response) -> requests.Response:
        """Raise unless the description knows this answer: its status, its type and its body."""
        request = response.request
        operation = self.operation(request.method, request.path_url.partition("?")[0])
        where = f"{request.method} {request.path_url}: {response.status_code}"
        answers = operation["responses"]
        assert str(response.status_code) in answers, f"{where} is not described"
        content = answers[str(response.status_code)].get("content")
        if not content:
            assert response.content == b"", f"{where} has a body"
            return response
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in content, f"{where} is {kind}"
        if kind == "application/json":
            jsonschema.validate(response.json(), self.schema(content[kind]["schema"]))
        return response

    def schema(self, schema: dict) -> dict:
        # References lead to #/components of the whole document.
        return {"components": self.document["components"], **schema}

    def operation(self, method: str, path: str) -> dict:
        for template, methods in self.document["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in methods:
                return methods[method.lower()]
        raise AssertionError(f"{method} {path} is not described")
