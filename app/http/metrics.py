"""The metrics, named by the conventions of Prometheus: counters of the whole service, and gauges of each process.

Several workers share their counters through files (`app/http/worker_metrics.py`), so that whichever of them a scrape
reaches shows the whole service.
"""

import os
import time
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from app.cache.responses import ResponseCache
from app.database.engine import Database
from app.database.faults import DatabaseFault
from app.http.health import READINESS
from app.http.middleware import BUCKET_SECONDS, OUTCOME_METRICS, RequestCounters
from app.http.worker_metrics import Family, FamilyKind, WorkerFiles, merge_families

REQUEST_LABELS = ("route", "method", "status")


class _ProcessStart:
    """When this process started, as Unix time. A forked worker has started when it was forked."""

    seconds = time.time()

    @classmethod
    def note(cls) -> None:
        """Note that the process starts now."""
        cls.seconds = time.time()


os.register_at_fork(after_in_child=_ProcessStart.note)


class MetricsCollector:
    """Collector of the metrics for a scrape by Prometheus. The label `pid` distinguishes the gauges of workers."""

    def __init__(
        self,
        counters: RequestCounters,
        response_cache: ResponseCache,
        database: Database,
        workers: WorkerFiles | None = None,
    ) -> None:
        self.counters = counters
        self.response_cache = response_cache
        self.database = database
        self.workers = workers
        """The files of all workers, if there are several."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its values."""
        own = self.collect_own()
        others = self.workers.exchange(own) if self.workers is not None else []
        for family in merge_families([own, *others]):
            yield _to_metric(family)

    def collect_own(self) -> list[Family]:
        """Return the metrics of this process."""
        return [*self._request_metrics(), *self._cache_metrics(), *self._process_metrics(), *self._database_metrics()]

    def _cache_metrics(self) -> Iterator[Family]:
        cache = self.response_cache
        yield _counter("counterclaim_response_cache_hits", "Reads served from the response cache.", cache.hits)
        yield _counter("counterclaim_response_cache_misses", "Reads not found in the response cache.", cache.misses)
        yield _counter(
            "counterclaim_response_cache_not_modified", "Response cache hits that were a 304.", cache.not_modified
        )
        yield _counter(
            "counterclaim_response_cache_invalidations",
            "Cached responses that a change invalidated.",
            cache.invalidated,
        )
        yield _gauge("counterclaim_response_cache_entries", "Responses in the response cache.", cache.count)
        yield _gauge(
            "counterclaim_response_cache_size_bytes",
            "Memory of the response cache, with headers and keys.",
            cache.size_bytes,
        )
        for metric, lookups in self.database.caches.lookup_counts():
            yield _counter(f"{metric.name}_hits", f"{metric.documentation} found in the cache.", lookups.hits)
            yield _counter(f"{metric.name}_misses", f"{metric.documentation} not found in it.", lookups.misses)

    def _process_metrics(self) -> Iterator[Family]:
        yield _gauge("counterclaim_register_seq", "The latest change that was read.", self.database.latest_read_seq)
        yield _gauge(
            "counterclaim_http_requests_in_progress",
            "HTTP requests that are being answered.",
            self.counters.in_progress,
        )
        pool = Family(FamilyKind.gauge, "counterclaim_database_connections_in_use", "Connections of a pool in use.")
        pool.labels = ("pid", "pool")
        for name, engine in (("read", self.database.read_engine), ("write", self.database.write_engine)):
            # The pools count them, so that the database is not asked.
            pool.samples[str(os.getpid()), name] = [engine.pool.checkedout()]  # type: ignore[attr-defined] # a QueuePool
        yield pool
        memory = _memory_bytes()
        yield _gauge("counterclaim_process_resident_memory_bytes", "Memory of the process.", memory["VmRSS"])
        yield _gauge(
            "counterclaim_process_anonymous_memory_bytes",
            "Memory of the process without pages of files.",
            memory["RssAnon"],
        )
        yield _gauge("counterclaim_process_threads", "Threads of the process.", memory["Threads"])
        yield _gauge("counterclaim_process_open_files", "Open files and connections of the process.", _open_files())
        yield _gauge(
            "counterclaim_process_start_time_seconds", "When the process started, as Unix time.", _ProcessStart.seconds
        )
        yield _counter("counterclaim_process_cpu_seconds", "CPU time of the workers.", time.process_time())

    def _database_metrics(self) -> Iterator[Family]:
        """Yield what the last check of the database has found, and how old that is."""
        if self.database.write_log is not None:
            yield _gauge(
                "counterclaim_sqlite_log_size_bytes",
                "Size of the write-ahead log of SQLite.",
                self.database.write_log.size_bytes,
            )
        last = self.database.caches[READINESS].last
        if last is None:
            return
        result = last.result
        yield _gauge("counterclaim_database_reads_up", "Whether reads worked (1) or not (0).", result.reads)
        yield _gauge("counterclaim_database_writes_up", "Whether writes worked (1) or not (0).", result.writes)
        yield _gauge("counterclaim_ready", "Whether the service was ready (1) or not (0).", not result.reasons)
        damaged = any(each.fault is DatabaseFault.damaged for each in result.reasons)
        yield _gauge("counterclaim_database_damaged", "Whether the database is damaged (1) or not (0).", damaged)
        behind = max(0, result.primary_seq - result.replica_seq) if result.replica_seq is not None else 0
        yield _gauge("counterclaim_replica_lag_changes", "Changes that the read replica lacks.", behind)
        if (replica := self.database.replica) is not None:
            yield _gauge(
                "counterclaim_replica_used", "Whether the last read used the replica (1) or not (0).", replica.is_used
            )
        yield _gauge(
            "counterclaim_replica_lag_seconds",
            "How long ago the primary database got the oldest change that the read replica lacks.",
            result.replica_lag_seconds,
        )
        age = time.monotonic() - last.at
        yield _gauge("counterclaim_database_check_age_seconds", "The age of the figures about the database.", age)

    def _request_metrics(self) -> Iterator[Family]:
        requests = Family(
            FamilyKind.counter,
            "counterclaim_http_requests",
            "HTTP requests, except those served from the response cache.",
            REQUEST_LABELS,
        )
        durations = Family(
            FamilyKind.histogram,
            "counterclaim_http_request_duration_seconds",
            "Duration of HTTP requests, except those served from the response cache, and streams.",
            REQUEST_LABELS,
        )
        outcomes = {
            path: Family(FamilyKind.counter, metric.name, metric.documentation, ("outcome",))
            for path, metric in OUTCOME_METRICS.items()
        }
        for path, metric in OUTCOME_METRICS.items():
            outcomes[path].samples = {(outcome,): [0.0] for outcome in metric.outcomes}
        for (route, method, status), totals in list(self.counters.totals.items()):
            labels = (route, method, str(status))
            requests.samples[labels] = [totals.count]
            durations.samples[labels] = [*totals.buckets, totals.seconds]
            if method == "POST" and route in outcomes:
                outcomes[route].samples[(OUTCOME_METRICS[route].outcome_of(status),)][0] += totals.count
        yield requests
        yield durations
        yield from outcomes.values()


