"""Sentences over registers of many subjects, with and without words of their records, read by an editor."""

import re

import pytest

from app.comparison.figure import PrintedFigure
from app.sentences.figures import build_display
from app.sentences.sentence import write_claim_text
from tests.sentences.other_registers import CLAIMS, SENTENCES_FILE, name_records, tell_all


def test_the_sentences_are_those_that_an_editor_read() -> None:
    assert tell_all() == SENTENCES_FILE.read_text(encoding="utf-8").split("\n"), (
        "the sentences changed: run `python -m tests.sentences.other_registers`, and read the difference"
    )


@pytest.mark.parametrize("with_words", [True, False])
def test_no_sentence_is_awkward(with_words: bool) -> None:  # noqa: FBT001 - a parameter
    for claim in CLAIMS:
        names = name_records(claim, with_words=with_words)
        text = write_claim_text(claim, names)
        for part in (text.sentence, text.short_form, text.figure):
            assert not re.search(r"None|  |\n| [,.;]|\(\)|“”|percent(?!age points)|usd|degrees|\(;|;\)", part), part
            assert not re.search(r"\b1 (?:persons|animals|dams|marchers)\b|had been drowned|200 to 200|1 to 5", part), (
                part
            )
        source = names.find_source(claim["source"]["slug"])
        if not with_words and source.name != "World Reconstruction Bank (WRB)":
            assert text.sentence.startswith(source.name)
            assert names.category.name in text.sentence or claim["figure"]["unit"] == names.category.name.casefold()


def numbers(printed: str, **more: object) -> PrintedFigure:
    return PrintedFigure(printed, **more)  # type: ignore[arg-type] # the fields of a figure


@pytest.mark.parametrize(
    ("figure", "proposition", "unit", "per", "words"),
    [
        (numbers("surpassed one million", lower=10**6, lower_inclusive=False), "quantity", "persons", None,
         "over 1 million persons"),
        (numbers("20万186人", lower=200186, lower_inclusive=True), "quantity", "persons", None,
         "at least 200,186 persons"),
        (numbers("1", value=1), "quantity", "persons", None, "1 person"),
        (numbers("ein Haus", lower=1, lower_inclusive=True), "quantity", "homes", None, "at least 1 home"),
        (numbers("0", value=0), "quantity", "persons", None, "0 persons"),
        (numbers("rund 300", value=300, approximate=True), "quantity", "persons", None, "about 300 persons"),
        (numbers("3.3 mm", value=3.3), "quantity", "millimeter", "year", "3.3 mm a year"),
        (numbers("262", value=262, approximate=True), "quantity", "persons", "month", "about 262 persons a month"),
        (numbers("14.9", value=14_900_000_000), "quantity", "USD", None, "US$14.9 billion"),
        (numbers("-5", value=-5_000_000), "quantity", "GBP", None, "-£5 million"),
        (numbers("52", value=52), "quantity", "percent", None, "52%"),
        (numbers("40-52", lower=40, upper=52, lower_inclusive=True, upper_inclusive=True), "quantity", "percent", None,
         "between 40% and 52%"),
        (numbers("2.1 of 100", value=2.1, out_of=100), "quantity", "percent", None, "2.1%"),
        (numbers("12/100", value=12, out_of=100), "quantity", "persons", None, "12 of 100 persons"),
        (numbers("1 in 5", value=1, out_of=5), "ratio", "persons", None, "1 in 5 persons"),
        (numbers("1 in 5", value=1, out_of=5), "ratio", "percent", None, "1 in 5"),
        (numbers("close to 1 in 5", value=1, out_of=5, approximate=True), "ratio", "persons", None,
         "about 1 in 5 persons"),
        (numbers("one to five", value=1, out_of=5, relative_to="x"), "ratio", "persons", None, "1 to 5"),
        (numbers("vierfach", value=4, relative_to="2006/2024"), "ratio", "times", None,
         "4 times (relative to 2006–2024)"),
        (numbers("four times the average", value=4, relative_to="x"), "ratio", "times", None, "four times the average"),
        (numbers("20% more than in 2022", value=20, relative_to="2022"), "change", "percent", None,
         "20% more than in 2022"),
        (numbers("-20 %", value=-20, relative_to="2022-05"), "change", "percent", None, "20% less than in May 2022"),
        (numbers("at most -20", upper=-20, upper_inclusive=True, relative_to="2022"), "change", "percent", None,
         "at least 20% less than in 2022"),
        (numbers("± 3", lower=-3, upper=3, relative_to="2022"), "change", "percent", None,
         "a change of between -3% and 3% (relative to 2022)"),
        (numbers("1 200 de plus", value=1200, relative_to="2022"), "change", "persons", None,
         "1,200 more persons than in 2022"),
        (numbers("3 Mrd. weniger", value=-3 * 10**9, relative_to="2022"), "change", "EUR", None,
         "€3 billion less than in 2022"),
        (numbers("200", lower=200, upper=200), "quantity", "persons", None, "200 persons"),
        (numbers("47 (40-55)", value=47000, lower=40000, upper=55000, coverage=0.95), "quantity", "persons", None,
         "47,000 persons (40,000 to 55,000 at 95% confidence)"),
        (numbers("1.48 (1.4-1.6)", value=1.48, lower=1.4, upper=1.6), "quantity", "°C", None,
         "1.48°C (1.4°C to 1.6°C)"),
        (numbers("dozens"), "quantity", "persons", None, "dozens of persons"),
        (numbers("Thousands more"), "quantity", "persons", None, "thousands more persons"),
        (numbers("several billion"), "quantity", "USD", None, "several billion US dollars"),
        (numbers("тысячи"), "quantity", "persons", None, "тысячи"),
        (numbers("2,471", value=2471), "quantity", "acres", None, "2,471 acres"),
        (numbers("1.5", value=1.5), "quantity", "km²", None, "1.5 square kilometres"),
        (numbers("300", value=300), "quantity", "homes without power", None, "300 homes without power"),
        (numbers("1", value=1), "quantity", "homes without power", None, "1 home without power"),
        (numbers("33", value=33), "quantity", "currency", None, "33 (currency, in a unit that was not stated)"),
        (numbers("peaked" ), "trend", "persons", None, "peaked"),
    ],
)  # fmt: skip
def test_a_figure_is_displayed_in_english_with_hedge_and_unit(
    figure: PrintedFigure, proposition: str, unit: str, per: str | None, words: str
) -> None:
    assert build_display(figure, proposition, unit, "rate" if per else "within", per) == words
