"""The one long-lived process: moto's API, the reconciler, metadata, DNS and the site's door."""

import io
import json
import logging
import os
import re
import signal
import threading

from werkzeug.serving import make_server

from localcloud import client, dns, forwarder, image, metadata, registry
from localcloud.faults import FaultError
from localcloud.firewall import Services
from localcloud.settings import Settings
from localcloud.shell import CommandError

log = logging.getLogger("localcloud")

# What AWS clients here call us. A web page that had its own name lead here (DNS rebinding) has
# another one.
OWN_NAMES = re.compile(
    r"(?:127\.0\.0\.1|169\.254\.169\.253|(?:.+\.)?(?:localhost|localcloud|amazonaws\.com))(?::\d+)?"
)
READ_ONLY = re.compile(rb"(?:^|&)Action=(?:Describe|Get|List|Lookup)")
READ_ONLY_TARGET = re.compile(r"\.(?:Describe|Get|List|Lookup|BatchGet|Query|Scan)\w*$")


# moto reads these when it is imported
MOTO = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


def prepare_moto(settings: Settings) -> None:
    """Set the environment that moto reads, and keep its own calls on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        MOTO | client.without_proxy(os.environ),
        MOTO_PORT=str(settings.port),
        AWS_ENDPOINT_URL=settings.endpoint,
        AWS_ACCESS_KEY_ID="localcloud",
        AWS_SECRET_ACCESS_KEY="localcloud",  # noqa: S106 - any will do
    )


class Api:
    """moto's WSGI application, with the cloud settled before a change is answered."""

    def __init__(self, cloud, application, stop: threading.Event):
        self.cloud = cloud
        self.application = application
        self.stop = stop

    def __call__(self, environ, start_response):
        refusal = refuse(environ)
        if refusal:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [f"{refusal}\n".encode()]
        if environ["PATH_INFO"].startswith("/_localcloud/"):
            return self._own(environ, start_response)
        if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
            return self.application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        answer = self.application(environ, start_response)
        if not (
            READ_ONLY.search(body) or READ_ONLY_TARGET.search(environ.get("HTTP_X_AMZ_TARGET", ""))
        ):
            answer = list(answer)
            self.cloud.settle()
        return answer

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


def serve(settings: Settings) -> None:
    """Run until SIGTERM. Hosts live on: only `down` removes them."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    prepare_moto(settings)
    base_image = image.base(settings.cache, log.info)

    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )

    from localcloud.cloud import Cloud
    from localcloud.services.instance_metadata import InstanceMetadata
    from localcloud.services.route53 import Route53

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(settings, base_image)
    cloud.lxcfs.start()
    api = make_server(
        "127.0.0.1",
        settings.port,
        Api(cloud, DomainDispatcherApplication(create_backend_app), stop),
        threaded=True,
        request_handler=type("Handler", (MotoRequestHandler,), {"log": lambda *_: None}),
    )
    zones = cloud.service(Route53)
    cloud.ports = Services(
        api=settings.port,
        metadata=metadata.serve(metadata.Metadata(cloud.service(InstanceMetadata).tree)),
        resolver=dns.serve(zones.lookup),
    )
    forwarder.Forwarder(settings.site, lambda: zones.visit(settings.site)).start(
        {settings.http_port: 80, settings.https_port: 443}
    )
    cloud.adopted = cloud.adopt()
    for line in cloud.adopted:
        log.info("%s", line)
    registry.start_routing()  # after we are known: no other cloud's `down` stops it then
    cloud.settle()
    threading.Thread(target=api.serve_forever, name="api", daemon=True).start()
    reconciler = threading.Thread(
        target=cloud.run_reconciler, args=(stop,), name="reconciler", daemon=True
    )
    reconciler.start()
    log.info("ready on %s", settings.endpoint)
    stop.wait()
    api.shutdown()
    reconciler.join(timeout=30)
    log.info("stopped")
    # objects that end with the interpreter must not take their files with them
    logging.shutdown()
    os._exit(0)
