"""The one long-lived process: moto's API, the reconciler, metadata, DNS and the site's door."""

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
from localcloud.calls import DOWNLOAD, UPLOAD
from localcloud.errors import Refusal
from localcloud.faults import FaultError
from localcloud.firewall import Services
from localcloud.identity.gate import Gate
from localcloud.services.pace.manners import Manners
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
    """moto's WSGI application, with the cloud settled before a change is answered."""

    def __init__(self, cloud, application, receive):
        self.cloud = cloud
        self.gate = Gate(cloud)
        self.manners = Manners(cloud)
        self.users = {0, cloud.settings.state.stat().st_uid}
        self.application = application
        self.receive = receive  # takes an S3 object's bytes to disk

    def __call__(self, environ, start_response):
        refusal = refuse(environ) or stranger(environ, self.users)
        if refusal:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [f"{refusal}\n".encode()]
        if environ["PATH_INFO"].startswith("/_localcloud/"):
            return self._own(environ, start_response)
        call = calls.call(environ)
        try:
            status, headers, body = self._answer(call)
        except Refusal as error:
            status, headers, body = _refused(call, error)
        except NotImplementedError as error:  # moto's part of a call that is in the ledger
            status, headers, body = _refused(call, Refusal("not supported", str(error)))
        except Exception:
            log.exception("%s %s", call.service, call.operation or environ["PATH_INFO"])
            status, headers, body = _refused(call, Refusal("internal", INTERNAL))
        start_response(status, headers)
        return body

    def _answer(self, call: calls.Call) -> tuple[str, list, Iterable[bytes]]:
        environ, upload = call.environ, None
        self.gate.check(call)
        ledger.check(call)
        self.manners.before(call)
        if call.streams:
            upload = environ[UPLOAD] = self.receive(environ)
            environ.update({"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"})
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
    if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return "Web pages cannot use the local cloud's API."
    if path.startswith("/moto-api"):
        return "moto's own API is closed: it would take the state from under real hosts."
    if path == "/_localcloud/faults" and environ["REMOTE_ADDR"] != "127.0.0.1":
        return "Faults are made on the machine of the local cloud only."
    return None


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

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from localcloud.cloud import Cloud
    from localcloud.services.instance_metadata import InstanceMetadata
    from localcloud.services.route53 import Route53
    from localcloud.services.s3 import S3

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(settings, base_image)
    cloud.lxcfs.start()
    application = DomainDispatcherApplication(create_backend_app)
    api = httpd.server(
        Api(cloud, application, cloud.service(S3).receive),
        settings.port,
        settings.state / "spool",
    )
    zones = cloud.service(Route53)
    cloud.ports = Services(
        api=settings.port,
        metadata=metadata.serve(metadata.Metadata(cloud.service(InstanceMetadata).tree)),
        resolver=dns.serve(zones.answer),
    )
    forwarder.Forwarder(settings.site, lambda: zones.visit(settings.site)).start(
        {settings.http_port: 80, settings.https_port: 443}
    )
    cloud.adopted = cloud.adopt()
    for line in cloud.adopted:
        log.info("%s", line)
    registry.start_routing()  # after we are known: no other cloud's `down` stops it then
    cloud.settle()
    threading.Thread(target=api.run, name="api", daemon=True).start()
    reconciler = threading.Thread(
        target=cloud.run_reconciler, args=(stop,), name="reconciler", daemon=True
    )
    reconciler.start()
    log.info("ready on %s", settings.endpoint)
    stop.wait()
    api.task_dispatcher.shutdown(timeout=10)
    reconciler.join(timeout=30)
    log.info("stopped")
    # objects that end with the interpreter must not take their files with them
    logging.shutdown()
    os._exit(0)
