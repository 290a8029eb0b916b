"""What pages cost: bytes, CPU time cold and hot, start and memory.

    python -m benchmarks.pages --rounds 5 --save

*Cold* is a service without a response cache; a page is compared with the `/v1` answers that it shows. *Hot* is the
page again from the cache, compared with a bare uvicorn that sends the same encoded bytes. All figures are medians of
CPU time in microseconds a request; other programs on the machine change them little.
"""

import argparse
import json
import marshal
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.servers import Server, bare_server, our_server

RESULTS = Path(__file__).parent / "results" / "pages"
COLD_REQUESTS, HOT_REQUESTS = 12, 4_000
HOT_CONNECTIONS = 16
LOAD_SECONDS = 20.0
BROTLI = {"Accept-Encoding": "br"}
ASSET = re.compile(r'(?:href|src)="(?:http://[^/"]+)?(/static/[^"]+\.(?:css|js))"')
TOPIC = "russian-casualties"


def list_pages(server: Server) -> dict[str, tuple[str, Sequence[str]]]:
    """Return the path of each page, with the paths of the answers that it shows."""
    claim = server.json(f"/v1/claims?topic={TOPIC}&source=csis&limit=1")["data"][0]
    id_, document = claim["id"], claim["citations"][0]["document"]["id"]
    brief = f"/v1/topics/{TOPIC}/brief?positions=100&pairs=20"
    return {
        "home": ("/", ["/v1/topics?limit=100"]),
        "about": ("/about", ["/v1/register"]),
        "topic": (f"/topics/{TOPIC}", [brief, f"/v1/topics/{TOPIC}/claims?limit=50"]),
        "claim": (
            f"/claims/{id_}",
            [f"/v1/claims/{id_}", f"/v1/claims/{id_}/citation.txt", f"/v1/claims/{id_}/revisions"],
        ),
        "source": ("/sources/csis", ["/v1/sources/csis", "/v1/claims?source=csis&limit=50"]),
        "document": (
            f"/documents/{document}",
            [f"/v1/documents/{document}", f"/v1/claims?document={document}&limit=50"],
        ),
        "card": (f"/embed/topics/{TOPIC}", [f"/v1/topics/{TOPIC}/brief?positions=8&pairs=1"]),
    }


