"""The fetcher against real servers on loopback, and against every way to trick it inside."""

import datetime
import gzip
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli
import pytest
from backports import zstd
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from service import addresses, fetch, names, sources
from service.errors import Problem


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings):
    """127.0.0.1 plays the internet here; the rest of 127.0.0.0/8 stays forbidden."""
    settings.ALLOWED_SOURCES = [ipaddress.ip_network("127.0.0.1/32")]
    settings.ALLOWED_HOSTS = ["own.example"]
    names.answers.clear()
    yield
    names.answers.clear()


@pytest.fixture
def known(monkeypatch):
    """A resolver of our own: name -> addresses; a list of lists answers differently each time."""
    table = {}
    asked = []

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        answer = table.get(host)
        if answer is None:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise socket.gaierror(f"no {host}") from None
            answer = [host]
        if isinstance(answer[0], list):
            answer = answer.pop(0)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, port))
            for address in answer
        ]

    table["asked"] = asked
    monkeypatch.setattr(names.socket, "getaddrinfo", getaddrinfo)
    return table


@contextmanager
def serving(answer, context: ssl.SSLContext | None = None, put=None):
    """An HTTP server on 127.0.0.1; `answer(handler)` writes each response."""

    class Handler(BaseHTTPRequestHandler):
        do_PUT = put

        def do_GET(self):
            answer(self)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # the client hangs up on purpose

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def body(data: bytes, status: int = 200, **headers: str):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def refused(url: str) -> int:
    with pytest.raises(Problem) as problem:
        fetch.fetch(url)
    return problem.value.status


def test_fetch_by_name_sends_the_name(known):
    known["pictures.example"] = ["127.0.0.1"]
    seen = {}

    def answer(handler):
        seen.update(handler.headers, path=handler.path)
        body(b"bytes")(handler)

    with serving(answer) as port:
        url = f"http://pictures.example:{port}/a b?x=ä&y=%20".replace(" ", "%20")
        assert fetch.fetch(url) == b"bytes"
    assert seen["Host"] == f"pictures.example:{port}"
    assert seen["path"] == "/a%20b?x=%C3%A4&y=%20"
    assert seen["Accept-Encoding"] == "identity"
    assert seen["CDN-Loop"] == "testserver"
    assert "Cookie" not in seen


def test_the_connection_goes_to_the_address_that_was_checked(known):
    known["rebind.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    with serving(body(b"bytes")) as port:
        assert fetch.fetch(f"http://rebind.example:{port}/") == b"bytes"
        assert known["asked"].count("rebind.example") == 1
        assert refused(f"http://rebind.example:{port}/") == 403


def test_one_forbidden_address_forbids_the_name(known):
    known["mixed.example"] = ["127.0.0.1", "10.0.0.1"]
    assert refused("http://mixed.example/") == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fc00::1]",
        "[fd00:ec2::254]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::a00:1]",
        "[2002:a00:1::]", "[ff02::1]", "192.0.2.1", "198.18.0.1", "[fec0::1]", "[::10.0.0.1]",
        "[::ffff:0:a00:1]",
    ],
)  # fmt: skip
def test_forbidden_addresses(known, host):
    assert refused(f"http://{host}/") == 403


@pytest.mark.parametrize("host", ["2130706434", "0x7f.2", "0177.0.0.2", "127.2"])
def test_odd_spellings_of_loopback(host):
    """With the system's own resolver, which knows these spellings."""
    assert refused(f"http://{host}/") == 403


def test_no_setting_opens_the_metadata_service(known, settings):
    settings.ALLOWED_SOURCES = [ipaddress.ip_network("0.0.0.0/0")]
    assert refused("http://169.254.169.254/latest/meta-data/") == 403
    assert refused("http://[::ffff:169.254.169.254]/") == 403


def test_forbidden_sources_setting(known, settings):
    settings.ALLOWED_SOURCES = []
    settings.FORBIDDEN_SOURCES = [ipaddress.ip_network("8.8.8.0/24")]
    assert not sources.is_allowed("8.8.8.8")
    assert sources.is_allowed("8.8.4.4")
    assert sources.is_allowed("2600::1")


def test_our_own_site_is_no_source(known, settings):
    known["own.example"] = ["8.8.8.8"]
    known["alias.example"] = ["8.8.8.8"]
    assert refused("http://own.example/") == 403
    assert refused("http://OWN.example./") == 403
    assert refused("http://alias.example/") == 403


