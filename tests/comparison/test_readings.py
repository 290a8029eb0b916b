"""Wordings in seven languages are read exactly, or refused with the reason; nothing is guessed and no digit is lost."""

import csv
from pathlib import Path
from typing import Any

import pytest

from app.comparison.units import has_fractions
from app.comparison.wordings.agreement import (
    check_unit,
)
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import Reading, UnreadableWording, WordingContext

CASES = Path(__file__).with_name("wordings.csv")
NUMBERS = ("value", "lower", "upper", "out_of")
FLAGS = ("lower_inclusive", "upper_inclusive", "approximate")


def read(text: str, language: str | None = None, unit: str | None = None, **more: Any) -> Reading:
    context = WordingContext(language, unit=unit, is_fractional=None if unit is None else has_fractions(unit), **more)
    reading = read_wording(text, context)
    check_unit(reading, context)
    return reading


def refusal(text: str, language: str | None = None, unit: str | None = None, **more: Any) -> UnreadableWording:
    with pytest.raises(UnreadableWording) as refused:
        read(text, language, unit, **more)
    return refused.value


with CASES.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['as_printed']}-{row['language']}-{row['unit']}")
def test_a_row_of_the_table_is_read_as_it_says(row: dict[str, str]) -> None:
    arguments = (row["as_printed"], row["language"] or None, row["unit"] or None)
    if row["expect"] == "refuse":
        assert refusal(*arguments).detail
        return
    figure = read(*arguments).figure
    flags: dict[str, bool | None] = {"true": True, "false": False, "": None}
    assert figure.as_printed == row["as_printed"]
    assert {name: getattr(figure, name) for name in NUMBERS} == {
        name: float(row[name]) if row[name] else None for name in NUMBERS
    }
    assert {name: getattr(figure, name) for name in FLAGS} == {
        **{name: flags[row[name]] for name in FLAGS},
        "approximate": row["approximate"] == "true",
    }
    assert (figure.kind == "vague") is (row["expect"] == "vague")
