"""The counts of verdicts are those of all pairs, compared one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison import verdict_counts
from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair
from app.comparison.statement import Statement
from app.comparison.verdict_counts import MAX_PAIRED_POSITIONS, count_verdicts
from app.enums import Verdict
from tests.comparison.registers import HIERARCHY, RANDOMS, draw_figure, draw_register

TOLERANCES = st.none() | st.sampled_from([0.001, 0.01, 0.1, 1.0])


def random_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - no secret


def count_one_by_one(claims: Sequence[Statement], tolerance: float | None = None) -> Counter[Verdict]:
    return count_all_pairs(tuple(claims), tolerance)


@cache
def count_all_pairs(claims: tuple[Statement, ...], tolerance: float | None) -> Counter[Verdict]:
    return Counter(compare_pair(a, b, HIERARCHY, tolerance).verdict for a, b in combinations(claims, 2))


def check(claims: Sequence[Statement], tolerance: float | None = None) -> None:
    assert len(claims) > MAX_PAIRED_POSITIONS
    assert count_verdicts(claims, HIERARCHY, tolerance) == count_one_by_one(claims, tolerance)


@given(RANDOMS, TOLERANCES)
@settings(max_examples=25, deadline=None)
def test_counts_of_a_mixed_register_are_exact(random: Random, tolerance: float | None) -> None:
    check(draw_register(random, 60, sources=20), tolerance)


PERIODS = {
    "running totals": ["2023-01-01/2023-06-12", "2023-01-01/2023-06-10", "2023-01-01/2023-06-13"],
    "uncertain ends": ["2023-01-01/2023-06", "2023-01-01/2023-06-12~", "2023-01-01/2023-06-12", "2023-01-01/2023"],
    "uncertain starts": ["2023-01/2023-06-12", "2023/2023-06-12", "2023-01-01/2023-06-12", "2022-01-01/2023-06-12"],
    "nested periods": ["2023", "2023-06", "2023-06-12", "2023-01-01/2023-06-12", "2023-01/2023-06"],
    "unspecified periods": ["2023-XX", "2023-01-01/2023-XX", "2023", "2023-06"],
    "open periods": ["2023-01-01/..", "2023-01-01/2023-06-12", "../2023-06-12"],
}
MOMENTS = [
    *(None, None, None, "2023-06-12T10:00:00+02:00", "2023-06-12T08:00:00Z", "2023-06-12T22:00:00Z"),
    *("2023-06-13T00:30:00+12:00", "2023-06-13T09:00:00Z", "2023-06-10T12:00:00Z"),
]
DAYS = [date(2023, 6, 12), date(2023, 6, 13), date(2024, 1, 31), None]


def draw_similar(random: Random, size: int, periods: list[str], **fields: Any) -> list[Statement]:
    """Return claims that differ only in their numbers, their days and hours, and in `fields`."""

    def build(number: int) -> Statement:
        moment = random.choice(MOMENTS)
        said_at = None if moment is None else datetime.fromisoformat(moment)
        statement = draw_register(random, 1)[0]
        return replace(
            statement,
            id=f"c{number}",
            source=f"source-{number // 2}",
            figure=draw_figure(random),
            said_at=said_at,
            date=random.choice(DAYS) if said_at is None else said_at.date(),
            period=parse_period(random.choice(periods)),
            **{
                "category": "dead",
                "subject": "travellers",
                "place": "sea",
                "unit": "persons",
                "proposition": "quantity",
                "modality": "estimate",
                "aggregation": random.choice(["cumulative", "within"]),
                "per": None,
                "base": None,
                "includes": frozenset(),
                "excludes": frozenset(),
                "date_edtf": None,
                **{name: random.choice(values) for name, values in fields.items()},
            },
        )

    return [build(number) for number in range(size)]


@pytest.mark.parametrize("name", PERIODS)
@pytest.mark.parametrize("category", ["dead", "crowd", "damage"])
@pytest.mark.parametrize("tolerance", [None, 0.01])
def test_counts_are_exact_for_any_days(name: str, category: str, tolerance: float | None) -> None:
    for seed in range(3):
        check(draw_similar(random_of(seed), 50, PERIODS[name], category=[category]), tolerance)


@pytest.mark.parametrize(
    "fields",
    [
        {"aggregation": ["snapshot"]},
        {"aggregation": ["rate"], "per": ["day", "month", None]},
        {"place": ["sea", "west", "central"]},
        {"category": ["dead", "dead-and-missing", "dead-named", "missing"]},
        {"category": ["losses"]},
        {"includes": [frozenset(), frozenset({"crew"})], "excludes": [frozenset(), frozenset({"crew"})]},
        {"unit": ["hectares", "acres"], "category": ["burnt"]},
        {"unit": ["EUR", "USD"], "category": ["damage"], "place": ["sea", "west"]},
        {"proposition": ["change"], "base": ["2022", None]},
        {"modality": ["estimate", "count", "forecast"]},
        {"date_edtf": [None, "2023-06", "2023-06-10/.."]},
    ],
)
@pytest.mark.parametrize("tolerance", [None, 0.1])
def test_counts_are_exact_where_other_fields_differ(fields: dict[str, list[Any]], tolerance: float | None) -> None:
    for seed in range(3):
        check(draw_similar(random_of(seed), 45, PERIODS["running totals"], **fields), tolerance)


def test_counts_of_ratios_are_exact() -> None:
    random = random_of(1)
    claims = draw_similar(random, 60, ["2023"], proposition=["ratio"])
    shares = [(1, 5), (2, 10), (1, 4), (21, 100), (5, 1)]
    figures = [PrintedFigure(f"{a} in {b}", value=a, out_of=b) for a, b in shares]
    check([replace(each, figure=random.choice(figures)) for each in claims])


def test_counts_at_the_limit_of_rounding_are_exact() -> None:
    """The gap is exactly 5% of the larger number, or differs from it by the smallest printed step."""
    words = ["1 million", "950,000", "949,999", "950,001", "1,050,000", "1,052,631", "1,052,632", "20,000", "19,000"]
    figures = [PrintedFigure(text, value=float(text.split()[0].replace(",", ""))) for text in words]
    figures[0] = replace(figures[0], value=1_000_000)
    bounds = [
        PrintedFigure("at least 1,052,632", lower=1_052_632),
        PrintedFigure("over 1 million", lower=1_000_000, lower_inclusive=False),
        PrintedFigure("under 950,000", upper=950_000, upper_inclusive=False),
        PrintedFigure("nearly 1 million", upper=1_000_000, upper_inclusive=False, approximate=True),
        PrintedFigure("over -1 million", lower=-1_000_000, lower_inclusive=False),
    ]
    figures = [validate_figure(each, "quantity") for each in (*figures, *bounds)]
    claims = draw_similar(random_of(1), 5 * len(figures), ["2023-01-01/2023-06-12", "2023-01-01/2023-06-10"])
    for tolerance in (None, 0.01, 0.05):
        check([replace(each, figure=figures[n % len(figures)]) for n, each in enumerate(claims)], tolerance)


def test_few_positions_are_compared_one_by_one() -> None:
    claims = draw_register(random_of(5), MAX_PAIRED_POSITIONS)
    assert count_verdicts(claims, HIERARCHY) == count_one_by_one(claims)
    assert count_verdicts([], HIERARCHY) == Counter()
    assert sum(count_verdicts(claims, HIERARCHY).values()) == MAX_PAIRED_POSITIONS * (MAX_PAIRED_POSITIONS - 1) // 2


def test_a_claim_without_a_number_is_no_position() -> None:
    claims = draw_register(random_of(5), MAX_PAIRED_POSITIONS + 1)
    vague = replace(claims[0], figure=PrintedFigure("dozens"), proposition="quantity")
    with pytest.raises(ValueError, match="a position has a number"):
        count_verdicts([vague, *claims[1:]], HIERARCHY)


def test_most_pairs_of_a_large_register_are_not_compared_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def count_and_compare(*arguments: Any) -> Any:
        nonlocal compared
        compared += 1
        return compare_pair(*arguments)

    monkeypatch.setattr(verdict_counts, "compare_pair", count_and_compare)
    ends = [date(2023, 6, 12) - timedelta(days=days) for days in range(150)]
    claims = draw_similar(random_of(7), 300, [f"2023-01-01/{end}" for end in ends], aggregation=["cumulative"])
    claims = [replace(each, source=each.id, said_at=None, date=date(2024, 1, 31)) for each in claims]
    counts = count_verdicts(claims, HIERARCHY)
    assert sum(counts.values()) == 300 * 299 // 2
    assert compared < sum(counts.values()) / 20
