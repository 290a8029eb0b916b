# Varnish in front of a register, purged by `counterclaim purge --to http://127.0.0.1:6081`.
#
# Put it in /etc/varnish/varnish.vcl, and replace the address of the service. It needs Varnish 7 with the modules
# std (part of it), var and xkey (Debian: varnish-modules). Tested with Varnish 7.1.
#
# The purger tells the cache what has changed, up to which change, and until when the cache may rely on that. While it
# does, responses are stored for a minute; otherwise for one second. Global variables:
#
# epoch   the epoch of the register
# floor   the change that purged everything last, such as a takedown: no response from before it is sent
# stored  the latest change that the purger has told: no response from before it is stored
# purged  the latest change whose purge is complete: stored responses are true in this state
# until   until when the purger holds its lease, in seconds since 1970 by the clock of this machine

vcl 4.1;

import std;
import var;
import xkey;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
    .connect_timeout = 5s;
    .first_byte_timeout = 60s;
}

# Who may purge: the address from which the purger connects.
acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        # Varnish has added the address of the client: with another one, a proxy on this machine has passed the request on.
        if (client.ip !~ purgers || req.http.X-Forwarded-For ~ ",") {
            return (synth(405, "Method Not Allowed"));
        }
        set req.http.X-Purge-Known = var.global_get("epoch") + ":" + var.global_get("purged");
        if (req.http.X-Purge-Seq) {
            if (req.http.X-Purge-Keys == "register") {
                var.global_set("floor", req.http.X-Purge-Seq);
            }
            var.global_set("epoch", req.http.X-Purge-Epoch);
            var.global_set("stored", req.http.X-Purge-Seq);
            if (req.http.X-Purge-Keys) {
                set req.http.X-Purge-Count = xkey.purge(req.http.X-Purge-Keys);
            }
            var.global_set("purged", req.http.X-Purge-Seq);
            var.global_set("until", req.http.X-Purge-Until);
        }
        return (synth(200, "Purged"));
    }

    if (req.restarts == 0) {
        unset req.http.X-Wanted-Seq;
        unset req.http.X-Fetch;
        # A state that the reader has seen: stored responses are compared with it, instead of being kept apart by `Vary`.
        if (req.http.X-Register-Seq ~ "^[0-9]{1,18}$") {
            set req.http.X-Wanted-Seq = req.http.X-Register-Seq;
            unset req.http.X-Register-Seq;
        }
    }
    if (std.real(var.global_get("until"), 0.0) > std.time2real(now, 0.0)) {
        set req.http.X-Purger = "lives";
    } else {
        unset req.http.X-Purger;
    }

    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    if (req.http.Authorization || req.http.X-API-Key || req.http.X-Register-Seq || req.http.X-Register-Epoch
        || req.http.If-Match || req.url ~ "[?&]seq=" || req.url ~ "^[^?]*/v1/changes/stream"
        || req.url ~ "^[^?]*/(health|metrics)") {
        return (pass);
    }
    if (req.http.X-Fetch == "pass") {
        return (pass);
    }
    if (req.http.X-Fetch == "again") {
        set req.hash_always_miss = true;
    }
    return (hash);
}

sub vcl_hit {
    if (obj.http.X-Register-Epoch == var.global_get("epoch")) {
        if (std.integer(obj.http.X-Register-Seq, 0) < std.integer(var.global_get("floor"), 0)) {
            set req.http.X-Fetch = "again";
            return (restart);
        }
    } else if (req.http.X-Purger) {
        set req.http.X-Fetch = "again";
        return (restart);
    }
    if (!req.http.X-Purger && obj.age > 1s) {
        set req.http.X-Fetch = "again";
        return (restart);
    }
    # A stored response is true in the state in which it was read and, if it was not purged, in the purged state. In its
    # first second a purge may have missed it: see `vcl_deliver`.
    if (req.http.X-Wanted-Seq && std.integer(obj.http.X-Register-Seq, 0) < std.integer(req.http.X-Wanted-Seq, 0)) {
        if (!req.http.X-Purger || obj.age < 1s
            || std.integer(var.global_get("purged"), 0) < std.integer(req.http.X-Wanted-Seq, 0)) {
            return (pass);
        }
    }
    return (deliver);
}

