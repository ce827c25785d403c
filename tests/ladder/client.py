"""A client that reads and writes all the time and takes note of every answer.

An upload counts as acknowledged once the site said 201; from then on its bytes must be there,
whatever happens to hosts and databases.
"""

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

import requests

from tests.contract.site import Site, Visitor, bearer
from tests.ladder.log import FAILED, OK, READ, WRITE, Log, Request, outcome
from tests.ladder.pictures import new_picture

# What a person waits at most before he calls it broken.
TIMEOUT_SECONDS = 20
NAMED = re.compile(r"/([0-9a-f]{64})/")


@dataclass(frozen=True)
class Upload:
    """An acknowledged one. Paths are those of the site."""

    id: str
    token: str
    original: str
    original_sha256: str
    mustached: str


@dataclass
class Owner:
    """A visitor whose session uploaded the picture at `path`."""

    visitor: Visitor
    path: str

    def is_remembered(self, response: requests.Response) -> bool:
        return self.path in response.text


class Client:
    """Requests to one site, in the log. All threads may use it."""

    def __init__(self, site: Site, log: Log | None = None):
        self.site = site
        self.log = log or Log()
        self.uploads: list[Upload] = []
        self.owners: list[Owner] = []
        self.sent: set[str] = set()  # SHA-256 of all, also of those nobody answered

    # --- one request --------------------------------------------------------------------------
    def ask(
        self, kind: str, name: str, method: str, path: str, *, valid=None, cookies=None, **options
    ) -> requests.Response | None:
        """One request on a connection of its own, so that no retry of a library hides an error.

        `valid(response)` returns what is wrong with an answer of 2xx, or None.
        """
        start = time.time()
        response = None
        try:
            with self.site.visitor() as visitor:
                visitor.cookies.update(cookies or {})
                response = visitor.request(method, path, timeout=TIMEOUT_SECONDS, **options)
                result, detail = outcome(response.status_code, response.headers), ""
                if result == OK:
                    detail = (valid(response) if valid else None) or ""
                    result = FAILED if detail else OK
        except requests.RequestException as error:
            result, detail = FAILED, f"{type(error).__name__}: {error}"
        status = response.status_code if response is not None else None
        if result == FAILED and status and not detail:
            detail = response.text[:200]
        self.log.add(Request(kind, name, start, time.time() - start, result, status, detail))
        return response if result == OK else None

    # --- writing ------------------------------------------------------------------------------
    def upload(self) -> Upload | None:
        """Upload a new picture; what was acknowledged, if it was."""
        data = new_picture()
        digest = sha256(data).hexdigest()
        self.sent.add(digest)
        response = self.ask(
            WRITE,
            "upload",
            "POST",
            "/api/pictures",
            files={"image": ("me.jpg", data)},
            valid=lambda answer: None if answer.status_code == 201 else "not created",
        )
        if response is None:
            return None
        body = response.json()
        upload = Upload(
            id=body["id"],
            token=body["token"],
            original=urlsplit(body["original_url"]).path,
            original_sha256=digest,
            mustached=urlsplit(body["mustached_url"]).path,
        )
        self.uploads.append(upload)
        return upload

    def start_session(self) -> Owner:
        """A new visitor who uploads a picture by the form of the page. Raises if he cannot."""
        visitor = self.site.visitor()
        owner = Owner(visitor, visitor.upload_by_form(new_picture()))
        self.owners.append(owner)
        return owner

    def settle(self, pictures: int, visitors: int, per_second: float) -> None:
        """Start the sessions and bring the first pictures, faster than visitors will.

        Raises if the site refuses.
        """
        pace = Pace(4 * per_second)
        for _ in range(visitors):
            time.sleep(pace.next())
            self.start_session()
        for number in range(1, pictures + 1):
            time.sleep(pace.next())
            if self.upload() is None:
                refusal = self.log.between()[-1]
                raise RuntimeError(
                    f"The site did not take picture {number} of {pictures}: "
                    f"{refusal.status} {refusal.detail}"
                )

    # --- reading ------------------------------------------------------------------------------
    def read_page(self, path: str) -> None:
        self.ask(READ, "page", "GET", path)

    def read_original(self, upload: Upload) -> None:
        def valid(response) -> str | None:
            found = sha256(response.content).hexdigest()
            return None if found == upload.original_sha256 else f"wrong bytes of {upload.id}"

        self.ask(READ, "original", "GET", upload.original, valid=valid)

    def read_mustached(self, upload: Upload) -> None:
        def valid(response) -> str | None:
            kind = response.headers.get("Content-Type", "")
            return None if kind == "image/jpeg" and response.content else f"{kind}, not a picture"

        self.ask(READ, "mustached", "GET", upload.mustached, valid=valid)

    def read_own(self, owner: Owner) -> bool:
        """Whether the site remembers the visitor."""
        return bool(
            self.ask(
                READ,
                "session",
                "GET",
                "/mine",
                cookies=owner.visitor.cookies,
                valid=lambda answer: None if owner.is_remembered(answer) else "session forgotten",
            )
        )

    def read_something(self) -> None:
        """What a visitor may look at next."""
        choices = [lambda: self.read_page("/"), lambda: self.read_page("/gallery")]
        if self.uploads:
            upload = random.choice(self.uploads)
            choices += [
                lambda: self.read_original(upload),
                lambda: self.read_mustached(upload),
                lambda: self.read_page(f"/p/{upload.id}"),
                lambda: self.read_page(f"/api/pictures/{upload.id}"),
            ]
        if self.owners:
            choices.append(lambda: self.read_own(random.choice(self.owners)))
        random.choice(choices)()

    # --- at the end ---------------------------------------------------------------------------
    def lost(self) -> list[str]:
        """What is wrong with acknowledged uploads and sessions: empty if all is there."""
        problems = []
        with self.site.visitor() as visitor:
            for upload in self.uploads:
                page = visitor.get(f"/api/pictures/{upload.id}")
                if page.status_code != 200:
                    problems.append(f"upload {upload.id} is gone ({page.status_code})")
                    continue
                data = visitor.get(upload.original)
                if data.status_code != 200:
                    problems.append(f"upload {upload.id} has no bytes ({data.status_code})")
                elif sha256(data.content).hexdigest() != upload.original_sha256:
                    problems.append(f"upload {upload.id} has other bytes")
        for number, owner in enumerate(self.owners, 1):
            answer = owner.visitor.get("/mine")
            if answer.status_code != 200 or not owner.is_remembered(answer):
                problems.append(f"visitor {number} is not remembered ({answer.status_code})")
        return problems

    def twice(self) -> list[str]:
        """What is wrong when one picture was worked on more than once: each was sent once.

        Files of a picture have the digest of its upload in their name.
        """
        found: Counter[str] = Counter()
        acknowledged = {upload.original_sha256 for upload in self.uploads}
        cursor: dict[str, str] = {}
        with self.site.visitor() as visitor:
            while True:
                answer = visitor.get("/api/pictures", params={"limit": 100} | cursor)
                if answer.status_code != 200:
                    return [f"the gallery cannot be read ({answer.status_code})"]
                page = answer.json()
                named = (NAMED.search(each["original_url"]) for each in page["pictures"])
                ours = [each[1] for each in named if each and each[1] in self.sent]
                found.update(ours)
                if page["next"] is None or (not ours and acknowledged <= found.keys()):
                    break
                cursor = {"cursor": page["next"]}
        return [f"an upload is there {count} times" for count in found.values() if count > 1]

    def clean_up(self) -> None:
        """Delete all that was uploaded."""
        with self.site.visitor() as visitor:
            for upload in self.uploads:
                visitor.delete(f"/api/pictures/{upload.id}", headers=bearer(upload.token))
        for owner in self.owners:
            owner.visitor.close()


