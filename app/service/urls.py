"""All addresses of the site. /healthz and /readyz are answered by HealthMiddleware."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from service import apidocs, health, metrics
from service.pictures.api import api

urlpatterns = [
    path("", include("service.pictures.urls")),
    path("info", health.info, name="info"),
    path("metrics", metrics.view, name="metrics"),
    path("api/docs", apidocs.docs, name="api-docs"),
    path("", api.urls),
]

# It shows tables of the database: elsewhere there is the command `takedown`.
if settings.ROWS == "database":
    urlpatterns.append(path("admin/", admin.site.urls))

handler400 = "service.errors.bad_request"
handler403 = "service.errors.permission_denied"
handler404 = "service.errors.page_not_found"
handler500 = "service.errors.server_error"
