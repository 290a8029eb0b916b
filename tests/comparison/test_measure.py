"""Figures are compared in one unit, with the width that their wording gives them."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from app.comparison.figure import Number, NumberInterval, PrintedFigure, validate_figure
from app.comparison.measure import Fit, Measure, compared_unit, facing_ends, fit, fit_below, measure
from app.comparison.statement import Statement
from tests.comparison.statements import STATEMENT, parse_figure

JUST_OVER = PrintedFigure("just over", lower=0, lower_inclusive=False, approximate=True)


def claim(words: str, unit: str = "persons", **changes: Any) -> Statement:
    if (bound := words.removeprefix("just over ")) == words:
        figure = parse_figure(words)
    else:
        figure = validate_figure(replace(JUST_OVER, as_printed=words, lower=int(bound)), "quantity")
    fields: dict[str, Any] = {"unit": unit, "figure": figure}
    return replace(STATEMENT, **fields | changes)


def measure_wording(words: str, unit: str = "persons", tolerance: float | None = None, **changes: Any) -> Measure:
    found = measure(claim(words, unit, **changes), tolerance)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("unit", "compared"),
    [
        ("persons", "persons"),
        ("percent", "percent"),
        ("EUR", "EUR"),
        ("hectares", "area"),
        ("acres", "area"),
        ("millimeters", "length"),
        ("tonnes", "mass"),
    ],
)
def test_units_of_one_dimension_are_compared(unit: str, compared: str) -> None:
    assert compared_unit(unit) == compared
    assert claim("5", unit).dimension == compared


@pytest.mark.parametrize(
    ("words", "unit", "interval"),
    [
        ("1,000", "hectares", NumberInterval(1000, 1000)),
        ("10", "square-kilometers", NumberInterval(1000, 1000)),
        ("over 10", "square-kilometers", NumberInterval(1000, None, lower_inclusive=False)),
        ("5-10", "tonnes", NumberInterval(5000, 10_000)),
        ("25.4", "millimeters", NumberInterval(Fraction(254, 10_000), Fraction(254, 10_000))),
        ("1", "inches", NumberInterval(Fraction(254, 10_000), Fraction(254, 10_000))),
        ("10", "USD", NumberInterval(10, 10)),
        ("5", "persons", NumberInterval(5, 5)),
    ],
)
def test_numbers_are_converted_exactly(words: str, unit: str, interval: NumberInterval) -> None:
    assert measure_wording(words, unit).interval == interval


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        (PrintedFigure("1 in 5", value=1, out_of=5), Fraction(1, 5)),
        (PrintedFigure("2 in 10", value=2, out_of=10), Fraction(1, 5)),
        (PrintedFigure("0.5 in 10", value=0.5, out_of=10), Fraction(1, 20)),
        (PrintedFigure("four times", value=4), 4),
    ],
)
def test_a_ratio_is_compared_as_its_share(figure: PrintedFigure, value: Number) -> None:
    found = measure(claim("5", figure=figure, proposition="ratio"))
    assert found is not None
    assert found.value == value
    assert found.interval == NumberInterval(value, value)
    quantity = measure(claim("5", figure=figure))
    assert quantity is not None
    assert quantity.value == figure.value


def test_what_has_no_number_has_no_measure() -> None:
    assert measure(claim("dozens")) is None
    assert measure(claim("dozens", "hectares"), 0.1) is None


def test_only_a_plain_number_may_be_rounded() -> None:
    assert measure_wording("45,000").rounding == NumberInterval(
        44_500, 45_500, lower_inclusive=False, upper_inclusive=False
    )
    assert measure_wording("20").rounding == NumberInterval(19.5, 20.5, lower_inclusive=False, upper_inclusive=False)
    for words in ("about 45,000", "over 45,000", "45,000-50,000"):
        assert measure_wording(words).plain is None
        assert measure_wording(words).rounding == measure_wording(words).interval
    thousand_acres = measure_wording("1,000", "acres")
    assert thousand_acres.rounding.width == pytest.approx(404.6856)
    assert thousand_acres.interval.upper == pytest.approx(404.6856)
    share = measure(claim("5", figure=PrintedFigure("1,000 in 5", value=1000, out_of=5), proposition="ratio"))
    assert share is not None
    assert (share.rounding.lower, share.rounding.upper) == (100, 300)


def test_without_a_tolerance_an_approximate_figure_is_soft() -> None:
    assert measure_wording("about 100").is_soft
    assert not measure_wording("about 100", tolerance=0.1).is_soft
    assert not measure_wording("100").is_soft
    assert measure_wording("about 100", tolerance=0.1).interval == NumberInterval(90, 110)
    assert measure_wording("about 100", tolerance=0.1).core == NumberInterval(90, 110)
    assert measure_wording("about 1,000", "acres", 0.5).interval.width == pytest.approx(404.6856)


def test_the_certain_part_of_a_near_bound_lies_beside_it() -> None:
    nearly, just_over = measure_wording("nearly 100"), measure_wording("just over 100")
    assert nearly.core.contains(99.99999999999999)
    assert not nearly.core.contains(100)
    assert not nearly.core.contains(99)
    assert just_over.core.contains(100.00000000000001)
    assert not just_over.core.contains(100)
    assert not just_over.core.contains(101)
    for words in ("about 100", "up to 100", "about 60-70"):
        assert measure_wording(words).core == measure_wording(words).interval


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "expected"),
    [
        ("100", "100", None, Fit.OVERLAP),
        ("20", "21", None, Fit.DISJOINT),
        ("45,000", "45,280", None, Fit.ROUNDED),
        ("45,280", "45,500", None, Fit.DISJOINT),
        ("1 million", "1,040,000", None, Fit.ROUNDED),
        ("1 million", "1,100,000", None, Fit.DISJOINT),
        ("1 million", "950,000", None, Fit.ROUNDED),
        ("1 million", "949,000", None, Fit.DISJOINT),
        ("-1 million", "-950,000", None, Fit.ROUNDED),
        ("-1 million", "-949,000", None, Fit.DISJOINT),
        ("1 million", "over 1 million", None, Fit.ROUNDED),
        ("1 million", "under 1 million", None, Fit.ROUNDED),
        ("45,000", "45,400-46,000", None, Fit.ROUNDED),
        ("45,000", "45,500-46,000", None, Fit.DISJOINT),
        ("over 45,000", "up to 45,000", None, Fit.DISJOINT),
        ("45,000-46,000", "47,000-48,000", None, Fit.DISJOINT),
        ("about 100", "101", None, Fit.APPROXIMATE),
        ("about 100", "100", None, Fit.OVERLAP),
        ("about 100", "101", 0.001, Fit.DISJOINT),
        ("about 45,280", "45,000", 0.001, Fit.ROUNDED),
        ("nearly 950,000", "500,000", None, Fit.APPROXIMATE),
        ("nearly 950,000", "900,000-960,000", None, Fit.OVERLAP),
        ("nearly 950,000", "950,000", None, Fit.APPROXIMATE),
        ("nearly 950,000", "over 1 million", None, Fit.APPROXIMATE),
        ("nearly 950,000", "500,000", 0.1, Fit.DISJOINT),
        ("nearly 950,000", "960,000", 0.1, Fit.OVERLAP),
    ],
)
def test_how_two_figures_fit(a: str, b: str, tolerance: float | None, expected: Fit) -> None:
    one, two = measure_wording(a, tolerance=tolerance), measure_wording(b, tolerance=tolerance)
    assert fit(one, two) is fit(two, one) is expected


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        ("90", "100", Fit.OVERLAP),
        ("110", "100", Fit.DISJOINT),
        ("at least 110", "100", Fit.DISJOINT),
        ("up to 110", "100", Fit.OVERLAP),
        ("over 100", "100", Fit.ROUNDED),
        ("about 110", "100", Fit.APPROXIMATE),
        ("110", "about 100", Fit.APPROXIMATE),
        ("about 90", "100", Fit.OVERLAP),
        ("45,280", "45,000", Fit.ROUNDED),
        ("nearly 100", "50", Fit.APPROXIMATE),
        ("50", "nearly 100", Fit.OVERLAP),
        ("500", "just over 300", Fit.APPROXIMATE),
        ("200", "just over 300", Fit.OVERLAP),
    ],
)
def test_whether_one_figure_exceeds_another(small: str, large: str, expected: Fit) -> None:
    assert fit_below(measure_wording(small), measure_wording(large)) is expected


def test_the_facing_ends_of_disjoint_intervals() -> None:
    low, high = NumberInterval(1, 2), NumberInterval(5, 6)
    assert facing_ends(low, high) == facing_ends(high, low) == (2, 5)
    assert facing_ends(NumberInterval(None, 2), NumberInterval(5, None)) == (2, 5)
    with pytest.raises(ValueError, match="not disjoint"):
        facing_ends(NumberInterval(1, None), NumberInterval(5, 6))
