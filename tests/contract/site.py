"""A small browser: it keeps cookies, reads pages, and remembers what to delete."""

import time
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT_SECONDS = 30
# How long a cache may have a picture after its deletion: s-maxage, and something for the way.
CACHE_SECONDS = 75
CSRF_FIELD = "csrfmiddlewaretoken"


class Site:
    """The site at an address. Its visitors' uploads are deleted at the end."""

    def __init__(self, base_url: str, ca_file: str | None = None):
        self.given_url = base_url.rstrip("/")
        self.url = self.given_url
        self.ca_file = ca_file
        self.tokens: dict[str, str] = {}

    def open(self) -> None:
        """Raises requests.RequestException if there is none."""
        with self.visitor() as visitor:
            home = visitor.get("/", allow_redirects=True)
            home.raise_for_status()
            # A site that wants HTTPS says so with a redirect; its contract holds there.
            self.url = home.url.rstrip("/")

    def close(self) -> None:
        with self.visitor() as visitor:
            for public_id, token in self.tokens.items():
                visitor.discard(public_id, token)

    @property
    def https(self) -> bool:
        return self.url.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """Under HTTPS of a name that browsers take from this very host only."""
        return ("__Host-" if self.https else "") + "mustache_session"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname

    def visitor(self) -> "Visitor":
        return Visitor(self)


class Visitor(requests.Session):
    """Paths are relative to the site; redirects are followed only when asked for."""

    def __init__(self, site: Site):
        super().__init__()
        self.site = site
        self.verify = site.ca_file or True
        # Neither proxies nor bundles of this machine's environment come between us and the site.
        self.trust_env = False
        self.uploaded: list[str] = []

    def close(self) -> None:
        for path in self.uploaded:
            with suppress(requests.RequestException, AssertionError):
                self.delete_by_form(path)
        super().close()

    def get(self, url, **options) -> requests.Response:
        return self.request("GET", url, **options)

    def request(self, method, url, **options) -> requests.Response:
        options.setdefault("timeout", TIMEOUT_SECONDS)
        options.setdefault("allow_redirects", False)
        return super().request(method, urljoin(self.site.url + "/", url), **options)

    def page(self, path: str) -> "Page":
        response = self.get(path)
        assert response.status_code == 200, f"{path}: {response.status_code}"
        assert response.headers["Content-Type"].startswith("text/html")
        return Page(response.text)

    def submit(self, path: str, page: "Page", data=None, files=None, **headers):
        """Send the page's form as a browser does: with its token and where it comes from."""
        fields = {CSRF_FIELD: page.csrf_token} | (data or {})
        origin = {"Origin": self.site.url, "Referer": self.site.url + "/"}
        return self.patient("POST", path, data=fields, files=files, headers=origin | headers)

    def upload(self, data: bytes, style: str | None = None, listed: bool = False) -> dict:
        """What the API says to the upload."""
        response = self.upload_response(data, style=style, listed=listed)
        assert response.status_code == 201, response.text
        return response.json()

    def upload_response(
        self, data: bytes, style: str | None = None, listed: bool = False, name: str = "me.jpg"
    ) -> requests.Response:
        fields = {"unlisted": "false" if listed else "true"} | ({"style": style} if style else {})
        response = self.patient("POST", "/api/pictures", data=fields, files={"image": (name, data)})
        if response.status_code == 201:
            body = response.json()
            self.site.tokens[body["id"]] = body["token"]
        return response

    def upload_by_form(self, data: bytes, style: str = "walrus", **fields) -> str:
        """Upload through the home page, without JavaScript; the path of the picture's page."""
        response = self.submit(
            "/",
            self.page("/"),
            data={"style": style, "unlisted": "on"} | fields,
            files={"image": ("me.jpg", data)},
        )
        assert response.status_code == 303, response.text
        path = urlsplit(response.headers["Location"]).path
        self.uploaded.append(path)
        return path

    def delete_by_form(self, path: str) -> requests.Response:
        return self.submit(f"{path}/delete", self.page(path))

    def patient(self, method: str, path: str, **options) -> requests.Response:
        """Where a limit counts: wait for it, as a polite program does."""
        for _ in range(3):
            response = self.request(method, path, **options)
            if response.status_code != 429:
                break
            time.sleep(int(response.headers["Retry-After"]))
        return response

    def after_deletion(self, method: str, url: str, **options) -> requests.Response:
        """The answer once it comes from the site and not from a copy of a cache on the way.

        Such a cache is told of a deletion in the same moment, and hears it a little later.
        """
        give_up = time.monotonic() + CACHE_SECONDS
        while True:
            response = self.request(method, url, **options)
            copy = "Hit" in response.headers.get("X-Cache", "") and response.status_code < 400
            if not copy or time.monotonic() > give_up:
                return response
            time.sleep(0.5)

    def discard(self, public_id: str, token: str) -> None:
        # Tests delete, too: nothing to do is fine.
        with suppress(requests.RequestException):
            self.delete(f"/api/pictures/{public_id}", headers=bearer(token))


def bearer(token: str) -> dict:
    return {"Authorization": f"Bearer {token}"}


class Page(HTMLParser):
    """What a test looks for in a page."""

    def __init__(self, html: str):
        super().__init__()
        self.html = html
        self.title = ""
        self.elements: list[tuple[str, dict]] = []
        self._in_title = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        # An SVG drawing in the page may have a title, too.
        self._in_title = tag == "title" and not self.title

    def handle_endtag(self, tag):
        self._in_title = False

    def handle_data(self, data):
        if self._in_title:
            self.title += data

    def all(self, tag: str, **having) -> list[dict]:
        """The attributes of each such element."""
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in having.items())
        ]

    @property
    def csrf_token(self) -> str:
        return self.all("input", name=CSRF_FIELD)[0]["value"]

    @property
    def links(self) -> list[str]:
        return [element["href"] for element in self.all("a") if "href" in element]

    @property
    def images(self) -> list[str]:
        return [element["src"] for element in self.all("img") if "src" in element]

    @property
    def assets(self) -> list[str]:
        """Style sheets, scripts, fonts and icons."""
        scripts = [element["src"] for element in self.all("script") if "src" in element]
        loaded = {"stylesheet", "icon", "preload", "manifest"}
        return scripts + [
            element["href"] for element in self.all("link") if element.get("rel") in loaded
        ]