def test_our_own_domain_is_no_source(known, settings):
    settings.ALLOWED_HOSTS = [".own.example"]
    known["own.example"] = known["www.own.example"] = ["8.8.8.8"]
    assert refused("http://www.own.example/") == 403
    assert refused("http://own.example/") == 403
    assert refused("http://8.8.8.8/") == 403


def test_our_own_address_is_asked_again(known, monkeypatch):
    """After a failed look, and when it may have changed; one that fails then does not undo it."""
    far = time.monotonic() + 60
    assert not names.own_addresses(far)
    known["own.example"] = ["8.8.8.8"]
    assert names.own_addresses(far) == {"8.8.8.8"}
    known["own.example"] = ["8.8.4.4"]
    assert names.own_addresses(far) == {"8.8.8.8"}
    monkeypatch.setattr(names, "OWN_SECONDS", -1)
    assert names.own_addresses(far) == {"8.8.4.4"}
    del known["own.example"]
    assert names.own_addresses(far) == {"8.8.4.4"}


def test_what_may_be_our_own_address_is_refused_until_we_know(known, monkeypatch):
    """Our own names get no answer: the resolver is slow, or says that it could not ask."""
    known["pictures.example"] = ["8.8.8.8"]
    answered = names.socket.getaddrinfo

    def slow(host, *args, **kwargs):
        if host == "own.example":
            time.sleep(0.3)
        return answered(host, *args, **kwargs)

    def failing(host, *args, **kwargs):
        if host == "own.example":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return answered(host, *args, **kwargs)

    monkeypatch.setattr(names, "LOOKUP_SECONDS", 0.1)
    for resolver in (slow, failing):
        monkeypatch.setattr(names.socket, "getaddrinfo", resolver)
        assert refused("http://pictures.example/") == 503


def test_slow_names_of_visitors_do_not_hold_our_own(known, monkeypatch):
    known["own.example"] = ["8.8.8.8"]
    leave = threading.Event()
    held = [names.resolvers.submit(leave.wait, 10) for _ in range(8)]
    try:
        assert names.own_addresses(time.monotonic() + 5) == {"8.8.8.8"}
    finally:
        leave.set()
        assert all(done.result() for done in held)


def test_behind_a_cdn_its_addresses_are_not_our_own(known, settings):
    """The site's names lead to the CDN, as those of many other sites do."""
    settings.PROXY = ["cdn", "nginx"]
    settings.ALLOWED_HOSTS = ["own.example", "8.8.4.4"]
    known["own.example"] = ["8.8.8.8"]
    assert names.own_addresses(time.monotonic() + 5) == {"8.8.4.4"}
    assert refused("http://own.example/") == 403
    assert refused("http://8.8.4.4/") == 403


def test_public_address_of_the_instance(known, settings):
    """The host itself does not see it: whoever starts the app says it."""
    settings.PUBLIC_ADDRESS = "8.8.8.8"

    assert refused("http://8.8.8.8/") == 403


@pytest.mark.parametrize(
    "url",
    ["", "x", "//x.example/", "ftp://x.example/", "file:///etc/passwd", "http://", "http:///x",
     "HTTP:x.example", "http:\\\\x.example/", "http://x.example:0/", "http://x..example/",
     "http://[fe80::1%25eth0]/", "ftp://x.example:80/", "file://x.example:443/",
     "http://user@x.example/", "http://u:p@x.example/", "http://x.example:99999/", "http://[::1/",
     "http://x.example/\r\nHost: y", "http://x .example/", "javascript:alert(1)",
     "http://" + "a" * 70 + ".example/", "http://x.example/" + "a" * 3000],
)  # fmt: skip
def test_bad_addresses(url):
    assert refused(url) == 400


def test_redirects_are_followed_and_checked(known):
    known["ok.example"] = ["127.0.0.1"]

    def answer(handler):
        if handler.path == "/there":
            return body(b"bytes")(handler)
        targets = {
            "/here": "/there",
            "/inside": "http://10.0.0.1/",
            "/metadata": "http://169.254.169.254/",
            "/file": "file:///etc/passwd",
            "/loop": "/loop",
        }
        return body(b"", 302, Location=targets[handler.path])(handler)

    with serving(answer) as port:
        base = f"http://ok.example:{port}"
        assert fetch.fetch(f"{base}/here") == b"bytes"
        assert refused(f"{base}/inside") == 403
        assert refused(f"{base}/metadata") == 403
        assert refused(f"{base}/file") == 400
        assert refused(f"{base}/loop") == 502


