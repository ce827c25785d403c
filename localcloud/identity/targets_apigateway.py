"""Rights that API Gateway asks for: actions are HTTP's methods, resources the paths of its API."""

from collections.abc import Iterator
from urllib.parse import quote

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, arn, resource_tags, tag_keys


def _apigateway(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    tags = parameters.get("Tags")
    context = (
        tag_keys({"Key": key, "Value": value} for key, value in tags.items())
        if isinstance(tags, dict) else {}
    )  # fmt: skip
    method = call.environ["REQUEST_METHOD"]
    tagged = parameters.get("ResourceArn")
    if tagged:
        yield Target(f"apigateway:{method}", _arn(f"/tags/{quote(tagged, safe='')}"),
                     context | _tags_of(cloud, tagged))  # fmt: skip
        return
    path = call.environ["PATH_INFO"].removeprefix("/v2")
    named = _arn("/".join(path.split("/")[:3]))  # tags are of an API or a domain name
    yield Target(f"apigateway:{method}", _arn(path), context | _tags_of(cloud, named))


def _tags_of(cloud, named: str) -> dict[str, list[str]]:
    return resource_tags(cloud.backend("apigatewayv2").get_tags(named))


def _arn(path: str) -> str:
    return arn("apigateway", path, account="")


SERVICES["apigatewayv2"] = _apigateway
