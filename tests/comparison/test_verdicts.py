"""Verdicts follow the five steps of the contract in order and have every reason that applies."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.comparability import relate_scopes
from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.hierarchy import CategoryNode, Containment, Hierarchy
from app.comparison.period import parse_period
from app.comparison.statement import Statement
from app.comparison.verdicts import PairComparison, compare_statements, ratio_of, sort_reasons
from app.enums import Reason, Verdict
from tests.comparison.statements import WAR_STATEMENT, parse_figure
from tests.strategies import try_examples

AGREE, NO_CONFLICT, CONTRADICT = Verdict.agree, Verdict.no_conflict, Verdict.contradict
UNDETERMINED, NOT_COMPARABLE = Verdict.undetermined, Verdict.not_comparable
R = Reason


def category(
    slug: str, *components: str, parent: str | None = None, grows: bool = True, additive: bool = False
) -> CategoryNode:
    return CategoryNode(slug, components or (slug,), parent, grows, "persons", additive)


CATEGORIES = [
    category("killed"),
    category("wounded"),
    category("casualties", "killed", "wounded"),
    category("killed-named", parent="killed"),
    category("excess-deaths", grows=False),
    category("excess-deaths-men", parent="excess-deaths", grows=False),
    category("damage", grows=False, additive=True),
    category("damage-housing", parent="damage", grows=False, additive=True),
    category("damage-counted", parent="damage"),
    category("damage-excess-deaths", parent="damage", grows=False),
    category("killed-and-wounded", "wounded", "killed"),
    CategoryNode("losses", None, None, non_decreasing=True, unit="persons"),
]
HIERARCHY = Hierarchy(
    {each.slug: each for each in CATEGORIES},
    subjects={"wagner": ("russian-forces",)},
    places={"kursk-oblast": ("russia-ukraine-war",)},
)
WAR = "2022-02-24/2025-06-12"
AFTERWARDS = date(2025, 8, 31)


def claim(words: str = "100", edtf: str = WAR, id: str = "x", **changes: Any) -> Statement:  # noqa: A002 - the field's name
    fields: dict[str, Any] = {"id": id, "source": f"source-{id}", "category": "killed", "period": parse_period(edtf)}
    return replace(WAR_STATEMENT, **fields | {"figure": parse_figure(words)} | changes)


def verdict(a: Statement, b: Statement, tolerance: float | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict, which must not depend on who is named first."""
    pair, mirrored = compare_statements(a, b, HIERARCHY, tolerance), compare_statements(b, a, HIERARCHY, tolerance)
    assert replace(pair, a=mirrored.a, b=mirrored.b) == mirrored
    assert (pair.a, pair.b) == (a.id, b.id)
    return pair.verdict, pair.reasons


# 1. Gate

PEAK = PrintedFigure("the heaviest losses")


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"subject": "ukrainian-forces"}, (R.subject_differs,)),
        ({"place": "syria"}, (R.place_differs,)),
        ({"unit": "vehicles"}, (R.unit_differs,)),
        ({"base": "usd-2024"}, (R.base_differs,)),
        ({"figure": parse_figure("12 of the 100")}, (R.base_differs,)),
        ({"modality": "forecast"}, (R.modality_differs,)),
        ({"aggregation": "snapshot"}, (R.aggregation_differs,)),
        ({"period": parse_period("2021-01-01/2024-12-31")}, (R.window_differs,)),
        ({"period": parse_period("../2025-06-12")}, (R.window_unknown,)),
        ({"category": "wounded"}, (R.components_differ,)),
        ({"category": "losses"}, (R.components_unstated,)),
        ({"figure": PEAK, "proposition": "peak_period"}, (R.proposition_differs, R.no_figure)),
        (
            {
                "unit": "vehicles",
                "place": "syria",
                "modality": "forecast",
                "category": "wounded",
                "aggregation": "rate",
            },
            (R.place_differs, R.unit_differs, R.modality_differs, R.aggregation_differs, R.components_differ),
        ),
        (
            {"category": "losses", "subject": "wagner", "unit": "vehicles"},
            (R.subject_differs, R.unit_differs, R.components_unstated),
        ),
    ],
)
def test_unlike_things_are_not_compared_and_every_reason_is_told(
    changes: dict[str, Any], reasons: tuple[Reason, ...]
) -> None:
    assert verdict(claim(), claim(**changes)) == (NOT_COMPARABLE, reasons)
    pair = compare_statements(claim(), claim(**changes), HIERARCHY)
    assert (pair.ratio, pair.gap) == (None, None)


def test_unstated_components_are_not_comparable_even_with_themselves() -> None:
    losses = claim(category="losses")
    assert verdict(losses, losses) == (NOT_COMPARABLE, (R.components_unstated,))


def test_counts_estimates_and_allegations_are_one_class() -> None:
    assert verdict(claim(modality="count"), claim(modality="allegation")) == (AGREE, ())
    assert verdict(claim(modality="forecast"), claim(modality="forecast")) == (AGREE, ())


