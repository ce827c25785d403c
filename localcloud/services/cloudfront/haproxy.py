"""The edge's configuration for HAProxy 3, on both sides of the cache.

Visitors come to ``viewers``: the distribution is found by the name they ask for, the behaviour by
the path, and what the cache must know is put into ``x-lc-`` headers (cache.vcl reads them). The
cache asks ``origins``, which takes those headers off again and leads to the origin.

Pure: ``model.Distribution``s go in, text comes out.
"""

import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localcloud.services.cloudfront.model import (
    Behaviour,
    Distribution,
    Group,
    Origin,
    Selection,
)
from localcloud.services.elbv2.haproxy import quote

DIRECTORY = "/etc/edge"
SOCKETS = "/run/edge"
# Where the cache finds the origins (cache.vcl).
ORIGINS = "127.0.0.1:6082"
VIA = "1.1 localcloud (CloudFront)"
# What is forwarded whatever the policies say: the body's description, conditions, and our own.
ALWAYS = (
    "host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding",
    "expect", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
    "if-range", "accept-encoding",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Where an origin is: addresses that the edge reaches, empty when its name leads nowhere."""

    addresses: tuple[str, ...]
    port: int
    tls: bool = False


def render(distributions: Iterable[Distribution], targets: dict[tuple[str, str, bool], Target],
           proof: str, doors: tuple[int, int]) -> str:  # fmt: skip
    """haproxy.cfg.

    ``targets`` are by (distribution, origin, whether over TLS); ``proof`` is the secret by which
    the API knows the edge; ``doors`` are this machine's ports for the site, HTTP and HTTPS.
    """
    distributions = sorted(distributions, key=lambda each: each.id)
    blocks = [_GLOBAL, _viewers(distributions)]
    for each in distributions:
        blocks += [_behaviour(each, number, doors) for number in range(len(each.behaviours))]
    blocks.append(_origins(distributions))
    for each in distributions:
        for origin in each.origins:
            for tls in (False, True):
                target = targets.get((each.id, origin.id, tls))
                if target:
                    blocks.append(_origin(each, origin, tls, target, proof))
    return "\n".join(blocks)


_GLOBAL = f"""\
global
    log {SOCKETS}/log.sock len 8192 local0 info
    stats socket {SOCKETS}/admin.sock mode 600 level admin
    tune.http.maxhdr 256
    tune.bufsize 65536
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 180s
    timeout http-request 30s
    timeout http-keep-alive 30s
    unique-id-format %{{+X}}o%ci%cp%Ts%rt%pid

# what nobody answers: CloudFront's own page for a request that it does not take
http-errors cloudfront
    errorfile 403 {DIRECTORY}/403.http
"""


def _viewers(distributions: list[Distribution]) -> str:
    lines = [
        "# viewers",
        "frontend viewers",
        "    bind :80",
        f"    bind :443 ssl crt-list {DIRECTORY}/certificates.list alpn h2,http/1.1",
        "    errorfiles cloudfront",
        "    log-format " + quote(_LOG),
        "    log global",
        "    http-request set-var(txn.tls) ssl_fc",
        "    http-request set-var(txn.id) unique-id,sha2(256),base64",
        "    http-request set-var(txn.host) req.hdr(host),lower,field(1,:)",
        "    http-request set-var(txn.path) path",
        "    http-request set-var(txn.uri) url",
        "    http-request set-var(txn.viewer) src",
        # nobody but the edge says such things
        "    http-request del-header x-lc- -m beg",
        "    http-request del-header cloudfront- -m beg",
        "    http-request del-header x-amz-cf-id",
        "    http-after-response set-header x-amz-cf-id %[var(txn.id)]",
        "    http-after-response set-header x-amz-cf-pop LOC50-P1",
        f"    http-after-response set-header via {quote(VIA)}",
        '    http-request set-var(txn.made) str("Error from cloudfront")',
        "    http-after-response set-header x-cache %[var(txn.made)] "
        "if !{ res.hdr(x-cache) -m found }",
        "    http-after-response set-var(txn.result) res.hdr(x-cache)",
    ]
    for each in distributions:
        names = " ".join(quote(name) for name in each.names)
        lines.append(
            f"    http-request set-var(txn.distribution) str({each.id}) "
            f"if {{ var(txn.host) -m str {names} }}"
        )
    lines.append("    http-request deny deny_status 403 if !{ var(txn.distribution) -m found }")
    for each in distributions:
        mine = f"{{ var(txn.distribution) -m str {each.id} }}"
        if each.root:
            lines.append(
                f"    http-request set-path {quote('/' + each.root)} if {mine} {{ path / }}"
            )
        for number, behaviour in enumerate(each.behaviours):
            chosen = f"{each.id}-{number}"
            match = (
                ""
                if behaviour.pattern is None
                else f" {{ path -m reg {quote(expression(behaviour.pattern))} }}"
            )
            lines.append(
                f"    http-request set-var(txn.behaviour) str({chosen}) "
                f"if {mine} !{{ var(txn.behaviour) -m found }}{match}"
            )
    lines.append("    use_backend %[var(txn.behaviour)]")
    return "\n".join(lines) + "\n"


def expression(text: str) -> str:
    """CloudFront's path pattern as a regular expression: * and ? are the only wildcards."""
    text = text if text.startswith(("/", "*")) else "/" + text
    parts = [{"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in text]
    return "^" + "".join(parts) + "$"


def _behaviour(distribution: Distribution, number: int, doors: tuple[int, int]) -> str:
    """A backend that leads to the cache, having said what the cache must know."""
    behaviour = distribution.behaviours[number]
    group = next((g for g in distribution.groups if g.id == behaviour.origin), None)
    name = behaviour.pattern or "default"
    lines = [
        f"# {distribution.id}: {name.translate(_ONE_LINE)}",
        f"backend {distribution.id}-{number}",
        "    errorfiles cloudfront",
    ]
    if behaviour.viewer_protocol == "https-only":
        lines.append("    http-request deny deny_status 403 if !{ var(txn.tls) -m bool }")
    elif behaviour.viewer_protocol == "redirect-to-https":
        # through this machine's door the other door is at another port
        lines += [
            '    http-request set-var(txn.made) str("Redirect from cloudfront") '
            "if !{ var(txn.tls) -m bool }",
            "    http-request redirect code 301 location "
            f"https://%[var(txn.host)]:{doors[1]}%[var(txn.uri)] "
            f"if !{{ var(txn.tls) -m bool }} {{ req.hdr(host) -m end :{doors[0]} }}",
            "    http-request redirect code 301 location https://%[var(txn.host)]%[var(txn.uri)] "
            "if !{ var(txn.tls) -m bool }",
        ]
    allowed = " ".join(behaviour.methods)
    lines.append(f"    http-request deny deny_status 403 if !{{ method {allowed} }}")
    lines += _key(distribution, behaviour)
    lines += _forward(behaviour)
    lines += [
        f"    http-request set-header x-lc-distribution {distribution.id}",
        "    http-request set-header x-lc-path %[var(txn.path)]",
        "    http-request set-header x-lc-tls %[var(txn.tls)]",
        f"    http-request set-header x-lc-origin {_member(distribution, behaviour.origin, group)}",
        *(_second(distribution, group) if group else []),
        f"    http-request set-header x-lc-min {behaviour.ttl[0]}s",
        f"    http-request set-header x-lc-default {behaviour.ttl[1]}s",
        f"    http-request set-header x-lc-max {behaviour.ttl[2]}s",
        f"    http-request set-header x-lc-errors {quote(_error_ttls(distribution))}",
        "    http-request set-header x-lc-id %[var(txn.id)]",
    ]
    pages = _pages(distribution)
    if pages:
        lines.append(f"    http-request set-header x-lc-pages {quote(pages)}")
    if not behaviour.cached:
        lines.append("    http-request set-header x-lc-pass 1")
    if behaviour.compress and behaviour.gzip:
        lines.append("    http-request set-header x-lc-compress 1")
    if behaviour.forward.cookies.kind == "none":
        # who does not send cookies must not be given any
        lines.append("    http-request set-header x-lc-cookieless 1")
    # of a part that is not there Varnish says itself, with the headers of the file
    lines.append("    http-response del-header cache-control if { status 416 }")
    lines += [f"    http-response del-header {quote(each)}" for each in behaviour.removed]
    for header in behaviour.headers:
        there = "" if header.override else f" if !{{ res.hdr({header.name}) -m found }}"
        lines.append(
            f"    http-response set-header {header.name} {quote(_literal(header.value))}{there}"
        )
    lines.append(f"    server cache unix@{SOCKETS}/cache.sock")
    if not pages:
        lines += _past_the_cache(behaviour)
    return "\n".join(lines) + "\n"


def _past_the_cache(behaviour: Behaviour) -> list[str]:
    """What has a body goes straight to the origin, and its answer back.

    Varnish hears no answer while it sends: one to a body that is too large would never arrive.
    """
    past = "if { var(txn.past) -m bool }"
    lines = [
        "    http-request set-var(txn.past) bool(true) if !METH_GET",
        f'    http-response set-header x-cache "Miss from cloudfront" {past}',
        f'    http-response set-header x-cache "Error from cloudfront" {past} {{ status ge 400 }}',
    ]
    if behaviour.forward.cookies.kind == "none":
        lines.append(f"    http-response del-header set-cookie {past}")
    return [
        *lines,
        f"    use-server origins {past}",
        f"    server origins {ORIGINS} weight 0",
    ]


def _key(distribution: Distribution, behaviour: Behaviour) -> list[str]:
    """x-lc-key: what distinguishes answers, in one header.

    Each part is URL-encoded, so none can pass for two: what a visitor sends has no `|` left in it.
    """
    lines = [
        f"    http-request set-header x-lc-key "
        f'"{distribution.id} %[var(txn.host),url_enc] %[var(txn.path),url_enc]"'
    ]

    def add(label: str, fetch: str, when: str = "") -> None:
        lines.append(
            f'    http-request set-header x-lc-key "%[req.hdr(x-lc-key)]|{label}='
            f'%[{fetch},url_enc]"{when}'
        )

    def add_named(label: str, names: Iterable[str], fetch: str) -> None:
        for name in names:
            found = f"{fetch}({_word(name)})"
            add(f"{label}{_label(name)}", found, f" if {{ {found} -m found }}")

    key = behaviour.key
    if key.queries.kind in ("all", "all but"):
        add("?", "query")
    elif key.queries.kind == "some":
        add_named("?", key.queries.names, "url_param")
    if key.headers.kind == "some":
        add_named("", key.headers.names, "req.hdr")
    if key.cookies.kind in ("all", "all but"):
        add("cookie", "req.hdr(cookie)")
    elif key.cookies.kind == "some":
        add_named("cookie ", key.cookies.names, "req.cook")
    return lines


def _forward(behaviour: Behaviour) -> list[str]:
    """Take away what the origin does not get to see, and add what only the edge knows."""
    forward = behaviour.forward
    lines = _queries(forward.queries)
    lines += _cookies(forward.cookies)
    names = forward.headers.names
    if forward.headers.kind == "all but":
        lines += [f"    http-request del-header {_word(name)}" for name in names if name != "host"]
    elif forward.headers.kind in ("none", "some"):
        kept = [*ALWAYS, *(names if forward.headers.kind == "some" else ())]
        if forward.cookies.kind != "none":
            kept.append("cookie")
        choice = "|".join(re.escape(each) for each in dict.fromkeys(kept))
        lines.append(f"    http-request del-header {quote(f'^(?!(?:{choice})$|x-lc-)')} -m reg")
    host = (
        forward.headers.kind == "all"
        or (forward.headers.kind == "some" and "host" in names)
        or (forward.headers.kind == "all but" and "host" not in names)
    )
    if host:
        lines.append("    http-request set-header x-lc-host 1")
    if not _sees(forward.headers, "user-agent"):
        lines.append('    http-request set-header user-agent "Amazon CloudFront"')
    added = {
        "cloudfront-viewer-address": "%[var(txn.viewer)]:%[src_port]",
        "cloudfront-forwarded-proto": "%[var(txn.tls),iif(https,http)]",
        "cloudfront-viewer-http-version": "%[req.ver]",
        "cloudfront-viewer-tls": "%[ssl_fc_protocol]:%[ssl_fc_cipher]",
    }
    lines += [
        f'    http-request set-header {name} "{value}"'
        for name, value in added.items()
        if name in names and forward.headers.kind != "all but"
    ]
    lines += [
        '    http-request set-header x-forwarded-for "%[req.hdr(x-forwarded-for)], %[src]" '
        "if { req.hdr(x-forwarded-for) -m found }",
        "    http-request set-header x-forwarded-for %[src] "
        "if !{ req.hdr(x-forwarded-for) -m found }",
        f"    http-request set-header via {quote(VIA)}",
        "    http-request set-header x-amz-cf-id %[var(txn.id)]",
    ]
    return lines


def _sees(headers: Selection, name: str) -> bool:
    if headers.kind == "all but":
        return name not in headers.names
    return headers.kind == "all" or name in headers.names


def _queries(selection: Selection) -> list[str]:
    if selection.kind == "none":
        return ["    http-request set-uri %[path]"]
    if selection.kind != "some":
        return []
    return [
        *_picked("txn.query", "&", "url_param", selection.names),
        "    http-request set-query %[var(txn.query),bytes(1)]",
    ]


def _cookies(selection: Selection) -> list[str]:
    if selection.kind == "none":
        return ["    http-request del-header cookie"]
    if selection.kind != "some":
        return []
    return [
        *_picked("txn.cookies", "; ", "req.cook", selection.names),
        "    http-request del-header cookie",
        "    http-request set-header cookie %[var(txn.cookies),bytes(2)] "
        "if { var(txn.cookies) -m len gt 2 }",
    ]


def _picked(variable: str, before: str, fetch: str, names: Iterable[str]) -> Iterator[str]:
    """Put NAME=VALUE of those that a request has into a variable, ``before`` in front of each."""
    yield f'    http-request set-var({variable}) str("")'
    for word in map(_word, names):
        yield (
            f'    http-request set-var-fmt({variable}) "%[var({variable})]{before}{_literal(word)}='
            f'%[{fetch}({word})]" if {{ {fetch}({word}) -m found }}'
        )


def _member(distribution: Distribution, origin: str, group: Group | None) -> str:
    """What the cache calls an origin, or the first one of a group."""
    wanted = group.first if group else origin
    number = next(n for n, each in enumerate(distribution.origins) if each.id == wanted)
    return f"{distribution.id}.{number}"


def _second(distribution: Distribution, group: Group) -> list[str]:
    codes = "|".join(str(code) for code in group.codes)
    return [
        f"    http-request set-header x-lc-second {_member(distribution, group.second, None)}",
        f"    http-request set-header x-lc-second-codes |{codes}|",
    ]


def _error_ttls(distribution: Distribution) -> str:
    return "|" + "".join(f"{each.code}={each.ttl}|" for each in distribution.errors)


def _pages(distribution: Distribution) -> str:
    """|code=status,origin,path|...: the page's own behaviour says where it is."""
    found = []
    for each in distribution.errors:
        if each.page:
            behaviour = _behaviour_of(distribution, each.page)
            group = next((g for g in distribution.groups if g.id == behaviour.origin), None)
            origin = _member(distribution, behaviour.origin, group)
            found.append(f"{each.code}={each.status},{origin},{each.page}")
    return f"|{'|'.join(found)}|" if found else ""


def _behaviour_of(distribution: Distribution, path: str) -> Behaviour:
    for each in distribution.behaviours:
        if each.pattern is None:
            return each
        if re.match(expression(each.pattern), path):
            return each
    raise ValueError("every distribution has a default behaviour")


def _origins(distributions: list[Distribution]) -> str:
    lines = [
        "# origins",
        "frontend origins",
        f"    bind {ORIGINS}",
        "    http-request set-var(txn.origin) req.hdr(x-lc-origin)",
        "    http-request set-var(txn.tls) req.hdr(x-lc-tls)",
        "    http-request set-var(txn.host) req.hdr(x-lc-host)",
    ]
    for each in distributions:
        for origin in each.origins:
            chosen = f"{{ var(txn.origin) -m str {_member(each, origin.id, None)} }}"
            tls = {"http": False, "https": True, "s3": False}.get(origin.protocol)
            if tls is None:
                secure = f"{chosen} {{ var(txn.tls) -m str 1 }}"
                lines.append(f"    use_backend {_name(each, origin, True)} if {secure}")
            lines.append(f"    use_backend {_name(each, origin, bool(tls))} if {chosen}")
    lines += [
        "    default_backend nowhere",
        "backend nowhere",
        "    http-request deny deny_status 502",
    ]
    return "\n".join(lines) + "\n"


def _origin(distribution, origin: Origin, tls: bool, target: Target, proof: str) -> str:
    lines = [
        f"backend {_name(distribution, origin, tls)}",
        f"    timeout connect {origin.connect_timeout}s",
        f"    timeout server {origin.read_timeout}s",
        f"    retries {origin.attempts - 1}",
        # POST is never sent twice
        "    retry-on conn-failure",
        "    http-request del-header x-lc- -m beg",
    ]
    if origin.path:
        lines.append(f'    http-request set-path "{origin.path}%[path]"')
    if origin.protocol == "s3":
        lines.append(f"    http-request set-header host {origin.domain}")
    else:
        lines.append(
            f"    http-request set-header host {origin.domain} if !{{ var(txn.host) -m found }}"
        )
    lines += [
        f"    http-request set-header {name} {quote(_literal(value))}"
        for name, value in origin.headers
    ]
    if origin.protocol == "s3":
        lines.append("    http-request del-header authorization")
        lines.append(f"    http-request set-header x-localcloud-edge {proof}")
        lines.append(
            f"    http-request set-header x-localcloud-source-arn "
            f"{distribution.arn if origin.access else '-'}"
        )
    lines += [
        "    http-response set-var(txn.answered) bool(true)",
        "    http-after-response set-status 502 if { status 503 } !{ var(txn.answered) -m bool }",
    ]
    options = ""
    if tls:
        # The certificate is of a name, and this machine's doors put a port behind it.
        options = (
            f" ssl verify required ca-file {DIRECTORY}/authority.pem sni req.hdr(host),host_only "
            "alpn http/1.1"
        )
    lines += [
        f"    server s{number} {address}:{target.port}{options}"
        for number, address in enumerate(target.addresses, 1)
    ]
    if not target.addresses:
        lines.append("    http-request deny deny_status 502")
    return "\n".join(lines) + "\n"


def _name(distribution: Distribution, origin: Origin, tls: bool) -> str:
    return f"origin.{_member(distribution, origin.id, None)}{'.tls' if tls else ''}"


def _word(name: str) -> str:
    """A header's, cookie's or parameter's name as an argument of a fetch method."""
    if not re.fullmatch(r"[A-Za-z0-9!#$&*+.^_`|~-]+", name):
        raise ValueError(f"{name!r} is no name of a header, cookie or parameter")
    return name


def _label(name: str) -> str:
    """A name as a part of a key, in which `|` and `=` have a meaning."""
    return _literal(urllib.parse.quote(name, safe=""))


def _literal(text: str) -> str:
    """Text in which HAProxy's log format sees nothing of its own."""
    return text.replace("%", "%%")


_ONE_LINE = {ord(letter): " " for letter in "\r\n\0"}
_LOG = (
    '{"time":"%T","distribution":"%[var(txn.distribution)]","client":"%ci","bytes":%B,'
    '"status":%ST,"ms":%Ta,"method":"%HM","host":"%[var(txn.host)]","path":"%[var(txn.path)]",'
    '"result":"%[var(txn.result)]","id":"%[var(txn.id)]","tls":"%[ssl_fc]"}'
)
