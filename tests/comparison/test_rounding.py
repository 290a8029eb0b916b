"""The step to which a printed number may be rounded follows from its digits and its scale word."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import Number
from app.comparison.rounding import rounding_step, significant_step


@pytest.mark.parametrize(
    ("as_printed", "value", "step"),
    [
        ("20", 20, 1),
        ("21", 21, 1),
        ("100", 100, 1),
        ("5,096", 5096, 1),
        ("5,100", 5100, 1),
        ("45,000", 45_000, 1000),
        ("45 000", 45_000, 1000),
        ("45\u202f000", 45_000, 1000),
        ("45.000", 45_000, 1000),
        ("45'000", 45_000, 1000),
        ("45\u2019000", 45_000, 1000),
        ("45000", 45_000, 1000),
        ("1,040,000", 1_040_000, 10_000),
        ("1,000,340", 1_000_340, 1),
        ("1 million", 1_000_000, 1_000_000),
        ("10 million", 10_000_000, 10_000_000),
        ("12 million", 12_000_000, 1_000_000),
        ("1.2 million", 1_200_000, 100_000),
        ("1,2 Millionen", 1_200_000, 100_000),
        ("1.0 million", 1_000_000, 100_000),
        ("1.25 million", 1_250_000, 10_000),
        ("14.9 billion", 14_900_000_000, 100_000_000),
        ("2 trillion", 2_000_000_000_000, 1_000_000_000_000),
        ("45 thousand", 45_000, 1000),
        ("40 thousand", 40_000, 10_000),
        ("3 lakh", 300_000, 100_000),
        ("3 crore", 30_000_000, 10_000_000),
        ("2 hundred", 200, 100),
        ("two hundred", 200, 100),
        ("Two Hundred", 200, 100),
        ("twenty", 20, 1),
        ("one thousand", 1000, 1000),
        ("a million", 1_000_000, 1_000_000),
        ("half a million", 500_000, 100_000),
        ("2.1", 2.1, Fraction(1, 10)),
        ("2.10", 2.1, Fraction(1, 100)),
        ("2,1", 2.1, Fraction(1, 10)),
        ("0.05", 0.05, Fraction(1, 100)),
        ("52%", 52, 1),
        ("-5,000", -5000, 1000),
        ("0", 0, 1),
        ("none", 0, 1),
        ("two and a half", 2.5, Fraction(1, 10)),
        ("in 2023: 45,000", 45_000, 1000),
        ("12,34,567", 1_234_567, 1),
        ("1,234.50", 1234.5, Fraction(1, 100)),
        ("one hundred twenty", 120, 1),
        ("half (50%)", 0.5, Fraction(1, 10)),
    ],
)
def test_a_printed_number_is_rounded_to_its_last_digit_or_its_scale_word(
    as_printed: str, value: Number, step: Number
) -> None:
    assert rounding_step(as_printed, value) == step


@pytest.mark.parametrize(
    ("value", "step"),
    [
        (5096, 1),
        (5100, 100),
        (5000, 1000),
        (-5100, 100),
        (20, 10),
        (8.5, Fraction(1, 10)),
        (0.25, Fraction(1, 100)),
        (0, 1),
        (10**15, 10**15),
    ],
)
def test_the_last_significant_digit_of_a_number(value: Number, step: Number) -> None:
    assert significant_step(value) == step


@given(st.integers(1, 10**14), st.sampled_from([",", ".", " ", "\u00a0"]))
@settings(max_examples=60, deadline=None)
def test_the_grouping_of_digits_does_not_matter(number: int, mark: str) -> None:
    assert rounding_step(f"{number:,}".replace(",", mark), number) == rounding_step(str(number), number)


@given(st.integers(0, 10**12).map(lambda units: units / 1000))
@settings(max_examples=60, deadline=None)
def test_a_number_is_a_multiple_of_its_steps(number: float) -> None:
    for step in (rounding_step(f"{number:,}", number), significant_step(number)):
        assert Fraction(str(number)) % step == 0
