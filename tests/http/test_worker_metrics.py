"""The metrics of several workers are those of the whole service, whichever of them a scrape reaches."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.http.metrics import MetricsCollector
from app.http.middleware import RequestCounters
from app.http.worker_metrics import Family, FamilyKind, WorkerFiles, merge_families
from app.runtime_folder import RUNTIME_FOLDER_VARIABLE, create_runtime_folder
from tests.registers import Register

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
PATH = "/v1/register"


@pytest.fixture
def workers(register: Register, tmp_path: Path) -> Iterator[WorkerFiles]:
    """The files of the worker that answers the requests of `register`."""
    state = register.app.state
    files = state.worker_files = WorkerFiles(tmp_path)
    yield files
    state.worker_files = None
    files.close()


class OtherWorker:
    """Another worker of the service, of which the test says what it has counted."""

    def __init__(self, register: Register, folder: Path) -> None:
        self.counters = RequestCounters()
        self._state = register.app.state
        self.files = WorkerFiles(folder)

    def answer(self, seconds: float) -> None:
        """Count a request, and write the metrics as a worker does every second."""
        self.counters.add(PATH, "GET", 200, seconds)
        collector = MetricsCollector(self.counters, self._state.invalidator.response_cache, self._state.database)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 7)
            self.files.write(collector.collect_own())

    def die(self) -> None:
        """End without a word: the system releases the lock."""
        self.files.close()


def scrape(register: Register) -> Samples:
    families = text_string_to_metric_families(register.get("/metrics").text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def sum_samples(samples: Samples, name: str = "counterclaim_http_requests_total", **labels: str) -> float:
    wanted = {"route": PATH, "method": "GET", "status": "200"} | labels
    return sum(
        value for (sample, own), value in samples.items() if sample == name and wanted.items() <= dict(own).items()
    )


def pids(samples: Samples, name: str) -> set[str]:
    return {dict(labels)["pid"] for sample, labels in samples if sample == name}


def test_a_scrape_shows_every_worker(register: Register, workers: WorkerFiles, tmp_path: Path) -> None:
    assert workers
    before = sum_samples(scrape(register))
    other = OtherWorker(register, tmp_path)
    other.answer(0.001)
    other.answer(0.3)
    register.get(f"{PATH}?_=1")
    samples = scrape(register)
    assert sum_samples(samples) == before + 3
    bucket = "counterclaim_http_request_duration_seconds_bucket"
    assert sum_samples(samples, bucket, le="+Inf") == before + 3
    assert sum_samples(samples, bucket, le="+Inf") - sum_samples(samples, bucket, le="0.25") >= 1
    assert pids(samples, "counterclaim_http_requests_in_progress") == {str(os.getpid()), "7"}
    other.die()


def test_counters_never_go_back_and_gauges_of_the_dead_go(
    register: Register, workers: WorkerFiles, tmp_path: Path
) -> None:
    assert workers
    first = OtherWorker(register, tmp_path)
    first.answer(0.001)
    alive = scrape(register)
    first.die()
    dead = scrape(register)
    assert sum_samples(dead) == sum_samples(alive)
    assert pids(dead, "counterclaim_process_threads") == {str(os.getpid())}
    second = OtherWorker(register, tmp_path)
    assert sum_samples(scrape(register)) == sum_samples(alive), "the new worker has counted nothing"
    second.answer(0.001)
    replaced = scrape(register)
    assert sum_samples(replaced) == sum_samples(alive) + 1
    assert pids(replaced, "counterclaim_process_threads") == {str(os.getpid()), "7"}
    for (name, labels), value in alive.items():
        if name.endswith(("_total", "_bucket", "_count", "_sum")) and not dict(labels).get("pid"):
            assert replaced[name, labels] >= value, name
    second.die()


def test_what_was_shown_is_in_the_file_of_the_worker(register: Register, workers: WorkerFiles, tmp_path: Path) -> None:
    """If the worker that answered a scrape is killed, no other one shows less than it did."""
    assert workers
    shown = sum_samples(scrape(register))
    other = WorkerFiles(tmp_path)
    ((families),) = other.exchange([])
    (requests,) = (family for family in families if family.name == "counterclaim_http_requests")
    assert requests.samples.get((PATH, "GET", "200"), [0.0]) == [shown]
    other.close()


def test_a_damaged_or_missing_file_takes_nothing_from_the_others(
    register: Register, workers: WorkerFiles, tmp_path: Path
) -> None:
    assert workers
    before = sum_samples(scrape(register))
    (tmp_path / "damaged.json").write_text("[{")
    (tmp_path / "without-lock.json").write_text("[]")
    assert sum_samples(scrape(register)) == before
    shutil.rmtree(tmp_path)
    assert sum_samples(scrape(register)) == before, "the folder was removed under the worker"


def test_histograms_are_added_bucket_by_bucket() -> None:
    one = Family(FamilyKind.histogram, "h", "", ("route",), {("/a",): [1, 2, 0.5], ("/b",): [1, 0, 0.1]})
    other = Family(FamilyKind.histogram, "h", "", ("route",), {("/a",): [1, 1, 0.25]})
    (merged,) = merge_families([[one], [other]])
    assert merged.samples == {("/a",): [2, 3, 0.75], ("/b",): [1, 0, 0.1]}
    assert one.samples["/a",] == [1, 2, 0.5], "that of the process is not changed"


def test_the_folder_is_that_of_the_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert WorkerFiles.of_service() is None, "a single process without a folder"
    with create_runtime_folder():
        first, second = WorkerFiles.of_service(), WorkerFiles.of_service()
        assert first is not None
        assert second is not None
        first.write([Family(FamilyKind.counter, "c", "", (), {(): [1]})])
        assert [[family.samples for family in each] for each in second.exchange([])] == [[{(): [1]}]]
        first.close()
        second.close()
    monkeypatch.setenv(RUNTIME_FOLDER_VARIABLE, str(tmp_path / "missing"))
    assert WorkerFiles.of_service() is None, "the worker starts all the same"


def test_imports_are_counted_by_outcome(register: Register) -> None:
    def outcomes() -> dict[str, float]:
        return {
            dict(labels)["outcome"]: value
            for (name, labels), value in scrape(register).items()
            if name == "counterclaim_imports_total"
        }

    before = outcomes()
    assert [*before] == ["recorded", "nothing_new", "refused", "failed"]
    response = register.post(
        "/v1/imports?format=csv", content=b"a,b\n1,2\n", headers={**register.keys["admin"], "Content-Type": "text/csv"}
    )
    assert response.status_code == 422
    assert outcomes()["refused"] == before["refused"] + 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in the package prometheus of Debian")
def test_promtool_finds_nothing(register: Register, workers: WorkerFiles, tmp_path: Path) -> None:
    assert workers
    other = OtherWorker(register, tmp_path)
    other.answer(0.001)
    register.get("/health/ready")
    register.get(PATH)
    text = register.get("/metrics").text
    found = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - wherever it is installed
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    other.die()
