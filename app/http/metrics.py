"""The metrics of this process, named by the conventions of Prometheus."""

import os
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from app.cache.responses import ResponseCache
from app.database.engine import Database
from app.http.middleware import RequestCounters

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

    def _request_metrics(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "counterclaim_http_requests",
            "HTTP requests, except those served from the response cache.",
            labels=REQUEST_LABELS,
        )
        durations = SummaryMetricFamily(
            "counterclaim_http_request_duration_seconds",
            "Duration of HTTP requests, except those served from the response cache.",
            labels=REQUEST_LABELS,
        )
        for (route, method, status), totals in list(self.counters.totals.items()):
            labels = [str(os.getpid()), route, method, str(status)]
            requests.add_metric(labels, totals.count)
            durations.add_metric(labels, totals.count, totals.seconds)
        yield requests
        yield durations


def _counter(name: str, description: str, value: float) -> Metric:
    return _with_value(CounterMetricFamily(name, description, labels=["pid"]), value)


def _gauge(name: str, description: str, value: float) -> Metric:
    return _with_value(GaugeMetricFamily(name, description, labels=["pid"]), value)


def _with_value(metric: CounterMetricFamily | GaugeMetricFamily, value: float) -> Metric:
    metric.add_metric([str(os.getpid())], value)
    return metric
