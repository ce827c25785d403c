"""The site's door on this machine: 127.0.0.1:8080 and :8443 follow the zone's record.

Plain TCP, so TLS, WebSockets and whatever else pass untouched. When nothing can be reached, HTTP
visitors get a page that says why.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger("localcloud.forwarder")

CHUNK = 1 << 16


class Forwarder:
    """Listens on 127.0.0.1 and connects each visitor to ``find()``'s addresses on ``port``.

    ``find`` returns None when the zone has no record, else loopback addresses.
    """

    def __init__(self, site: str, find: Callable[[], list[str] | None]):
        self.site = site
        self.find = find
        # Asyncio holds what goes on only while it reads from the visitor: one who has said all and
        # waits for his answer would be forgotten, and his connection closed by whatever thread.
        self._visits: set[asyncio.Task] = set()

    def start(self, doors: dict[int, int]) -> None:
        """Open the doors (port here to port there) in a thread; raise OSError if one is taken."""
        ready: list[OSError | None] = []
        opened = threading.Event()

        async def serve():
            try:
                for here, there in doors.items():
                    await asyncio.start_server(self._visitor(there), "127.0.0.1", here)
            except OSError as error:
                ready.append(error)
                opened.set()
                return
            opened.set()
            await asyncio.Event().wait()

        threading.Thread(target=lambda: asyncio.run(serve()), name="forwarder", daemon=True).start()
        opened.wait()
        if ready:
            raise ready[0]

    def _visitor(self, port: int):
        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
            try:
                there = await self._connect(port)
                if isinstance(there, str):
                    await _refuse(reader, writer, there, plain=port == 80)
                    return
                try:
                    await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
                finally:
                    await _close(there[1])
            finally:
                await _close(writer)

        return visit

    async def _connect(self, port: int):
        """Streams to the first address that answers, or the reason why there are none."""
        addresses = await asyncio.to_thread(self.find)
        if addresses is None:
            return f"No Route 53 record for {self.site} yet: run a stage's playbook first."
        for address in random.sample(addresses, len(addresses)):
            try:
                async with asyncio.timeout(3):
                    return await asyncio.open_connection(address, port, limit=CHUNK)
            except (OSError, TimeoutError):
                continue
        listed = ", ".join(addresses) or "no address"
        return f"The record for {self.site} leads to {listed}, but port {port} does not answer."


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, ConnectionError):
        writer.close()


async def _refuse(reader, writer, reason: str, plain: bool) -> None:
    log.info("%s", reason)
    if not plain:
        return
    body = f"502 Bad Gateway\n\n{reason}\n".encode()
    try:
        async with asyncio.timeout(5):
            await reader.read(CHUNK)
            writer.write(
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
    except (OSError, TimeoutError):
        return