def test_a_running_total_and_a_total_for_the_same_period_are_the_same() -> None:
    within = claim(aggregation="within")
    assert verdict(claim(), within) == (AGREE, ())
    assert verdict(claim(), replace(within, figure=parse_figure("200"))) == (CONTRADICT, (R.disjoint,))
    ongoing = parse_period("2022-02-24/..")
    assert verdict(claim(period=ongoing), replace(within, period=ongoing)) == (AGREE, ())
    # The same text: "2025-06" is the whole month for both. Alone, a running total may end on any day of the month.
    month = claim(edtf="2025-06")
    assert verdict(month, replace(month, aggregation="within")) == (AGREE, ())
    assert verdict(month, month) == (NOT_COMPARABLE, (R.window_differs,))


def test_a_running_total_and_a_total_for_a_longer_period_are_part_and_whole() -> None:
    shorter = claim("90", "2022-02-24/2025-06-11", aggregation="within")
    assert verdict(shorter, claim()) == (NO_CONFLICT, (R.part_of_whole, R.period_within))
    assert verdict(replace(shorter, figure=parse_figure("200")), claim()) == (
        CONTRADICT,
        (R.part_of_whole, R.period_within),
    )


def test_a_start_that_may_be_another_day_leaves_a_contradiction_undetermined() -> None:
    month = claim("100", "2022-02/2025-06-12")
    assert verdict(claim("110"), month) == (UNDETERMINED, (R.start_uncertain,))
    assert verdict(claim("100"), month) == (NOT_COMPARABLE, (R.window_differs,))
    earlier = claim("100", "2021-02/2025-06-12")
    assert verdict(claim("100"), earlier) == (NO_CONFLICT, (R.part_of_whole, R.period_within))


def test_running_totals_that_may_start_on_one_day_are_never_part_and_whole() -> None:
    """One starts on the last day that the other can start on, and ends before it."""
    later = claim("100", "2022-02-28/2025-06-10")
    assert verdict(later, claim("120", "2022-02/2025-06-12"))[1] == (R.window_differs,)
    # A total for a period can lie within a running total that may start with it.
    within = replace(later, aggregation="within")
    assert verdict(within, claim("120", "2022-02/2025-06-12")) == (
        NO_CONFLICT,
        (R.part_of_whole, R.period_within),
    )


@pytest.mark.parametrize(
    ("part", "whole"),
    [("2023-02-01~/2023-03-31", "2023-02-01/2023-12-31"), ("2023-02-01/2023-06-11", "2023-01-01/2023-06-11~")],
)
def test_a_period_lies_within_another_only_if_it_does_on_every_day_that_they_can_mean(part: str, whole: str) -> None:
    one, two = (claim("100", edtf, aggregation="within") for edtf in (part, whole))
    assert verdict(one, two)[1] == (R.window_differs,)
    certain = [claim("100", edtf.replace("~", ""), aggregation="within") for edtf in (part, whole)]
    within = replace(certain[0], period=parse_period("2023-02-02/2023-03-31"))
    assert verdict(within, certain[1])[1] == (R.part_of_whole, R.period_within)


def test_figures_against_one_base_are_compared() -> None:
    one, two = parse_figure("12 of the 100"), parse_figure("20 of the 200")
    assert verdict(claim(figure=one), claim(figure=two)) == (NOT_COMPARABLE, (R.base_differs,))
    assert verdict(claim(figure=one), claim(figure=parse_figure("20 of the 100"))) == (
        CONTRADICT,
        (R.disjoint,),
    )
    assert verdict(claim("5", base="usd-2024"), claim("5", base="usd-2024")) == (AGREE, ())


# Scope

WAGNER, DPR, NONE = frozenset({"wagner"}), frozenset({"dpr"}), frozenset[str]()


@pytest.mark.parametrize(
    ("a", "b", "relation", "is_unstated"),
    [
        ((NONE, NONE), (NONE, NONE), Containment.SAME, False),
        ((WAGNER, DPR), (WAGNER, DPR), Containment.SAME, False),
        ((NONE, NONE), (WAGNER, NONE), Containment.SAME, True),
        ((NONE, DPR), (NONE, NONE), Containment.SAME, True),
        ((WAGNER, NONE), (WAGNER | DPR, NONE), Containment.SAME, True),
        ((WAGNER, NONE), (DPR, NONE), Containment.SAME, True),
        ((NONE, WAGNER), (WAGNER, NONE), Containment.INSIDE, False),
        ((NONE, WAGNER | DPR), (WAGNER, DPR), Containment.INSIDE, False),
        ((NONE, WAGNER), (WAGNER | DPR, NONE), Containment.INSIDE, True),
        ((WAGNER, NONE), (NONE, WAGNER), Containment.CONTAINS, False),
        ((WAGNER, DPR), (DPR, WAGNER), Containment.DISJOINT, False),
    ],
)
def test_scopes_are_read_for_each_named_subject(
    a: tuple[frozenset[str], frozenset[str]],
    b: tuple[frozenset[str], frozenset[str]],
    relation: Containment,
    *,
    is_unstated: bool,
) -> None:
    one, two = claim(includes=a[0], excludes=a[1]), claim(includes=b[0], excludes=b[1])
    assert relate_scopes(one, two) == (relation, is_unstated)


