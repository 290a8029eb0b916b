"""What `/metrics` tells: plain numbers of this process, in the words of Prometheus."""

import os
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from app.cache.responses import ResponseCache
from app.database.engine import Database
from app.http.middleware import RequestCounters


class MetricsCollector:
    """Reads the numbers when somebody asks for them."""

    def __init__(self, counts: RequestCounters, memory: ResponseCache, database: Database) -> None:
        self.counts = counts
        self.response_cache = memory
        self.database = database

    def collect(self) -> Iterator[Metric]:
        """Every metric with its value. `pid` tells the processes of one service apart."""
        pid, memory = str(os.getpid()), self.response_cache
        made = SummaryMetricFamily(
            "counterclaim_made_seconds", "Answers that had to be made, and how long it took.", labels=["pid", "status"]
        )
        for status, each in self.counts.by_status.items():
            made.add_metric([pid, str(status)], each.count, each.seconds)
        yield made
        asked = CounterMetricFamily(
            "counterclaim_memory_asked",
            "Reads that were looked up in memory: sent from it, or not there. `unchanged`: hits that were a 304.",
            labels=["pid", "outcome"],
        )
        for outcome, count in (("hit", memory.hits), ("miss", memory.misses), ("unchanged", memory.not_modified)):
            asked.add_metric([pid, outcome], count)
        yield asked
        yield _single_metric(
            CounterMetricFamily,
            "counterclaim_memory_forgotten",
            "Answers that a change made untrue.",
            memory.invalidated,
        )
        yield _single_metric(GaugeMetricFamily, "counterclaim_memory_answers", "Answers that are kept.", memory.count)
        yield _single_metric(GaugeMetricFamily, "counterclaim_memory_bytes", "Bytes that they take.", memory.size_bytes)
        for metric, cache in self.database.caches.lookup_counts():
            lookups = CounterMetricFamily(metric.name, metric.documentation, labels=["pid", "outcome"])
            for outcome, count in (("hit", cache.hits), ("miss", cache.misses)):
                lookups.add_metric([pid, outcome], count)
            yield lookups
        yield _single_metric(
            GaugeMetricFamily,
            "counterclaim_register_seq",
            "The last change that was read.",
            self.database.latest_read_seq,
        )


def _single_metric(
    family: type[CounterMetricFamily | GaugeMetricFamily], name: str, description: str, value: float
) -> Metric:
    metric = family(name, description, labels=["pid"])
    metric.add_metric([str(os.getpid())], value)
    return metric
