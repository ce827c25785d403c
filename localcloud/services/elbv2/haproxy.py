"""An application load balancer's configuration for HAProxy 3.

Pure: a ``model.Balancer`` goes in, text comes out. The comments in the output say which part of
the load balancer a block stands for, since people read it through ``localcloud ssh``.
"""

import re

from localcloud.services.elbv2.model import (
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)

# Inside the node's container.
DIRECTORY = "/etc/haproxy"
SOCKETS = "/run/haproxy"
STATE_FILE = f"{SOCKETS}/servers.state"

# ALB gives up on a connection after 10 s. Targets here are microseconds away, so a SYN without an
# answer for 2 s means what 10 s mean there.
CONNECT_TIMEOUT = 2

# Prefix of the servers that get requests only when no other can.
SPARE = "any:"

_STATUS_TEXT = {
    400: "Bad Request",
    408: "Request Time-out",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}

# Fields of one log line, a JSON object; accesslog.py turns it into ALB's format.
_LOG = {
    "client": "%ci:%cp",
    "backend": "%b",
    "server": "%s",
    "accepted": "%[accept_date(ms)]",
    "request_ms": "%TR",
    "queue_ms": "%Tw",
    "connect_ms": "%Tc",
    "response_ms": "%Tr",
    "total_ms": "%Ta",
    "status": "%ST",
    "target_status": "%[var(txn.target_status)]",
    "received": "%U",
    "sent": "%B",
    "method": "%HM",
    "uri": "%[var(txn.uri)]",
    "version": "%HV",
    "host": "%[var(txn.host)]",
    "agent": "%[var(txn.agent)]",
    "tls": "%sslv",
    "cipher": "%sslc",
    "sni": "%[ssl_fc_sni]",
    "trace": "%[var(txn.trace)]",
    "rule": "%[var(txn.rule)]",
    "end": "%tsc",
    "port": "%fp",
    "location": "%[var(txn.location)]",
}


def backend(group: str) -> str:
    return f"group_{group}"


def render(balancer: Balancer) -> str:
    """Return the whole configuration of ``balancer``'s nodes."""
    blocks = [_global(), _defaults(balancer)]
    blocks += [_frontend(balancer, listener) for listener in balancer.listeners]
    blocks += [_backend(balancer, group) for group in balancer.groups]
    return "\n".join(blocks)


def server(group: TargetGroup, target: Target) -> str:
    """Arguments of the server line of ``target``, also those of ``add server``."""
    check = group.check
    timing = f"inter {check.interval}s rise {check.healthy} fall {check.unhealthy}"
    return _checked(group, target, timing, group.slow_start)


def probe(group: TargetGroup, target: Target) -> str:
    """The same target while it waits for its first good check. One is enough for ALB, too, but it
    takes its time."""
    return _checked(group, target, "inter 500ms rise 1 fall 1")


def _checked(group: TargetGroup, target: Target, timing: str, slow_start: int = 0) -> str:
    check = group.check
    words = [target.name, "check"]
    if check.port and check.port != target.port:
        words.append(f"port {check.port}")
    words.append(timing)
    if check.protocol == "HTTPS":
        words.append("check-ssl")
    elif group.protocol == "HTTPS":
        words.append("no-check-ssl")
    if slow_start:
        words.append(f"slowstart {slow_start}s")
    return " ".join([*words, *_tls(group)])


def spare(group: TargetGroup, target: Target) -> str:
    """The same target as a backup that is never checked: with no healthy target left, a load
    balancer sends requests to all of them."""
    return " ".join([target.name, "backup", *_tls(group)])


def spare_name(target: Target) -> str:
    return SPARE + target.name


def _tls(group: TargetGroup) -> list[str]:
    # ALB does not check targets' certificates either
    return ["ssl verify none"] if group.protocol == "HTTPS" else []


def _global() -> str:
    return f"""\
global
    log {SOCKETS}/log.sock len 8192 local0 info
    stats socket {SOCKETS}/admin.sock mode 600 level admin expose-fd listeners
    server-state-file {STATE_FILE}
    hard-stop-after 1h
    maxconn 4000
    ssl-default-bind-options no-sslv3
    tune.bufsize 65536
"""