def test_an_unstated_scope_cannot_contradict() -> None:
    stated = claim(includes=WAGNER)
    assert verdict(stated, claim()) == (AGREE, (R.scope_unstated,))
    assert verdict(stated, claim("200")) == (UNDETERMINED, (R.scope_unstated,))
    assert verdict(stated, claim("about 200")) == (UNDETERMINED, (R.scope_unstated, R.approximate))
    earlier = claim("200", "2022-02-24/2025-06-01")
    assert verdict(stated, earlier) == (UNDETERMINED, (R.scope_unstated,))


def test_a_scope_that_leaves_out_what_another_counts_is_a_part_of_it() -> None:
    without, including = claim("5", excludes=WAGNER), claim("9", includes=WAGNER)
    assert verdict(without, including) == (NO_CONFLICT, (R.part_of_whole,))
    assert verdict(replace(without, figure=parse_figure("15")), including) == (CONTRADICT, (R.part_of_whole,))
    assert verdict(claim("5", includes=WAGNER), claim("9", includes=WAGNER | DPR)) == (
        UNDETERMINED,
        (R.scope_unstated,),
    )
    crossed = claim(includes=WAGNER, excludes=DPR), claim(includes=DPR, excludes=WAGNER)
    assert verdict(*crossed) == (NOT_COMPARABLE, (R.scope_differs,))


# 2. Part of a whole


@pytest.mark.parametrize(
    "part",
    [
        {"category": "killed-named"},
        {"subject": "wagner"},
        {"place": "kursk-oblast"},
        {"category": "killed-named", "subject": "wagner", "place": "kursk-oblast"},
    ],
)
def test_a_part_can_only_be_too_large(part: dict[str, Any]) -> None:
    assert verdict(claim("90", **part), claim("100")) == (NO_CONFLICT, (R.part_of_whole,))
    assert verdict(claim("110", **part), claim("100")) == (CONTRADICT, (R.part_of_whole,))
    assert verdict(claim("at least 110", **part), claim("100")) == (CONTRADICT, (R.part_of_whole,))
    assert verdict(claim("up to 110", **part), claim("100")) == (NO_CONFLICT, (R.part_of_whole,))
    assert verdict(claim("110", **part), claim("over 100")) == (NO_CONFLICT, (R.part_of_whole,))
    pair = compare_statements(claim("110", id="part", **part), claim("100"), HIERARCHY)
    assert (pair.ratio, pair.gap, pair.above) == (1.1, 10, "part")
    pair = compare_statements(claim("90", **part), claim("100"), HIERARCHY)
    assert (pair.ratio, pair.gap, pair.above) == (None, None, None)


def test_dimensions_that_narrow_in_different_ways_are_not_compared() -> None:
    mixed = claim(category="killed-named"), claim(subject="wagner")
    assert verdict(*mixed) == (NOT_COMPARABLE, (R.subject_differs, R.components_differ))
    apart = claim(category="killed-named"), claim(place="syria")
    assert verdict(*apart) == (NOT_COMPARABLE, (R.place_differs, R.components_differ))


def test_a_part_of_an_earlier_day_counts_only_for_what_grows() -> None:
    early, late = "2022-02-24/2025-06-01", WAR
    part, whole = claim("110", early, category="killed-named"), claim("100", late)
    assert verdict(part, whole) == (CONTRADICT, (R.part_of_whole,))
    smaller = replace(part, figure=parse_figure("90"))
    assert verdict(smaller, whole) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))
    later = replace(part, period=parse_period(late)), replace(whole, period=parse_period(early))
    assert verdict(*later) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))
    falling = replace(part, category="damage-housing"), replace(whole, category="damage")
    assert verdict(*falling) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))
    half_falling = replace(part, category="damage-counted"), falling[1]
    assert verdict(*half_falling) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))
    same_day = replace(falling[0], period=parse_period(late)), falling[1]
    assert verdict(*same_day) == (CONTRADICT, (R.part_of_whole,))


def test_only_what_adds_up_has_parts() -> None:
    part, whole = claim("110", category="excess-deaths-men"), claim("100", category="excess-deaths")
    assert verdict(part, whole) == (NOT_COMPARABLE, (R.components_differ,))
    region = claim("110", place="kursk-oblast", subject="wagner", category="excess-deaths")
    assert verdict(region, whole) == (NOT_COMPARABLE, (R.subject_differs, R.place_differs))
    half = replace(part, category="damage-excess-deaths"), replace(whole, category="damage")
    assert verdict(*half) == (NOT_COMPARABLE, (R.components_differ,))
    share = claim(figure=parse_figure("12 of the 100"))
    assert verdict(replace(share, place="kursk-oblast"), share) == (NOT_COMPARABLE, (R.place_differs,))
    change = claim(base="2022", place="kursk-oblast")
    assert verdict(change, claim(base="2022")) == (NOT_COMPARABLE, (R.place_differs,))
    assert verdict(replace(change, base=None, proposition="change"), claim(proposition="change")) == (
        NOT_COMPARABLE,
        (R.place_differs,),
    )


