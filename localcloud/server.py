"""The one long-lived process: moto's API, the reconciler, metadata, DNS and the site's door."""

import gc
import io
import json
import logging
import os
import re
import signal
import threading
from collections.abc import Iterable
from http import HTTPStatus

from localcloud import calls, dns, errors, forwarder, httpd, image, ledger, metadata, registry
from localcloud.calls import DOWNLOAD, PAGE, SERVICE, UPLOAD
from localcloud.errors import Refusal
from localcloud.faults import FaultError
from localcloud.firewall import Services
from localcloud.identity.gate import Gate
from localcloud.services.pace.manners import Manners
from localcloud.services.s3 import answers, cors, forms
from localcloud.settings import Settings
from localcloud.shell import CommandError

log = logging.getLogger("localcloud")

BLOCK = 256 * 1024

# What AWS clients here call us. A web page that had its own name lead here (DNS rebinding) has
# another one.
OWN_NAMES = re.compile(
    r"(?:127\.0\.0\.1|169\.254\.169\.253|(?:.+\.)?(?:localhost|localcloud|amazonaws\.com))(?::\d+)?"
)


class Api:
    """moto's WSGI application, with the cloud settled before a change is answered.

    ``store`` is the service that takes S3's objects to the disk.
    """

    def __init__(self, cloud, application, store):
        self.cloud = cloud
        self.gate = Gate(cloud)
        self.manners = Manners(cloud)
        self.users = {0, cloud.settings.state.stat().st_uid}
        self.application = application
        self.store = store

    def __call__(self, environ, start_response):
        refusal = refuse(environ) or stranger(environ, self.users)
        if refusal:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [f"{refusal}\n".encode()]
        if environ["PATH_INFO"].startswith("/_localcloud/"):
            return self._own(environ, start_response)
        status, headers, body = self.answer(environ)
        start_response(status, headers)
        return body

    def answer(self, environ: dict) -> tuple[str, list, Iterable[bytes]]:
        """Status, headers and body for a request that may be answered at all."""
        call = calls.call(environ)
        if call.service == "s3":
            answers.identify(environ)
        status, headers, body = self._tried(call)
        if call.operation in cors.PREFLIGHTS:
            return status, headers, body
        # moto lets every page read every answer
        headers = [each for each in headers if not each[0].lower().startswith("access-control-")]
        if call.service == "s3":
            headers = answers.headers(environ, headers)
            headers += cors.headers(self._bucket(call), environ).items()
        return status, headers, body

    def _tried(self, call: calls.Call) -> tuple[str, list, Iterable[bytes]]:
        try:
            if call.operation in cors.PREFLIGHTS:
                headers = cors.preflight(self._bucket(call), call.environ)
                return "200 OK", list(headers.items()), []
            return self._post(call) if call.operation == "PostObject" else self._answer(call)
        except Refusal as error:
            return _refused(call, error)
        except NotImplementedError as error:  # moto's part of a call that is in the ledger
            return _refused(call, Refusal("not supported", str(error)))
        except Exception:
            log.exception("%s %s", call.service, call.operation or call.environ["PATH_INFO"])
            return _refused(call, Refusal("internal", INTERNAL))

    def _answer(self, call: calls.Call) -> tuple[str, list, Iterable[bytes]]:
        self._check_available(call)
        self.gate.check(call)
        ledger.check(call)
        self.manners.before(call)
        return self._done(call, self.store.receive(call.environ) if call.streams else None)

    def _post(self, call: calls.Call) -> tuple[str, list, Iterable[bytes]]:
        """A browser's form, done as the PutObject that it stands for."""
        self._check_available(call)
        ledger.check(call)
        bucket = call.uri["Bucket"]
        form = self.store.receive_form(call.environ)
        try:
            put = calls.call(forms.put_request(call.environ, form, bucket))
            self.gate.check_form(put, form.fields)
            if "policy" in form.fields:
                forms.check(form, bucket)
            status, headers, body = self._done(put, form.upload)
        finally:
            form.upload.path.unlink(missing_ok=True)
        if status >= "400":
            return status, headers, body
        kept = {name.lower(): value for name, value in headers}
        status, said, page = forms.answer(call.environ, form, bucket, kept["etag"])
        said |= {name: value for name, value in headers if name.lower().startswith("x-amz-")}
        return status, list(said.items()), [page]

    def _bucket(self, call: calls.Call):
        """moto's bucket that a call of S3 is about."""
        return self.cloud.backend("s3", "aws").buckets.get(call.uri.get("Bucket"))

    def _check_available(self, call: calls.Call) -> None:
        """A fault lets S3, or a bucket of it, be out of order."""
        if call.service == "s3":
            broken = self.cloud.faults.targets("unavailable")
            if broken & {"s3", call.uri.get("Bucket")}:
                raise Refusal((503, "ServiceUnavailable"), "Service is unable to handle request.")

    def _done(self, call: calls.Call, upload) -> tuple[str, list, Iterable[bytes]]:
        """moto's answer to a call that may be made; ``upload`` is an object's bytes."""
        environ = call.environ
        environ[SERVICE] = call.service
        if upload is not None:
            environ.update({UPLOAD: upload, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"})
        elif call.operation == "GetObject":
            environ[DOWNLOAD] = None
        started = []
        try:
            body = self.application(environ, lambda *words: started.append(words))
        finally:
            if upload is not None:
                upload.path.unlink(missing_ok=True)  # moto has it by now, or wants it not
        status, headers, *_ = started[0]
        if status >= "400":
            _read(call, int(status[:3]), headers, body := [b"".join(body)])
        if environ.get(DOWNLOAD) is not None:
            body = environ["wsgi.file_wrapper"](environ[DOWNLOAD].open(), BLOCK)
        if not call.reads:
            body = list(body)
            if status < "400":
                self.manners.after(call, b"".join(body))
            if call.changes_entries:
                self.cloud.save_entries()
            else:
                self.cloud.settle()
        return status, headers, body

    def _own(self, environ, start_response):
        path = environ["PATH_INFO"].removeprefix("/_localcloud/")
        if path == "status":
            payload = {
                "id": self.cloud.settings.id,
                "pid": os.getpid(),
                "adopted": self.cloud.adopted,
                "endpoint": self.cloud.settings.endpoint,
                "pace": self.cloud.settings.pace,
                "faults": [vars(fault) for fault in self.cloud.faults.active],
                "resources": [vars(row) for row in self.cloud.rows()],
            }
        elif path == "faults" and environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            try:
                payload = {"faults": self.cloud.faults.answer(json.loads(body))}
            except (FaultError, CommandError, OSError) as error:
                start_response("400 Bad Request", [("Content-Type", "application/json")])
                return [json.dumps({"error": str(error)}).encode()]
        else:
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [b"{}"]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(payload).encode()]


INTERNAL = "The local cloud failed; `python -m localcloud logs` says why."


def _read(call: calls.Call, status: int, headers: list, body: list[bytes]) -> None:
    """Raise what moto says in a form that no client reads: a web page, or nothing at all."""
    text = body[0].lstrip()
    page = text[:14].lower().startswith((b"<!doctype html", b"<html"))
    if call.environ["REQUEST_METHOD"] == "HEAD" or (text[:1] in (b"<", b"{") and not page):
        return
    log.info("%s %s: %s %s", call.service, call.operation, status, text.decode(errors="replace"))
    said = "" if page else text.decode(errors="replace")
    if status == 403:
        raise Refusal("access denied", said or "Access Denied")
    if status == 404 and not call.operation:
        raise Refusal("not supported", f"{call.service} has no such call here.")
    if status >= 500:
        raise Refusal("internal", said or INTERNAL)
    raise Refusal((status, "NotFound" if status == 404 else "ValidationError"),
                  said or f"{call.operation} was refused.")  # fmt: skip


def _refused(call: calls.Call, error: Refusal) -> tuple[str, list, list[bytes]]:
    status, headers, body = errors.answer(error, call.form)
    reason = HTTPStatus(status).phrase
    if call.environ["REQUEST_METHOD"] == "HEAD":
        body = b""
    return f"{status} {reason}", list(headers.items()), [body]


def refuse(environ) -> str | None:
    """Why a request is not answered: browsers' pages and hosts must not get at this machine."""
    path = environ["PATH_INFO"]
    if not OWN_NAMES.fullmatch(environ.get("HTTP_HOST", "").lower()):
        return "This is a local cloud, and it is not called that."
    # a person may look; "none" is what a browser says of an address that was typed in
    page = "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none"
    environ[PAGE] = page
    if page and not handed_out(environ):
        return "Web pages cannot use the local cloud's API."
    if path.startswith("/moto-api"):
        return "moto's own API is closed: it would take the state from under real hosts."
    if path == "/_localcloud/faults" and environ["REMOTE_ADDR"] != "127.0.0.1":
        return "Faults are made on the machine of the local cloud only."
    return None


def handed_out(environ) -> bool:
    """Whether a request is of the kind that an application signs for its visitors' browsers, or
    that the edge of CloudFront hands on for them.

    The account's own key, which everybody knows, is not taken for it (`PAGE`).
    """
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        or "HTTP_X_LOCALCLOUD_EDGE" in environ
        or "X-Amz-Signature=" in environ.get("QUERY_STRING", "")
        or environ.get("CONTENT_TYPE", "").startswith("multipart/form-data")
    )