def _defaults(balancer: Balancer) -> str:
    idle = balancer.idle_timeout
    pages = "\n".join(
        f"    http-error status {status} content-type text/html hdr Server awselb/2.0 "
        f"string {quote(_page(status))}"
        for status in _STATUS_TEXT
    )
    return f"""\
defaults
    mode http
    log global
    option dontlognull
    option idle-close-on-response
    load-server-state-from-file global
    timeout client {idle}s
    timeout server {idle}s
    timeout http-request {idle}s
    timeout http-keep-alive {idle}s
    timeout connect {CONNECT_TIMEOUT}s
    timeout queue {CONNECT_TIMEOUT}s
    timeout tunnel 1h
    # a request that reached no target has not been sent, so another one may have it
    retries 2
    option redispatch 1
    retry-on conn-failure
    log-format {quote(_log_format())}
{pages}
"""


def _page(status: int) -> str:
    title = f"{status} {_STATUS_TEXT[status]}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def _log_format() -> str:
    # `%{+json}o` would do the quoting, but knows no names for plain %xx aliases before 3.1
    fields = ", ".join(f'"{name}": "{_log_escape(value)}"' for name, value in _LOG.items())
    return "{" + fields + "}"


def _log_escape(value: str) -> str:
    """User-controlled samples are JSON-escaped by HAProxy itself."""
    match = re.fullmatch(r"%\[(var\(txn\.\w+\)|ssl_fc_sni)\]", value)
    return f"%[{match[1]},json(utf8s)]" if match else value


def _frontend(balancer: Balancer, listener: Listener) -> str:
    lines = [
        f"# {listener.protocol} listener on port {listener.port}",
        f"frontend listener_{listener.port}",
        f"    bind :{listener.port}{_bind_tls(balancer, listener)}",
        "    http-request set-var(txn.uri) url",
        "    http-request set-var(txn.host) req.hdr(host)",
        "    http-request set-var(txn.agent) req.fhdr(user-agent)",
        *_trace(),
        *_forwarded(balancer),
    ]
    if balancer.drop_invalid_headers:
        lines.append("    http-request del-header '[^A-Za-z0-9-]' -m reg")
    lines.append("    # which rule applies")
    lines += [_match(rule) for rule in _ordered(listener.rules)]
    lines.append("    # what it does")
    # HAProxy chooses backends after all other rules
    actions = [line for rule in _ordered(listener.rules) for line in _action(listener, rule)]
    lines += sorted(actions, key=lambda line: line.lstrip().startswith("use_backend"))
    return "\n".join(lines) + "\n"


def _bind_tls(balancer: Balancer, listener: Listener) -> str:
    if listener.protocol != "HTTPS":
        return ""
    certificates = " ".join(f"crt {DIRECTORY}/certificates/{n}" for n in listener.certificates)
    protocols = "h2,http/1.1" if balancer.http2 else "http/1.1"
    return f" ssl {certificates} alpn {protocols} ssl-min-ver {minimum_tls(listener.ssl_policy)}"


def minimum_tls(policy: str) -> str:
    """The oldest protocol an ``ELBSecurityPolicy-*`` accepts."""
    found = re.search(r"(?:TLS13|TLS|FS)-1-(\d)", policy)
    return f"TLSv1.{found[1]}" if found else "TLSv1.0"


def _trace() -> list[str]:
    root = "Root=1-%{+X}Ts-%[uuid(4),regsub(-,,g),bytes(0,24)]"
    return [
        f"    http-request set-var-fmt(txn.trace) {quote(root)}",
        "    http-request set-var(txn.trace) var(txn.trace),lower,regsub(root,Root)",
        # a trace that is already there is kept as its root
        "    http-request set-var-fmt(txn.trace) "
        "'Self%[var(txn.trace),bytes(4)];%[req.fhdr(x-amzn-trace-id)]' "
        "if { req.fhdr(x-amzn-trace-id) -m sub Root= }",
        "    http-request set-header X-Amzn-Trace-Id %[var(txn.trace)]",
    ]