def test_rates_of_different_periods_are_not_nested() -> None:
    part = claim("110", "2022-02-24/2025-06-01", category="killed-named", aggregation="rate", per="day")
    whole = claim("100", aggregation="rate", per="day")
    assert verdict(part, whole) == (NOT_COMPARABLE, (R.window_differs,))
    assert verdict(replace(part, period=whole.period), whole) == (CONTRADICT, (R.part_of_whole,))


def test_an_approximate_part_cannot_contradict_without_a_tolerance() -> None:
    part, whole = claim("about 110", category="killed-named"), claim("100")
    assert verdict(part, whole) == (UNDETERMINED, (R.part_of_whole, R.approximate))
    assert verdict(part, whole, 0.05) == (CONTRADICT, (R.part_of_whole,))
    assert verdict(part, whole, 0.2) == (NO_CONFLICT, (R.part_of_whole,))


def test_a_vague_part_decides_nothing() -> None:
    assert verdict(claim("thousands", category="killed-named"), claim()) == (UNDETERMINED, (R.vague,))


def test_a_part_of_unstated_scope_cannot_contradict() -> None:
    part = claim("110", category="killed-named", includes=WAGNER)
    assert verdict(part, claim("100")) == (UNDETERMINED, (R.scope_unstated, R.part_of_whole))


def test_the_same_atoms_are_the_same_thing() -> None:
    assert verdict(claim(category="casualties"), claim(category="killed-and-wounded")) == (AGREE, ())


# 3. Interval, 5. overlap

RANGE95 = parse_figure("60-70", coverage=0.95)


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "expected"),
    [
        ("100", "100", None, (AGREE, ())),
        ("100", "101", None, (CONTRADICT, (R.disjoint,))),
        ("65", "60-70", None, (AGREE, ())),
        ("62-68", "60-70", None, (AGREE, ())),
        ("60-70", "60-70", None, (AGREE, ())),
        ("60-70", "65-75", None, (NO_CONFLICT, (R.partial_overlap,))),
        ("60-70", "71-75", None, (CONTRADICT, (R.disjoint,))),
        ("60-70", "70-75", None, (NO_CONFLICT, (R.partial_overlap,))),
        ("60-70", "over 70", None, (CONTRADICT, (R.disjoint,))),
        ("60-70", "over 65", None, (NO_CONFLICT, (R.open_end, R.partial_overlap))),
        ("60-70", "over 50", None, (NO_CONFLICT, (R.open_end,))),
        ("65", "over 50", None, (NO_CONFLICT, (R.open_end,))),
        ("over 60", "over 50", None, (NO_CONFLICT, (R.open_end,))),
        ("over 60", "up to 70", None, (NO_CONFLICT, (R.open_end, R.partial_overlap))),
        ("about 100", "101", None, (UNDETERMINED, (R.approximate,))),
        ("about 100", "101", 0.001, (CONTRADICT, (R.disjoint,))),
        ("about 100", "101", 0.01, (AGREE, ())),
        ("about 100", "100", None, (AGREE, ())),
        ("about 65", "60-70", None, (AGREE, ())),
        ("about 60-70", "75", None, (UNDETERMINED, (R.approximate,))),
        ("about 60-70", "75", 0.05, (CONTRADICT, (R.disjoint,))),
        ("about 60-70", "75", 0.1, (AGREE, ())),
        ("about 100", "about 109", 0.05, (NO_CONFLICT, (R.partial_overlap,))),
        ("nearly 100", "50", None, (UNDETERMINED, (R.approximate,))),
        ("nearly 100", "50", 0.1, (CONTRADICT, (R.disjoint,))),
        ("nearly 100", "95", 0.1, (AGREE, ())),
        ("nearly 100", "80-120", 0.1, (AGREE, ())),
        ("nearly 100", "100", None, (UNDETERMINED, (R.approximate,))),
        ("thousands", "100", None, (UNDETERMINED, (R.vague,))),
        ("thousands", "dozens", 0.1, (UNDETERMINED, (R.vague,))),
    ],
)
def test_figures_of_one_end_are_weighed_by_their_intervals(
    a: str, b: str, tolerance: float | None, expected: tuple[Verdict, tuple[Reason, ...]]
) -> None:
    assert verdict(claim(a), claim(b), tolerance) == expected


def test_what_rests_on_a_confidence_range_says_so() -> None:
    ranged = claim(figure=RANGE95)
    assert verdict(ranged, claim("65")) == (AGREE, (R.probabilistic,))
    assert verdict(ranged, claim("75")) == (CONTRADICT, (R.disjoint, R.probabilistic))
    assert verdict(ranged, claim("65-75")) == (NO_CONFLICT, (R.probabilistic, R.partial_overlap))
    assert verdict(ranged, claim("about 75")) == (UNDETERMINED, (R.approximate, R.probabilistic))
    assert verdict(ranged, claim("dozens")) == (UNDETERMINED, (R.vague,))
    assert verdict(ranged, claim("75", "2022-02-24/2025-06-01")) == (CONTRADICT, (R.falls, R.probabilistic))
    assert verdict(ranged, claim("50", "2022-02-24/2025-06-01")) == (
        NO_CONFLICT,
        (R.probabilistic, R.dates_differ),
    )