class Pace:
    """So many per second for all threads together; time lost is not made up for by a burst."""

    def __init__(self, per_second: float):
        self._gap = 1 / per_second
        self._due = 0.0
        self._lock = threading.Lock()

    def next(self) -> float:
        """Take a turn; the seconds until it comes."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._due, now)
            self._due = turn + self._gap
            return turn - now


class Traffic:
    """The client at work in the background, at a steady pace."""

    # So that one slow answer does not keep the others of its kind from being asked for. Of pictures
    # that meet in one process one is worked on and one waits; a third would be refused.
    READERS, WRITERS = 4, 2

    def __init__(self, client: Client, reads_per_second: float, writes_per_second: float):
        self.client = client
        self._stopped = threading.Event()
        self._threads = [
            *self._workers("reader", self.READERS, client.read_something, reads_per_second),
            *self._workers("writer", self.WRITERS, client.upload, writes_per_second),
        ]

    def _workers(self, name: str, count: int, work, per_second: float) -> list[threading.Thread]:
        if not per_second:
            return []
        pace = Pace(per_second)

        def run() -> None:
            while not self._stopped.wait(pace.next()):
                work()

        return [
            threading.Thread(target=run, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when the last request is answered."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def open_site(base_url: str, ca_file: str | None = None) -> Site:
    """The site, where it really is. Raises requests.RequestException if there is none."""
    site = Site(base_url, ca_file)
    site.open()
    return site


def wait_for(base_url: str, ca_file: str | None, seconds: float) -> Site:
    """The site, as soon as it answers within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return open_site(base_url, ca_file)
        except requests.RequestException:
            if time.monotonic() >= deadline:
                raise
            time.sleep(1)