def main() -> None:
    """Measure, print, and save with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/pages.json and .md")
    arguments = parser.parse_args()
    work = CACHE_FOLDER / "work"
    work.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{work / 'pages.db'}"
    (work / "pages.db").unlink(missing_ok=True)
    for command in ("migrate", "starter"):
        subprocess.run(
            [sys.executable, "-m", "app", command], env=_environment(url), check=True, stdout=subprocess.DEVNULL
        )
    with _running(our_server(url, None)) as ours, _running(our_server(url, None, remembering=False)) as cold:
        pages = list_pages(ours)
        sizes = {name: _measure_bytes(ours, path) for name, (path, _) in pages.items()}
        answers = {"/ready?": (200, [(b"content-length", b"0")], b"")}
        for path in (each for page, shown in pages.values() for each in (page, shown[0])):
            status, headers, body = ours.ask(path, BROTLI)
            sent = [(key.lower().encode(), value.encode()) for key, value in headers]
            answers[path if "?" in path else path + "?"] = (status, sent, body)
        (work / "page-answers").write_bytes(marshal.dumps(answers))
        rows = {}
        with _running(bare_server(work / "page-answers")) as bare:
            for name, (path, shown) in pages.items():
                page, parts, hot, floor, api, api_floor = [], [], [], [], [], []
                for _ in range(arguments.rounds):
                    page.append(_measure_cpu(cold, path, COLD_REQUESTS))
                    parts.append(sum(_measure_cpu(cold, each, COLD_REQUESTS) for each in shown))
                    hot.append(_measure_cpu(ours, path, HOT_REQUESTS, BROTLI, HOT_CONNECTIONS))
                    floor.append(_measure_cpu(bare, path, HOT_REQUESTS, BROTLI, HOT_CONNECTIONS))
                    api.append(_measure_cpu(ours, shown[0], HOT_REQUESTS, BROTLI, HOT_CONNECTIONS))
                    api_floor.append(_measure_cpu(bare, shown[0], HOT_REQUESTS, BROTLI, HOT_CONNECTIONS))
                rows[name] = {
                    **sizes[name],
                    "cold_us": round(statistics.median(page)),
                    "answers_us": round(statistics.median(parts)),
                    "hot_us": round(statistics.median(hot), 1),
                    "bare_us": round(statistics.median(floor), 1),
                }
                rows[name]["cold_ratio"] = round(rows[name]["cold_us"] / rows[name]["answers_us"], 2)
                rows[name]["answer_hot_ratio"] = round(statistics.median(api_floor) / statistics.median(api), 2)
                rows[name]["hot_ratio"] = round(rows[name]["bare_us"] / rows[name]["hot_us"], 2)
                print(name, json.dumps(rows[name]), flush=True)
    start = [_measure_start(url, f"/topics/{TOPIC}") for _ in range(arguments.rounds)]
    starts = {name: round(statistics.median(each[name] for each in start), 2) for name in start[0]}
    print("start", json.dumps(starts))
    if arguments.save:
        RESULTS.with_suffix(".json").write_text(json.dumps({"pages": rows, "start": starts}, indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(render(rows, starts))


def render(rows: Mapping[str, Mapping[str, Any]], starts: Mapping[str, float]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "# What pages cost",
        "",
        "Starter claims, SQLite, one process. CPU time in microseconds a request; medians.",
        "",
        "| page | transferred (br) | HTML alone | cold | its `/v1` answers | ratio (≤ 3) | hot | bare uvicorn | ratio (≥ 0.8) | the same ratio of its first `/v1` answer |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['transferred']:,} | {row['html']:,} | {row['cold_us']:,} | {row['answers_us']:,} | "
            f"{row['cold_ratio']} | {row['hot_us']} | {row['bare_us']} | {row['hot_ratio']} | {row['answer_hot_ratio']} |"
        )
    lines += [
        "",
        f"Start {starts['start_s']} s; memory {starts['idle_pss_mb']} MB before the first page, "
        f"{starts['after_page_pss_mb']} MB after it; the first page took {starts['first_page_cpu_ms']} ms of CPU time.",
        "",
    ]
    return "\n".join(lines)


def _measure_bytes(server: Server, path: str) -> dict[str, int]:
    """Return the bytes of a page and of what it loads, as they are sent to a browser that accepts brotli."""
    page = len(server.ask(path, BROTLI)[2])
    html = server.ask(path)[2].decode()
    assets = {each: len(server.ask(each, BROTLI)[2]) for each in set(ASSET.findall(html))}
    return {"html": page, "assets": sum(assets.values()), "transferred": page + sum(assets.values())}


def _measure_cpu(
    server: Server, path: str, requests: int, headers: Mapping[str, str] | None = None, connections: int = 1
) -> float:
    sent = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{sent}\r\n".encode()
    found = server.load(
        [request] * 4, most=requests, at_least=requests, connections=connections, cycle=True, seconds=LOAD_SECONDS
    )
    return float(found["cpu_us"])


def _measure_start(url: str, path: str) -> dict[str, float]:
    server = our_server(url, None)
    seconds = server.start()
    try:
        before = server.memory()
        spent = server.cpu()
        server.ask(path)
        cpu = server.cpu(spent)
        after = server.memory()
    finally:
        server.stop()
    return {
        "start_s": seconds,
        "idle_pss_mb": before["pss_mb"],
        "after_page_pss_mb": after["pss_mb"],
        "first_page_cpu_ms": cpu / 1e6,
    }


def _environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url}


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    main()