def test_a_best_estimate_decides_over_its_range() -> None:
    best = claim(figure=parse_figure("60-90", value=65))
    assert verdict(best, claim("61-70")) == (AGREE, ())
    assert verdict(claim(figure=parse_figure("60-90", value=85)), claim("55-70")) == (
        NO_CONFLICT,
        (R.partial_overlap,),
    )


# 4. Dates


def test_a_growing_total_can_only_be_too_large_too_early() -> None:
    early = "2022-02-24/2025-06-01"
    assert verdict(claim("90", early), claim("100")) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(claim("110", early), claim("100")) == (CONTRADICT, (R.falls,))
    assert verdict(claim("about 110", early), claim("100")) == (UNDETERMINED, (R.approximate,))
    assert verdict(claim("over 110", early), claim("100")) == (CONTRADICT, (R.falls,))
    assert verdict(claim("dozens", early), claim("100")) == (UNDETERMINED, (R.vague,))


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "excess-deaths"},
        {"aggregation": "rate", "per": "day"},
        {"aggregation": "snapshot"},
        {"category": "excess-deaths", "aggregation": "within"},
        {"proposition": "change", "base": "2021"},
    ],
)
def test_other_figures_of_different_ends_are_not_compared(changes: dict[str, Any]) -> None:
    early, late = (
        replace(claim("110", "2022-02-24/2025-06-01"), **changes),
        replace(claim("100"), **changes),
    )
    assert verdict(early, late) == (NOT_COMPARABLE, (R.window_differs,))
    pair = compare_statements(early, late, HIERARCHY)
    assert (pair.ratio, pair.gap) == (None, None)


def test_where_the_day_decides_and_is_not_known_the_verdict_is_open() -> None:
    june = "2022-02-24/2025-06"
    assert verdict(claim("110", june), claim("100")) == (UNDETERMINED, (R.end_uncertain,))
    assert verdict(claim("90", june), claim("100")) == (UNDETERMINED, (R.end_uncertain,))
    assert verdict(claim("100", june), claim("100")) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(claim("100", june), claim("100", june)) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(claim("90", june), claim("100", june)) == (UNDETERMINED, (R.end_uncertain,))
    assert verdict(claim("90", june), claim("100", "2022-02-24/2025-07")) == (
        NO_CONFLICT,
        (R.dates_differ,),
    )
    assert verdict(claim("110", june), claim("100", "2022-02-24/2025-07")) == (CONTRADICT, (R.falls,))
    assert verdict(claim("about 110", june), claim("100")) == (
        UNDETERMINED,
        (R.approximate, R.end_uncertain),
    )
    assert verdict(claim("dozens", june), claim("100", june)) == (UNDETERMINED, (R.vague,))


def test_the_first_and_the_last_possible_day_of_an_end_may_be_that_of_another() -> None:
    june = "2022-02-24/2025-06"
    assert verdict(claim("110", june), claim("120", "2022-02-24/2025-06-01")) == (
        CONTRADICT,
        (R.disjoint, R.falls),
    )
    assert verdict(claim("110", june), claim("100", "2022-02-24/2025-06-30")) == (
        CONTRADICT,
        (R.disjoint, R.falls),
    )
    assert verdict(claim("110", june), claim("110", "2022-02-24/2025-06-30")) == (
        NO_CONFLICT,
        (R.dates_differ,),
    )


def test_a_qualified_end_may_be_another_day() -> None:
    assert verdict(claim(edtf="2022-02-24/2025-06-12~"), claim()) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(claim("110", "2022-02-24/2025-06-12~"), claim("100")) == (
        UNDETERMINED,
        (R.end_uncertain,),
    )


def test_a_whole_period_ends_on_its_last_day() -> None:
    monthly = claim("100", "2025-06", aggregation="within")
    assert verdict(monthly, replace(monthly, figure=parse_figure("200"))) == (CONTRADICT, (R.disjoint,))
    by_days = replace(monthly, period=parse_period("2025-06-01/2025-06-30"))
    assert verdict(monthly, by_days) == (AGREE, ())


def test_an_uncertain_end_of_a_part_is_weighed_both_ways() -> None:
    part = claim("110", "2022-02-24/2025-06", category="killed-named")
    assert verdict(part, claim("100")) == (UNDETERMINED, (R.part_of_whole, R.end_uncertain))
    assert verdict(part, claim("120")) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))


