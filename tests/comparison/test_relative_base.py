"""The base of a relative figure: a period, a subject, a category, or words."""

import pytest

from app.comparison.relative_base import base_period, normalize_relative_to

SUBJECTS, CATEGORIES = {"army", "2022"}, {"killed", "army"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022", ("period", "2022")),
        ("2022-06", ("period", "2022-06")),
        ("1951/1980", ("period", "1951/1980")),
        ("1951–1980", ("period", "1951/1980")),
        ("1951 — 1980", ("period", "1951/1980")),
        ("1951-1980", ("period", "1951/1980")),
        ("1951 - 1980", ("period", "1951/1980")),
        ("2022-02-24 – 2022-03-01", ("period", "2022-02-24/2022-03-01")),
        ("army", ("subject", "army")),
        ("killed", ("category", "killed")),
        ("Army", ("words", "army")),
        ("the  pre-war Average", ("words", "the pre-war average")),
        ("1980–1951", ("words", "1980–1951")),
        ("2006–2024 average", ("words", "2006–2024 average")),
    ],
)
def test_a_base_is_read_as_a_period_then_a_subject_then_a_category(text: str, expected: tuple[str, str]) -> None:
    assert normalize_relative_to(text, SUBJECTS, CATEGORIES) == expected


def test_a_base_of_words_is_no_period() -> None:
    assert base_period("the year before") is None
    assert base_period("2022 ") == "2022"
