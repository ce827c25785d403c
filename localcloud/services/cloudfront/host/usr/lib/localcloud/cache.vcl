# The cache of CloudFront's edge. HAProxy in front of it says in x-lc- headers what a distribution
# wants of this request, so that this file is the same for all of them:
#
#   x-lc-key           what distinguishes answers
#   x-lc-pass          nothing is kept
#   x-lc-min, -default, -max   times to live of the cache policy
#   x-lc-errors        |404=10|...: how many seconds an error is kept
#   x-lc-pages         |404=200,E1.0,/page.html|...: what is shown instead of it
#   x-lc-origin        whom to ask; x-lc-second whom when it answers one of x-lc-second-codes
#   x-lc-compress, x-lc-cookieless
vcl 4.1;

import std;

backend origins {
    .host = "127.0.0.1";
    .port = "6082";
    .first_byte_timeout = 180s;
    .between_bytes_timeout = 180s;
}

sub vcl_recv {
    if (req.method == "BAN") {
        # from the local cloud through the socket; HAProxy lets no visitor say this
        ban("obj.http.x-lc-distribution == " + req.http.x-lc-distribution +
            " && obj.http.x-lc-path ~ " + req.http.x-lc-pattern);
        return (synth(200, "Banned"));
    }
    if (req.http.x-lc-pass || (req.method != "GET" && req.method != "HEAD")) {
        return (pass);
    }
    # Authorization or a cookie say nothing here: what counts is in the key
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.x-lc-key);
    return (lookup);
}

sub vcl_hit {
    # no stale answer and no second look: what is fresh is a hit
    return (deliver);
}

sub vcl_backend_response {
    set beresp.grace = 0s;
    set beresp.http.x-lc-distribution = bereq.http.x-lc-distribution;
    set beresp.http.x-lc-path = bereq.http.x-lc-path;

    set bereq.http.x-lc-status = beresp.status + "#" + bereq.http.x-lc-second-codes;
    if (bereq.http.x-lc-second && bereq.retries == 0 && bereq.method != "POST" &&
        bereq.http.x-lc-status ~ "^(\d+)#.*\|\1\|") {
        set bereq.http.x-lc-origin = bereq.http.x-lc-second;
        return (retry);
    }

    # Vary does not count at CloudFront, only the key does; visitors still get the header
    if (beresp.http.Vary) {
        set beresp.http.x-lc-vary = beresp.http.Vary;
        unset beresp.http.Vary;
    }
    if (bereq.http.x-lc-cookieless) {
        unset beresp.http.Set-Cookie;
    }
    if (bereq.uncacheable) {
        return (deliver);
    }

    if (beresp.status >= 400) {
        # one of the errors that can be kept, for as long as the distribution says
        set beresp.http.x-lc-seconds = regsub(beresp.status + "#" + bereq.http.x-lc-errors,
            "^(\d+)#(?:.*\|)?\1=(\d+)\|.*$", "\2s");
        if (beresp.http.x-lc-seconds ~ "^\d+s$") {
            set beresp.ttl = std.duration(beresp.http.x-lc-seconds, 0s);
        } else {
            set beresp.ttl = 0s;
        }
        unset beresp.http.x-lc-seconds;
    } else {
        if (beresp.http.Cache-Control ~ "(?i)(?:^|[,\s])(?:no-cache|no-store|private)") {
            set beresp.ttl = 0s;
        } elseif (beresp.http.Cache-Control !~ "(?i)(?:max-age|s-maxage)" && !beresp.http.Expires) {
            set beresp.ttl = std.duration(bereq.http.x-lc-default, 0s);
        }
        if (beresp.ttl > std.duration(bereq.http.x-lc-max, 0s)) {
            set beresp.ttl = std.duration(bereq.http.x-lc-max, 0s);
        }
        # as at CloudFront, a minimum above 0 wins even over no-store
        if (beresp.ttl < std.duration(bereq.http.x-lc-min, 0s)) {
            set beresp.ttl = std.duration(bereq.http.x-lc-min, 0s);
        }
        set beresp.keep = 1h;
    }
    if (beresp.was_304) {
        set beresp.http.x-lc-refreshed = "1";
    }
    if (beresp.ttl <= 0s) {
        # for a second nobody waits for another's answer that cannot be shared
        set beresp.ttl = 1s;
        set beresp.uncacheable = true;
        return (deliver);
    }
    if (bereq.http.x-lc-compress && !beresp.http.Content-Encoding &&
        beresp.http.Content-Type ~ "(?i)^(?:text/|application/(?:javascript|json|xml|manifest\+json|wasm|x-javascript)|image/svg\+xml|font/(?:ttf|otf))" &&
        std.integer(beresp.http.Content-Length, 1000) >= 1000 &&
        std.integer(beresp.http.Content-Length, 1000) <= 10000000) {
        set beresp.do_gzip = true;
    }
    return (deliver);
}

sub vcl_backend_error {
    set beresp.status = 502;
    set beresp.http.x-lc-distribution = bereq.http.x-lc-distribution;
    set beresp.http.x-lc-path = bereq.http.x-lc-path;
    set beresp.http.Content-Type = "text/html";
    set beresp.ttl = 0s;
    return (deliver);
}

sub vcl_deliver {
    if (req.restarts == 0 && req.http.x-lc-pages && resp.status >= 400) {
        set req.http.x-lc-page = regsub(resp.status + "#" + req.http.x-lc-pages,
            "^(\d+)#(?:.*\|)?\1=(\d+,[^,|]+,[^|]+)\|.*$", "\2");
        if (req.http.x-lc-page ~ "^\d+,") {
            set req.http.x-lc-status = regsub(req.http.x-lc-page, "^(\d+),.*$", "\1");
            set req.http.x-lc-origin = regsub(req.http.x-lc-page, "^\d+,([^,]+),.*$", "\1");
            set req.url = regsub(req.http.x-lc-page, "^\d+,[^,]+,(.*)$", "\1");
            set req.http.x-lc-key = req.http.x-lc-distribution + " page " + req.url;
            set req.http.x-lc-path = req.url;
            set req.http.x-lc-original = resp.status;
            set req.method = "GET";
            unset req.http.x-lc-pass;
            unset req.http.x-lc-second;
            unset req.http.Range;
            unset req.http.If-None-Match;
            unset req.http.If-Modified-Since;
            unset req.http.x-lc-host;
            return (restart);
        }
    }
    if (req.restarts > 0) {
        if (resp.status < 400) {
            set resp.status = std.integer(req.http.x-lc-status, 502);
        } else {
            # the page is not there: the error itself is what is left
            set resp.status = std.integer(req.http.x-lc-original, 502);
        }
        set resp.http.X-Cache = "Error from cloudfront";
    } elseif (resp.status >= 400) {
        set resp.http.X-Cache = "Error from cloudfront";
    } elseif (obj.hits > 0 && !obj.uncacheable) {
        set resp.http.X-Cache = "Hit from cloudfront";
    } elseif (resp.http.x-lc-refreshed) {
        set resp.http.X-Cache = "RefreshHit from cloudfront";
    } else {
        set resp.http.X-Cache = "Miss from cloudfront";
        unset resp.http.Age;
    }
    if (resp.http.x-lc-vary) {
        set resp.http.Vary = resp.http.x-lc-vary;
    }
    unset resp.http.x-lc-vary;
    unset resp.http.x-lc-distribution;
    unset resp.http.x-lc-path;
    unset resp.http.x-lc-refreshed;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    return (deliver);
}

sub vcl_synth {
    unset resp.http.X-Varnish;
    return (deliver);
}