def test_a_total_for_a_period_does_not_grow_into_another_period() -> None:
    # A month of 2023 that the source does not name: it may be another month for the other source.
    month = claim("110", "2023-01-01/2023-XX", aggregation="within")
    assert verdict(month, replace(month, figure=parse_figure("110"))) == (NOT_COMPARABLE, (R.window_differs,))
    assert verdict(month, replace(month, figure=parse_figure("100"))) == (UNDETERMINED, (R.end_uncertain,))


# Hours

DAY = date(2025, 3, 15)
TOLL = claim("19", "2025-03-15", aggregation="within", date=DAY, said_at=datetime.fromisoformat("2025-03-15T10:00:00Z"))
HOURS_UNKNOWN = (UNDETERMINED, (R.hours_unknown,))


def toll(words: str, moment: str | None = None, day: date = DAY, edtf: str = "2025-03-15", **changes: Any) -> Statement:
    said_at = None if moment is None else datetime.fromisoformat(moment)
    made = replace(TOLL, figure=parse_figure(words), period=parse_period(edtf), said_at=said_at)
    return replace(made, date=day if said_at is None else said_at.date(), **changes)


def test_a_toll_grows_from_hour_to_hour() -> None:
    assert verdict(TOLL, toll("34", "2025-03-15T18:00:00Z")) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(TOLL, toll("34", "2025-03-15T09:00:00Z")) == (CONTRADICT, (R.falls,))
    assert verdict(TOLL, toll("34", "2025-03-15T10:00:00Z")) == (CONTRADICT, (R.disjoint,))
    # 12:30 at three hours east of Greenwich is before 10:00 there.
    assert verdict(TOLL, toll("15", "2025-03-15T12:30:00+03:00")) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(TOLL, toll("15", "2025-03-15T13:00:00+03:00")) == (CONTRADICT, (R.disjoint,))


def test_an_unknown_hour_leaves_a_contradiction_undetermined() -> None:
    assert verdict(TOLL, toll("34")) == HOURS_UNKNOWN
    assert verdict(toll("19"), toll("34")) == HOURS_UNKNOWN
    assert verdict(TOLL, toll("19")) == (AGREE, ())
    assert verdict(TOLL, toll("over 10")) == (NO_CONFLICT, (R.open_end,))
    assert verdict(TOLL, toll("about 34")) == (UNDETERMINED, (R.approximate,))


def test_a_total_of_a_day_that_is_said_later_ends_with_the_day() -> None:
    next_day = date(2025, 3, 16)
    assert verdict(TOLL, toll("34", day=next_day)) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(toll("19"), toll("34", day=next_day)) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(toll("34"), toll("19", day=next_day)) == (CONTRADICT, (R.falls,))
    assert verdict(toll("34", day=next_day), toll("19", day=next_day)) == (CONTRADICT, (R.disjoint,))
    assert verdict(TOLL, toll("34", "2025-03-16T08:00:00Z")) == (NO_CONFLICT, (R.dates_differ,))
    running = toll("34", day=next_day, aggregation="cumulative")
    assert verdict(TOLL, running) == (NO_CONFLICT, (R.dates_differ,))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2025-02-13", HOURS_UNKNOWN),
        ("2025-02-12", (CONTRADICT, (R.disjoint, R.hours_unknown))),
        ("2022-02-24", (CONTRADICT, (R.disjoint, R.hours_unknown))),
    ],
)
def test_in_a_long_period_an_unknown_hour_is_told_beside_the_verdict(
    start: str, expected: tuple[Verdict, tuple[Reason, ...]]
) -> None:
    total = toll("19", edtf=f"{start}/2025-03-15", aggregation="cumulative")
    assert verdict(total, replace(total, figure=parse_figure("34"))) == expected


def test_one_long_period_is_enough_for_a_contradiction() -> None:
    total = toll("19", edtf="2025-02-01/2025-03-15", aggregation="cumulative")
    reasons = (R.part_of_whole, R.period_within, R.hours_unknown)
    assert verdict(toll("34"), total) == (CONTRADICT, reasons)
    recent = replace(total, period=parse_period("2025-03-01/2025-03-15"))
    assert verdict(toll("34"), recent) == (UNDETERMINED, reasons)


def test_a_part_may_exceed_its_whole_of_an_earlier_hour() -> None:
    part = toll("34", category="killed-named")
    assert verdict(part, TOLL) == (UNDETERMINED, (R.part_of_whole, R.hours_unknown))
    later = replace(part, said_at=datetime.fromisoformat("2025-03-15T18:00:00Z"))
    assert verdict(later, TOLL) == (NO_CONFLICT, (R.part_of_whole, R.dates_differ))
    earlier = replace(part, said_at=datetime.fromisoformat("2025-03-15T09:00:00Z"))
    assert verdict(earlier, TOLL) == (CONTRADICT, (R.part_of_whole,))
    assert verdict(toll("10", category="killed-named"), TOLL) == (NO_CONFLICT, (R.part_of_whole,))


