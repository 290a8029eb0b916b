"""The counts of verdicts are those of all pairs, compared one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import combinations, count
from random import Random
from typing import Any

import pytest

from app.comparison import verdict_counts
from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair
from app.comparison.statement import Statement
from app.comparison.verdict_counts import count_verdicts, recount_verdicts
from app.comparison.verdicts import PairComparison
from app.enums import Verdict
from tests.comparison.registers import HIERARCHY, draw_figure, draw_register

TOLERANCES = [None, 0.01, 1.0]


def random_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - no secret


LIMIT = 4
"""In these tests, so many positions are compared one by one, so that small registers are grouped."""

_COMPARED: dict[tuple[int, int, float | None], tuple[Statement, Statement, PairComparison]] = {}


def compare_once(a: Statement, b: Statement, _hierarchy: object, tolerance: float | None) -> PairComparison:
    """Compare two claims, or return the earlier result for these two objects."""
    key = id(a), id(b), tolerance
    if key not in _COMPARED:
        _COMPARED[key] = a, b, compare_pair(a, b, HIERARCHY, tolerance)
    return _COMPARED[key][2]


@pytest.fixture(autouse=True)
def _group_few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Group from `LIMIT` positions on. The expected and the tested counts share the comparisons of the pairs."""
    monkeypatch.setattr(verdict_counts, "MAX_PAIRED_POSITIONS", LIMIT)
    monkeypatch.setattr(verdict_counts, "compare_pair", compare_once)


def count_one_by_one(claims: Sequence[Statement], tolerance: float | None = None) -> Counter[Verdict]:
    return Counter(compare_once(a, b, None, tolerance).verdict for a, b in combinations(claims, 2))


def check(claims: Sequence[Statement], tolerance: float | None = None) -> None:
    assert len(claims) > LIMIT
    assert count_verdicts(claims, HIERARCHY, tolerance) == count_one_by_one(claims, tolerance)


@cache
def mixed_register(seed: int) -> list[Statement]:
    return draw_register(random_of(seed), 40, sources=12)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_counts_of_a_mixed_register_are_exact(seed: int, tolerance: float | None) -> None:
    check(mixed_register(seed), tolerance)


