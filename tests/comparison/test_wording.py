"""Printed wordings are parsed to figures, and ambiguous ones are not parsed."""

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import NumberInterval, PrintedFigure, interval_of, validate_figure
from app.comparison.wording import parse_wording

NEARLY = {"upper_inclusive": False, "approximate": True}
READ: dict[str, dict[str, Any]] = {
    # Numbers
    "1,351": {"value": 1351},
    "1 000 340": {"value": 1000340},
    "1\u00a0000\u202f340".replace("\u202f", "\u00a0"): {"value": 1000340},
    "1\u202f000\u202f340": {"value": 1000340},
    "1\u00a0000\u202f340": {"value": 1000340},
    "1'000'340": {"value": 1000340},
    "1\u2019351": {"value": 1351},
    "1000340": {"value": 1000340},
    "1.000.000": {"value": 1000000},  # a decimal point occurs once
    "1  351": {"value": 1351},
    "\uff11\uff12": {"value": 12},
    "1,000.5": {"value": 1000.5},
    "0.351": {"value": 0.351},
    "-1.2": {"value": -1.2},
    "\u22121.2": {"value": -1.2},
    "1.2m": {"value": 1200000},
    "1.2 million": {"value": 1200000},
    "1.351 million": {"value": 1351000},
    "3bn": {"value": 3000000000},
    "70K": {"value": 70000},
    "One million": {"value": 1000000},
    "half a million": {"value": 500000, "approximate": True},  # a round word is no count
    "a hundred thousand": {"value": 100000},
    "two hundred thousand": {"value": 200000},
    "twenty": {"value": 20},
    "Twenty-five": {"value": 25},
    "zero": {"value": 0},
    # About
    "approximately 1,149": {"value": 1149, "approximate": True},
    "about 1,000,340": {"value": 1000340, "approximate": True},
    "around 5,000": {"value": 5000, "approximate": True},
    "some 5,000": {"value": 5000, "approximate": True},
    "roughly half a million": {"value": 500000, "approximate": True},
    "circa 500": {"value": 500, "approximate": True},
    "c. 500": {"value": 500, "approximate": True},
    "ca. 500": {"value": 500, "approximate": True},
    "~500": {"value": 500, "approximate": True},
    "~ 500": {"value": 500, "approximate": True},
    "close to 500": {"value": 500, "approximate": True},  # it can lie on either side
    "about 60,000 to 70,000": {"lower": 60000, "upper": 70000, "approximate": True},
    # Bounds
    "surpassed one million": {"lower": 1000000, "lower_inclusive": False},
    "over 950,000": {"lower": 950000, "lower_inclusive": False},
    "more than a hundred": {"lower": 100, "lower_inclusive": False},
    "exceeding 1.2 million": {"lower": 1200000, "lower_inclusive": False},
    "topped 100": {"lower": 100, "lower_inclusive": False},
    "> 5": {"lower": 5, "lower_inclusive": False},
    "at least 300": {"lower": 300},
    "no fewer than 300": {"lower": 300},
    "no less than 300": {"lower": 300},
    ">=300": {"lower": 300},
    "\u2265 300": {"lower": 300},
    "300 or more": {"lower": 300},
    "up to 250,000": {"upper": 250000},
    "as many as 250,000": {"upper": 250000},
    "at most 7": {"upper": 7},
    "no more than 7": {"upper": 7},
    "<=7": {"upper": 7},
    "under 500": {"upper": 500, "upper_inclusive": False},
    "less than 500": {"upper": 500, "upper_inclusive": False},
    "fewer than 500": {"upper": 500, "upper_inclusive": False},
    "<500": {"upper": 500, "upper_inclusive": False},
    "nearly 950,000": {"upper": 950000} | NEARLY,
    "almost 1 million": {"upper": 1000000} | NEARLY,
    "approaching one million": {"upper": 1000000} | NEARLY,
    "just under 500": {"upper": 500} | NEARLY,
    # Ranges
    "60,000\u201370,000": {"lower": 60000, "upper": 70000},
    "60,000 \u2013 70,000": {"lower": 60000, "upper": 70000},
    "70-80k": {"lower": 70000, "upper": 80000},
    "1.2-1.5 million": {"lower": 1200000, "upper": 1500000},
    "one to five million": {"lower": 1000000, "upper": 5000000},
    "950,000-1 million": {"lower": 950000, "upper": 1000000},
    "between 7,000 and 15,000": {"lower": 7000, "upper": 15000},
    "between five and seven": {"lower": 5, "upper": 7},
    "from 60 to 70 thousand": {"lower": 60000, "upper": 70000},
    "60 to 70 thousand": {"lower": 60000, "upper": 70000},
    "60,000 to 70,000": {"lower": 60000, "upper": 70000},
    "-1.2 to -0.8": {"lower": -1.2, "upper": -0.8},
    "10-12": {"lower": 10, "upper": 12},
    # Vague
    "thousands more": {},
    "thousands": {},
    "several hundred": {},
    "a few thousand": {},
    "tens of thousands": {},
    "dozens": {},
    "hundreds or more": {},
    # Shares and odds
    "12 of the 100 survived": {"value": 12, "out_of": 100},
    "12 of the 100": {"value": 12, "out_of": 100},
    "12 out of 100": {"value": 12, "out_of": 100},
    "one to five": {"value": 1, "out_of": 5},
    "1:5": {"value": 1, "out_of": 5},
    "5:1": {"value": 5, "out_of": 1},
    "one Russian to five Ukrainians": {"value": 1, "out_of": 5},
}

