"""No service of AWS: where the internet is behind a proxy, the packages of hosts come through it.

Only apt is told; whatever else a host asks for goes its own way, as on AWS.
"""

import logging
import os
from urllib.parse import urlsplit

from localcloud.services.base import Service

log = logging.getLogger("localcloud.apt_proxy")

FILE = "etc/apt/apt.conf.d/01proxy-of-this-machine"


class AptProxy(Service):
    """The proxies are those of the shell that started the local cloud."""

    def host_started(self, instance) -> None:
        file = self.cloud.storage.root(instance.id) / FILE
        # a host may have put a link in the way, which leads elsewhere for us
        if file.is_symlink() or file.parent.resolve() != file.parent:
            return
        said = configuration(os.environ)
        if said:
            file.write_text(said)
        else:
            file.unlink(missing_ok=True)


def configuration(environ) -> str:
    """apt's configuration for the proxies that hosts can reach; empty when there are none."""
    lines = []
    for scheme in ("http", "https"):
        address = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY")
        name = urlsplit(address).hostname if address else None
        if name and (name == "localhost" or name.startswith("127.")):
            log.warning(
                "hosts cannot reach the proxy %s, which listens on this machine alone", name
            )
        elif name and '"' not in address:
            lines.append(f'Acquire::{scheme}::Proxy "{address}";\n')
    return "".join(lines)
