"""The JSON API and /mustachify, described at /api/openapi.json and, for people, at /api/docs."""

from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import urljoin

import mustache
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import get_conditional_response
from ninja import File, Form, NinjaAPI, Path, Query, Status
from ninja.errors import HttpError, ValidationError
from ninja.files import UploadedFile
from ninja.security import APIKeyCookie, HttpBearer

from service import addresses, caching, errors, fetch
from service.errors import Problem
from service.pictures import files, intake, media, originals, owners, paging, uploads, workbench
from service.pictures import styles as mustaches
from service.pictures.making import Files
from service.pictures.records import Picture, records
from service.pictures.schemas import CreatedOut, ErrorOut, OfferOut, PageOut, PictureOut, StylesOut
from service.ratelimit import limits


class DescribedOnce(NinjaAPI):
    """Its description is the same at every request."""

    @cached_property
    def description_of_all(self) -> dict:
        return super().get_openapi_schema()

    def get_openapi_schema(self, **options) -> dict:
        return self.description_of_all


api = DescribedOnce(
    title="Simple Mustache Service",
    version=mustache.__version__,
    description="A picture in, a mustache on every face.",
    urls_namespace="api",
    openapi_url="/api/openapi.json",
    docs_url=None,
)


PublicId = Annotated[str, Path(description="The id that the upload returned")]


def problems(*statuses: int) -> dict:
    return dict.fromkeys(statuses, ErrorOut)


def absolute(url: str) -> str:
    return urljoin(settings.SITE_URL, url)


def as_out(picture: Picture) -> dict:
    result = picture.result
    return {
        "id": picture.public_id,
        "url": absolute(picture.get_absolute_url()),
        "original_url": absolute(files.url(result.original.file)),
        "mustached_url": absolute(files.url(result.file)),
        "style": result.style,
        "width": result.width,
        "height": result.height,
        "faces": result.faces,
    }


@api.post(
    "/api/pictures",
    response={201: CreatedOut, **problems(400, 404, 413, 415, 429, 503)},
    tags=["pictures"],
    summary="Put a mustache on every face",
)
def create(
    request: HttpRequest,
    image: Annotated[
        UploadedFile | None,
        File(description="The picture; where 413 says so, send a large one by POST /api/uploads"),
    ] = None,
    key: Annotated[
        str, Form(description="Instead of image: the key of one sent before", max_length=100)
    ] = "",
    style: Annotated[str, Form(description="A name of /api/styles, or random")] = "random",
    unlisted: Annotated[
        Literal["true", "false"], Form(description="Keep it out of the gallery")
    ] = "false",
):
    limits.check("upload", request)
    style = mustaches.choose(style)
    with intake.taken(image, key, owners.owner(request)) as data:
        workbench.charge(request, data)
        picture, token = uploads.create(data, style, listed=unlisted == "false")
    return Status(201, as_out(picture) | {"token": token})


@api.post(
    "/api/uploads",
    response={201: OfferOut, **problems(429, 503)},
    tags=["pictures"],
    summary="Where to send a picture before it is named by its key",
)
def offer(request: HttpRequest):
    limits.check("offer", request)
    return Status(201, asdict(intake.offer(request)))