def test_hours_across_midnight_are_compared_by_their_offsets() -> None:
    east = toll("19", "2025-03-16T00:30:00+12:00", edtf="2025-03-01/2025-03-16", aggregation="cumulative")
    west = toll("34", "2025-03-15T20:00:00Z", edtf="2025-03-01/2025-03-15", aggregation="cumulative")
    assert verdict(east, west) == (NO_CONFLICT, (R.dates_differ,))
    assert verdict(replace(east, figure=parse_figure("40")), west) == (CONTRADICT, (R.falls,))
    same_moment = replace(west, said_at=datetime.fromisoformat("2025-03-15T12:30:00Z"))
    assert verdict(east, same_moment) == (CONTRADICT, (R.disjoint,))
    # Without an hour, the days decide.
    assert verdict(east, replace(west, said_at=None)) == (CONTRADICT, (R.falls,))
    assert verdict(replace(east, said_at=None), west) == (CONTRADICT, (R.falls,))


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "excess-deaths"},
        {"aggregation": "snapshot"},
        {"aggregation": "rate", "per": "day"},
        {"proposition": "change"},
    ],
)
def test_hours_count_only_for_totals_of_what_grows(changes: dict[str, Any]) -> None:
    later = toll("34", "2025-03-15T18:00:00Z")
    assert verdict(replace(TOLL, **changes), replace(later, **changes)) == (CONTRADICT, (R.disjoint,))
    unknown = toll("34")
    assert verdict(replace(TOLL, **changes), replace(unknown, **changes)) == (CONTRADICT, (R.disjoint,))


# Ratio and gap


@pytest.mark.parametrize(
    ("a", "b", "ratio", "gap"),
    [
        ("200", "100", 2.0, 100),
        ("100", "100", 1.0, 0),
        ("60-70", "80-90", 1.142857, 10),
        ("over 70", "60-70", 1.0, 0),
        ("at least 80", "up to 70", 1.142857, 10),
        ("60-70", "65", None, None),
        ("60-70", "70-80", None, None),
        ("over 70", "over 60", None, None),
        ("0.3", "0.1", 3.0, 0.2),
        ("0", "10", None, 10),
        ("0", "0", None, 0),
        ("1", "1", 1.0, 0),
        ("-5", "-5", None, 0),
        ("-5", "5", None, 10),
        ("dozens", "10", None, None),
        ("about 100", "110", 1.1, 10),
    ],
)
def test_ratio_and_gap_lie_between_the_nearest_stated_numbers(
    a: str, b: str, ratio: float | None, gap: float | None
) -> None:
    one, two = claim(a, id="a"), claim(b, id="b")
    pair, mirrored = compare_statements(one, two, HIERARCHY), compare_statements(two, one, HIERARCHY)
    assert (pair.ratio, pair.gap) == (ratio, gap)
    assert pair == replace(mirrored, a="a", b="b")


@pytest.mark.parametrize(
    ("a", "b", "ratio", "gap", "above"),
    [
        (("1,000", "acres"), ("1,200", "acres"), 1.2, 200, "b"),
        (("1,000", "hectares"), ("1,200", "hectares"), 1.2, 200, "b"),
        (("1", "square-kilometers"), ("120", "hectares"), 1.2, 20, "b"),
        (("2", "square-kilometers"), ("120", "hectares"), 1.666667, 0.8, "a"),
    ],
)
def test_a_gap_is_in_the_unit_of_the_larger_figure(
    a: tuple[str, str], b: tuple[str, str], ratio: float, gap: float, above: str
) -> None:
    one, two = claim(a[0], id="a", unit=a[1]), claim(b[0], id="b", unit=b[1])
    pair, mirrored = compare_statements(one, two, HIERARCHY), compare_statements(two, one, HIERARCHY)
    assert (pair.ratio, pair.gap, pair.above) == (ratio, gap, above)
    assert pair == replace(mirrored, a="a", b="b")
    assert isinstance(pair.gap, int | float)


def test_a_gap_between_two_ratios_is_a_difference_of_shares() -> None:
    one_in_five = claim(id="a", proposition="ratio", figure=PrintedFigure("1 in 5", value=1, out_of=5))
    one_in_four = claim(id="b", proposition="ratio", figure=PrintedFigure("1 in 4", value=1, out_of=4))
    pair = compare_statements(one_in_five, one_in_four, HIERARCHY)
    assert (pair.verdict, pair.ratio, pair.gap, pair.above) == (CONTRADICT, 1.25, 0.05, "b")


def test_ratio_and_gap_do_not_change_with_the_tolerance() -> None:
    for tolerance in (None, 0.01, 1.0):
        pair = compare_statements(claim("about 200"), claim("100"), HIERARCHY, tolerance)
        assert (pair.ratio, pair.gap) == (2.0, 100)


def test_a_ratio_that_no_double_can_carry_is_not_told() -> None:
    assert ratio_of(1e15, 1e-300) is None


def test_reasons_come_once_and_in_the_order_of_the_vocabulary() -> None:
    assert sort_reasons([R.vague, R.subject_differs, R.vague]) == (R.subject_differs, R.vague)


# Properties