PERIODS = {
    "one": ["2023-01-01/2023-06-12"],
    "short": ["2023-01-01/2023-06-12", "2023-06-01/2023-06-12", "2023-06-01/2023-06-10"],
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
SEEDS = 2
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


@pytest.mark.parametrize("name", sorted(PERIODS.keys() - {"one"}))
@pytest.mark.parametrize("category", ["dead", "crowd", "damage"])
@pytest.mark.parametrize("tolerance", [None, 0.01])
def test_counts_are_exact_for_any_days(name: str, category: str, tolerance: float | None) -> None:
    for seed in range(SEEDS):
        check(similar_register(seed, name, category), tolerance)


@cache
def similar_register(seed: int, name: str, category: str) -> list[Statement]:
    return draw_similar(random_of(seed), 25, PERIODS[name], category=[category])


FIELDS: dict[str, dict[str, list[Any]]] = {
    "snapshots": {"aggregation": ["snapshot"]},
    "rates": {"aggregation": ["rate"], "per": ["day", "month", None]},
    "places": {"place": ["sea", "west", "central"]},
    "components": {"category": ["dead", "dead-and-missing", "dead-named", "missing"]},
    "unstated components": {"category": ["losses"]},
    "scopes": {"includes": [frozenset(), frozenset({"crew"})], "excludes": [frozenset(), frozenset({"crew"})]},
    "areas": {"unit": ["hectares", "acres"], "category": ["burnt"]},
    "currencies": {"unit": ["EUR", "USD"], "category": ["damage"], "place": ["sea", "west"]},
    "changes": {"proposition": ["change"], "base": ["2022", None]},
    "modalities": {"modality": ["estimate", "count", "forecast"]},
    "uncertain dates": {"date_edtf": [None, "2023-06", "2023-06-10/.."]},
}


@cache
def register_of_fields(seed: int, name: str) -> list[Statement]:
    return draw_similar(random_of(seed), 30, PERIODS["running totals"], **FIELDS[name])


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("tolerance", [None, 0.1])
def test_counts_are_exact_where_other_fields_differ(name: str, tolerance: float | None) -> None:
    for seed in range(SEEDS):
        check(register_of_fields(seed, name), tolerance)


SHARES = [PrintedFigure(f"{a} in {b}", value=a, out_of=b) for a, b in ((1, 5), (2, 10), (1, 4), (21, 100), (5, 1))]

# The gap is exactly 5% of the larger number, or differs from it by the smallest printed step.
NUMBERS_AT_LIMIT = [950_000, 949_999, 950_001, 1_050_000, 1_052_631, 1_052_632, 20_000, 19_000, 21_000]
NUMBERS_AT_LIMIT += [949_999_999_999, 950_000_000_000, 950_000_000_001, 1_052_631_578_948]
BOUNDS_AT_LIMIT = [
    PrintedFigure("at least 1,052,632", lower=1_052_632),
    PrintedFigure("over 1 million", lower=1_000_000, lower_inclusive=False),
    PrintedFigure("under 950,000", upper=950_000, upper_inclusive=False),
    PrintedFigure("nearly 1 million", upper=1_000_000, upper_inclusive=False, approximate=True),
    PrintedFigure("over -1 million", lower=-1_000_000, lower_inclusive=False),
    PrintedFigure("under 0", upper=0, upper_inclusive=False),
]
FIGURES_AT_LIMIT = [
    PrintedFigure("1 million", value=1_000_000),
    PrintedFigure("1 trillion", value=10**12),
    PrintedFigure("0", value=0),
    *(PrintedFigure(f"{number:,}", value=number) for number in NUMBERS_AT_LIMIT),
    *(validate_figure(each, "quantity") for each in BOUNDS_AT_LIMIT),
]


# Ranges with common ends, and values on the ends of other ranges.
NESTED_FIGURES = [
    *(PrintedFigure("a range", lower=lower, upper=upper) for lower in (5, 10, 20) for upper in (20, 30, 50)),
    *(PrintedFigure("a range", lower=15, upper=45, value=value) for value in (20, 30, 44)),
    *(PrintedFigure("about", value=value, approximate=True) for value in (10, 20, 50)),
    *(
        PrintedFigure("a bound", lower=lower, lower_inclusive=is_inclusive)
        for lower in (20, 30)
        for is_inclusive in (True, False)
    ),
    *(
        PrintedFigure("a bound", upper=upper, upper_inclusive=is_inclusive)
        for upper in (20, 30)
        for is_inclusive in (True, False)
    ),
    PrintedFigure("nearly 20", upper=20, upper_inclusive=False, approximate=True),
    PrintedFigure("just over 30", lower=30, lower_inclusive=False, approximate=True),
]


@cache
def register_of_figures(name: str) -> list[Statement]:
    """Return claims with each of some figures: once for one period, or four times for short and long ones."""
    random = random_of(1)
    if name == "ratios":
        claims = draw_similar(random, 30, ["2023"], proposition=["ratio"])
        return [replace(each, figure=random.choice(SHARES)) for each in claims]
    figures, periods = (NESTED_FIGURES, PERIODS["one"]) if name == "nested" else (FIGURES_AT_LIMIT, PERIODS["short"])
    one = draw_similar(random, 1, ["2023"], aggregation=["cumulative"])[0]
    return [
        replace(one, id=f"{number}-{period}", source=f"{number}-{period}", figure=figure, period=parse_period(period))
        for number, figure in enumerate(figures)
        for period in periods
    ]


@pytest.mark.parametrize("tolerance", [None, 0.5])
def test_counts_of_nested_figures_are_exact(tolerance: float | None) -> None:
    check(register_of_figures("nested"), tolerance)


def test_counts_of_ratios_are_exact() -> None:
    check(register_of_figures("ratios"))


@pytest.mark.parametrize("tolerance", [None, 0.01, 0.05])
def test_counts_at_the_limit_of_rounding_are_exact(tolerance: float | None) -> None:
    check(register_of_figures("at limit"), tolerance)


def test_few_positions_are_compared_one_by_one() -> None:
    claims = mixed_register(5)[:LIMIT]
    assert count_verdicts(claims, HIERARCHY) == count_one_by_one(claims)
    assert count_verdicts([], HIERARCHY) == Counter()
    assert sum(count_verdicts(claims, HIERARCHY).values()) == LIMIT * (LIMIT - 1) // 2


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("tolerance", [None, 0.05])
def test_counts_of_changed_positions_follow_from_those_before(seed: int, tolerance: float | None) -> None:
    chance = random_of(seed)
    claims = mixed_register(seed)
    positions = dict(enumerate(chance.sample(claims, chance.randint(0, len(claims)))))
    counts = count_verdicts(list(positions.values()), HIERARCHY, tolerance)
    keys = count(len(claims))
    for _ in range(6):
        before = positions
        changed = chance.choice([1, 1, 2, len(claims)])
        positions = dict(list(before.items())[min(changed, chance.randint(0, 2)) :])
        positions |= {next(keys): each for each in chance.sample(claims, changed)}
        counts = recount_verdicts(counts, before, positions, HIERARCHY, tolerance)
        assert counts == count_one_by_one(list(positions.values()), tolerance)


def test_only_the_pairs_of_changed_positions_are_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(enumerate(mixed_register(5)[:LIMIT]))
    after = {number: claim for number, claim in before.items() if number} | {LIMIT: mixed_register(5)[LIMIT]}
    counts = count_verdicts(list(before.values()), HIERARCHY)
    compared: list[tuple[str, str]] = []

    def compare_and_note(a: Statement, b: Statement, *options: Any) -> PairComparison:
        compared.append((a.id, b.id))
        return compare_pair(a, b, *options)

    monkeypatch.setattr(verdict_counts, "compare_pair", compare_and_note)
    assert recount_verdicts(counts, before, after, HIERARCHY) == count_one_by_one(list(after.values()))
    assert len(compared) == 2 * (LIMIT - 1)
    compared.clear()
    assert recount_verdicts(counts, before, dict(before), HIERARCHY) == counts
    assert not compared


def test_a_claim_without_a_number_is_no_position() -> None:
    claims = mixed_register(5)
    vague = replace(claims[0], figure=PrintedFigure("dozens"), proposition="quantity")
    with pytest.raises(ValueError, match="a position has a number"):
        count_verdicts([vague, *claims[1 : LIMIT + 1]], HIERARCHY)
    few = [vague, *claims[1:LIMIT]]
    assert count_verdicts(few, HIERARCHY) == count_one_by_one(few)


def count_comparisons(claims: Sequence[Statement], monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the verdicts of a register, and return how many of its pairs were compared for that."""
    compared = 0

    def count_and_compare(*arguments: Any) -> Any:
        nonlocal compared
        compared += 1
        return compare_pair(*arguments)

    monkeypatch.setattr(verdict_counts, "compare_pair", count_and_compare)
    counts = count_verdicts(claims, HIERARCHY)
    assert sum(counts.values()) == len(claims) * (len(claims) - 1) // 2
    return compared


@cache
def large_register(aggregation: str) -> list[Statement]:
    ends = [date(2023, 6, 12) - timedelta(days=days) for days in range(150)]
    aggregations = ["cumulative", "within"] if aggregation == "both" else [aggregation]
    claims = draw_similar(random_of(7), 200, [f"2023-01-01/{end}" for end in ends], aggregation=aggregations)
    return [
        replace(each, id=str(n), source=str(n), said_at=None, date=date(2024, 1, 31)) for n, each in enumerate(claims)
    ]


@pytest.mark.parametrize("aggregation", ["cumulative", "both"])
def test_most_pairs_of_a_large_register_are_not_compared_one_by_one(
    aggregation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_comparisons(large_register(aggregation), monkeypatch) < 200 * 199 // 2 / 10


def test_most_rounded_figures_are_not_compared_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [("1 million", 1_000_000), ("1,040,000", 1_040_000), ("1,080,000", 1_080_000), ("45,000", 45_000)]
    figures = [PrintedFigure(text, value=number) for text, number in words]
    one = large_register("cumulative")[0]
    claims = [replace(one, id=str(n), source=str(n), figure=figures[n % len(figures)]) for n in range(40)]
    assert count_comparisons(claims, monkeypatch) < 40
