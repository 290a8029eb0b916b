"""Figures keep the printed text, reject inconsistent numbers, and give the stated interval."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import (
    InvalidFigure,
    Number,
    NumberInterval,
    PrintedFigure,
    format_canonical_number,
    interval_of,
    kind_of,
    magnitude_of,
    normalize_number,
    subtract,
    validate_figure,
)

# What a JSON document can bring: integers and doubles of at most 15 significant digits.
NUMBERS = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-(10**14), 10**14).map(lambda units: normalize_number(units / 100)),
)
SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


@st.composite
def intervals(draw: st.DrawFn) -> NumberInterval:
    ends = sorted([draw(NUMBERS), draw(NUMBERS)])
    lower = draw(st.sampled_from([ends[0], None]))
    upper = draw(st.sampled_from([ends[1], None]))
    if ends[0] == ends[1]:
        return NumberInterval(lower, upper)
    return NumberInterval(lower, upper, draw(st.booleans()) or lower is None, draw(st.booleans()) or upper is None)


@pytest.mark.parametrize(
    ("figure", "proposition", "kind"),
    [
        (PrintedFigure("1,351", value=1351), "quantity", "plain"),
        (PrintedFigure("about 5", value=5, approximate=True), "quantity", "approximate"),
        (PrintedFigure("5-7", lower=5, upper=7), "quantity", "range"),
        (PrintedFigure("5-7, likely 6", value=6, lower=5, upper=7, approximate=True), "quantity", "range"),
        (PrintedFigure("5 or more", lower=5), "quantity", "lower_bound"),
        (PrintedFigure("5 or more, likely 6", value=6, lower=5), "quantity", "lower_bound"),
        (PrintedFigure("up to 5", upper=5), "quantity", "upper_bound"),
        (PrintedFigure("thousands"), "quantity", "vague"),
        (PrintedFigure("several to one"), "ratio", "vague"),
        (PrintedFigure("the heaviest losses"), "peak_period", "none"),
        (PrintedFigure("denied"), "denial", "none"),
        (PrintedFigure("0", value=0), "trend", "plain"),
    ],
)
def test_the_kind_follows_from_the_numbers(figure: PrintedFigure, proposition: str, kind: str) -> None:
    assert kind_of(figure, proposition) == kind


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (PrintedFigure("1,000,340", value=1000340.0), PrintedFigure("1,000,340", value=1000340)),
        (PrintedFigure("0", value=-0.0), PrintedFigure("0", value=0)),
        (
            PrintedFigure("5-7", lower=5, upper=7),
            PrintedFigure("5-7", lower=5, upper=7, lower_inclusive=True, upper_inclusive=True),
        ),
        (
            PrintedFigure("over 5", lower=5, lower_inclusive=False),
            PrintedFigure("over 5", lower=5, lower_inclusive=False),
        ),
        (
            PrintedFigure("5", value=5, lower=5, upper=5, coverage=0.95),
            PrintedFigure("5", value=5, lower=5, upper=5, lower_inclusive=True, upper_inclusive=True, coverage=0.95),
        ),
        (PrintedFigure("10^15", value=1e15), PrintedFigure("10^15", value=10**15)),
        (PrintedFigure("-1.25", value=-1.25), PrintedFigure("-1.25", value=-1.25)),
        (
            PrintedFigure("999,999,999,999,999", value=999999999999999),
            PrintedFigure("999,999,999,999,999", value=999999999999999),
        ),
        (PrintedFigure("12 of 100", value=12, out_of=100.0), PrintedFigure("12 of 100", value=12, out_of=100)),
        (PrintedFigure("dozens"), PrintedFigure("dozens")),
    ],
)
def test_a_sound_figure_is_kept_with_plain_numbers(figure: PrintedFigure, expected: PrintedFigure) -> None:
    result = validate_figure(figure, "quantity")
    assert result == expected
    assert [type(result.value), type(result.out_of)] == [type(expected.value), type(expected.out_of)]


RATIO = PrintedFigure("one to five", value=1, out_of=5, relative_to="ukrainian-forces")


@pytest.mark.parametrize(
    ("figure", "proposition", "field"),
    [
        (PrintedFigure("5", value=5), "guess", "proposition"),
        (PrintedFigure(" \n"), "quantity", "as_printed"),
        (PrintedFigure("5", value=5, relative_to=" "), "quantity", "relative_to"),
        (PrintedFigure("5", value=math.nan), "quantity", "value"),
        (PrintedFigure("5", lower=math.inf), "quantity", "lower"),
        (PrintedFigure("5", upper=-math.inf), "quantity", "upper"),
        (PrintedFigure("5", value=True), "quantity", "value"),
        (PrintedFigure("5", value="5"), "quantity", "value"),  # type: ignore[arg-type]
        (PrintedFigure("5", value=10**15 + 1), "quantity", "value"),
        (PrintedFigure("5", value=10**18), "quantity", "value"),
        (PrintedFigure("5", value=-1.1e18), "quantity", "value"),
        (PrintedFigure("5", value=10**400), "quantity", "value"),
        (PrintedFigure("5", value=0.1234567890123456), "quantity", "value"),
        (PrintedFigure("7-5", lower=7, upper=5), "quantity", "lower"),
        (PrintedFigure("5-5", lower=5, upper=5, upper_inclusive=False), "quantity", "lower_inclusive"),
        (PrintedFigure("5", value=4, lower=5), "quantity", "value"),
        (PrintedFigure("5", value=5, upper=5, upper_inclusive=False), "quantity", "value"),
        (PrintedFigure("5", value=5, lower_inclusive=True), "quantity", "lower_inclusive"),
        (PrintedFigure("5", value=5, upper_inclusive=False), "quantity", "upper_inclusive"),
        (PrintedFigure("5", value=5, coverage=0.9), "quantity", "coverage"),
        (PrintedFigure("5", lower=5, coverage=0.9), "quantity", "coverage"),
        (PrintedFigure("5-7", lower=5, upper=7, coverage=0.0), "quantity", "coverage"),
        (PrintedFigure("5-7", lower=5, upper=7, coverage=1.0), "quantity", "coverage"),
        (PrintedFigure("5-7", lower=5, upper=7, coverage=95), "quantity", "coverage"),
        (PrintedFigure("5-7", lower=5, upper=7, coverage=math.nan), "quantity", "coverage"),
        (PrintedFigure("5-7", lower=5, upper=7, coverage=True), "quantity", "coverage"),
        (PrintedFigure("some of the 100", out_of=100), "quantity", "out_of"),
        (PrintedFigure("5 of 0", value=5, out_of=0), "quantity", "out_of"),
        (PrintedFigure("5 of inf", value=5, out_of=math.inf), "quantity", "out_of"),
        (PrintedFigure("about dozens", approximate=True), "quantity", "approximate"),
        (PrintedFigure("peaked", approximate=True), "peak_period", "approximate"),
        (PrintedFigure("peaked at 5", value=5), "peak_period", "value"),
        (PrintedFigure("rose by 5", lower=5), "trend", "lower"),
        (PrintedFigure("it was 5", upper=5), "existence", "upper"),
        (PrintedFigure("it was not 5", value=5), "denial", "value"),
        (replace(RATIO, value=None, out_of=None), "ratio", "value"),
        (replace(RATIO, out_of=None), "ratio", "out_of"),
        (replace(RATIO, relative_to=None), "ratio", "relative_to"),
        (PrintedFigure("1:5", value=1, out_of=5), "ratio", "relative_to"),
        (PrintedFigure("20% more"), "change", "value"),
        (PrintedFigure("20% more", value=20), "change", "relative_to"),
        (PrintedFigure("20% more", value=20, out_of=5, relative_to="2022"), "change", "out_of"),
    ],
)
def test_a_fault_names_its_field(figure: PrintedFigure, proposition: str, field: str) -> None:
    with pytest.raises(InvalidFigure) as caught:
        validate_figure(figure, proposition)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: expected {caught.value.expected}.")
    assert caught.value.hint in str(caught.value)


def test_a_ratio_is_one_of_many_or_so_many_times() -> None:
    share = PrintedFigure("1 in 5", value=1, out_of=5)
    assert validate_figure(share, "ratio") == share
    for printed in ("close to 1 in 5", "rose to one in five"):
        hedged = replace(share, as_printed=printed, approximate=True)
        assert validate_figure(hedged, "ratio") == hedged
    times = PrintedFigure("four times the average", value=4, relative_to="the average")
    assert validate_figure(times, "ratio", "times") == times
    for figure, field in ((replace(times, relative_to=None), "relative_to"), (replace(times, out_of=5), "out_of")):
        with pytest.raises(InvalidFigure) as caught:
            validate_figure(figure, "ratio", "times")
        assert caught.value.field == field


@pytest.mark.parametrize("number", [999_999_999_999_999_000, -123_456_789_012_345_000, 10**17, 2**53 - 1, 10**15])
def test_a_large_number_has_the_digits_that_were_given(number: int) -> None:
    assert normalize_number(float(number)) == number
    assert format_canonical_number(float(number)) == str(number)


def test_a_ratio_has_both_sides_and_may_be_a_bound() -> None:
    assert validate_figure(RATIO, "ratio") == RATIO
    at_least = PrintedFigure("at least five to one", lower=5, out_of=1, relative_to="ukrainian-forces")
    assert validate_figure(at_least, "ratio").kind == "lower_bound"


@given(NUMBERS)
@settings(max_examples=60, deadline=None)
def test_checking_twice_changes_nothing(number: Number) -> None:
    once = validate_figure(PrintedFigure("n", value=number, lower=number), "quantity")
    assert validate_figure(once, "quantity") == once
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
    assert format_canonical_number(number) == text


@given(NUMBERS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_spellings_differ_exactly_where_numbers_do(a: Number, b: Number) -> None:
    assert (format_canonical_number(a) == format_canonical_number(b)) == (a == b)
    assert float(format_canonical_number(a)) == a


@pytest.mark.parametrize(
    ("figure", "tolerance", "expected"),
    [
        (PrintedFigure("thousands more"), None, None),
        (PrintedFigure("thousands more"), 0.1, None),
        (PrintedFigure("1,351", value=1351), None, NumberInterval(1351, 1351)),
        (PrintedFigure("1,351", value=1351), 1.0, NumberInterval(1351, 1351)),
        (PrintedFigure("about 1,000", value=1000, approximate=True), None, NumberInterval(1000, 1000)),
        (PrintedFigure("about 1,000", value=1000, approximate=True), 0.1, NumberInterval(900, 1100)),
        (PrintedFigure("about -1,000", value=-1000, approximate=True), 0.1, NumberInterval(-1100, -900)),
        (PrintedFigure("about 3", value=3, approximate=True), 0.1, NumberInterval(2.7, 3.3)),
        (PrintedFigure("about 3", value=3, approximate=True), 1, NumberInterval(0, 6)),
        (PrintedFigure("over 5", lower=5, lower_inclusive=False), 0.1, NumberInterval(5, None, lower_inclusive=False)),
        (PrintedFigure("at least 5", lower=5), 0.1, NumberInterval(5, None)),
        (PrintedFigure("up to 5", upper=5, upper_inclusive=True), 0.1, NumberInterval(None, 5)),
        (
            PrintedFigure("nearly 950,000", upper=950000, upper_inclusive=False, approximate=True),
            None,
            NumberInterval(None, 950000, upper_inclusive=False),
        ),
        (
            PrintedFigure("nearly 950,000", upper=950000, upper_inclusive=False, approximate=True),
            0.1,
            NumberInterval(855000, 1045000),
        ),
        (
            PrintedFigure("just over 300", lower=300, lower_inclusive=False, approximate=True),
            None,
            NumberInterval(300, None, lower_inclusive=False),
        ),
        (
            PrintedFigure("just over 300", lower=300, lower_inclusive=False, approximate=True),
            0.1,
            NumberInterval(270, 330),
        ),
        (
            PrintedFigure("roughly up to 5", upper=5, upper_inclusive=True, approximate=True),
            0.1,
            NumberInterval(None, 5.5),
        ),
        (
            PrintedFigure("roughly at least 5", lower=5, lower_inclusive=True, approximate=True),
            0.1,
            NumberInterval(4.5, None),
        ),
        (PrintedFigure("about 5-7", lower=5, upper=7, approximate=True), 0.5, NumberInterval(2.5, 10.5)),
        (PrintedFigure("about -7 to -5", lower=-7, upper=-5, approximate=True), 0.5, NumberInterval(-10.5, -2.5)),
        (PrintedFigure("5-7, best 6", value=6, lower=5, upper=7), 0.5, NumberInterval(5, 7)),
        (PrintedFigure("5 or more, best 6", value=6, lower=5), 0.5, NumberInterval(5, None)),
        (
            PrintedFigure("just under 7, best 6", value=6, upper=7, upper_inclusive=False, approximate=True),
            0.5,
            NumberInterval(None, 10.5),
        ),
    ],
)
def test_the_interval_is_what_was_stated(
    figure: PrintedFigure, tolerance: float | None, expected: NumberInterval | None
) -> None:
    assert interval_of(figure, tolerance) == expected


@pytest.mark.parametrize("tolerance", [0, -0.1, 1.01, math.nan])
def test_a_tolerance_is_a_share(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        interval_of(PrintedFigure("5", value=5), tolerance)


@given(NUMBERS, SHARES, SHARES)
@settings(max_examples=60, deadline=None)
def test_a_larger_tolerance_never_narrows(number: Number, one: float, two: float) -> None:
    for figure in (
        PrintedFigure("about n", value=number, approximate=True),
        PrintedFigure("nearly n", upper=number, upper_inclusive=False, approximate=True),
    ):
        small, large = interval_of(figure, min(one, two)), interval_of(figure, max(one, two))
        assert small is not None
        assert large is not None
        assert small.is_within(large)


OPEN = NumberInterval(None, None)


@pytest.mark.parametrize(
    ("a", "b", "above", "disjoint", "within"),
    [
        (NumberInterval(5, 6), NumberInterval(3, 4), True, True, False),
        (NumberInterval(3, 4), NumberInterval(5, 6), False, True, False),
        (NumberInterval(4, 6), NumberInterval(3, 4), False, False, False),
        (NumberInterval(4, 6, lower_inclusive=False), NumberInterval(3, 4), True, True, False),
        (NumberInterval(4, 6), NumberInterval(3, 4, upper_inclusive=False), True, True, False),
        (NumberInterval(5, None), NumberInterval(None, 5), False, False, False),
        (NumberInterval(5, None, lower_inclusive=False), NumberInterval(None, 5), True, True, False),
        (NumberInterval(5, None), OPEN, False, False, True),
        (OPEN, NumberInterval(5, None), False, False, False),
        (OPEN, OPEN, False, False, True),
        (NumberInterval(3, 4), NumberInterval(3, 4), False, False, True),
        (NumberInterval(3, 4), NumberInterval(3, 4, lower_inclusive=False), False, False, False),
        (NumberInterval(3, 4), NumberInterval(3, 4, upper_inclusive=False), False, False, False),
        (NumberInterval(3, 4, upper_inclusive=False), NumberInterval(3, 4), False, False, True),
        (NumberInterval(3, 4), NumberInterval(None, 4), False, False, True),
        (NumberInterval(None, 4), NumberInterval(3, 4), False, False, False),
    ],
)
def test_intervals_know_how_they_lie(
    a: NumberInterval, b: NumberInterval, *, above: bool, disjoint: bool, within: bool
) -> None:
    assert a.is_wholly_above(b) is above
    assert a.is_disjoint_from(b) is disjoint
    assert b.is_disjoint_from(a) is disjoint
    assert a.is_within(b) is within


def test_width_and_ends_are_known_only_where_stated() -> None:
    assert (NumberInterval(0.1, 0.3).width, NumberInterval(0.1, 0.3).is_bounded) == (0.2, True)
    assert (NumberInterval(1, None).width, NumberInterval(1, None).is_bounded) == (math.inf, False)
    assert (NumberInterval(None, 1).width, NumberInterval(None, 1).is_bounded) == (math.inf, False)


@given(intervals(), intervals(), NUMBERS)
@settings(max_examples=60, deadline=None)
def test_membership_agrees_with_the_relations(a: NumberInterval, b: NumberInterval, number: Number) -> None:
    if a.contains(number) and b.contains(number):
        assert not a.is_disjoint_from(b)
    if a.contains(number) and a.is_within(b):
        assert b.contains(number)


def test_differences_are_decimal_and_short() -> None:
    assert subtract(0.3, 0.1) == 0.2
    assert subtract(66.04, Fraction(58)) == 8.04  # an integer of a converted figure is a fraction
    assert subtract(1000340, 1000000) == 340
    assert subtract(10**15, -0.5) == 10**15


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (PrintedFigure("x", value=6, lower=5, upper=7), 6),
        (PrintedFigure("x", lower=5, upper=7), 5),
        (PrintedFigure("x", lower=0, upper=7), 0),
        (PrintedFigure("x", upper=7), 7),
        (PrintedFigure("x"), None),
    ],
)
def test_figures_sort_by_value_then_lower_then_upper(figure: PrintedFigure, expected: Number | None) -> None:
    assert magnitude_of(figure) == expected