@api.get(
    "/api/pictures",
    response={200: PageOut, **problems(400, 503)},
    tags=["pictures"],
    summary="The gallery, newest first",
)
def pictures(
    request: HttpRequest,
    cursor: Annotated[
        str | None, Query(max_length=50, description="What the page before has as next")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 24,
):
    page = paging.page(records.gallery, cursor, limit)
    return {"pictures": [as_out(picture) for picture in page.pictures], "next": page.next}


@api.get(
    "/api/pictures/{public_id}",
    response={200: PictureOut, **problems(404, 503)},
    tags=["pictures"],
    summary="One picture",
)
def picture(request: HttpRequest, public_id: PublicId):
    return as_out(find(public_id))


def find(public_id: str) -> Picture:
    found = records.get(public_id)
    if found is None:
        raise Problem(404)
    return found


class UploadToken(HttpBearer):
    """The token that the upload returned."""

    def authenticate(self, request: HttpRequest, token: str) -> str:
        return token


class UploadSession(APIKeyCookie):
    """The session that uploaded the picture; needs the CSRF token, as any cookie does."""

    param_name = settings.SESSION_COOKIE_NAME

    def _get_key(self, request: HttpRequest) -> str | None:
        return super()._get_key(request) if self.param_name in request.COOKIES else None

    def authenticate(self, request: HttpRequest, key: str | None) -> str:
        return owners.owner(request) if key else ""


@api.delete(
    "/api/pictures/{public_id}",
    response={204: None, **problems(401, 403, 404, 503)},
    auth=[UploadToken(), UploadSession()],
    tags=["pictures"],
    summary="Delete a picture; its uploader only",
)
def delete(request: HttpRequest, public_id: PublicId):
    found = find(public_id)
    secret = request.auth
    if not (owners.matches(secret, found.token_hash) or owners.matches(secret, found.owner_hash)):
        raise Problem(403, "Only the uploader of a picture may delete it.")
    uploads.delete(public_id)
    return Status(204, None)


@api.get(
    "/api/styles", response={200: StylesOut}, tags=["styles"], summary="The mustaches there are"
)
def styles(request: HttpRequest):
    return {
        "styles": [
            {
                "name": style.name,
                "title": style.title,
                "preview_url": absolute(mustaches.drawing_url(style)),
            }
            for style in mustaches.all_styles()
        ]
    }


PICTURE_CONTENT = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in sorted(set(originals.CONTENT_TYPES.values()))
}


@api.get(
    "/mustachify",
    response=problems(400, 403, 404, 413, 415, 429, 502, 503, 504),
    openapi_extra={
        "responses": {
            200: {
                "description": "The picture; unchanged if it has no face",
                "headers": {
                    "X-Mustache-Faces": {
                        "description": "Number of faces found",
                        "schema": {"type": "integer"},
                    }
                },
                "content": PICTURE_CONTENT,
            },
            302: {"description": "The picture is there; a large one may be, for an hour"},
        }
    },
    tags=["mustachify"],
    summary="The picture at an address, with mustaches",
)
def mustachify(
    request: HttpRequest,
    src: Annotated[
        str,
        Query(
            description="http or https address",
            pattern="^[^\\x00-\\x20\\x7f]+$",
            max_length=addresses.MAX_URL,
        ),
    ],
    style: Annotated[str, Query(description="A name of /api/styles, or random")] = "random",
):
    name = mustaches.choose(style)
    limits.check("fetch", request)
    data = fetch.fetch(src)
    workbench.charge(request, data)
    result = workbench.mustachify(data, name)
    if 0 < settings.DIRECT_DOWNLOADS_OVER < len(result.data):
        return by_way_of_files(data, result, name)
    response = HttpResponse(result.data, content_type=result.content_type)
    tell(response, result, name)
    response["Content-Security-Policy"] = media.HARMLESS
    etag = f'"{sha256(result.data).hexdigest()}"'
    response["ETag"] = etag
    response = get_conditional_response(request, etag=etag, response=response) or response
    # One source picture is fetched once in a while per cache, not once per reader.
    return response if style == mustaches.RANDOM else caching.share(response, seconds=600)


def tell(response: HttpResponse, result: "mustache.Result", style: str) -> None:
    response["X-Mustache-Faces"] = len(result.faces)
    response["X-Mustache-Style"] = style


def by_way_of_files(data: bytes, result: "mustache.Result", style: str) -> HttpResponse:
    """A redirect to where files are served from. No row names it, so sweeping deletes it."""
    found = Files.of(sha256(data).hexdigest(), f"at-once-{style}")
    name = found.add(result.data, result.extension)
    files.put(found.data)
    response = HttpResponseRedirect(files.url(name))
    tell(response, result, style)
    return response


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    reasons = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors]
    return errors.error_json(400, "; ".join(reasons) + ".")


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return errors.error_json(error.status_code, error.message)


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return errors.error_json(404)


@api.exception_handler(Exception)
def known(request: HttpRequest, error: Exception) -> HttpResponse:
    answer = errors.answer(request, error)
    if answer is None:
        raise error
    return answer
