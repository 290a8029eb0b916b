"""Hostile requests, made by hand: bodies, headers, addresses and files that no client means."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.torture.writes import example_claim

Headers = Sequence[tuple[bytes, bytes]]
CLAIMS, CSV, IMPORTS, DOCUMENTS = "/v1/claims", "/v1/claims.csv?limit=5", "/v1/imports", "/v1/documents"
JSON_TYPE = (b"Content-Type", b"application/json")


@dataclass(frozen=True)
class HostileRequest:
    """A request. Its body may be a sequence of chunks."""

    name: str
    method: str
    path: str
    headers: Headers = ()
    body: bytes | tuple[bytes, ...] = b""


def hostile_requests() -> list[HostileRequest]:
    """Return all hostile requests."""
    makers = (_bodies, _fields, _types, _transfers, _queries, _headers, _ranges, _paths, _files, _archives)
    return [request for make in makers for request in make()]


def claim_with(**changes: Any) -> dict[str, Any]:
    return example_claim() | {"figure": {"as_printed": "77", "value": 77}} | changes


def _post(name: str, body: bytes | tuple[bytes, ...], path: str = CLAIMS, *more: tuple[bytes, bytes]) -> HostileRequest:
    return HostileRequest(f"{name} to {path}", "POST", path, (JSON_TYPE, *more), body)


def _bodies() -> Iterator[HostileRequest]:
    whole = json.dumps(claim_with()).encode()
    bodies = {
        "lists in lists in a field": b'{"note":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        "objects in objects": b'{"figure":' * 20_000 + b"1" + b"}" * 20_000,
        "open lists": b'{"citations":' + b"[" * 200_000,
        "lists and objects by turns": b'[{"a":' * 30_000,
        "a whole number of 5,000 digits": b'{"figure":{"value":' + b"7" * 5_000 + b"}}",
        "a negative number of 400,000 digits": b'{"figure":{"value":-' + b"7" * 400_000 + b"}}",
        "a fraction of 400,000 digits": b'{"figure":{"value":0.' + b"7" * 400_000 + b"}}",
        "an exponent of 300,000 digits": b'{"figure":{"value":1E-' + b"9" * 300_000 + b"}}",
        "a hexadecimal number": b'{"figure":{"value":0x10}}',
        "a leading zero": b'{"figure":{"value":007}}',
        "a leading plus": b'{"figure":{"value":+7}}',
        "not a number": b'{"figure":{"value":NaN}}',
        "minus infinity": b'{"figure":{"value":-Infinity}}',
        "a comment": whole[:-1] + b"/* x */}",
        "a trailing comma": whole[:-1] + b",}",
        "single quotes": whole.replace(b'"', b"'"),
        "two documents": whole + whole,
        "a document and NUL": whole + b"\0",
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "UTF-32": whole.decode().encode("utf-32"),
        "Latin-1": json.dumps(claim_with(note="é"), ensure_ascii=False).encode("latin-1"),
        "an overlong encoding": whole.replace(b"estimate", b"\xc0\xaf"),
        "an encoded surrogate": whole.replace(b"estimate", b"\xed\xa0\x80"),
        "a byte above Unicode": whole.replace(b"estimate", b"\xf5\x80\x80\x80"),
        "a cut character": whole.replace(b"estimate", b"\xf0\x9f\x92"),
        "a lone high surrogate": whole.replace(b"estimate", b"\\ud83d"),
        "a lone low surrogate": whole.replace(b"estimate", b"\\udca9"),
        "surrogates in the wrong order": whole.replace(b"estimate", b"\\udca9\\ud83d"),
        "a cut escape": whole.replace(b"estimate", b"\\u00"),
        "an unknown escape": whole.replace(b"estimate", b"\\x41"),
        "a raw newline in a text": whole.replace(b"estimate", b"est\nimate"),
        "a raw NUL in a text": whole.replace(b"estimate", b"est\0imate"),
        "a key that is a lone surrogate": b'{"\\udfff":1}',
        "a key with NUL": b'{"a\\u0000b":1}',
        "an empty key": b'{"":1}',
        "a key of 500,000 characters": b'{"' + b"k" * 500_000 + b'":1}',
        "a key with line breaks": b'{"a\\r\\nX-Evil: 1":1}',
        "one key 50,000 times": b"{" + b",".join([b'"category":"x"'] * 50_000) + b"}",
        "50,000 keys": b"{" + b",".join(b'"%d":0' % number for number in range(50_000)) + b"}",
        "keys of prototypes": b'{"__proto__":{"role":"admin"},"constructor":{"prototype":{}}}',
        "keys of templates": b'{"{{7*7}}":"${jndi:ldap://x}"}',
        "a text": b'"claim"',
        "a number": b"1",
        "true": b"true",
        "null": b"null",
        "an empty list": b"[]",
        "a list of a claim": b"[" + whole + b"]",
        "blanks": b" \t\r\n" * 200_000,
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "YAML": b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        "a form": b"category=killed&subject=army",
    }
    for name, body in bodies.items():
        yield _post(name, body)
    for path in (DOCUMENTS, "/v1/keys", "/v1/claims/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60/citations"):
        for name in (
            "lists in lists in a field",
            "a key with NUL",
            "a lone high surrogate",
            "UTF-16",
            "one key 50,000 times",
        ):
            yield _post(name, bodies[name], path)


NUL_FIELDS = ("category", "subject", "place", "modality", "derivation", "date", "source", "note", "language")
ODD_NUMBERS = (1e308, -1e308, 5e-324, 2**53 + 1, 2**63, -(2**63) - 1, 10**40, -0.0)


def _fields() -> Iterator[HostileRequest]:
    for name in NUL_FIELDS:
        yield _post(f"NUL in {name}", json.dumps(claim_with(**{name: "a\0b"})).encode())
    changes: dict[str, dict[str, Any]] = {
        "NUL in as_printed": {"figure": {"as_printed": "7\0", "value": 7}},
        "NUL in a period": {"period": {"edtf": "2025\0", "aggregation": "cumulative"}},
        "NUL in a title": {"citations": [{"document": {"url": "https://a.example/x", "title": "a\0b"}}]},
        "NUL in an address": {"citations": [{"document": {"url": "https://a.example/\0", "title": "a"}}]},
        "NUL in a quote": {"citations": [{"document": {"url": "https://a.example/x", "title": "a"}, "quote": "\0"}]},
        "a right-to-left override": {"note": "\u202e" * 100},
        "a thousand combining marks": {"note": "a" + "\u0301" * 1_000},
        "escapes of a terminal": {"note": "\x1b[2J\x1b]0;x\x07"},
        "noncharacters": {"note": "\ufffe\uffff"},
        "a period of 9,999 years": {"period": {"edtf": "0001/9999", "aggregation": "cumulative"}},
        "a period that is too long": {"period": {"edtf": "2025-01-01/" * 5_000, "aggregation": "cumulative"}},
        "a day that does not exist": {"date": "2025-02-30"},
        "a day in Arabic digits": {"date": "٢٠٢٥-٠٦-١٢"},
        "a day as a number": {"date": 1718150400},
        "a day in the year 10,000": {"date": "10000-01-01"},
        "10,000 citations": {"citations": [{"document": "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"}] * 10_000},
        "10,000 inclusions": {"includes": [f"part-{number}" for number in range(10_000)]},
        "a wording of 10,000 words": {"figure": {"as_printed": "one hundred and " * 10_000}},
        "a wording of brackets": {"figure": {"as_printed": "(" * 300 + "7" + ")" * 300}},
        "an address of a script": {"citations": [{"document": {"url": "javascript:alert(1)", "title": "a"}}]},
        "an address of 100,000 characters": {
            "citations": [{"document": {"url": "https://a.example/" + "a" * 100_000, "title": "a"}}]
        },
        "an address with a password": {"citations": [{"document": {"url": "https://u:p@a.example/", "title": "a"}}]},
        "an id that is none": {"citations": [{"document": "x" * 10_000}]},
        "true as a number": {"figure": {"as_printed": "7", "value": True}},
        "a text as a number": {"figure": {"as_printed": "7", "value": "7"}},
        "an object as a text": {"note": {"$ne": None}},
    }
    for name, change in changes.items():
        yield _post(name, json.dumps(claim_with(**change)).encode())
    for number in ODD_NUMBERS:
        yield _post(
            f"the number {number}", json.dumps(claim_with(figure={"as_printed": "7", "value": number})).encode()
        )


TYPES = (
    *(b"", b"/", b"json", b"application/", b"application/json; charset=utf-16", b"application/json; charset=x\xff"),
    *(b"application/json, text/csv", b"APPLICATION/JSON;;;", b"application/json; " + b"a=b; " * 2_000, b"*/*"),
    *(b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=" + b"b" * 3_000),
    *(b"application/x-www-form-urlencoded", b"application/merge-patch+json", b"text/html", b"application/octet-stream"),
    b"application/json\0",
)


def _types() -> Iterator[HostileRequest]:
    body = json.dumps(claim_with(category="nothing")).encode()
    for number, media_type in enumerate(TYPES):
        for path in (CLAIMS, IMPORTS):
            yield HostileRequest(f"media type {number} of {path}", "POST", path, ((b"Content-Type", media_type),), body)


def _transfers() -> Iterator[HostileRequest]:
    body = json.dumps(claim_with(category="nothing")).encode()
    yield _post("a chunk for each byte", tuple(body[number : number + 1] for number in range(len(body))))
    yield _post("20,000 chunks of a blank", (b" ",) * 20_000 + (body,))
    yield _post("empty chunks", (b"",) * 5_000 + (body,))
    yield _post("a character cut by chunks", (b'{"note":"\xf0\x9f', b'\x92\xa3"}'))
    for length in (b"-1", b"1e3", b"+5", b"0x10", b"9" * 400, b"", b"1, 2", "١".encode()):
        yield _post(f"a length of {length[:9]!r}", body, CLAIMS, (b"Content-Length", length))
    for coding in (
        b"gzip",
        b"deflate",
        b"br",
        b"zstd",
        b"x-gzip",
        b"identity, gzip",
        b"gzip, gzip",
        b"nonsense",
        b"\xff",
    ):
        yield _post(f"a body in {coding!r}", gzip.compress(bytes(1_000_000)), CLAIMS, (b"Content-Encoding", coding))
    yield _post(
        "a file in gzip twice", gzip.compress(gzip.compress(b"a,b\n" * 50_000)), IMPORTS, (b"Content-Encoding", b"gzip")
    )
    yield HostileRequest("a body of a read", "GET", CLAIMS + "?limit=1", (JSON_TYPE,), body * 50)


TEXTS = (
    "%00",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "%c0%af",
    "%e2%80%ae",
    "%",
    "%zz",
    "9" * 300,
    "a" * 5_000,
    "%0d%0aX-Evil:%201",
)
PARAMETERS = (
    "q",
    "category",
    "cursor",
    "known_on",
    "recorded_as_of",
    "value_min",
    "fields",
    "sort",
    "limit",
    "document",
)


def _queries() -> Iterator[HostileRequest]:
    for number, name in enumerate(PARAMETERS):
        for text in TEXTS[number % 2 :: 2]:
            yield HostileRequest(f"{name}={text[:20]}", "GET", f"{CLAIMS}?limit=2&{name}={text}")
    for name in ("limit", "cursor", "q", "sort", "shape", "recorded_as_of"):
        yield HostileRequest(f"{name} 1,000 times", "GET", f"{CLAIMS}?" + "&".join([f"{name}=1"] * 1_000))
    for name, cursor in {
        "zeros": "A" * 12_000,
        "JSON": "W3siYSI6W10sIl9fY2xhc3NfXyI6MX1d" * 300,
        "padding": "=" * 5_000,
        "no Base64": "~!" * 5_000,
        "a number": "9" * 4_000,
    }.items():
        for path in (CLAIMS, "/v1/changes", "/v1/sources", DOCUMENTS):
            yield HostileRequest(f"a cursor of {name} of {path}", "GET", f"{path}?cursor={cursor}")
    for query in (
        "limit[]=1",
        "limit%5B%24gt%5D=1",
        "%ff=1",
        "=1",
        "&" * 9_000,
        ";" * 9_000,
        "a=" * 4_000,
        "a#x",
    ):
        yield HostileRequest(f"the query {query[:20]}", "GET", f"{CLAIMS}?{query}")


def _headers() -> Iterator[HostileRequest]:
    tags = b", ".join(b'"%06d"' % number for number in range(6_500))
    weak = b", ".join(b'W/"%06d"' % number for number in range(5_400))
    values: list[tuple[str, bytes, bytes]] = [
        ("64 KB of tags", b"If-None-Match", tags),
        ("64 KB of weak tags", b"If-None-Match", weak),
        ("64 KB of quotes", b"If-None-Match", b'"' * 65_536),
        ("64 KB of stars", b"If-None-Match", b"*," * 32_768),
        ("an open tag of 64 KB", b"If-None-Match", b'"' + b"a" * 65_535),
        ("64 KB of tags of a write", b"If-Match", tags),
        ("64 KB of media types", b"Accept", b", ".join(b"a/%d;q=0.1" % number for number in range(4_000))),
        ("a media type with 8,000 parameters", b"Accept", b"text/csv" + b";a=b" * 8_000),
        ("weights that are none", b"Accept", b"text/csv;q=nan, application/json;q=1e9, */*;q=-1"),
        ("64 KB of codings", b"Accept-Encoding", b", ".join(b"c%d;q=0.5" % number for number in range(4_500))),
        ("weights of codings", b"Accept-Encoding", b"gzip;q=9e999, br;q=--1, *;q=inf"),
        ("64 KB of languages", b"Accept-Language", b", ".join(b"x-%d" % number for number in range(8_000))),
        ("64 KB of cookies", b"Cookie", b"a=b; " * 13_000),
        ("a date that is none", b"If-Modified-Since", b"Mon, 99 Foo 0000 99:99:99 GMT" * 50),
        ("a date of another calendar", b"If-Unmodified-Since", b"\xff\xfe"),
        ("a seq of 60,000 digits", b"X-Register-Seq", b"1" * 60_000),
        ("a negative seq", b"X-Register-Seq", b"-1"),
        ("a seq in Arabic digits", b"X-Register-Seq", "١".encode()),
        ("an id of a request of 60,000 characters", b"X-Request-ID", b"r" * 60_000),
        ("an id of a request with line breaks", b"X-Request-ID", b"a\r\nX-Evil: 1"),
        ("NUL in a key", b"X-API-Key", b"cc_\0"),
        ("an empty bearer", b"Authorization", b"Bearer"),
        ("bearers of 60,000 characters", b"Authorization", b"Bearer " + b"Bearer " * 8_000),
        ("a digest", b"Authorization", b"Digest " + b'a="b", ' * 5_000),
        ("an odd Base64", b"Authorization", b"Basic ////==\xff"),
        ("NUL in an idempotency key", b"Idempotency-Key", b"a\0b"),
        ("an idempotency key of 60,000 characters", b"Idempotency-Key", b"k" * 60_000),
        ("an idempotency key of blanks", b"Idempotency-Key", b"   "),
        ("another method", b"X-HTTP-Method-Override", b"DELETE"),
        ("another host", b"X-Forwarded-Host", b"evil.example"),
        ("64 KB of proxies", b"X-Forwarded-For", b"1.2.3.4, " * 7_000),
        ("proxies that are none", b"Forwarded", b'for="[::1";host=evil.example;proto=javascript'),
        ("another address", b"X-Original-URL", b"/v1/keys"),
        ("an origin that is none", b"Origin", b"null\xff"),
        ("preferences", b"Prefer", b"respond-async, " * 4_000),
        ("an expectation", b"Expect", b"the unexpected"),
        ("an upgrade", b"Upgrade", b"h2c, websocket"),
    ]
    body = json.dumps({"title": "x", "url": "nothing"}).encode()
    for name, header, value in values:
        yield HostileRequest(f"{name} of a read", "GET", "/v1/sources?limit=2", ((header, value),))
        yield _post(f"{name} of a write", body, DOCUMENTS, (header, value))


RANGES = (
    *(b"bytes=", b"bytes=-", b"bytes=0-0,-1", b"bytes=" + b"0-0," * 10_000, b"bytes=5-1", b"bytes=-0"),
    *(
        b"bytes=9999999999999999999-",
        b"bytes=0-" + b"9" * 40_000,
        b"bytes=a-b",
        b"lines=0-1",
        b"bytes 0-1",
        b"bytes=0-1;",
    ),
    *(b"bytes=0-0" + b" " * 30_000, b"\xff=0-1", b"bytes=\xd9\xa1-"),
)


def _ranges() -> Iterator[HostileRequest]:
    for number, value in enumerate(RANGES):
        yield HostileRequest(f"range {number}", "GET", CSV, ((b"Range", value),))
    for number, value in enumerate((b'W/"x"', b"\xff", b'"' * 60_000, b"Mon, 01 Jan 0000 00:00:00 GMT")):
        yield HostileRequest(f"If-Range {number}", "GET", CSV, ((b"Range", b"bytes=0-9"), (b"If-Range", value)))
    yield HostileRequest("a range 500 times", "GET", CSV, ((b"Range", b"bytes=0-0"),) * 500)


SEGMENTS = (
    *("%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..;/", ";jsessionid=1", "%252e%252e", "%c0%ae%c0%ae", "%5c%5c", "a%00.csv"),
    *(
        ".json.csv",
        "x.csv/",
        "{id}",
        "%E2%80%AE",
        "a" * 12_000,
        "%F0%9F%92%A3.csv",
        "$(id)",
        "%0d%0aX-Evil:1",
        "-",
        "*",
    ),
)


def _paths() -> Iterator[HostileRequest]:
    for segment in SEGMENTS:
        yield HostileRequest(f"the segment {segment[:30]} of a claim", "GET", f"/v1/claims/{segment}")
        yield HostileRequest(f"the segment {segment[:30]} of a topic", "GET", f"/v1/topics/{segment}/side-by-side")
    for method in ("TRACE", "CONNECT", "PROPFIND", "get", "GET\t", "X" * 3_000):
        yield HostileRequest(f"the method {method[:9]}", method, f"{CLAIMS}?limit=1")


def _files() -> Iterator[HostileRequest]:
    header = b"as_printed,category,subject,place,date,source,modality,period,url,title\n"
    files = {
        "a blank file of 100,000 rows": b",,,,,,,,,\n" * 100_000,
        "100,000 blank rows": header + b",,,,,,,,,\n" * 100_000,
        "100,000 line ends": header + b"\r\n" * 100_000,
        "a row of 200,000 columns": b"," * 200_000 + b"\n1\n",
        "5,000 columns of one name": b",".join([b"a"] * 5_000) + b"\n1\n",
        "an open quote": header + b'"' + b"x" * 900_000,
        "quotes": header + b'"' * 300_000,
        "NUL": header + b"\0" * 1_000,
        "only NUL": b"\0" * 100_000,
        "broken UTF-8": header + b"\xff\xfe\xfd" * 1_000,
        "UTF-16 without a mark": header.decode().encode("utf-16-le"),
        "three marks": b"\xef\xbb\xbf" * 3 + header + b"1\n",
        "line ends of all kinds": header + b"1\r2\n3\r\n4\x0b5\x0c6\x1c7\xc2\x858\xe2\x80\xa8",
        "formulas": header + b"=cmd|' /C calc'!A0,@SUM(1),+1,-1\n",
        "one cell of 900,000 characters": header + b"7" * 900_000 + b"\n",
    }
    for name, content in files.items():
        yield HostileRequest(f"a CSV file: {name}", "POST", IMPORTS, ((b"Content-Type", b"text/csv"),), content)
    lines = {
        "100,000 blank lines": b"\n" * 100_000,
        "lists in lists": b"[" * 50_000,
        "20,000 rows that are no claims": b"1\n" * 20_000,
        "a line of 900,000 characters": b'{"a":"' + b"x" * 900_000 + b'"}',
        "NUL": b"\0\n" * 1_000,
        "surrogates": b'{"category":"\\ud800"}\n' * 100,
    }
    for name, content in lines.items():
        kind = ((b"Content-Type", b"application/x-ndjson"),)
        yield HostileRequest(f"an NDJSON file: {name}", "POST", IMPORTS, kind, content)
    parts = {
        "2,000 parts": b"".join(b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n' for _ in range(2_000))
        + b"--b--",
        "a part with 60 KB of headers": b"--b\r\nX: " + b"x" * 60_000 + b"\r\n\r\nx\r\n--b--",
        "no end": b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../x.csv"\r\n\r\na,b',
        "no part": b"--b--",
        "a name with NUL": b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\0.csv"\r\n\r\na\r\n--b--',
        "dashes": b"--" * 100_000,
    }
    for name, content in parts.items():
        kind = ((b"Content-Type", b"multipart/form-data; boundary=b"),)
        yield HostileRequest(f"a form: {name}", "POST", IMPORTS, kind, content)


def _zip(*files: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return content.getvalue()


def _archives() -> Iterator[HostileRequest]:
    bomb = _zip(("a.csv", b"a,b\n" + b",,\n" * 3_000_000))
    archives = {
        "3,000,000 blank rows": bomb,
        "a path above": _zip(("../../a.csv", b"a,b\n1,2\n")),
        "an archive in an archive": _zip(("a.zip", bomb)),
        "1,500 files": _zip(*((f"{number}.csv", b"a\n") for number in range(1_500))),
        "a cut end": bomb[:-30],
        "nothing but its end": b"PK\x05\x06" + bytes(18),
    }
    for name, content in archives.items():
        yield HostileRequest(f"an archive: {name}", "POST", IMPORTS, ((b"Content-Type", b"application/zip"),), content)
    for name, content in {
        "a bomb": gzip.compress(bytes(30_000_000)),
        "a cut file": gzip.compress(b"a,b\n1,2\n")[:-6],
        "noise": b"\x1f\x8b" + bytes(range(256)) * 40,
    }.items():
        kind = ((b"Content-Type", b"application/gzip"),)
        yield HostileRequest(f"a gzip file: {name}", "POST", IMPORTS, kind, content)