def stranger(environ, users: set[int]) -> str | None:
    """Why another user of this machine is not answered: who uses the API is root on the hosts."""
    if environ["REMOTE_ADDR"].startswith("127.") and environ[httpd.USER] not in users:
        return "The local cloud is for the user who started it, and for root."
    return None


def serve(settings: Settings) -> None:
    """Run until SIGTERM. Hosts live on: only `down` removes them."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # more calls than threads wait
    base_image = image.base(settings.cache, log.info)

    from moto import backends

    from localcloud.cloud import Cloud
    from localcloud.dispatcher import Dispatcher
    from localcloud.services.instance_metadata import InstanceMetadata
    from localcloud.services.route53 import Route53
    from localcloud.services.s3 import S3
    from localcloud.services.s3.website import Pages, Websites

    modules = frozenset(backends.list_of_moto_modules())
    # moto would look through its folder at every request.
    backends.list_of_moto_modules = lambda: modules

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(settings, base_image)
    gc.freeze()  # all that is loaded, and is never garbage
    gc.enable()
    cloud.lxcfs.start()
    application = Api(cloud, Dispatcher(), cloud.service(S3))
    spool = settings.state / "spool"
    api = httpd.server(application, settings.port, spool)
    pages = httpd.server(Pages(cloud.service(Websites), application.answer), 0, spool, threads=8)
    zones = cloud.service(Route53)
    cloud.ports = Services(
        api=settings.port,
        metadata=metadata.serve(metadata.Metadata(cloud.service(InstanceMetadata).tree)),
        resolver=dns.serve(zones.answer),
        website=pages.effective_port,
    )
    forwarder.Forwarder(settings.site, lambda: zones.visit(settings.site)).start(
        {settings.http_port: 80, settings.https_port: 443}
    )
    cloud.adopted = cloud.adopt()
    for line in cloud.adopted:
        log.info("%s", line)
    registry.start_routing()  # after we are known: no other cloud's `down` stops it then
    cloud.settle()
    for name, each in (("api", api), ("websites", pages)):
        threading.Thread(target=each.run, name=name, daemon=True).start()
    reconciler = threading.Thread(
        target=cloud.run_reconciler, args=(stop,), name="reconciler", daemon=True
    )
    reconciler.start()
    log.info("ready on %s", settings.endpoint)
    stop.wait()
    for each in (api, pages):
        each.task_dispatcher.shutdown(timeout=10)
    reconciler.join(timeout=30)
    log.info("stopped")
    # objects that end with the interpreter must not take their files with them
    logging.shutdown()
    os._exit(0)
