"""The series key and the recency of a claim preselect positions, and leave none out."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from app.comparison.figure import kind_of
from app.comparison.positions import find_positions, position_key_of
from app.comparison.series_key import (
    aggregation_pattern,
    build_series_columns,
    encode_day,
    has_aggregation,
    parse_moment,
)
from app.comparison.statement import Statement
from tests.comparison.registers import registers


def state_of(statement: Statement, **changes: Any) -> dict[str, Any]:
    """Return the columns of a claim on which its series and recency depend."""
    figure = statement.figure
    return {
        "status": "asserted",
        "source": statement.source,
        "aggregation": statement.aggregation,
        "modality": statement.modality,
        "proposition": statement.proposition,
        "per": statement.per,
        "period": statement.period.edtf,
        "period_end": statement.period.latest_end,
        "date": statement.date,
        "date_edtf": statement.date_edtf or (statement.date and statement.date.isoformat()),
        "includes": sorted(statement.includes),
        "excludes": sorted(statement.excludes),
        "relative_to": statement.base,
        "out_of": figure.out_of,
        "unit": statement.unit,
        "kind": kind_of(figure, statement.proposition),
    } | changes


def columns_of(statement: Statement, **changes: Any) -> tuple[str, int]:
    columns = build_series_columns(state_of(statement, **changes))
    return columns["standpoint"], columns["recency"]


@given(registers(40, sources=2))
@settings(max_examples=60, deadline=None)
def test_the_latest_claims_of_each_series_have_all_positions(claims: list[Statement]) -> None:
    claims = [replace(each, category="dead", subject="travellers", place="sea") for each in claims]
    series: dict[str, list[tuple[int, Statement]]] = {}
    for claim in claims:
        key, recency = columns_of(claim)
        series.setdefault(key, []).append((recency, claim))
    assert all(len({position_key_of(claim) for _, claim in members}) == 1 for members in series.values())
    latest = [
        claim
        for members in series.values()
        for recency, claim in members
        if recency == max(each for each, _ in members)
    ]
    assert find_positions(latest) == find_positions(claims)


BASE: dict[str, Any] = {
    "status": "asserted",
    "source": "a",
    "aggregation": "cumulative",
    "modality": "estimate",
    "proposition": "quantity",
    "per": None,
    "period": "2023-01-01/2023-06-12",
    "period_end": date(2023, 6, 12),
    "date": date(2023, 6, 13),
    "date_edtf": "2023-06-13",
    "includes": [],
    "excludes": [],
    "relative_to": None,
    "out_of": None,
    "unit": "persons",
    "kind": "plain",
}
WITHIN = {"aggregation": "within", "period": "2023-06"}
FORECAST = {"modality": "forecast", "period": "2023-01-01/2023-12-31", "period_end": date(2023, 12, 31)}


@pytest.mark.parametrize(
    ("changes", "start", "recency"),
    [
        ({}, "a total-cumulative estimate 2023-01-01 ", 2023061220230613),
        ({"date": None}, "a total-cumulative estimate 2023-01-01 ", 2023061200000000),
        ({"period_end": None, "period": "2023-01-01/.."}, "a total-cumulative estimate 2023-01-01 ", 2023061320230613),
        ({"period_end": None, "period": "2023-01-01/..", "date": None}, "a total-cumulative estimate 2023-01-01 ", 0),
        ({"period": "/2023-06-12"}, "a total-cumulative estimate .. ", 2023061220230613),
        (WITHIN, "a total-within estimate month ", 2023061220230613),
        (WITHIN | {"aggregation": "rate", "per": "day"}, "a rate estimate day month ", 2023061220230613),
        ({"aggregation": "snapshot", "period": "2023-06-12"}, "a snapshot estimate ", 2023061220230613),
        ({"proposition": "change"}, "a total-cumulative estimate change 2023-01-01 ", 2023061220230613),
        ({"period_end": date(2023, 12, 31)}, "a total-cumulative estimate 2023-01-01 ", 2023061320230613),
        (FORECAST, "a total-cumulative forecast 2023-01-01 ", 2023123120230613),
    ],
)
def test_a_series_is_named_by_what_makes_a_position(changes: dict[str, Any], start: str, recency: int) -> None:
    columns = build_series_columns(BASE | changes)
    assert columns["recency"] == recency
    assert columns["standpoint"].startswith(start)
    assert len(columns["standpoint"]) == len(start) + 24  # the digest of unit and other details


def test_without_details_a_series_has_no_digest() -> None:
    assert build_series_columns(BASE | {"unit": None})["standpoint"] == "a total-cumulative estimate 2023-01-01"


@pytest.mark.parametrize(
    "changes",
    [
        {"includes": ["crew"]},
        {"excludes": ["crew"]},
        {"relative_to": "2022"},
        {"out_of": 10},
        {"unit": "hectares"},
        {"period": "2023-01-01/2023-06", "period_end": date(2023, 6, 30)},
        {"date_edtf": "2023-06", "period": "2023-01-01/.."},
        {"status": "retracted"},
        {"kind": "vague"},
        {"kind": "none"},
    ],
)
def test_details_make_another_series(changes: dict[str, Any]) -> None:
    assert build_series_columns(BASE | changes)["standpoint"] != build_series_columns(BASE)["standpoint"]


def test_what_makes_no_other_series() -> None:
    series = build_series_columns(BASE | {"includes": ["b", "a"]})["standpoint"]
    for changes in ({"includes": ["a", "b", "a"]}, {"includes": ["a", "b"], "date": date(2024, 1, 1)}):
        assert build_series_columns(BASE | changes)["standpoint"] == series
    assert (
        build_series_columns(BASE | {"out_of": 1})["standpoint"]
        == build_series_columns(BASE | {"out_of": 2})["standpoint"]
    )


def test_claims_that_are_no_positions_are_marked() -> None:
    assert build_series_columns(BASE | {"status": "removed"}) == {"standpoint": None, "recency": None}
    assert build_series_columns(BASE | {"status": "retracted", "kind": "vague"})["standpoint"].endswith(" retracted")
    assert build_series_columns(BASE | {"kind": "vague"})["standpoint"].endswith(" none")
    assert build_series_columns(BASE | {"kind": "none"})["standpoint"].endswith(" none")


@pytest.mark.parametrize(
    ("aggregation", "asked", "pattern", "is_in_class"),
    [
        ("cumulative", "within", "% total-%", True),
        ("within", "cumulative", "% total-%", True),
        ("rate", "cumulative", "% total-%", False),
        ("cumulative", "rate", "% rate %", False),
        ("snapshot", "snapshot", "% snapshot %", True),
        ("snapshot", "rate", "% rate %", False),
    ],
)
def test_the_class_of_a_series(aggregation: str, asked: str, pattern: str, *, is_in_class: bool) -> None:
    series = build_series_columns(BASE | {"aggregation": aggregation, "per": "day" if aggregation == "rate" else None})
    assert has_aggregation(series["standpoint"], asked) == is_in_class
    assert aggregation_pattern(asked) == pattern


def test_days_and_moments() -> None:
    assert (encode_day(date(2025, 6, 2)), encode_day(None)) == (20250602, 0)
    assert parse_moment("2025-06-02T10:00:00+00:00") == datetime(2025, 6, 2, 10, tzinfo=UTC)
    assert parse_moment(None) is None
