"""Who stands in front is said by PROXY; nobody else's word about a visitor counts."""

from ipaddress import ip_network

import pytest
from django.test import RequestFactory
from service import clients, edge, loops

CLAIMS = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Real-IP": "203.0.113.9",
    "CloudFront-Viewer-Address": "203.0.113.9:4711",
    "CloudFront-Forwarded-Proto": "https",
}
SECRET = "the secret of the CDN, long enough"


def seen(peer: str, headers: dict) -> tuple[str, str, str]:
    """Client, scheme and host of a request, as all that comes after sees them."""
    found = []

    def view(request):
        found.append((clients.address(request), request.scheme, request.get_host()))
        assert not [name for name in request.headers if name.startswith(("X-", "Cloudfront"))]

    headers = {"Host": "testserver"} | headers
    edge.EdgeMiddleware(view)(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))
    return found[0]


@pytest.mark.parametrize("proxy", [["none"], ["nginx"], ["balancer"], ["cdn", "nginx"]])
def test_a_visitor_who_comes_past_them_is_believed_nothing(settings, proxy):
    settings.PROXY = proxy
    settings.PROXY_NETWORKS = [ip_network("10.0.0.0/8")]
    settings.CDN_SECRETS = [SECRET]
    assert seen("192.0.2.1", CLAIMS) == ("192.0.2.1", "http", "testserver")
    assert seen("::ffff:192.0.2.1", CLAIMS) == ("192.0.2.1", "http", "testserver")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_nginx_says_who_comes(settings, forwarded, client):
    settings.PROXY = ["nginx"]
    assert seen("", CLAIMS | {"X-Forwarded-For": forwarded}) == (client, "https", "testserver")


def test_a_unix_socket_alone_says_nothing(settings):
    settings.PROXY = ["none"]
    assert seen("", CLAIMS) == ("", "http", "testserver")


def test_a_balancer_says_who_comes(settings):
    settings.PROXY = ["balancer"]
    settings.PROXY_NETWORKS = [ip_network("10.0.0.0/8")]
    headers = CLAIMS | {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}
    assert seen("10.0.0.5", headers) == ("203.0.113.9", "https", "testserver")


def test_a_gateway_calls_with_the_address_it_saw(settings):
    settings.PROXY = ["gateway"]
    settings.SITE_URL = "https://mustache.localhost"
    settings.ALLOWED_HOSTS = ["mustache.localhost"]
    assert seen("192.0.2.1", CLAIMS) == ("192.0.2.1", "https", "mustache.localhost")


@pytest.mark.parametrize(
    ("viewer", "client"),
    [
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8::7:4711", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("", ""),
    ],
)
def test_a_cdn_is_believed_with_its_secret(settings, viewer, client):
    settings.PROXY = ["cdn", "nginx"]
    settings.CDN_SECRETS = ["the one before, also long enough....", SECRET]
    headers = CLAIMS | {"CloudFront-Viewer-Address": viewer, "X-CDN-Secret": SECRET}
    assert seen("", headers) == (client, "https", "testserver")


@pytest.mark.parametrize("given", ["", "wrong", "\u00e9", SECRET + "x"])
def test_without_it_the_next_one_inwards_is(settings, given):
    settings.PROXY = ["cdn", "nginx"]
    settings.CDN_SECRETS = [SECRET]
    headers = CLAIMS | {"X-CDN-Secret": given, "X-Forwarded-For": "192.0.2.1"}
    assert seen("", headers | {"X-Forwarded-Proto": "http"}) == ("192.0.2.1", "http", "testserver")


@pytest.mark.parametrize(
    "proxy", [[], ["apache"], ["cdn"], ["nginx", "cdn"], ["cdn", "cdn"], ["nginx", "balancer"]]
)
def test_what_is_unknown_is_refused(proxy):
    assert "must be one of" in edge.wrong(proxy)


@pytest.mark.parametrize("proxy", [["none"], ["nginx"], ["cdn", "gateway"]])
def test_what_is_known_is_not(proxy):
    assert edge.wrong(proxy) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [("127.0.0.1", None, 200), ("::1", None, 200), ("192.0.2.1", None, 404),
     ("", "127.0.0.1", 200), ("", None, 404), ("", "203.0.113.9", 404), ("", "nonsense", 404),
     ("10.0.0.1", "127.0.0.1", 404)],
)  # fmt: skip
def test_metrics_are_for_this_host(client, settings, peer, forwarded, status):
    settings.PROXY = ["nginx"]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=peer).status_code == status


@pytest.mark.django_db
def test_https_is_asked_for_where_nobody_says_that_it_is(client, settings):
    settings.PROXY = ["nginx"]
    settings.SECURE_SSL_REDIRECT = True
    headers = {"X-Forwarded-Proto": "https"}
    assert client.get("/", headers=headers, REMOTE_ADDR="192.0.2.1").status_code == 301
    assert client.get("/", headers=headers, REMOTE_ADDR="").status_code == 200
    assert client.get("/healthz", REMOTE_ADDR="192.0.2.1").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("testserver", 508),
        ("other.example, TestServer; hops=2", 508),
        ("other.example", 200),
        ("testserver.example", 200),
        ("", 200),
    ],
)
def test_a_request_of_our_own_comes_to_an_end(client, value, status):
    answer = client.get("/gallery", headers={"CDN-Loop": value})
    assert answer.status_code == status


def test_what_we_fetch_says_who_asked_before_us():
    sent = []
    middleware = loops.LoopMiddleware(lambda request: sent.append(loops.header()))
    middleware(RequestFactory().get("/", headers={"CDN-Loop": "other.example"}))
    assert sent == ["other.example, testserver"]
    assert loops.header() == "testserver"