@st.composite
def statements(draw: st.DrawFn, id: str) -> Statement:  # noqa: A002 - the field's name
    low, high = sorted([draw(st.integers(-5, 20)), draw(st.integers(-5, 20))])
    shape = draw(
        st.sampled_from(["plain", "about", "range", "best", "over", "least", "most", "nearly", "vague", "none"])
    )
    drawn = {
        "plain": PrintedFigure("x", value=low),
        "about": PrintedFigure("x", value=low, approximate=True),
        "range": PrintedFigure("x", lower=low, upper=high, coverage=draw(st.sampled_from([None, 0.95]))),
        "best": PrintedFigure("x", value=low, lower=low, upper=high, approximate=draw(st.booleans())),
        "over": PrintedFigure("x", lower=low, lower_inclusive=False),
        "least": PrintedFigure("x", lower=low),
        "most": PrintedFigure("x", upper=low),
        "nearly": PrintedFigure("x", upper=low, upper_inclusive=False, approximate=True),
        "vague": PrintedFigure("x"),
        "none": PrintedFigure("x"),
    }[shape]
    proposition = "trend" if shape == "none" else "quantity"
    ends = ["2025-06-12", "2025-06-01", "2025-06", "2025-06-12~", "..", ""]
    return Statement(
        id=id,
        source=draw(st.sampled_from(["kyiv", "london"])),
        category=draw(st.sampled_from(["killed", "casualties", "killed-named", "excess-deaths", "losses"])),
        subject=draw(st.sampled_from(["russian-forces", "wagner"])),
        place="russia-ukraine-war",
        unit="persons",
        proposition=proposition,
        modality=draw(st.sampled_from(["estimate", "count", "forecast"])),
        derivation="own",
        figure=validate_figure(drawn, proposition),
        period=parse_period(f"2022-02-24/{draw(st.sampled_from(ends))}"),
        aggregation=draw(st.sampled_from(["cumulative", "cumulative", "within", "snapshot"])),
        date=draw(st.sampled_from([date(2025, 6, 12), date(2025, 6, 13), None])),
        includes=draw(st.sampled_from([NONE, NONE, WAGNER])),
        excludes=NONE,
    )


TOLERANCES = st.sampled_from([0.01, 0.05, 0.1, 0.5, 1.0])


@given(statements("a"), statements("b"), st.none() | TOLERANCES)
@try_examples(120)
def test_verdicts_do_not_depend_on_who_is_named_first(a: Statement, b: Statement, tolerance: float | None) -> None:
    result = verdict(a, b, tolerance)
    assert result[1] == sort_reasons(result[1])
    if result[0] in {UNDETERMINED, NOT_COMPARABLE}:
        assert result[1]


@given(statements("a"), statements("b"), TOLERANCES, TOLERANCES)
@try_examples(100)
def test_a_larger_tolerance_never_turns_agreement_into_contradiction(
    a: Statement, b: Statement, one: float, two: float
) -> None:
    strict, lenient = (
        compare_statements(a, b, HIERARCHY, min(one, two)),
        compare_statements(a, b, HIERARCHY, max(one, two)),
    )
    if strict.verdict in {AGREE, NO_CONFLICT}:
        assert lenient.verdict is not CONTRADICT


@given(statements("a"), statements("b"), st.integers(0, 9), st.integers(0, 9), st.none() | TOLERANCES)
@try_examples(100)
def test_a_wider_interval_never_turns_agreement_into_contradiction(
    a: Statement, b: Statement, down: int, up: int, tolerance: float | None
) -> None:
    if compare_statements(a, b, HIERARCHY, tolerance).verdict is not AGREE:
        return
    old = a.figure
    lower, upper = old.value if old.lower is None else old.lower, old.value if old.upper is None else old.upper
    assert lower is not None or upper is not None
    wide = replace(
        old,
        lower=None if lower is None else lower - down,
        upper=None if upper is None else upper + up,
        lower_inclusive=None if lower is None else True,
        upper_inclusive=None if upper is None else True,
        coverage=None,
    )
    assert compare_statements(replace(a, figure=wide), b, HIERARCHY, tolerance).verdict is not CONTRADICT


@given(statements("a"), statements("b"), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_only_ratio_and_gap_are_computed(a: Statement, b: Statement, shift: int) -> None:
    """A pair names two claims and no other number; once a period is over, the day of a statement plays no part."""
    pair = compare_statements(a, b, HIERARCHY)
    assert (pair.gap is None) or (pair.gap >= 0 and isinstance(pair, PairComparison))
    assert pair.ratio is None or pair.ratio >= 1
    if a.period.end is not None:
        after = replace(a, date=AFTERWARDS)
        later = replace(a, date=AFTERWARDS + timedelta(days=shift))
        assert compare_statements(later, b, HIERARCHY) == compare_statements(after, b, HIERARCHY)


def test_a_bound_that_lies_near_its_number_is_measured_from_that_number() -> None:
    pair = compare_statements(claim("nearly 950,000"), claim("500,000", id="y"), HIERARCHY, 0.1)
    assert (pair.verdict, pair.above, pair.gap, pair.ratio) == (CONTRADICT, "x", 450_000, 1.9)
