"""Figures keep what was printed, refuse what does not fit, and describe the interval that was stated."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import (
    Figure,
    FigureFault,
    Interval,
    Number,
    canonical_number,
    checked,
    difference,
    interval,
    kind_of,
    magnitude,
    plain_number,
)

# What a JSON document can bring: integers and doubles of at most 15 significant digits.
NUMBERS = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-(10**14), 10**14).map(lambda units: plain_number(units / 100)),
)
SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    ends = sorted([draw(NUMBERS), draw(NUMBERS)])
    lower = draw(st.sampled_from([ends[0], None]))
    upper = draw(st.sampled_from([ends[1], None]))
    if ends[0] == ends[1]:
        return Interval(lower, upper)
    return Interval(lower, upper, draw(st.booleans()) or lower is None, draw(st.booleans()) or upper is None)


@pytest.mark.parametrize(
    ("figure", "proposition", "kind"),
    [
        (Figure("1,351", value=1351), "quantity", "plain"),
        (Figure("about 5", value=5, approximate=True), "quantity", "approximate"),
        (Figure("5-7", lower=5, upper=7), "quantity", "range"),
        (Figure("5-7, likely 6", value=6, lower=5, upper=7, approximate=True), "quantity", "range"),
        (Figure("5 or more", lower=5), "quantity", "lower_bound"),
        (Figure("5 or more, likely 6", value=6, lower=5), "quantity", "lower_bound"),
        (Figure("up to 5", upper=5), "quantity", "upper_bound"),
        (Figure("thousands"), "quantity", "vague"),
        (Figure("several to one"), "ratio", "vague"),
        (Figure("the heaviest losses"), "peak_period", "none"),
        (Figure("denied"), "denial", "none"),
        (Figure("0", value=0), "trend", "plain"),
    ],
)
def test_the_kind_follows_from_the_numbers(figure: Figure, proposition: str, kind: str) -> None:
    assert kind_of(figure, proposition) == kind


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Figure("1,000,340", value=1000340.0), Figure("1,000,340", value=1000340)),
        (Figure("0", value=-0.0), Figure("0", value=0)),
        (
            Figure("5-7", lower=5, upper=7),
            Figure("5-7", lower=5, upper=7, lower_inclusive=True, upper_inclusive=True),
        ),
        (Figure("over 5", lower=5, lower_inclusive=False), Figure("over 5", lower=5, lower_inclusive=False)),
        (
            Figure("5", value=5, lower=5, upper=5, coverage=0.95),
            Figure("5", value=5, lower=5, upper=5, lower_inclusive=True, upper_inclusive=True, coverage=0.95),
        ),
        (Figure("10^15", value=1e15), Figure("10^15", value=10**15)),
        (Figure("-1.25", value=-1.25), Figure("-1.25", value=-1.25)),
        (Figure("999,999,999,999,999", value=999999999999999), Figure("999,999,999,999,999", value=999999999999999)),
        (Figure("12 of 100", value=12, out_of=100.0), Figure("12 of 100", value=12, out_of=100)),
        (Figure("dozens"), Figure("dozens")),
    ],
)
def test_a_sound_figure_is_kept_with_plain_numbers(figure: Figure, expected: Figure) -> None:
    result = checked(figure, "quantity")
    assert result == expected
    assert [type(result.value), type(result.out_of)] == [type(expected.value), type(expected.out_of)]


RATIO = Figure("one to five", value=1, out_of=5, relative_to="ukrainian-forces")


@pytest.mark.parametrize(
    ("figure", "proposition", "field"),
    [
        (Figure("5", value=5), "guess", "proposition"),
        (Figure(" \n"), "quantity", "as_printed"),
        (Figure("5", value=5, relative_to=" "), "quantity", "relative_to"),
        (Figure("5", value=math.nan), "quantity", "value"),
        (Figure("5", lower=math.inf), "quantity", "lower"),
        (Figure("5", upper=-math.inf), "quantity", "upper"),
        (Figure("5", value=True), "quantity", "value"),
        (Figure("5", value="5"), "quantity", "value"),  # type: ignore[arg-type]
        (Figure("5", value=10**15 + 1), "quantity", "value"),
        (Figure("5", value=-1.1e15), "quantity", "value"),
        (Figure("5", value=10**400), "quantity", "value"),
        (Figure("5", value=0.1234567890123456), "quantity", "value"),
        (Figure("7-5", lower=7, upper=5), "quantity", "lower"),
        (Figure("5-5", lower=5, upper=5, upper_inclusive=False), "quantity", "lower_inclusive"),
        (Figure("5", value=4, lower=5), "quantity", "value"),
        (Figure("5", value=5, upper=5, upper_inclusive=False), "quantity", "value"),
        (Figure("5", value=5, lower_inclusive=True), "quantity", "lower_inclusive"),
        (Figure("5", value=5, upper_inclusive=False), "quantity", "upper_inclusive"),
        (Figure("5", value=5, coverage=0.9), "quantity", "coverage"),
        (Figure("5", lower=5, coverage=0.9), "quantity", "coverage"),
        (Figure("5-7", lower=5, upper=7, coverage=0.0), "quantity", "coverage"),
        (Figure("5-7", lower=5, upper=7, coverage=1.0), "quantity", "coverage"),
        (Figure("5-7", lower=5, upper=7, coverage=95), "quantity", "coverage"),
        (Figure("5-7", lower=5, upper=7, coverage=math.nan), "quantity", "coverage"),
        (Figure("5-7", lower=5, upper=7, coverage=True), "quantity", "coverage"),
        (Figure("some of the 100", out_of=100), "quantity", "out_of"),
        (Figure("5 of 0", value=5, out_of=0), "quantity", "out_of"),
        (Figure("5 of inf", value=5, out_of=math.inf), "quantity", "out_of"),
        (Figure("about dozens", approximate=True), "quantity", "approximate"),
        (Figure("peaked", approximate=True), "peak_period", "approximate"),
        (Figure("peaked at 5", value=5), "peak_period", "value"),
        (Figure("rose by 5", lower=5), "trend", "lower"),
        (Figure("it was 5", upper=5), "existence", "upper"),
        (Figure("it was not 5", value=5), "denial", "value"),
        (replace(RATIO, value=None, out_of=None), "ratio", "value"),
        (replace(RATIO, out_of=None), "ratio", "out_of"),
        (replace(RATIO, relative_to=None), "ratio", "relative_to"),
    ],
)
def test_a_fault_names_its_field(figure: Figure, proposition: str, field: str) -> None:
    with pytest.raises(FigureFault) as caught:
        checked(figure, proposition)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: expected {caught.value.expected}.")
    assert caught.value.hint in str(caught.value)


def test_a_ratio_has_both_sides_and_may_be_a_bound() -> None:
    assert checked(RATIO, "ratio") == RATIO
    at_least = Figure("at least five to one", lower=5, out_of=1, relative_to="ukrainian-forces")
    assert checked(at_least, "ratio").kind == "lower_bound"


@given(NUMBERS)
@settings(max_examples=60, deadline=None)
def test_checking_twice_changes_nothing(number: Number) -> None:
    once = checked(Figure("n", value=number, lower=number), "quantity")
    assert checked(once, "quantity") == once
    assert once.value == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1000340, "1000340"),
        (1000340.0, "1000340"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (1e15, "1000000000000000"),
        (1e-7, "0.0000001"),
        (-12.25, "-12.25"),
    ],
)
def test_one_number_has_one_spelling(number: Number, text: str) -> None:
    assert canonical_number(number) == text


@given(NUMBERS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_spellings_differ_exactly_where_numbers_do(a: Number, b: Number) -> None:
    assert (canonical_number(a) == canonical_number(b)) == (a == b)
    assert float(canonical_number(a)) == a


@pytest.mark.parametrize(
    ("figure", "tolerance", "expected"),
    [
        (Figure("thousands more"), None, None),
        (Figure("thousands more"), 0.1, None),
        (Figure("1,351", value=1351), None, Interval(1351, 1351)),
        (Figure("1,351", value=1351), 1.0, Interval(1351, 1351)),
        (Figure("about 1,000", value=1000, approximate=True), None, Interval(1000, 1000)),
        (Figure("about 1,000", value=1000, approximate=True), 0.1, Interval(900, 1100)),
        (Figure("about -1,000", value=-1000, approximate=True), 0.1, Interval(-1100, -900)),
        (Figure("about 3", value=3, approximate=True), 0.1, Interval(2.7, 3.3)),
        (Figure("about 3", value=3, approximate=True), 1, Interval(0, 6)),
        (Figure("over 5", lower=5, lower_inclusive=False), 0.1, Interval(5, None, lower_inclusive=False)),
        (Figure("at least 5", lower=5), 0.1, Interval(5, None)),
        (Figure("up to 5", upper=5, upper_inclusive=True), 0.1, Interval(None, 5)),
        (
            Figure("nearly 950,000", upper=950000, upper_inclusive=False, approximate=True),
            None,
            Interval(None, 950000, upper_inclusive=False),
        ),
        (
            Figure("nearly 950,000", upper=950000, upper_inclusive=False, approximate=True),
            0.1,
            Interval(855000, 950000, upper_inclusive=False),
        ),
        (Figure("roughly up to 5", upper=5, upper_inclusive=True, approximate=True), 0.1, Interval(None, 5)),
        (Figure("about 5-7", lower=5, upper=7, approximate=True), 0.5, Interval(5, 7)),
        (Figure("5-7, best 6", value=6, lower=5, upper=7), 0.5, Interval(5, 7)),
        (Figure("5 or more, best 6", value=6, lower=5), 0.5, Interval(5, None)),
        (
            Figure("just under 7, best 6", value=6, upper=7, upper_inclusive=False, approximate=True),
            0.5,
            Interval(None, 7, upper_inclusive=False),
        ),
    ],
)
def test_the_interval_is_what_was_stated(figure: Figure, tolerance: float | None, expected: Interval | None) -> None:
    assert interval(figure, tolerance) == expected


@pytest.mark.parametrize("tolerance", [0, -0.1, 1.01, math.nan])
def test_a_tolerance_is_a_share(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        interval(Figure("5", value=5), tolerance)


@given(NUMBERS, SHARES, SHARES)
@settings(max_examples=60, deadline=None)
def test_a_larger_tolerance_never_narrows(number: Number, one: float, two: float) -> None:
    for figure in (
        Figure("about n", value=number, approximate=True),
        Figure("nearly n", upper=number, upper_inclusive=False, approximate=True),
    ):
        small, large = interval(figure, min(one, two)), interval(figure, max(one, two))
        assert small is not None
        assert large is not None
        assert small.within(large)


OPEN = Interval(None, None)


@pytest.mark.parametrize(
    ("a", "b", "above", "disjoint", "within"),
    [
        (Interval(5, 6), Interval(3, 4), True, True, False),
        (Interval(3, 4), Interval(5, 6), False, True, False),
        (Interval(4, 6), Interval(3, 4), False, False, False),
        (Interval(4, 6, lower_inclusive=False), Interval(3, 4), True, True, False),
        (Interval(4, 6), Interval(3, 4, upper_inclusive=False), True, True, False),
        (Interval(5, None), Interval(None, 5), False, False, False),
        (Interval(5, None, lower_inclusive=False), Interval(None, 5), True, True, False),
        (Interval(5, None), OPEN, False, False, True),
        (OPEN, Interval(5, None), False, False, False),
        (OPEN, OPEN, False, False, True),
        (Interval(3, 4), Interval(3, 4), False, False, True),
        (Interval(3, 4), Interval(3, 4, lower_inclusive=False), False, False, False),
        (Interval(3, 4), Interval(3, 4, upper_inclusive=False), False, False, False),
        (Interval(3, 4, upper_inclusive=False), Interval(3, 4), False, False, True),
        (Interval(3, 4), Interval(None, 4), False, False, True),
        (Interval(None, 4), Interval(3, 4), False, False, False),
    ],
)
def test_intervals_know_how_they_lie(a: Interval, b: Interval, *, above: bool, disjoint: bool, within: bool) -> None:
    assert a.wholly_above(b) is above
    assert a.disjoint(b) is disjoint
    assert b.disjoint(a) is disjoint
    assert a.within(b) is within


def test_width_and_ends_are_known_only_where_stated() -> None:
    assert (Interval(0.1, 0.3).width, Interval(0.1, 0.3).bounded) == (0.2, True)
    assert (Interval(1, None).width, Interval(1, None).bounded) == (math.inf, False)
    assert (Interval(None, 1).width, Interval(None, 1).bounded) == (math.inf, False)


@given(intervals(), intervals(), NUMBERS)
@settings(max_examples=60, deadline=None)
def test_membership_agrees_with_the_relations(a: Interval, b: Interval, number: Number) -> None:
    if a.contains(number) and b.contains(number):
        assert not a.disjoint(b)
    if a.contains(number) and a.within(b):
        assert b.contains(number)


def test_differences_are_decimal_and_short() -> None:
    assert difference(0.3, 0.1) == 0.2
    assert difference(1000340, 1000000) == 340
    assert difference(10**15, -0.5) == 10**15


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Figure("x", value=6, lower=5, upper=7), 6),
        (Figure("x", lower=5, upper=7), 5),
        (Figure("x", lower=0, upper=7), 0),
        (Figure("x", upper=7), 7),
        (Figure("x"), None),
    ],
)
def test_figures_sort_by_value_then_lower_then_upper(figure: Figure, expected: Number | None) -> None:
    assert magnitude(figure) == expected
