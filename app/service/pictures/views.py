"""The pages. A GET writes nothing, so they work on a read-only database."""

from functools import partial
from itertools import chain

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from service.caching import briefly
from service.errors import Problem, wants_json
from service.pictures import intake, owners, paging, styles, uploads, workbench
from service.pictures.forms import UploadForm
from service.pictures.records import Picture, records
from service.ratelimit import limits

PAGE_SIZE = 24
HOME_SIZE = 6


def find(public_id: str) -> Picture:
    found = records.get(public_id)
    if found is None:
        raise Problem(404)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return upload(request)
    return render(
        request,
        "home.html",
        {
            "styles": styles.all_styles(),
            "latest": paging.page(records.gallery, None, HOME_SIZE).pictures,
        },
    )


def upload(request: HttpRequest) -> HttpResponse:
    limits.check("upload", request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        raise Problem(400, " ".join(chain.from_iterable(form.errors.values())))
    if form.asks_to_fetch():
        limits.check("fetch", request)
    style = form.style_name()
    owner = owners.owner_to_be(request)
    with form.picture(owner) as data:
        workbench.charge(request, data)
        picture, _ = uploads.create(
            data, style, owner=owner, listed=not form.cleaned_data["unlisted"]
        )
    owners.remember(request, owner)
    return go_to(request, picture.get_absolute_url())


@require_safe
def large(request: HttpRequest) -> HttpResponse:
    """Without JavaScript: one page to send a picture to where it goes, the next to name its key."""
    key = request.GET.get("sent", "")
    if key:
        return render(request, "sent.html", {"key": key, "styles": styles.all_styles()})
    limits.check("offer", request)
    offer = intake.offer(request, request.build_absolute_uri("?sent="))
    return render(request, "large.html", {"offer": offer})


def go_to(request: HttpRequest, location: str) -> HttpResponse:
    """A redirect; for the page's own JavaScript, the address as JSON."""
    if wants_json(request):
        return JsonResponse({"location": location}, status=201)
    response = HttpResponseRedirect(location)
    response.status_code = 303
    return response


@require_safe
def picture(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find(public_id)
    return render(
        request,
        "picture.html",
        {
            "picture": found,
            "result": found.result,
            "mine": owners.owns(request, found),
            "styles": styles.all_styles(),
        },
    )


def find_own(request: HttpRequest, public_id: str) -> Picture:
    found = find(public_id)
    if not owners.owns(request, found):
        raise Problem(403, "Only the visitor who uploaded a picture may change or delete it.")
    return found


@require_POST
def change_style(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_own(request, public_id)
    limits.check("upload", request)
    style = styles.choose(request.POST.get("style"))
    workbench.charge_pixels(request, found.result.width * found.result.height)
    uploads.restyle(found, style)
    return go_to(request, found.get_absolute_url())


@require_POST
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    uploads.delete(find_own(request, public_id).public_id)
    return go_to(request, "/mine?deleted=1")


@require_safe
@briefly
def gallery(request: HttpRequest) -> HttpResponse:
    page = paging.page(records.gallery, request.GET.get("after"), PAGE_SIZE)
    return render(request, "gallery.html", {"page": page, "first": "after" not in request.GET})


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    owner = owners.owner(request)
    page = (
        paging.page(
            partial(records.owned, uploads.hashed(owner)), request.GET.get("after"), PAGE_SIZE
        )
        if owner
        else paging.Page([], None)
    )
    return render(
        request,
        "mine.html",
        {
            "page": page,
            "first": "after" not in request.GET,
            "deleted": "deleted" in request.GET,
        },
    )