def _forwarded(balancer: Balancer) -> list[str]:
    client = "%[src]:%[src_port]" if balancer.client_port else "%[src]"
    lines = []
    if balancer.forwarded_for == "append":
        lines = [
            # several header lines are one list
            "    http-request set-var-fmt(txn.forwarded) "
            f"'%[req.fhdr(x-forwarded-for,1)], {client}' "
            "if { req.fhdr(x-forwarded-for) -m found }",
            f"    http-request set-var-fmt(txn.forwarded) '{client}' "
            "unless { req.fhdr(x-forwarded-for) -m found }",
            "    http-request set-header X-Forwarded-For %[var(txn.forwarded)]",
        ]
    elif balancer.forwarded_for == "remove":
        lines = ["    http-request del-header X-Forwarded-For"]
    return [
        *lines,
        "    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        "    http-request set-header X-Forwarded-Port %[dst_port]",
    ]


def _ordered(rules: tuple[Rule, ...]) -> list[Rule]:
    return sorted(rules, key=lambda rule: (rule.priority is None, rule.priority or 0))


def _name(rule: Rule) -> str:
    return "default" if rule.priority is None else str(rule.priority)


def _match(rule: Rule) -> str:
    conditions = ["!{ var(txn.rule) -m found }"]
    conditions += [_condition(condition) for condition in rule.conditions]
    return f"    http-request set-var(txn.rule) str({_name(rule)}) if {' '.join(conditions)}"


def _condition(condition: Condition) -> str:
    values = condition.values
    if condition.field == "path-pattern":
        return _acl("path -m reg", [_glob(value) for value in values])
    if condition.field == "host-header":
        return _acl("req.hdr(host),host_only -m reg -i", [_glob(value) for value in values])
    if condition.field == "http-header":
        fetch = f"req.fhdr({condition.header}) -m reg -i"
        return _acl(fetch, [_glob(value) for value in values])
    if condition.field == "http-request-method":
        return _acl("method -m str", values)
    if condition.field == "source-ip":
        return _acl("src", values)
    if condition.field == "query-string":
        return _acl("query -m reg -i", [_pair(key, value) for key, value in condition.pairs])
    raise ValueError(f"unknown condition {condition.field}")


def _acl(fetch: str, patterns) -> str:
    return f"{{ {fetch} {' '.join(quote(pattern) for pattern in patterns)} }}"


def _glob(pattern: str) -> str:
    """``*`` and ``?`` as ALB knows them, as a regular expression for the whole string."""
    return "^" + _glob_body(pattern, ".") + "$"


def _glob_body(pattern: str, anything: str) -> str:
    wild = {"*": f"{anything}*", "?": anything}
    return "".join(wild.get(character) or re.escape(character) for character in pattern)


def _pair(key: str, value: str) -> str:
    name = _glob_body(key, "[^&=]") + "=" if key else "(?:[^&=]*=)?"
    return f"(?:^|&){name}{_glob_body(value, '[^&]')}(?:&|$)"


def _action(listener: Listener, rule: Rule) -> list[str]:
    applies = f"{{ var(txn.rule) -m str {_name(rule)} }}"
    action = rule.action
    if isinstance(action, FixedResponse):
        body = ""
        if action.body:
            body = f" content-type {quote(action.content_type)} string {quote(action.body)}"
        return [
            f"    http-request return status {action.status}{body} "
            f"hdr Server awselb/2.0 if {applies}"
        ]
    if isinstance(action, Redirect):
        location = quote(_location(listener, action))
        return [
            f"    http-request set-var-fmt(txn.location) {location} if {applies}",
            f"    http-request redirect location %[var(txn.location)] code {action.status} "
            f"if {applies}",
        ]
    return _forward(action, applies)


def _forward(action: Forward, applies: str) -> list[str]:
    total = sum(weight for _, weight in action.groups)
    if len(action.groups) == 1:
        return [f"    use_backend {backend(action.groups[0][0])} if {applies}"]
    if not total:
        return []
    lines = [f"    http-request set-var(txn.lot) rand({total}) if {applies}"]
    upper = 0
    for name, weight in action.groups:
        upper += weight
        if weight:
            lot = f"{{ var(txn.lot) -m int lt {upper} }}"
            lines.append(f"    use_backend {backend(name)} if {applies} {lot}")
    return lines


