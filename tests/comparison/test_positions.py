"""A source has one position per series, and the spread consists of numbers that sources stated."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import PrintedFigure, interval_of, validate_figure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.origins import ClaimNode, OriginEdge, count_independent_origins, find_roots
from app.comparison.period import parse_period
from app.comparison.positions import age_days, compare_pairs, find_positions, is_transcription_conflict
from app.comparison.question import Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.comparison.verdicts import PairComparison, Statement
from app.comparison.wording import parse_wording
from app.enums import Reason, Verdict

R = Reason


def category(slug: str, *components: str, parent: str | None = None) -> CategoryNode:
    return CategoryNode(slug, components or (slug,), parent, non_decreasing=True, unit="persons")


CATEGORIES = [
    category("killed"),
    category("wounded"),
    category("casualties", "killed", "wounded"),
    category("killed-named", parent="killed"),
]
SCHEME = Hierarchy({each.slug: each for each in CATEGORIES}, subjects={}, places={})
ASKED = Question(category="casualties", subject="russian-forces", place="russia-ukraine-war", aggregation="cumulative")


def said(id: str, source: str, words: str, end: str = "2025-06-12", **changes: Any) -> Statement:  # noqa: A002 - the field's name
    read = parse_wording(words)
    assert read is not None
    made = Statement(
        id=id,
        source=source,
        category="casualties",
        subject="russian-forces",
        place="russia-ukraine-war",
        unit="persons",
        proposition="quantity",
        modality="estimate",
        derivation="own",
        figure=read,
        period=parse_period(f"2022-02-24/{end}"),
        aggregation="cumulative",
        date=parse_period(f"2022-02-24/{end}").latest_end,
    )
    return replace(made, **changes)


def ids(*statements: Statement) -> list[str]:
    return [each.id for each in find_positions(statements)]


# Positions


def test_a_source_stands_where_it_stood_last() -> None:
    old, new = said("1", "kyiv", "900"), said("2", "kyiv", "1,000", "2025-06-13")
    assert ids(old, new) == ["2"]
    restated = replace(old, id="3", date=date(2025, 6, 14))
    assert ids(old, restated) == ["3"]
    assert ids(old, replace(old, id="3", date=None)) == ["1"]
    open_ended = replace(old, id="4", period=parse_period("2022-02-24/.."))
    assert ids(old, open_ended) == ["1"]
    assert ids(open_ended) == ["4"]


def test_of_a_restatement_the_narrowest_stands_and_then_the_smallest_id() -> None:
    wide, narrow = said("1", "kyiv", "900-1,100"), said("2", "kyiv", "1,000")
    assert ids(wide, narrow) == ["2"]
    assert ids(said("0", "kyiv", "over 900"), wide) == ["1"]
    assert ids(said("0", "kyiv", "thousands"), said("1", "kyiv", "over 900")) == ["1"]
    assert ids(narrow, replace(narrow, id="3")) == ["2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "london"},
        {"category": "killed"},
        {"subject": "wagner"},
        {"place": "kursk-oblast"},
        {"includes": frozenset({"wagner"})},
        {"excludes": frozenset({"wagner"})},
        {"aggregation": "within"},
        {"unit": "vehicles"},
        {"figure": PrintedFigure("900", value=900, relative_to="usd-2024")},
        {"modality": "forecast"},
    ],
)
def test_different_questions_have_a_position_each(changes: dict[str, Any]) -> None:
    assert set(ids(said("1", "kyiv", "900"), replace(said("2", "kyiv", "900", "2025-06-13"), **changes))) == {"1", "2"}


def test_a_count_displaces_an_estimate() -> None:
    assert ids(said("1", "kyiv", "900"), said("2", "kyiv", "900", "2025-06-13", modality="count")) == ["2"]


def test_two_transcriptions_of_one_statement_both_stay_and_contradict() -> None:
    one, two = said("1", "kyiv", "about 900"), said("2", "kyiv", "about 800")
    between = said("3", "kyiv", "over 700")
    standing = find_positions([one, two, between])
    assert [each.id for each in standing] == ["2", "1"]
    assert compare_pairs(standing, SCHEME) == (
        PairComparison("2", "1", Verdict.contradict, (R.transcription_conflict,), ratio=1.125, gap=100),
    )


@pytest.mark.parametrize(
    ("words", "standing"),
    [
        (["over 9", "at least 9", "up to 9"], {"over 9", "up to 9"}),
        (["under 9", "up to 9", "at least 9"], {"under 9", "at least 9"}),
        (["0", "-0.5 to -0.2", "over -1"], {"0", "-0.5 to -0.2"}),
        (["0", "0.5", "under 9"], {"0", "0.5"}),
        (["0", "0.5", "-1 to 0.2"], {"0", "0.5", "-1 to 0.2"}),
        (["0.5", "up to 0", "0.2-0.7"], {"0.5", "up to 0", "0.2-0.7"}),
    ],
)
def test_only_figures_that_exclude_another_stay_beside_the_narrowest(words: list[str], standing: set[str]) -> None:
    tied = [said(str(number), "kyiv", each) for number, each in enumerate(words)]
    assert {each.figure.as_printed for each in find_positions(tied)} == standing


def test_a_transcription_conflict_of_confidence_ranges_is_probabilistic() -> None:
    one = said("1", "kyiv", "900", figure=PrintedFigure("800-900", lower=800, upper=900, coverage=0.9))
    two = said("2", "kyiv", "1,000")
    (pair,) = compare_pairs(find_positions([one, two]), SCHEME)
    assert (pair.verdict, pair.reasons) == (Verdict.contradict, (R.transcription_conflict, R.probabilistic))


@pytest.mark.parametrize(
    "changes",
    [
        {"period": parse_period("2024-01-01/2025-06-12")},
        {"figure": PrintedFigure("12 of 100", value=12, out_of=100)},
        {"figure": PrintedFigure("over 800", lower=800)},
        {"date": date(2025, 6, 13)},
        {"source": "london"},
        {"figure": PrintedFigure("thousands")},
    ],
)
def test_different_statements_are_not_a_transcription_conflict(changes: dict[str, Any]) -> None:
    assert not is_transcription_conflict(said("1", "kyiv", "900"), replace(said("2", "kyiv", "800"), **changes))


def test_transcriptions_of_unknown_start_still_conflict() -> None:
    since = parse_period("/2025-06-12")
    assert is_transcription_conflict(said("1", "kyiv", "900", period=since), said("2", "kyiv", "800", period=since))


def test_claims_without_a_figure_are_no_positions_but_vague_ones_are() -> None:
    peak = said("1", "kyiv", "thousands", proposition="peak_period")
    assert ids(peak, said("2", "london", "thousands")) == ["2"]


def test_positions_are_ordered_by_lower_end_then_source() -> None:
    standing = [
        said("1", "d", "500"),
        said("2", "c", "up to 900"),
        said("3", "b", "500-700"),
        said("4", "a", "-5"),
        said("5", "a", "thousands", category="killed"),
    ]
    assert ids(*standing) == ["5", "2", "4", "3", "1"]


# Spread


def test_the_spread_is_made_of_stated_numbers() -> None:
    standing = [
        said("1", "kyiv", "about 1,000,340"),
        said("2", "london", "nearly 950,000"),
        said("3", "csis", "over 400,000", "2025-06-01"),
        said("4", "kyiv", "500,000-600,000", "2025-06-11", modality="count"),
    ]
    assert measure_spread(standing, ASKED) == MeasuredSpread(
        400000, 1000340, 2.50085, 3, open_lower=True, open_upper=True, left_out=()
    )
    assert measure_spread(standing[::3], ASKED) == MeasuredSpread(
        500000, 1000340, 2.00068, 1, open_lower=False, open_upper=False, left_out=()
    )


def test_every_position_that_is_left_out_is_named_with_its_reasons() -> None:
    counted = said("00", "kyiv", "1,000")
    strays: dict[str, tuple[Statement, tuple[Reason, ...]]] = {
        "01": (said("01", "a", "5", category="killed"), (R.components_differ,)),
        "02": (said("02", "a", "5", subject="wagner"), (R.subject_differs,)),
        "03": (said("03", "a", "5", place="syria"), (R.place_differs,)),
        "04": (said("04", "a", "5", aggregation="rate"), (R.aggregation_differs,)),
        "05": (said("05", "a", "5", includes=frozenset({"wagner"})), (R.scope_differs,)),
        "06": (said("06", "a", "5", modality="forecast"), (R.modality_differs,)),
        "07": (said("07", "a", "5 of 10"), (R.base_differs,)),
        "08": (said("08", "a", "thousands"), (R.vague,)),
        "09": (said("09", "a", "5", "2025-05-11"), (R.dates_differ,)),
        "10": (said("10", "a", "5", ".."), (R.end_uncertain,)),
        "11": (said("11", "a", "5", unit="vehicles", category="tanks"), (R.unit_differs, R.components_differ)),
    }
    found = measure_spread([counted, *(each[0] for each in strays.values())], replace(ASKED, unit="persons"))
    assert (found.lower, found.upper, found.ratio, found.sources) == (1000, 1000, 1.0, 1)
    assert dict(found.left_out) == {id: each[1] for id, each in strays.items()}  # noqa: A001 - as everywhere


def test_the_window_is_counted_in_days_before_the_newest_end() -> None:
    standing = [said("1", "kyiv", "1,000"), said("2", "london", "900", "2025-05-12")]
    assert measure_spread(standing, ASKED).sources == 2
    assert measure_spread(standing, ASKED, window=30).left_out == (("2", (R.dates_differ,)),)


def test_asking_for_nothing_in_particular_takes_all() -> None:
    standing = [
        said("1", "kyiv", "1,000"),
        said("2", "kyiv", "900", subject="wagner", place="syria", aggregation="within"),
    ]
    assert measure_spread(standing, Question(category="casualties")).lower == 900


@pytest.mark.parametrize("words", [[], ["thousands"]])
def test_without_numbers_there_is_no_spread(words: list[str]) -> None:
    found = measure_spread([said("1", "kyiv", each) for each in words], ASKED)
    assert (found.lower, found.upper, found.ratio, found.sources) == (None, None, None, 0)
    assert not found.open_lower
    assert not found.open_upper


def test_a_spread_that_is_not_positive_has_no_ratio() -> None:
    assert measure_spread([said("1", "kyiv", "0"), said("2", "london", "5")], ASKED).ratio is None


# Age


@pytest.mark.parametrize(
    ("end", "day", "expected"),
    [
        ("2022-09-21", date(2022, 9, 21), 995),
        ("2022-09-21", date(2022, 9, 1), 1015),
        ("2022-09-21", None, 995),
        ("..", date(2022, 9, 21), 995),
        ("..", None, None),
    ],
)
def test_a_position_ages_from_its_end_or_its_date(end: str, day: date | None, expected: int | None) -> None:
    assert age_days(said("1", "moscow", "5,937", end, date=day), date(2025, 6, 12)) == expected


# Order

FIGURES = [
    PrintedFigure("10", value=10),
    PrintedFigure("about 12", value=12, approximate=True),
    PrintedFigure("8-11", lower=8, upper=11, coverage=0.95),
    PrintedFigure("over 9", lower=9, lower_inclusive=False),
    PrintedFigure("nearly 9", upper=9, upper_inclusive=False, approximate=True),
    PrintedFigure("3 of 10", value=3, out_of=10),
    PrintedFigure("dozens"),
]
STATEMENTS = st.lists(
    st.builds(
        lambda source, figure, end, day, slug, modality: said(
            "?",
            source,
            "1",
            end,
            figure=validate_figure(figure, "quantity"),
            date=day,
            category=slug,
            modality=modality,
        ),
        st.sampled_from(["kyiv", "london"]),
        st.sampled_from(FIGURES),
        st.sampled_from(["2025-06-12", "2025-06-11", "2025-06", "2025-01-01", ".."]),
        st.sampled_from([date(2025, 6, 12), None]),
        st.sampled_from(["casualties", "casualties", "killed", "killed-named"]),
        st.sampled_from(["estimate", "forecast"]),
    ),
    max_size=8,
).map(lambda made: [replace(each, id=str(number)) for number, each in enumerate(made)])


@given(STATEMENTS, st.none() | st.sampled_from([0.1, 1.0]), st.data())
@settings(max_examples=120, deadline=None)
def test_the_order_of_claims_never_matters(made: list[Statement], tolerance: float | None, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(made))
    standing, again = find_positions(made), find_positions(shuffled)
    assert again == standing
    assert compare_pairs(again, SCHEME, tolerance) == compare_pairs(standing, SCHEME, tolerance)
    assert measure_spread(shuffled, ASKED) == measure_spread(made, ASKED)


@given(STATEMENTS)
@settings(max_examples=120, deadline=None)
def test_no_number_comes_out_that_no_source_stated(made: list[Statement]) -> None:
    standing = find_positions(made)
    assert set(standing) <= set(made)
    stated = {number for each in made for number in (each.figure.value, each.figure.lower, each.figure.upper)}
    found = measure_spread(standing, ASKED)
    assert {found.lower, found.upper} <= stated | {None}
    assert {each[0] for each in found.left_out} <= {each.id for each in standing}
    assert found.sources <= len(standing) - len(found.left_out)


ENDED = parse_period("2022-02-24/2025-06-12")


@given(STATEMENTS)
@settings(max_examples=150, deadline=None)
def test_whatever_lies_apart_from_a_tied_claim_stays(made: list[Statement]) -> None:
    tied = [replace(each, source="kyiv", category="killed", modality="count", period=ENDED, date=None) for each in made]
    tied = [replace(each, figure=replace(each.figure, relative_to=None)) for each in tied]
    apart = {a.id for a in tied for b in tied if is_apart(a, b)}
    standing = {each.id for each in find_positions(tied)}
    # The narrowest claim is always included.
    assert apart <= standing
    assert len(standing - apart) <= 1
    assert bool(standing) == bool(made)


def is_apart(a: Statement, b: Statement) -> bool:
    one, two = interval_of(a.figure), interval_of(b.figure)
    return one is not None and two is not None and one.is_disjoint_from(two)


# The worked case of the contract


def worked_case() -> list[Statement]:
    return [
        said("kyiv", "ua-general-staff", "about 1,000,340"),
        said("uk", "uk-mod", "about 1,000,000", derivation="derived"),
        said("csis", "csis", "over 950,000", "2025-06-03", derivation="derived"),
        said("csis-dead", "csis", "up to 250,000", "2025-06-03", category="killed", derivation="derived"),
        said("mediazona", "mediazona", "at least 109,625", "2025-05-30", category="killed-named", modality="count"),
        said("pentagon", "us-dod", "70,000 to 80,000", "2022-08-08"),
        said("moscow", "ru-mod", "5,937", "2022-09-21", category="killed"),
    ]


def test_the_worked_case_of_the_contract_holds() -> None:
    standing = find_positions(worked_case())
    assert len(standing) == 7

    def found(a: str, b: str, tolerance: float | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
        (pair,) = [each for each in compare_pairs(standing, SCHEME, tolerance) if {each.a, each.b} == {a, b}]
        return pair.verdict, pair.reasons

    assert found("kyiv", "uk") == (Verdict.undetermined, (R.approximate,))
    assert found("kyiv", "uk", 0.01) == (Verdict.agree, ())
    for total in ("kyiv", "uk"):
        assert found("csis", total) == (Verdict.no_conflict, (R.dates_differ,))
    for total in ("kyiv", "uk", "csis"):
        assert found("mediazona", total) == (Verdict.no_conflict, (R.part_of_whole,))
        assert found("csis-dead", total) == (Verdict.no_conflict, (R.part_of_whole,))
    # The part is dated later than the whole, so they cannot be compared, with the dates as the reason.
    assert found("mediazona", "pentagon") == (Verdict.no_conflict, (R.part_of_whole, R.dates_differ))
    assert found("mediazona", "moscow") == (Verdict.no_conflict, (R.part_of_whole, R.dates_differ))
    by_id = {each.id: each for each in standing}
    assert age_days(by_id["moscow"], date(2025, 6, 12)) == 995


def test_the_worked_case_has_one_origin_and_perhaps_two() -> None:
    claims = {each.id: ClaimNode(each.id, each.source, each.derivation) for each in worked_case()}
    claims["echo"] = ClaimNode("echo", "newspaper", "unknown")
    edges = [
        OriginEdge("uk", to_claim="kyiv"),
        OriginEdge("echo", to_claim="kyiv"),
        OriginEdge("csis", to_claim="uk"),
        OriginEdge("csis", to_source="us-officials"),
    ]
    totals = [root for claim in ("kyiv", "uk", "csis", "echo") for root in find_roots(claim, claims, edges)]
    assert {(root.source, root.derivation) for root in totals} == {
        ("ua-general-staff", "own"),
        ("us-officials", "unknown"),
    }
    assert count_independent_origins(totals) == (1, 2)
