"""The cost of the worst error answers: CPU time of the server and size, for each a limit.

python -m benchmarks.error_costs --databases "sqlite postgresql"
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.starter_server import serve_starter_register
from tests.history.servers import ServerProcess

MAX_CPU_MS = 10.0
MAX_BYTES = 16_384
REPETITIONS = 15
RESULTS = Path(__file__).parent / "results"
TOPIC = "/v1/topics/russian-casualties"
LISTS = ("/v1/claims", "/v1/claims.csv", "/v1/sources", "/v1/documents", "/v1/changes", f"{TOPIC}/claims")
SINGLES = (f"{TOPIC}/side-by-side", f"{TOPIC}/timeline", "/v1/reading", "/v1/changes/stream", "/v1/nothing")


@dataclass(frozen=True)
class Case:
    """A request that is answered with an error."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def read_cases(claim: str) -> Iterator[Case]:
    """Yield requests without a body."""
    for path in (*LISTS, *SINGLES, f"/v1/claims/{claim}", f"/v1/claims/{claim}/citation.bib"):
        yield Case(f"2,500 unknown parameters of {path}", "GET", f"{path}?{'&'.join(f'a{i}' for i in range(2_500))}")
        yield Case(
            f"900 names that are nearly right of {path}",
            "GET",
            f"{path}?{'&'.join(f'recorded_as_off{i}' for i in range(900))}",
        )
        yield Case(f"a name of 15,000 characters of {path}", "GET", f"{path}?{'x' * 15_000}=1")
        yield Case(f"a state of 15,000 characters of {path}", "GET", f"{path}?recorded_as_of={'x' * 15_000}")
        yield Case(f"a day of 15,000 digits of {path}", "GET", f"{path}?known_on={'1' * 15_000}")
        yield Case(f"7,000 separators of {path}", "GET", f"{path}?{'&' * 7_000}x=1")
        yield Case(f"5,000 percent-encoded characters of {path}", "GET", f"{path}?x={'%ff' * 5_000}")
    for name in ("category", "subject", "place", "source", "topic", "document"):
        values = "&".join(f"{name}={'c' * 60}{i}" for i in range(200))
        yield Case(f"200 unknown values of {name}", "GET", f"/v1/claims?{values}")
        yield Case(
            f"1,000 malformed values of {name}", "GET", "/v1/claims?" + "&".join(f"{name}=%20{i}" for i in range(1_000))
        )
    for name in ("status", "kind", "modality", "source_kind", "confidence"):
        yield Case(
            f"1,500 unknown values of {name}", "GET", "/v1/claims?" + "&".join(f"{name}=z{i}" for i in range(1_500))
        )
    yield Case("a limit of 15,000 digits", "GET", f"/v1/claims?limit={'9' * 15_000}")
    yield Case("a value of 15,000 digits", "GET", f"/v1/claims?value_min={'9' * 15_000}x")
    yield Case("a value with an exponent of 14,000 digits", "GET", f"/v1/claims?value_min=1e{'9' * 14_000}")
    yield Case("500 columns", "GET", "/v1/claims?fields=" + ",".join(["nothing"] * 120))
    yield Case("a search of 15,000 characters", "GET", f"/v1/claims?q={'a+' * 7_500}")
    yield Case("a search that finds nothing to search for", "GET", f"/v1/claims?q={'%F0%9F%93%84' * 60}")
    yield Case("a cursor of 600 characters", "GET", f"/v1/claims?cursor={'W' * 600}")
    yield Case("a cursor of 15,000 characters", "GET", f"/v1/claims?cursor={'W' * 15_000}")
    yield Case("a cursor of nested lists", "GET", "/v1/claims?cursor=" + "W1tb" * 150)
    yield Case("a path of 15,000 characters", "GET", f"/v1/{'x' * 15_000}")
    yield Case("a path of 7,000 segments", "GET", f"/{'a/' * 7_000}")
    yield Case("an id of 15,000 characters", "GET", f"/v1/claims/{'0' * 15_000}")
    yield Case("a slug of 15,000 characters", "GET", f"/v1/sources/{'a-' * 7_500}")
    yield Case("a format that does not exist", "GET", f"/v1/claims.{'x' * 15_000}")
    for name, wording in WORDINGS.items():
        yield Case(f"{name} as a wording", "GET", f"/v1/reading?as_printed={wording}")
    wanted = ", ".join(f"a/b{i};q=0.{i}" for i in range(2_500))
    yield Case("2,500 types that are not served", "GET", "/v1/claims", {"Accept": wanted})
    yield Case("30,000 separators in Accept", "GET", "/v1/claims", {"Accept": "x/y" + ";," * 15_000})
    yield Case("a seq of 30,000 digits", "GET", "/v1/claims", {"X-Register-Seq": "9" * 30_000})
    yield Case("a key of 30,000 characters", "POST", "/v1/claims", {"X-API-Key": "x" * 30_000})
    tags = ", ".join(f'"{i}"' for i in range(5_000))
    yield Case("5,000 tags in If-Match of a read", "GET", f"/v1/claims/{claim}", {"If-Match": tags})
    yield Case("30,000 quotes in If-Match", "GET", f"/v1/claims/{claim}", {"If-Match": '"' * 30_000})
    yield Case("30,000 commas in If-Match", "GET", f"/v1/claims/{claim}", {"If-Match": "," * 30_000})
    yield Case(
        "a preflight with 5,000 headers",
        "OPTIONS",
        "/v1/claims",
        {
            "Origin": "https://x.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": ",".join(f"x{i}" for i in range(5_000)),
        },
    )
    yield Case("a last event id of 30,000 digits", "GET", "/v1/changes/stream", {"Last-Event-ID": "1" * 30_000})


