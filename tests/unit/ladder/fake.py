"""A site of a few lines with every fault that the client must notice."""

import json
import re
import secrets
import threading
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeSite:
    """Serves until `close`. `fault(method, path)` names what goes wrong with a request, or None:

    drop         the connection closes without an answer
    refuse       503 with Retry-After
    unavailable  503 without
    error        500
    lose         says 201 and keeps nothing
    corrupt      other bytes than those uploaded
    forget       the session is nobody's
    twice        one upload becomes two pictures
    """

    def __init__(self):
        self.fault: Callable[[str, str], str | None] = lambda method, path: None
        self.pictures: dict[str, bytes] = {}
        self.owners: dict[str, list[str]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.answer(self, b"")

            def do_POST(self):
                fake.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def do_DELETE(self):
                fake.answer(self, b"")

            def log_message(self, *arguments):
                pass

        return Handler

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        fault = self.fault(request.command, request.path)
        if fault == "drop":
            request.close_connection = True
            return
        status, headers, data = self.broken(fault) or self.serve(request, body, fault)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    @staticmethod
    def broken(fault: str | None):
        return {
            "refuse": (503, {"Retry-After": "5"}, b"later"),
            "unavailable": (503, {}, b"sorry"),
            "error": (500, {}, b"oops"),
        }.get(fault)

    def serve(self, request, body: bytes, fault: str | None):
        html = {"Content-Type": "text/html"}
        path = request.path
        session = re.search(r"session=(\w+)", request.headers.get("Cookie", ""))
        own = self.owners.get(session.group(1), []) if session and fault != "forget" else []
        if request.command == "POST":
            return self.take(path, body, fault)
        if request.command == "DELETE":
            self.pictures.pop(path.rpartition("/")[2], None)
            return 204, {}, b""
        if path == "/mine":
            return 200, html, " ".join(f'<a href="{page}">' for page in own).encode()
        if path.startswith("/api/pictures?"):
            return 200, {"Content-Type": "application/json"}, self.gallery(path)
        found = re.fullmatch(r"/(p|api/pictures|media)/(\w+)", path)
        if found is None:
            return 200, html, b'<input name="csrfmiddlewaretoken" value="x">'
        data = self.pictures.get(found.group(2))
        if data is None:
            return 404, html, b"nothing"
        if found.group(1) != "media":
            return 200, html, b'<input name="csrfmiddlewaretoken" value="x">'
        return 200, {"Content-Type": "image/jpeg"}, b"other" if fault == "corrupt" else data

    def gallery(self, path: str) -> bytes:
        """Two on a page, the newest first."""
        start = int((re.search(r"cursor=(\d+)", path) or [0, 0])[1])
        urls = [
            f"http://elsewhere.example/media/{sha256(data).hexdigest()}/original.jpg"
            for data in reversed(self.pictures.values())
        ]
        shown = [{"original_url": each} for each in urls[start : start + 2]]
        more = start + 2 < len(urls)
        return json.dumps({"pictures": shown, "next": str(start + 2) if more else None}).encode()

    def take(self, path: str, body: bytes, fault: str | None):
        if path.endswith("/delete"):
            self.pictures.pop(path.split("/")[2], None)
            return 303, {"Location": "/mine"}, b""
        key = secrets.token_hex(8)
        data = re.search(rb'"me.jpg"\r\n\r\n(.*?)\r\n--[0-9a-f]{32}', body, re.DOTALL)
        if fault != "lose":
            self.pictures[key] = data.group(1)
        if fault == "twice":
            self.pictures[secrets.token_hex(8)] = data.group(1)
        if path == "/":
            session = secrets.token_hex(8)
            self.owners[session] = [f"/p/{key}"]
            cookie = {"Set-Cookie": f"session={session}; Path=/", "Location": f"/p/{key}"}
            return 303, cookie, b""
        about = {"id": key, "token": "t"} | dict.fromkeys(
            ("original_url", "mustached_url"), f"http://elsewhere.example/media/{key}"
        )
        return 201, {"Content-Type": "application/json"}, json.dumps(about).encode()
