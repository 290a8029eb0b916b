"""The metrics say what an operator is woken for, and the alerts name only metrics that exist."""

import re
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.registers import Register

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.md"
NUMBER_OF_RULES = 8


def values(register: Register) -> dict[str, float]:
    """Return the values of the metrics without further labels than the process id."""
    families = text_string_to_metric_families(register.get("/metrics").text)
    return {
        sample.name: sample.value for family in families for sample in family.samples if {*sample.labels} <= {"pid"}
    }


def test_the_last_check_is_told_with_its_age(register: Register) -> None:
    before = values(register)
    assert "counterclaim_ready" not in before, "nobody has looked yet"
    assert before["counterclaim_http_requests_in_progress"] == 1
    assert before["counterclaim_process_resident_memory_bytes"] > 1_000_000
    register.get("/health/ready")
    found = values(register)
    assert (found["counterclaim_ready"], found["counterclaim_database_damaged"]) == (1, 0)
    assert found["counterclaim_database_check_age_seconds"] >= 0
    register.database.damage.write("A page is damaged.")
    register.get("/health/ready")
    register.database.damage.clear()
    found = values(register)
    assert (found["counterclaim_ready"], found["counterclaim_database_damaged"]) == (0, 1)
    assert found["counterclaim_database_writes_up"] == 0


def test_durations_are_a_histogram(register: Register) -> None:
    register.get("/v1/register")
    text = register.get("/metrics").text
    series: dict[str, list[tuple[str, float]]] = {}
    for bound, labels, count in re.findall(
        r'duration_seconds_bucket{le="([^"]+)",(.*route="/v1/register".*)} (\S+)', text
    ):
        series.setdefault(labels, []).append((bound, float(count)))
    assert any('status="200"' in labels for labels in series)
    for buckets in series.values():
        counts = [count for _, count in buckets]
        assert buckets[-1][0] == "+Inf"
        assert counts == sorted(counts)
        assert counts[-1] >= 1


def test_the_alerts_name_metrics_that_exist(register: Register) -> None:
    register.get("/health/ready")
    register.get("/v1/register")
    text = register.get("/metrics").text
    (block,) = re.findall(r"```yaml\n(.*?)```", ALERTS.read_text(encoding="utf-8"), re.DOTALL)
    (group,) = yaml.safe_load(block)["groups"]
    assert len(group["rules"]) == NUMBER_OF_RULES
    for rule in group["rules"]:
        assert rule["annotations"]["summary"], rule["alert"]
        for name in re.findall(r"counterclaim_\w+", rule["expr"]):
            assert f"{name}{{" in text, f"{rule['alert']}: {name}"