WORDINGS = {
    "one word 1,000 times": "thousand+" * 111,
    "1,000 digits": "1" * 1_000,
    "500 groups of digits": "1%2C" * 500,
    "330 ranges": "1-2+" * 250,
    "200 brackets": "(" * 500 + ")" * 500,
    "250 signs": "%2B%2F-" * 330,
    "330 number words": "twenty-one+hundred+" * 50,
    "1,000 spaces": "1" + "+" * 998 + "1",
    "mixed scripts": "%D9%A1%E0%A5%A7%E0%A7%A7" * 300,
    "12,000 characters": "one+in+five+of+" * 900,
    "900 commas": "%2C" * 900,
    "fractions": "%C2%BD%E2%85%93" * 400,
}


def write_cases(claim: str, claim_body: dict[str, Any]) -> Iterator[Case]:
    """Yield requests with a body."""
    json_type = {"Content-Type": "application/json"}
    keys = b"{" + b",".join(b'"k%d":1' % i for i in range(80_000)) + b"}"
    bodies = {
        "80,000 unknown keys": keys,
        "a text of 900,000 characters": b'{"category":"' + b"x" * 900_000 + b'"}',
        "a list of 100,000 texts": b'{"includes":[' + b",".join([b'"a"'] * 100_000) + b"]}",
        "a list of 100,000 malformed texts": b'{"includes":[' + b",".join([b'" "'] * 100_000) + b"]}",
        "a list of 100,000 numbers": b'{"citations":[' + b",".join([b"1"] * 100_000) + b"]}",
        "a list of 100,000 objects": b'{"citations":[' + b",".join([b"{}"] * 100_000) + b"]}",
        "400,000 nested lists": b"[" * 400_000,
        "900 nested objects": b'{"a":' * 900 + b"1" + b"}" * 900,
        "a number of 900,000 digits": b'{"figure":{"as_printed":"1","value":' + b"9" * 900_000 + b"}}",
        "a decimal number of 900,000 digits": b'{"figure":{"as_printed":"1","value":0.' + b"9" * 900_000 + b"}}",
        "an exponent of 900,000 digits": b'{"figure":{"as_printed":"1","value":1e' + b"9" * 900_000 + b"}}",
        "900,000 spaces": b" " * 900_000,
        "no JSON": b"\xff" * 900_000,
        "an open text of 900,000 characters": b'"' + b"\\u0041" * 150_000,
        "one key 100,000 times": b"{" + b",".join([b'"a":1'] * 100_000) + b"}",
        "5,000,000 bytes": b"x" * 5_000_000,
    }
    targets = (
        ("POST", "/v1/claims"),
        ("PUT", "/v1/sources/new"),
        ("PATCH", f"/v1/claims/{claim}"),
        ("POST", f"/v1/claims/{claim}/assessments"),
        ("POST", "/v1/documents"),
        ("PUT", "/v1/topics/new"),
    )
    for method, path in targets:
        for name, body in bodies.items():
            yield Case(f"{name} to {method} {path}", method, path, json_type, body)
    texts = {
        "an EDTF period of 80 signs": {"period": {**claim_body["period"], "edtf": "2022-?~%" * 10}},
        "an EDTF set of 80 characters": {"period": {**claim_body["period"], "edtf": "[" + "2022,.." * 11 + "]"}},
        "an EDTF year of 70 digits": {"period": {**claim_body["period"], "edtf": "Y" + "9" * 70}},
        "a wording of number words": {"figure": {"as_printed": "twenty-one hundred " * 50, "value": 1}},
        "a wording of ranges": {"figure": {"as_printed": "1-2 " * 240, "value": 1}},
        "a quote without the number": {"citations": [{**claim_body["citations"][0], "quote": "1,2 " * 1_200}]},
        "100 citations of unknown documents": {"citations": [{"document": {"id": f"{i:032x}"}} for i in range(100)]},
        "50 unknown subjects": {"includes": [f"nothing-{i}" for i in range(50)]},
        "a language of 35 characters": {"figure": {"as_printed": "1", "value": 1, "language": "en-" + "a-" * 15 + "b"}},
        "an address of 2,000 characters": {"citations": [{"document": {"title": "x", "url": "https://" + "a." * 990}}]},
    }
    for name, changes in texts.items():
        yield Case(name, "POST", "/v1/claims", json_type, json.dumps(claim_body | changes).encode())
    tags = ", ".join(f'"{i}"' for i in range(5_000))
    source = json.dumps({"name": "New", "kind": "media", "interest": "none"}).encode()
    for header in ("If-Match", "If-None-Match"):
        value = tags if header == "If-Match" else f"{tags}, *"
        yield Case(f"5,000 tags in {header} of a write", "PUT", "/v1/sources/csis", json_type | {header: value}, source)
    yield Case(
        "a key of 30,000 characters for repetition",
        "POST",
        "/v1/claims",
        json_type | {"Idempotency-Key": "k" * 30_000},
        b"{}",
    )
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    yield Case(
        "a form of 40,000 parts",
        "POST",
        "/v1/imports",
        form,
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 40_000,
    )
    files = {
        "a CSV file of 100,000 blank rows": ("text/csv", b"a,b\n" + b",\n" * 100_001),
        "a CSV file of 20,000 columns": ("text/csv", b",".join(b"c%d" % i for i in range(20_000)) + b"\n"),
        "an NDJSON file of no JSON": ("application/x-ndjson", b"{" * 900_000),
        "a JSON file of 400,000 nested lists": ("application/json", b"[" * 400_000),
        "a YAML file of 50,000 nested lists": ("application/yaml", b"[" * 50_000),
        "no workbook": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"x" * 900_000),
        "no archive": ("application/zip", b"PK\x03\x04" + b"x" * 900_000),
    }
    for name, (kind, content) in files.items():
        yield Case(name, "POST", "/v1/imports", {"Content-Type": kind}, content)
    yield Case(
        "a mapping that does not exist",
        "POST",
        f"/v1/imports?mapping={'x' * 15_000}",
        {"Content-Type": "text/csv"},
        b"a\n1\n",
    )