sub vcl_pass {
    if (req.http.X-Wanted-Seq) {
        set req.http.X-Register-Seq = req.http.X-Wanted-Seq;
    }
}

sub vcl_backend_fetch {
    unset bereq.http.X-Wanted-Seq;
    unset bereq.http.X-Fetch;
    unset bereq.http.X-Purger;
}

sub vcl_backend_response {
    if (bereq.uncacheable) {
        return (deliver);
    }
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    # Only what a purge reaches is stored, and no long file.
    if (!beresp.http.Surrogate-Key || !beresp.http.Content-Length
        || std.integer(beresp.http.Content-Length, 0) > 5000000) {
        set beresp.ttl = 1s;
        set beresp.uncacheable = true;
        return (deliver);
    }
    if (std.real(var.global_get("until"), 0.0) > std.time2real(now, 0.0)) {
        if (beresp.http.X-Register-Epoch != var.global_get("epoch")) {
            set beresp.ttl = 0.1s;
            set beresp.uncacheable = true;
            return (deliver);
        }
        if (std.integer(beresp.http.X-Register-Seq, 0) < std.integer(var.global_get("stored"), 0)) {
            # The service has read a replica that lags, or its own cache of 0.3 seconds ago.
            if (bereq.retries == 0) {
                set bereq.http.X-Register-Seq = var.global_get("stored");
                return (retry);
            }
            set beresp.ttl = 0.1s;
            set beresp.uncacheable = true;
            return (deliver);
        }
        if (bereq.http.X-Register-Seq) {
            # The service says `no-store`, because the response answers a request with `X-Register-Seq`.
            set beresp.http.Cache-Control = "public, max-age=0, s-maxage=60";
            set beresp.ttl = 60s;
            unset bereq.http.X-Register-Seq;  # it would be part of the variant
        }
    } else if (beresp.ttl > 1s) {
        set beresp.ttl = 1s;
    }
    set beresp.http.X-Stored-At-Seq = var.global_get("stored");
    set beresp.http.X-Own-Key = "fetch-" + bereq.xid;
    set beresp.http.xkey = beresp.http.Surrogate-Key + " " + beresp.http.X-Own-Key;
    unset beresp.http.RateLimit;
    unset beresp.http.RateLimit-Policy;
    return (deliver);
}

sub vcl_deliver {
    if (resp.http.X-Own-Key) {
        if (obj.hits == 0 && resp.http.X-Stored-At-Seq != var.global_get("stored")) {
            # A purge that came while the response was being stored may have missed it.
            set req.http.X-Purge-Count = xkey.purge(resp.http.X-Own-Key);
        }
        if (obj.hits == 0 && req.http.X-Wanted-Seq && req.restarts < 3
            && std.integer(resp.http.X-Register-Seq, 0) < std.integer(req.http.X-Wanted-Seq, 0)) {
            set req.http.X-Fetch = "pass";
            return (restart);
        }
        # Caches behind this one are not purged.
        set resp.http.Cache-Control = regsub(resp.http.Cache-Control, "s-maxage=[0-9]+", "s-maxage=1");
        unset resp.http.Age;
    }
    if (req.http.X-Wanted-Seq) {
        set resp.http.Cache-Control = "private, no-store";
    }
    unset resp.http.X-Stored-At-Seq;
    unset resp.http.X-Own-Key;
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    return (deliver);
}

sub vcl_synth {
    if (req.method == "PURGE") {
        set resp.http.X-Purge-Known = req.http.X-Purge-Known;
        set resp.http.X-Purge-Clock = std.time2real(now, 0.0);
        set resp.http.Content-Length = "0";
        set resp.body = "";
        return (deliver);
    }
}