def _location(listener: Listener, redirect: Redirect) -> str:
    """The redirect's URL as a HAProxy format string; a port is left out where it is the default."""
    protocol = redirect.protocol.replace("#{protocol}", listener.protocol).lower()
    port = redirect.port.replace("#{port}", "%[dst_port]")
    default = {"http": "80", "https": "443"}[protocol]
    if port == "%[dst_port]":
        known = str(listener.port) == default
        suffix = "" if known else f":{listener.port}"
    else:
        suffix = "" if port == default else f":{port}"
    host = _escape(redirect.host).replace("#{host}", "%[req.hdr(host),host_only]")
    path = (
        _escape(redirect.path).replace("/#{path}", "%[path]").replace("#{path}", "%[path,bytes(1)]")
    )
    query = _escape(redirect.query).replace("#{query}", "%[query]")
    if redirect.query == "#{query}":
        # no question mark when there is nothing to ask
        query = '%[query,regsub("^(.+)$","?\\1")]'
    elif query:
        query = f"?{query}"
    host = host.replace("#{port}", str(listener.port))
    return f"{protocol}://{host}{suffix}{path}{query}"


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _backend(balancer: Balancer, group: TargetGroup) -> str:
    lines = [
        f"# target group {group.name}",
        f"backend {backend(group.name)}",
        f"    balance {_ALGORITHMS.get(group.algorithm, 'roundrobin')}",
        "    option allbackups",
        *_check(group.check),
        *_stickiness(group),
        "    http-response set-var(txn.target_status) status",
        *_errors(),
    ]
    targets = balancer.members.get(group.name, ())
    lines += [f"    server {t.name} {server(group, t)}" for t in targets]
    lines += [f"    server {spare_name(t)} {spare(group, t)}" for t in targets]
    return "\n".join(lines) + "\n"


def _errors() -> list[str]:
    """A target that cannot be connected to is 502 or 504 at a load balancer; HAProxy says 503,
    which there means that no target is registered."""
    some = "{ status 503 } { nbsrv gt 0 }"
    return [
        "    http-after-response set-status 502 reason 'Bad Gateway' "
        f"if {some} {{ txn.sess_term_state SC }}",
        "    http-after-response set-status 504 reason 'Gateway Time-out' "
        f"if {some} {{ txn.sess_term_state sC }}",
    ]


_ALGORITHMS = {
    "round_robin": "roundrobin",
    "least_outstanding_requests": "leastconn",
    "weighted_random": "random",
}


def _check(check: HealthCheck) -> list[str]:
    if check.protocol == "TCP":
        return [f"    timeout check {check.timeout}s"]
    port = check.port
    host = f"%[srv_name,field(1,:)]:{port}" if port else "%[srv_name]"
    return [
        "    option httpchk",
        f"    timeout check {check.timeout}s",
        f"    http-check send meth GET uri {quote(check.path)} ver HTTP/1.1 "
        f"hdr Host {quote(host)} hdr User-Agent ELB-HealthChecker/2.0",
        f"    http-check expect status {check.matcher.replace(' ', '')}",
    ]


def _stickiness(group: TargetGroup) -> list[str]:
    seconds = group.sticky_seconds
    if group.stickiness == "lb_cookie":
        return [
            # not `nocache`: an ALB leaves Cache-Control to the app
            f"    cookie AWSALB insert indirect dynamic attr Max-Age={seconds}",
            # the value is a hash of the target's address under this key, the same on every node
            f"    dynamic-cookie-key {quote(group.name)}",
        ]
    if group.stickiness == "app_cookie":
        name = group.cookie
        return [
            f"    stick-table type string len 128 size 100k expire {seconds}s",
            f"    stick store-response res.cook({name})",
            f"    stick match req.cook({name})",
        ]
    return []


def quote(text: str) -> str:
    """One word of the configuration, whatever is in ``text``. Newlines cannot be written in
    single quotes and strong quotes know no escapes, so those are put between quoted parts."""
    if "\0" in text:
        raise ValueError("a NUL byte cannot be part of the configuration")
    pieces = re.split(r"(['\r\n])", text)
    special = {"'": "\\'", "\r": "\\r", "\n": "\\n"}
    return "".join(special.get(piece) or f"'{piece}'" for piece in pieces if piece) or "''"
