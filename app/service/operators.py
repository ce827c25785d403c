"""/admin/ for operators. A password can be tried LOGIN_RATE times from one address.

Not "from the host only": taking a picture down must not need SSH at night, and behind a CDN or
without hosts there is none to come from.
"""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from service.ratelimit import limits


class Site(AdminSite):
    def login(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        if request.method == "POST":
            limits.check("login", request)
        return super().login(request, extra_context)
