"""Files on an appliance's volume, owned by the user that runs there."""

import os
import re
from pathlib import Path

from localcloud.appliance import Appliances, Host


class Files:
    """Files of ``user`` on ``host``; paths are relative to its volume."""

    def __init__(self, appliances: Appliances, host: Host, user: str):
        self.appliances = appliances
        self.host = host
        self.user = user

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file, readable by its user only, in one step."""
        target = self.appliances.volume(self.host) / path
        part = target.with_name(target.name + ".part")
        data = content.encode() if isinstance(content, str) else content
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        self._chown(part)
        part.rename(target)

    def delete(self, path: str) -> None:
        (self.appliances.volume(self.host) / path).unlink(missing_ok=True)

    def directory(self, path: str) -> None:
        """Make a directory for its user only."""
        self.own(self.appliances.volume(self.host) / path)

    def own(self, path: Path) -> None:
        """The same for a directory of this machine that the host sees."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        self._chown(path)

    def _chown(self, path: Path) -> None:
        text = (self.appliances.cloud.storage.root(self.host.id) / "etc/passwd").read_text()
        found = re.search(rf"^{self.user}:[^:]*:(\d+):(\d+):", text, re.MULTILINE)
        os.chown(path, int(found[1]), int(found[2]))