def read_cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def measure(server: ServerProcess, case: Case) -> dict[str, Any]:
    """Send a request several times; return its status, the size of the answer, and the CPU time of the server."""
    assert server.process is not None
    assert server.process.pid is not None
    costs = []
    status = size = 0
    for _ in range(REPETITIONS):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            before = read_cpu_ns(server.process.pid)
            connection.request(case.method, case.path, case.body or None, dict(case.headers))
            answer = connection.getresponse()
            status, size = answer.status, len(answer.read())
        time.sleep(0.005)  # what the server does after its answer counts too
        costs.append((read_cpu_ns(server.process.pid) - before) / 1e6)
        if max(costs) > 200 and len(costs) > 2:
            break
    return {
        "case": case.name,
        "status": status,
        "bytes": size,
        "cpu_ms": round(statistics.median(costs), 2),
        "sent_bytes": len(case.path) + len(case.body) + sum(map(len, case.headers.values())),
    }


def main() -> None:
    """Measure on the databases that the arguments name, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", default="sqlite postgresql")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for dialect in arguments.databases.split():
        with TemporaryDirectory() as folder, serve_starter_register(dialect, Path(folder)) as (server, keys):
            document = server.request("GET", "/openapi.json").json()
            body = document["paths"]["/v1/claims"]["post"]["requestBody"]["content"]["application/json"]["example"]
            claim = server.request("GET", "/v1/claims?limit=1").json()["data"][0]["id"]
            server.close_connection()
            results = [measure(server, case) for case in read_cases(claim)]
            for case in write_cases(claim, body):
                results.append(
                    measure(
                        server, Case(case.name, case.method, case.path, {**keys["admin"], **case.headers}, case.body)
                    )
                )
        results.sort(key=lambda result: -result["cpu_ms"])
        found[dialect] = results
        _print(dialect, results)
    names = "-".join(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"error-costs-{names}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(_is_costly(result) for results in found.values() for result in results))


def _is_costly(result: dict[str, Any]) -> bool:
    return result["status"] >= 400 and (result["cpu_ms"] > MAX_CPU_MS or result["bytes"] > MAX_BYTES)


def _print(dialect: str, results: list[dict[str, Any]]) -> None:
    errors = [result for result in results if result["status"] >= 400]
    costly = [result for result in errors if _is_costly(result)]
    print(f"{dialect}: {len(errors)} errors of {len(results)} requests, {len(costly)} above the limits")
    for result in [*errors[:25], *(result for result in costly if result not in errors[:25])]:
        print(
            f"  {result['cpu_ms']:8.2f} ms {result['bytes']:7,} bytes {result['status']}: {result['case']} ({result['sent_bytes']:,} bytes sent)"
        )
    others = [f"{result['status']}: {result['case']}" for result in results if result["status"] < 400]
    print(f"  no errors: {others}", flush=True)


if __name__ == "__main__":
    main()