def _to_metric(family: Family) -> Metric:
    labels = list(family.labels)
    if family.kind is FamilyKind.histogram:
        histogram = HistogramMetricFamily(family.name, family.documentation, labels=labels)
        for names, (*buckets, seconds) in family.samples.items():
            histogram.add_metric(list(names), _cumulative(buckets), seconds)
        return histogram
    is_counter = family.kind is FamilyKind.counter
    metric = (CounterMetricFamily if is_counter else GaugeMetricFamily)(
        family.name, family.documentation, labels=labels
    )
    for names, (value,) in family.samples.items():
        metric.add_metric(list(names), value)
    return metric


def _cumulative(buckets: Iterable[float]) -> list[tuple[str, float]]:
    """Return the number of requests up to each upper bound."""
    bounds = [*(str(seconds) for seconds in BUCKET_SECONDS), "+Inf"]
    return list(zip(bounds, accumulate(buckets), strict=True))


def _memory_bytes() -> dict[str, int]:
    """Return figures of `/proc/self/status`, in bytes where they are sizes; 0 where the system does not say."""
    figures = dict.fromkeys(("VmRSS", "RssAnon", "Threads"), 0)
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name in figures:
                number, *unit = value.split()
                figures[name] = int(number) * (1024 if unit else 1)
    except (OSError, ValueError):
        pass
    return figures


def _open_files() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0


def _counter(name: str, description: str, value: float) -> Family:
    return Family(FamilyKind.counter, name, description, (), {(): [value]})


def _gauge(name: str, description: str, value: float) -> Family:
    return Family(FamilyKind.gauge, name, description, ("pid",), {(str(os.getpid()),): [value]})
