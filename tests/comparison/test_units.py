"""Units: their dimensions, their spellings, and exact conversion."""

from fractions import Fraction

import pytest

from app.comparison.units import (
    CURRENCIES,
    DIMENSIONS,
    NotConvertible,
    as_dimension,
    canonical_unit,
    conversion_factor,
    dimension_of,
    suggest_unit,
)


@pytest.mark.parametrize(
    ("unit", "dimension", "factor"),
    [
        ("acres", "area", Fraction("0.40468564224")),
        ("acre", "area", Fraction("0.40468564224")),
        ("hectares", "area", 1),
        ("ha", "area", 1),
        ("square-kilometers", "area", 100),
        ("square kilometres", "area", 100),
        ("km²", "area", 100),
        ("Square Metres", "area", Fraction(1, 10_000)),
        ("square-miles", "area", Fraction("258.9988110336")),
        ("square-foot", "area", Fraction("0.000009290304")),
        ("dunam", "area", Fraction(1, 10)),
        ("meter", "length", 1),
        ("millimeter", "length", Fraction(1, 1000)),
        ("mm", "length", Fraction(1, 1000)),
        ("kilometres", "length", 1000),
        ("miles", "length", Fraction("1609.344")),
        ("feet", "length", Fraction("0.3048")),
        ("inch", "length", Fraction("0.0254")),
        ("nautical-mile", "length", 1852),
        ("kilograms", "mass", 1),
        ("tonnes", "mass", 1000),
        ("metric tons", "mass", 1000),
        ("pounds", "mass", Fraction("0.45359237")),
        ("short-ton", "mass", Fraction("907.18474")),
        ("long-ton", "mass", Fraction("1016.0469088")),
    ],
)
def test_a_unit_is_converted_exactly(unit: str, dimension: str, factor: Fraction) -> None:
    assert dimension_of(unit) == dimension
    assert conversion_factor(unit) == factor


@pytest.mark.parametrize("unit", ["USD", "EUR", "UAH", "RUB", "DEM"])
def test_a_currency_is_never_converted(unit: str) -> None:
    assert dimension_of(unit) == "currency"
    with pytest.raises(NotConvertible, match=unit):
        conversion_factor(unit)


@pytest.mark.parametrize("unit", ["persons", "cases", "percent", "times", "usd", "tons", "US dollars", "", *DIMENSIONS])
def test_other_words_have_no_dimension(unit: str) -> None:
    assert dimension_of(unit) is None
    with pytest.raises(NotConvertible):
        conversion_factor(unit)


def test_only_the_name_of_a_dimension_is_a_dimension() -> None:
    assert [as_dimension(unit) for unit in DIMENSIONS] == list(DIMENSIONS)
    assert as_dimension("hectares") is None


def test_spellings_of_a_unit_have_one_name() -> None:
    assert {canonical_unit(unit) for unit in ("km2", "km²", "Square  kilometres", "square_kilometers")} == {
        "square-kilometer"
    }
    assert canonical_unit(" USD ") == "USD"
    assert canonical_unit("armed  persons") == "armed persons"


def test_codes_of_currencies_have_three_letters() -> None:
    assert len(CURRENCIES) > 200
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("dimension", "unit", "words"),
    [
        ("currency", "usd", "`USD`"),
        ("currency", "dollars", "ISO 4217"),
        ("mass", "tons", "tonnes, short-tons or long-tons"),
        ("area", None, "hectares"),
        ("length", "acres", "meters"),
    ],
)
def test_a_hint_names_units(dimension: str, unit: str | None, words: str) -> None:
    assert words in suggest_unit(dimension, unit)  # type: ignore[arg-type]
