"""Prometheus with the rules of docs/alerts.md: which alerts fire while something fails."""

import json
import re
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

import yaml

from benchmarks.system import find_free_port
from benchmarks.operate.service import Service

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.md"
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
START_SECONDS = 30.0
POLL_SECONDS = 0.3

PROMETHEUS = "prometheus"
PROMTOOL = "promtool"


def find_programs() -> str | None:
    """Return what is missing to evaluate the rules, or None."""
    missing = [name for name in (PROMETHEUS, PROMTOOL) if shutil.which(name) is None]
    return f"{' and '.join(missing)} not found: `apt-get install prometheus`" if missing else None


def read_rules() -> str:
    """Return the rules of the documentation."""
    (block,) = re.findall(r"```yaml\n(.*?)```", ALERTS.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def rule_names() -> list[str]:
    """Return the names of the rules."""
    return [rule["alert"] for group in yaml.safe_load(read_rules())["groups"] for rule in group["rules"]]


def shorten_rules(rules: str, speed: float) -> str:
    """Return the rules with every duration divided by `speed`."""

    def shorten(match: re.Match[str]) -> str:
        milliseconds = int(match["number"]) * UNIT_SECONDS[match["unit"]] * 1000 / speed
        return f"{match['before']}{milliseconds:.0f}ms{match['after']}"

    return re.sub(r"(?P<before>for: |\[)(?P<number>[0-9]+)(?P<unit>[smh])(?P<after>\b|\])", shorten, rules)


def check_rules(folder: Path) -> str:
    """Return what `promtool check rules` says about the rules as they are documented."""
    path = folder / "documented.yml"
    path.write_text(read_rules())
    return _run_promtool(["check", "rules", str(path)])


def check_metrics(service: Service) -> str:
    """Return what `promtool check metrics` says about the metrics of a service."""
    with urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    return _run_promtool(["check", "metrics"], text)


def _run_promtool(arguments: list[str], text: str | None = None) -> str:
    done = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True, check=False)  # noqa: S603
    said = " ".join((done.stdout + done.stderr).split())
    return f"exit status {done.returncode}{f': {said}' if done.returncode else ''}"


class Prometheus:
    """Prometheus, which scrapes one service every second and evaluates the shortened rules."""

    def __init__(self, folder: Path, target: int, speed: float) -> None:
        """Scrape the service at the port `target`; the durations of the rules are divided by `speed`."""
        self._folder = folder / "prometheus"
        self._port = find_free_port()
        self._target = target
        self._speed = speed
        self._process: subprocess.Popen[bytes] | None = None
        self._fired: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Prometheus":
        """Start it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        (self._folder / "rules.yml").write_text(shorten_rules(read_rules(), self._speed))
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": "counterclaim", "static_configs": [{"targets": [f"127.0.0.1:{self._target}"]}]}
            ],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=warn"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)  # noqa: S603
        deadline = time.monotonic() + START_SECONDS
        while self._read("/-/ready") is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus does not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop.set()
        self._thread.join()
        assert self._process is not None  # noqa: S101
        self._process.terminate()
        self._process.wait(20)

    def _read(self, path: str) -> bytes | None:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
        return None

    def _alerts(self, states: set[str]) -> set[str]:
        text = self._read("/api/v1/alerts")
        if text is None:
            return set()
        found: Any = json.loads(text)
        return {each["labels"]["alertname"] for each in found["data"]["alerts"] if each["state"] in states}

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._fired |= self._alerts({"firing"})

    def take(self) -> set[str]:
        """Return the alerts that were firing since the last call."""
        fired, self._fired = self._fired, set()
        return fired

    def wait_until_quiet(self, limit: float = 60.0) -> set[str]:
        """Wait until no alert fires or is about to; return those that remain after the limit."""
        deadline = time.monotonic() + limit
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            if self._alerts({"firing", "pending"}):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > 2:  # noqa: PLR2004
                break
            time.sleep(POLL_SECONDS)
        self._fired = set()
        return self._alerts({"firing", "pending"})