UNSURE = [
    "",
    " ",
    "1.351",  # a thousand and more, or one and a bit
    "1,2",
    "1,000,00",
    "1,351 people",
    "70 or 80,000",
    "60-70,000",  # short for 60,000-70,000?
    "2022-2025",
    "7,000-5,000",
    "1-1.351",
    "1.351-2",
    "0 to 5",
    "5,000-5,000",
    "1 to 5",  # odds, or a range?
    "two to five",
    "one to five people",
    "one man to five men to six",
    "1.351 men to 5 women",
    "five men to six men",
    "3:2",
    "1:1.351",
    "1:5 million",
    "1.351 of 100",
    "12 of the 100 percent",
    "12% of 100",
    "5%",
    "half",
    "a",
    "c500",
    "over5",
    "over dozens",
    "about one to five",
    "about 12 of the 100",
    "at least about 5",
    "1e5",
    "inf",
    "nan",
    "10^6",
    "9999999 trillion",
    "1.0000000000000001",
    "1234567890123456789",
    "It surpassed one million, the ministry said, and would go on to surpass two million by the end of it.",
]


@pytest.mark.parametrize("text", READ)
def test_a_clear_wording_is_read(text: str) -> None:
    assert parse_wording(text) == validate_figure(PrintedFigure(text, **READ[text]), "quantity")


@pytest.mark.parametrize("text", UNSURE)
def test_what_can_be_read_in_two_ways_is_not_guessed(text: str) -> None:
    assert parse_wording(text) is None


@pytest.mark.parametrize(
    ("text", "expected", "at_a_tenth"),
    [
        ("1,351", NumberInterval(1351, 1351), NumberInterval(1351, 1351)),
        ("approximately 1,149", NumberInterval(1149, 1149), NumberInterval(1034.1, 1263.9)),
        ("surpassed one million", NumberInterval(1000000, None, False), NumberInterval(1000000, None, False)),
        ("over 950,000", NumberInterval(950000, None, False), NumberInterval(950000, None, False)),
        ("at least 300", NumberInterval(300, None), NumberInterval(300, None)),
        ("up to 250,000", NumberInterval(None, 250000), NumberInterval(None, 250000)),
        ("nearly 950,000", NumberInterval(None, 950000, True, False), NumberInterval(855000, 1045000)),
        ("60,000\u201370,000", NumberInterval(60000, 70000), NumberInterval(60000, 70000)),
        ("thousands more", None, None),
        ("12 of the 100 survived", NumberInterval(12, 12), NumberInterval(12, 12)),
        ("one Russian to five Ukrainians", NumberInterval(1, 1), NumberInterval(1, 1)),
    ],
)
def test_the_contracts_wordings_become_these_intervals(
    text: str, expected: NumberInterval | None, at_a_tenth: NumberInterval | None
) -> None:
    figure = parse_wording(text)
    assert figure is not None
    assert interval_of(figure) == expected
    assert interval_of(figure, 0.1) == at_a_tenth


def test_a_wording_is_kept_as_it_came() -> None:
    text = " Nearly\u00a0950,000 "
    figure = parse_wording(text)
    assert figure is not None
    assert figure.as_printed == text


@given(st.integers(0, 10**12), st.sampled_from([",", " ", "'", "\u00a0", "\u202f"]))
@settings(max_examples=60, deadline=None)
def test_every_grouping_reads_as_its_number(number: int, mark: str) -> None:
    figure = parse_wording(f"{number:,}".replace(",", mark))
    assert figure is not None
    assert figure.value == number


@given(st.lists(st.sampled_from([*"0123456789 ,.'-kmo", "one", " to ", "half a ", "million", "of the "]), max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_is_read_is_sound(parts: list[str]) -> None:
    figure = parse_wording("".join(parts))
    if figure is not None:
        assert validate_figure(figure, "quantity") == figure


@pytest.mark.parametrize("unit", ["1", "1,", "1 000", "one ", "many ", "tens of ", "a ", "1.", "-", "to ", "1-"])
def test_hostile_wordings_cost_no_time(unit: str) -> None:
    begin = process_time()
    parse_wording((unit * 80)[:79] + "!")
    assert process_time() - begin < 0.5