@pytest.mark.parametrize(
    ("typed", "host", "target"),
    [
        ("HTTP://Pictures.Example./a", "pictures.example", "/a"),
        ("http://b\u00fccher.example/\u00e4?\u00f6", "xn--bcher-kva.example", "/%C3%A4?%C3%B6"),
        ("http://fa\u00df.example", "xn--fa-hia.example", "/"),  # not fass.example
        ("http://x\u3002example/a#part", "x.example", "/a"),
        ("http://0177.0.0.2/", "127.0.0.2", "/"),
        ("http://[::FFFF:7f00:2]/", "::ffff:7f00:2", "/"),
        ("http://%6fwn.example/", "own.example", "/"),
        ("http://x.example/a/../b", "x.example", "/b"),
    ],
)
def test_addresses_as_browsers_read_them(typed, host, target):
    address = addresses.parse(typed)
    assert (address.host, address.target) == (host, target)


@pytest.mark.parametrize(("port", "status"), [(22, 403), (81, 403), (8080, 502), (8443, 502)])
def test_only_ports_where_the_web_is_are_knocked_at(known, monkeypatch, port, status):
    def unreachable(*args, **kwargs):
        raise ConnectionRefusedError

    known["pictures.example"] = ["8.8.8.8"]
    monkeypatch.setattr(fetch.socket, "create_connection", unreachable)
    assert refused(f"http://pictures.example:{port}/") == status


def test_every_address_of_a_name_is_tried(known, settings):
    settings.ALLOWED_SOURCES = [ipaddress.ip_network("127.0.0.0/8")]
    with serving(body(b"bytes")) as port:  # at 127.0.0.1 only
        known["three.example"] = ["127.0.0.8", "127.0.0.9", "127.0.0.1"]
        assert fetch.fetch(f"http://three.example:{port}/") == b"bytes"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"there", "/a/there"),
        (b"  ../there?x#part  ", "/there?x"),
        ("/caf\u00e9/\u00c5?\u00fc".encode(), "/caf%C3%A9/%C3%85?%C3%BC"),
        ("/caf\u00e9".encode("latin-1"), "/caf%E9"),
        (b"/two words", "/two%20words"),
        (b"//ok.example:PORT/there", "/there"),
        (b"HTTP://OK.example:PORT/there", "/there"),
        (b"\\there", "/there"),
        (b"?again", "/a/b?again"),
        (b"/folded/\r\n line", "/folded/%20line"),
    ],
)
def test_redirects_as_browsers_follow_them(known, location, path):
    known["ok.example"] = ["127.0.0.1"]
    seen = []

    def answer(handler):
        seen.append(handler.path)
        if len(seen) > 1:
            return body(b"bytes")(handler)
        to = location.replace(b"PORT", str(handler.server.server_address[1]).encode())
        handler.wfile.write(
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + to + b"\r\n\r\n"
        )
        return None

    with serving(answer) as port:
        assert fetch.fetch(f"http://ok.example:{port}/a/b") == b"bytes"
    assert seen == ["/a/b", path]


@pytest.mark.parametrize("location", ["ftp://ok.example/", "http://u:p@ok.example/", "http://[/"])
def test_redirects_that_lead_nowhere(location):
    with serving(body(b"", 302, Location=location)) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 400


def test_many_redirects_are_followed():
    def answer(handler):
        left = int(handler.path[1:])
        if left:
            return body(b"", 307, Location=f"/{left - 1}")(handler)
        return body(b"bytes")(handler)

    with serving(answer) as port:
        assert fetch.fetch(f"http://127.0.0.1:{port}/{fetch.MAX_REDIRECTS}") == b"bytes"
        assert refused(f"http://127.0.0.1:{port}/{fetch.MAX_REDIRECTS + 1}") == 502


HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nContent-Length: 9\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("before", [HINT, PROCESSING + HINT + HINT, CONTINUE + HINT + CONTINUE])
@pytest.mark.parametrize(
    "final",
    [
        b"Content-Length: 5\r\n\r\nbytes",
        b"Connection: close\r\n\r\nbytes",
        b"Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nbytes\r\n0\r\nX: y\r\n\r\n",
    ],
    ids=["length", "until it closes", "chunked"],
)
def test_early_hints_come_before_the_answer(before, final):
    with serving(
        lambda handler: handler.wfile.write(before + b"HTTP/1.1 200 OK\r\n" + final)
    ) as port:
        assert fetch.fetch(f"http://127.0.0.1:{port}/") == b"bytes"


def test_hints_without_an_answer():
    with serving(lambda handler: handler.wfile.write(HINT * 200)) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 502


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("coding", PACKED)
def test_a_source_that_compresses_although_asked_not_to(coding):
    packed = PACKED[coding](b"bytes" * 1000)
    with serving(body(packed, **{"Content-Encoding": coding})) as port:
        assert fetch.fetch(f"http://127.0.0.1:{port}/") == b"bytes" * 1000


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_unpacks_to_too_much_is_too_large(settings, coding):
    settings.MAX_UPLOAD_BYTES = 100_000
    packed = PACKED[coding](bytes(50_000_000))
    assert len(packed) < settings.MAX_UPLOAD_BYTES
    with serving(body(packed, **{"Content-Encoding": coding})) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 413


def test_a_source_that_only_says_that_it_compresses():
    with serving(body(b"bytes", **{"Content-Encoding": "gzip"})) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 502


def test_what_a_proxy_changed_is_a_picture_still():
    with serving(body(b"bytes", 203)) as port:
        assert fetch.fetch(f"http://127.0.0.1:{port}/") == b"bytes"


@pytest.mark.parametrize("status", [204, 206, 300, 302, 304, 401, 404, 500])
def test_source_that_fails(status):
    with serving(body(b"", status)) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 502


def test_source_that_is_not_there(known):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/") == 502
    assert refused("http://nothing.example/") == 502


def test_source_that_breaks_off():
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)

    with serving(answer) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 502


def test_too_large_announced_or_not(settings):
    settings.MAX_UPLOAD_BYTES = 1000

    def unannounced(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x" * 1000)

    for answer in (body(b"x" * 1001), unannounced):
        with serving(answer) as port:
            assert refused(f"http://127.0.0.1:{port}/") == 413


def wait(handler):
    time.sleep(1.5)


def drip_body(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(30):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for number in range(30):
        handler.wfile.write(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)
    handler.wfile.write(b"\r\n")


@pytest.mark.parametrize("answer", [wait, drip_body, drip_headers])
def test_slow_sources(monkeypatch, answer):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.4)
    start = time.monotonic()
    with serving(answer) as port:
        assert refused(f"http://127.0.0.1:{port}/") == 504
        assert time.monotonic() - start < 1.2


def test_slow_names(monkeypatch):
    monkeypatch.setattr(names, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *a, **k: time.sleep(0.5))
    assert refused("http://slow.example/") == 504


def test_only_so_many_at_once(monkeypatch):
    monkeypatch.setattr(fetch, "slots", threading.BoundedSemaphore(1))
    entered, leave = threading.Event(), threading.Event()

    def answer(handler):
        entered.set()
        leave.wait(5)
        body(b"bytes")(handler)

    with serving(answer) as port:
        url = f"http://127.0.0.1:{port}/"
        first = threading.Thread(target=fetch.fetch, args=[url])
        first.start()
        entered.wait(5)
        assert refused(url) == 429
        leave.set()
        first.join()
        assert fetch.fetch(url) == b"bytes"


@pytest.fixture
def certificate(tmp_path):
    """A server's context and a client's that trusts it, for pictures.example."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pictures.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False), True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    names = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    client = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    return server, client, names


def test_tls_is_checked_against_the_name(known, certificate, monkeypatch):
    server, client, asked = certificate
    known["pictures.example"] = known["other.example"] = ["127.0.0.1"]
    with serving(body(b"bytes"), server) as port:
        assert refused(f"https://pictures.example:{port}/") == 502  # nobody vouches for it yet
        monkeypatch.setattr(fetch, "tls", lambda: client)
        assert fetch.fetch(f"https://pictures.example:{port}/") == b"bytes"
        assert refused(f"https://other.example:{port}/") == 502
    assert asked == ["pictures.example", "pictures.example", "other.example"]
