"""The metrics of this process, named by the conventions of Prometheus."""

import os
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from app.cache.responses import ResponseCache
from app.database.engine import Database
from app.database.faults import DatabaseFault
from app.http.health import READINESS
from app.http.middleware import BUCKET_SECONDS, RequestCounters, RequestTotals

REQUEST_LABELS = ["pid", "route", "method", "status"]


class MetricsCollector:
    """Collector of the metrics for a scrape by Prometheus. The label `pid` distinguishes the workers."""

    def __init__(self, counters: RequestCounters, response_cache: ResponseCache, database: Database) -> None:
        self.counters = counters
        self.response_cache = response_cache
        self.database = database

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its values."""
        yield from self._request_metrics()
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
        yield _gauge("counterclaim_response_cache_size_bytes", "Size of the response cache.", cache.size_bytes)
        for metric, lookups in self.database.caches.lookup_counts():
            yield _counter(f"{metric.name}_hits", f"{metric.documentation} found in the cache.", lookups.hits)
            yield _counter(f"{metric.name}_misses", f"{metric.documentation} not found in it.", lookups.misses)
        yield _gauge("counterclaim_register_seq", "The latest change that was read.", self.database.latest_read_seq)
        yield _gauge(
            "counterclaim_http_requests_in_progress",
            "HTTP requests that are being answered.",
            self.counters.in_progress,
        )
        yield _gauge("counterclaim_process_resident_memory_bytes", "Memory of the process.", _resident_bytes())
        yield self._pool_metric()
        yield from self._database_metrics()

    def _pool_metric(self) -> Metric:
        """Return the connections in use. The pools count them, so that the database is not asked."""
        metric = GaugeMetricFamily(
            "counterclaim_database_connections_in_use", "Connections of a pool in use.", labels=["pid", "pool"]
        )
        for name, engine in (("read", self.database.read_engine), ("write", self.database.write_engine)):
            metric.add_metric([str(os.getpid()), name], engine.pool.checkedout())  # type: ignore[attr-defined] # a QueuePool
        return metric

    def _database_metrics(self) -> Iterator[Metric]:
        """Yield what the last check of the database has found, and how old that is."""
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
        age = time.monotonic() - last.at
        yield _gauge("counterclaim_database_check_age_seconds", "The age of the figures about the database.", age)

    def _request_metrics(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "counterclaim_http_requests",
            "HTTP requests, except those served from the response cache.",
            labels=REQUEST_LABELS,
        )
        durations = HistogramMetricFamily(
            "counterclaim_http_request_duration_seconds",
            "Duration of HTTP requests, except those served from the response cache, and streams.",
            labels=REQUEST_LABELS,
        )
        for (route, method, status), totals in list(self.counters.totals.items()):
            labels = [str(os.getpid()), route, method, str(status)]
            requests.add_metric(labels, totals.count)
            durations.add_metric(labels, _cumulative(totals), totals.seconds)
        yield requests
        yield durations


def _cumulative(totals: RequestTotals) -> list[tuple[str, float]]:
    """Return the number of requests up to each upper bound."""
    bounds = [*(str(seconds) for seconds in BUCKET_SECONDS), "+Inf"]
    return list(zip(bounds, accumulate(totals.buckets), strict=True))


def _resident_bytes() -> int:
    """Return the memory of this process, or 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _counter(name: str, description: str, value: float) -> Metric:
    return _with_value(CounterMetricFamily(name, description, labels=["pid"]), value)


def _gauge(name: str, description: str, value: float) -> Metric:
    return _with_value(GaugeMetricFamily(name, description, labels=["pid"]), value)


def _with_value(metric: CounterMetricFamily | GaugeMetricFamily, value: float) -> Metric:
    metric.add_metric([str(os.getpid())], value)
    return metric
