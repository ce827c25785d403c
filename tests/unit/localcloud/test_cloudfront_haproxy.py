"""The edge's configuration: what the cache's key is made of, and what the origin gets to see."""

from localcloud.services.cloudfront import haproxy
from localcloud.services.cloudfront.model import (
    Behaviour,
    Distribution,
    ErrorResponse,
    Origin,
    Parts,
    Selection,
)

SOME = Parts(
    headers=Selection("some", ("accept-language",)),
    cookies=Selection("some", ("style",)),
    queries=Selection("some", ("src", "a|b")),
)


def render(key, errors=()):
    distribution = Distribution(
        id="E1",
        arn="arn:aws:cloudfront::123456789012:distribution/E1",
        names=("a.cloudfront.net",),
        origins=(Origin("site", "site.example"),),
        behaviours=(Behaviour(None, "site", key=key, forward=key),),
        errors=errors,
    )
    return haproxy.render([distribution], {}, "proof", (8080, 8443))


def lines(text, word):
    return [each.strip() for each in text.splitlines() if word in each]


def test_no_part_of_a_key_can_pass_for_two():
    made = [each for each in lines(render(SOME), "set-header x-lc-key ") if "E1" not in each]
    assert made == [
        f'http-request set-header x-lc-key "%[req.hdr(x-lc-key)]|{label}=%[{fetch},url_enc]" '
        f"if {{ {fetch} -m found }}"
        for label, fetch in (
            ("?src", "url_param(src)"),
            ("?a%%7Cb", "url_param(a|b)"),
            ("accept-language", "req.hdr(accept-language)"),
            ("cookie style", "req.cook(style)"),
        )
    ]
    (begin,) = [each for each in lines(render(SOME), "set-header x-lc-key ") if "E1" in each]
    assert begin.endswith('"E1 %[var(txn.host),url_enc] %[var(txn.path),url_enc]"')


def test_the_whole_query_and_all_cookies_are_encoded_too():
    text = render(Parts(cookies=Selection("all"), queries=Selection("all")))
    assert "|?=%[query,url_enc]" in text
    assert "|cookie=%[req.hdr(cookie),url_enc]" in text


def test_the_origin_sees_the_parameters_and_cookies_that_are_named():
    text = render(SOME)
    assert lines(text, "set-var-fmt(txn.query)")[0] == (
        'http-request set-var-fmt(txn.query) "%[var(txn.query)]&src=%[url_param(src)]" '
        "if { url_param(src) -m found }"
    )
    assert lines(text, "set-var-fmt(txn.cookies)") == [
        'http-request set-var-fmt(txn.cookies) "%[var(txn.cookies)]; style=%[req.cook(style)]" '
        "if { req.cook(style) -m found }"
    ]
    nothing = render(Parts())
    assert "http-request set-uri %[path]" in nothing
    assert "http-request del-header cookie" in nothing
    assert "txn.query" not in nothing


def test_a_body_goes_past_the_cache_unless_a_page_may_take_its_answers_place():
    assert "use-server origins if { var(txn.past) -m bool }" in render(SOME)
    page = ErrorResponse(code=503, ttl=0, page="/closed.html", status=503)
    assert "use-server" not in render(SOME, (page,))
