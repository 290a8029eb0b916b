"""Measures files of a register: rows per second of CPU time, memory, time to the first byte, and a range of a copy.

`make bench-files` runs it on SQLite with CLAIMS=100000.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.look.service import START_TIMEOUT_SECONDS
from benchmarks.read_registers import RegisterStore

FORMATS = ("csv", "ndjson", "xlsx", "parquet", "jsonld")
TIMEOUT_SECONDS = 3_000


def main() -> None:
    """Run the measures, and print a table."""
    parser = argparse.ArgumentParser(prog="make bench-files")
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", default=FORMATS, help="the suffixes of the files")
    options = parser.parse_args()
    url = RegisterStore("sqlite").filled(options.claims)
    print("| file | rows a second of CPU | bytes | first byte | memory before, most | range of 1 MB after it |")
    print("| --- | --- | --- | --- | --- | --- |")
    for suffix in options.only:
        with tempfile.TemporaryDirectory() as folder:
            print(_measure(url, suffix, Path(folder)), flush=True)


def _measure(url: str, suffix: str, folder: Path) -> str:
    port = 18_000 + os.getpid() % 1_000
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "COUNTERCLAIM_FILES_DIR": str(folder),
        "COUNTERCLAIM_FILES_BYTES": "20000000000",
        "COUNTERCLAIM_LOG_LEVEL": "warning",
        "COUNTERCLAIM_OFFLOAD_PROCESSES": "0",  # the CPU time and memory of one process are measured
    }
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base)
        _read(f"{base}/v1/claims.{suffix}?limit=100")  # imports what the format needs
        cpu, memory = _cpu_seconds(process.pid), _memory(process.pid)
        started = time.monotonic()
        address = f"{base}/v1/claims.{suffix}"
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            answer.read(1)
            first, size, most = time.monotonic() - started, 1, memory
            while chunk := answer.read(2**20):
                size += len(chunk)
                most = max(most, _memory(process.pid))
            fixed = answer.headers["Content-Location"]
        used = _cpu_seconds(process.pid) - cpu
        rows = int(_read(f"{base}/v1/claims?limit=1&total=true&fields=id").split(b'"total":')[1].split(b"}")[0])
        cpu, started = _cpu_seconds(process.pid), time.monotonic()
        request = urllib.request.Request(fixed, headers={"Range": f"bytes={size // 2}-{size // 2 + 999_999}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            assert answer.status == 206
            answer.read()
        waited, ranged = time.monotonic() - started, _cpu_seconds(process.pid) - cpu
    finally:
        process.terminate()
        process.wait(30)
    cells = (
        f"{rows / used:,.0f}",
        f"{size:,}",
        f"{first:.2f} s",
        f"{memory:.0f}, {most:.0f} MB",
        f"{waited * 1000:.0f} ms, {ranged * 1000:.0f} ms of CPU",
    )
    return f"| `.{suffix}` | {' | '.join(cells)} |"


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
        content: bytes = answer.read()
    return content


def _wait(base: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            _read(f"{base}/health/live")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Return the memory of a process in MB, without the mapped pages of the database file."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


if __name__ == "__main__":
    main()
