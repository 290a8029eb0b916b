"""Wordings in seven languages are read exactly, or refused with the reason; nothing is guessed and no digit is lost."""

import contextlib
import csv
import re
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.units import has_fractions
from app.comparison.wordings.agreement import (
    GivenFigure,
    check_unit,
    describe_reading,
    find_difference,
    fold_text,
    quote_holds,
)
from app.comparison.wordings.grammar import LANGUAGES, load_grammar, number_signs
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import Reading, RefusalReason, UnreadableWording, WordingContext
from app.enums import WordingRefusal
from tests.strategies import try_examples

CASES = Path(__file__).with_name("wordings.csv")
COLLECTED = Path(__file__).with_name("articles.csv")
NEWSROOM = Path(__file__).with_name("newsroom.csv")
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


# Wordings collected from articles, each with the address of its page and what a person understands by it.
#
# `expect` is `refuse` where the reader need not be certain of it; the numbers say what it may be read as, if anything.

with COLLECTED.open(encoding="utf-8", newline="") as file:
    COLLECTED_ROWS = list(csv.DictReader(file))

# Wordings as newspapers print numbers in seven languages, made by hand.

with NEWSROOM.open(encoding="utf-8", newline="") as file:
    NEWSROOM_ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row", COLLECTED_ROWS + NEWSROOM_ROWS, ids=lambda row: f"{row['as_printed']}-{row['language']}-{row['unit']}"
)
def test_a_collected_wording_is_read_as_a_person_understands_it(row: dict[str, str]) -> None:
    arguments = (row["as_printed"], row["language"] or None, row["unit"] or None)
    if row["expect"] == "refuse":
        assert refusal(*arguments).reason == row["reason"]
        return
    reading = read(*arguments)
    if row["expect"] == "vague":
        assert reading.figure.kind == "vague"
        return
    flags: dict[str, bool | None] = {"true": True, "false": False, "": None}
    assert {name: getattr(reading.figure, name) for name in (*NUMBERS, *FLAGS)} == {
        **{name: float(row[name]) if row[name] else None for name in NUMBERS},
        **{name: flags[row[name]] for name in FLAGS},
    }
    assert (reading.proposition, reading.per or "") == (row["proposition"], row["per"])


# What the reader makes of a wording, beyond the tables

ARTICLES: list[tuple[str, str, str]] = [
    ("en", "an estimated 350,000 casualties", '"value": 350000'),
    ("en", "some 6,000 troops", '"value": 6000, "approximate": true'),
    ("en", "around 3,500 a month", '"value": 3500, "approximate": true, "per": "month"'),
    ("en", "1,500-2,000 per day", '"lower": 1500, "upper": 2000, "per": "day"'),
    ("en", "8.6 a day", '"value": 8.6, "per": "day"'),
    ("en", "just over half a million", '"lower": 500000, "lower_inclusive": false, "approximate": true'),
    ("en", "up to 40%", '"upper": 40, "unit": "percent"'),
    ("en", "more than 20% fewer than in 2022", '"upper": -20, "upper_inclusive": false, "unit": "percent"'),
    ("en", "up 3.4% on the year", '"value": 3.4, "unit": "percent"'),
    ("en", "fell by 5% compared with 2019", '"value": -5, "unit": "percent"'),
    ("en", "four times the average", '"value": 4, "unit": "times"'),
    ("en", "twice as many as in 2019", '"value": 2, "unit": "times"'),
    ("en", "half of the area", '"value": 1, "out_of": 2'),
    ("en", "2 lakh 50 thousand", '"value": 250000'),
    ("en", "17.7 million (12.6 million–21 million)", '"value": 17700000, "lower": 12600000, "upper": 21000000'),
    ("en", "17.7 million (95% CI 12.6–21 million)", '"value": 17700000, "lower": 12600000, "upper": 21000000'),
    ("en", "1,234,567[12]†", '"value": 1234567'),
    ("en", "between one hundred and two hundred", '"lower": 100, "upper": 200'),
    ("en", "over US$14.9 billion", '"lower": 14900000000, "lower_inclusive": false, "unit": "USD"'),
    ("en", "no casualties", '"value": 0'),
    ("en", "3 ± 0.5", '"value": 3, "lower": 2.5, "upper": 3.5'),
    ("de", "rund 1,2 Millionen Menschen", '"value": 1200000, "approximate": true'),
    ("de", "zwischen 200 und 300 Verletzte", '"lower": 200, "upper": 300'),
    ("de", "über eine halbe Million", '"lower": 500000, "lower_inclusive": false'),
    ("de", "anderthalb Millionen", '"value": 1500000'),
    ("de", "gut 4.000", '"lower": 4000, "lower_inclusive": false, "approximate": true'),
    ("de", "260 im Monat", '"value": 260, "per": "month"'),
    ("de-CH", "1'234.5", '"value": 1234.5'),
    ("fr", "une centaine de victimes", '"value": 100, "approximate": true'),
    ("fr", "1,2 milliard d'euros", '"value": 1200000000, "unit": "EUR"'),
    ("fr", "un sur cinq", '"value": 1, "out_of": 5'),
    ("fr", "20 % de plus qu'en 2022", '"value": 20, "unit": "percent"'),
    ("es", "mil millones de euros", '"value": 1000000000, "unit": "EUR"'),
    ("es", "casi medio millón", '"upper": 500000, "upper_inclusive": false, "approximate": true'),
    ("es-MX", "más de 1,200", '"lower": 1200, "lower_inclusive": false'),
    ("uk", "двадцять одна тисяча", '"value": 21000'),
    ("uk", "1 140 на добу", '"value": 1140, "per": "day"'),
    ("uk", "від шістдесяти до сімдесяти тисяч", '"lower": 60000, "upper": 70000'),
    ("ru", "полтора миллиона", '"value": 1500000'),
    ("ru", "свыше 1,2 млрд рублей", '"lower": 1200000000, "lower_inclusive": false, "unit": "RUB"'),
    ("ru", "на 20% больше, чем в 2022 году", '"value": 20, "unit": "percent"'),
    ("pl", "dwa miliony trzysta tysięcy", '"value": 2300000'),
    ("pl", "blisko 40 proc.", '"upper": 40, "upper_inclusive": false, "approximate": true, "unit": "percent"'),
    ("en", "a crowd of more than 90,000", '"lower": 90000, "lower_inclusive": false'),
    ("en", "has risen to 340", '"value": 340'),
    ("en", "fell below 300", '"upper": 300, "upper_inclusive": false'),
    ("en", "60-odd people", '"value": 60, "approximate": true'),
    ("en", "300 (approx.)", '"value": 300, "approximate": true'),
    ("en", "at least 300 or more", '"lower": 300'),
    ("en", "$15-an-hour", '"value": 15, "per": "hour"'),
    ("en", "half a percentage point", '"value": 0.5, "unit": "percentage-points"'),
    ("en", "up 0.1 percentage points", '"value": 0.1, "unit": "percentage-points"'),
    ("en", "eight and a half", '"value": 8.5'),
    ("en", "60 to 70 per cent full", '"lower": 60, "upper": 70, "unit": "percent"'),
    ("en", "35.2 billion m3", '"value": 35200000000, "unit": "cubic-meter"'),
    ("de", "mindestens ein Toter", '"lower": 1'),
    ("uk", "загинули щонайменше 12 людей", '"lower": 12'),
    ("uk", "тисяча двісті", '"value": 1200'),
    ("ru", "погибли 12 человек", '"value": 12'),
    ("ru", "300 с лишним", '"lower": 300, "lower_inclusive": false'),
    ("ru", "миллион двести тысяч", '"value": 1200000'),
    ("pl", "zginęło 12 osób", '"value": 12'),
    ("pl", "tysiąc dwieście", '"value": 1200'),
    ("ja", "98万4000人から144万人", '"lower": 984000, "upper": 1440000'),
    ("hi", "१,२३,४५६", '"value": 123456'),
    ("it", "1.234", '"value": 1234'),
]


@pytest.mark.parametrize(("language", "text", "stated"), ARTICLES)
def test_a_wording_of_an_article_is_read(language: str, text: str, stated: str) -> None:
    described = describe_reading(read(text, language))
    assert re.sub(r', "proposition": "\w+"$', "", described) == stated


@pytest.mark.parametrize(
    ("text", "language", "unit", "reason"),
    [
        ("one death every two hours", "en", None, "rate_not_supported"),
        ("every two hours", "en", None, "rate_not_supported"),
        ("12 per 100,000", "en", None, "rate_not_supported"),
        ("three times more than in 2022", "en", None, "ambiguous_multiple"),
        ("60-70,000", None, "persons", "ambiguous_range"),
        ("2022-2025", None, "persons", "ambiguous_range"),
        ("1,351 million", None, "persons", "language_needed"),
        ("over 1.200", None, "persons", "ambiguous_separator"),
        ("1.200", "fr", "persons", "ambiguous_separator"),
        ("1,200", None, "kilometres", "ambiguous_separator"),
        ("1.2", "en", "persons", "fraction_of_whole_units"),
        ("5 m", "en", None, "ambiguous_word"),
        ("5 tn", "en", "tonnes", "ambiguous_word"),
        ("300?", "en", "persons", "ambiguous_word"),
        ("тысяча-две", "ru", "persons", "two_figures"),
        ("миллион двести", "ru", "persons", "two_figures"),
        ("60 per cent of somewhere 7", "en", "percent", "two_figures"),
        ("на треть больше", "ru", None, "share"),
        ("the past 12 months", "en", "months", "words_not_understood"),
        ("CAD 1.2 billion", "en", "USD", "unit_differs"),
        ("300 elephants", "en", "persons", "words_not_understood"),
        ("300 tanks", "en", "persons", "unit_differs"),
        ("300 km", "en", "hectares", "unit_differs"),
        ("half of the area", "en", "hectares", "share"),
        ("10^6", None, None, "words_not_understood"),
        ("10⁶", None, None, "no_number"),
        ("14.000", "en", "persons", "ambiguous_separator"),
        ("2.500 hectares", "en", "hectares", "ambiguous_separator"),
        ("14,000 ha", "fr", "hectares", "ambiguous_separator"),
        ("90,000", "es", "persons", "ambiguous_separator"),
        ("2.000 million", "en", "persons", "ambiguous_separator"),
        ("5 thousand 30", "en", "persons", "two_figures"),
        ("2,5 тыс. 340", "ru", "persons", "two_figures"),
        ("2,5 et demie", "fr", None, "words_not_understood"),
        ("20 more", "en", "persons", "change"),
        ("300 less than in 2022", "en", "persons", "change"),
        ("nearly one in five", "en", "persons", "share"),
        ("more than half", "en", "percent", "share"),
        ('12"', "en", "inches", "ambiguous_word"),
        ("7 km 2", "en", None, "two_figures"),
        ("99c", "en", None, "words_not_understood"),
        ("$100 (A$150)", "en", "AUD", "two_figures"),
        ("5 people in 10 cities", "en", "persons", "two_figures"),
        ("20% населения меньше", "ru", "percent", "change"),
        ("1٢", None, None, "no_number"),
        ("1\u200b234", None, None, "no_number"),
        ("9999999 trillion", "en", None, "out_of_range"),
        ("at least 300 or fewer", "en", None, "words_not_understood"),
        ("5 mila", "it", None, "words_not_understood"),
        ("a" * 10_000, None, None, "too_long"),
    ],
)
def test_what_is_not_certain_is_refused_with_its_reason(
    text: str, language: str | None, unit: str | None, reason: str
) -> None:
    error = refusal(text, language, unit)
    assert error.reason == reason
    assert len(error.detail) < 400


def test_a_refusal_names_the_words_that_are_not_understood() -> None:
    assert refusal("300 purple elephants", "en").detail == (
        "`300 purple elephants`: not understood: `purple`, `elephants`."
    )


def test_every_refusal_has_a_definition() -> None:
    assert {reason.value for reason in WordingRefusal} == set(get_args(RefusalReason))


def test_an_amount_in_dollars_has_no_three_decimals() -> None:
    assert read("$1,200", None, "USD").figure.value == 1200
    assert refusal("$1.200", None, "USD").reason == "ambiguous_separator"
    assert refusal("€1,200", None, "EUR").reason == "ambiguous_separator"


def test_things_that_are_counted_whole_say_what_a_separator_means() -> None:
    assert read("14.000 people", "en", "persons").figure.value == 14_000
    assert read("Près de 1.100 pompiers", "fr").figure.upper == 1_100
    assert read("4 тысячи 848 домов", "ru").figure.value == 4_848
    assert read("2.345 hectares", "en", "hectares").figure.value == 2.345
    assert read("1.3 Millionen", "de").figure.value == 1_300_000
    with pytest.raises(UnreadableWording):
        read_wording("1.100 décès", WordingContext("fr", is_fractional=True))


def test_the_number_in_another_unit_is_no_part_of_the_figure() -> None:
    reading = read("nearly US$1 billion (S$1.25 billion)", "en", "USD")
    assert reading.ignored == (("another unit in brackets", "s $ 1.25 billion"),)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("500 cubic metres", "cubic-meters", 500),
        ("500 m3", "cubic-metres", 500),
        ("12 km³", "cubic-kilometers", 12),
        ("12 hours", "hour", 12),
        ("2½ hours", "hours", 2.5),
        ("1 barrel", "barrels", 1),
        ("1,200 MW", "megawatts", 1200),
        ("3 terawatt hours", "TWh", 3),
        ("60 inches", "inch", 60),
        ("one flagpole", "flagpoles", 1),
        ("5 colour metres", "color-meters", None),
    ],
)
def test_a_unit_is_read_in_each_of_its_spellings(text: str, unit: str, value: float | None) -> None:
    if value is None:
        assert "not understood: `colour`" in refusal(text, "en", unit).detail
        return
    assert read(text, "en", unit).figure.value == value


def test_the_unit_says_what_a_short_word_means() -> None:
    assert read("5 m", "en", "meters").figure.value == 5
    assert read("5m", "en", "persons").figure.value == 5_000_000


# The separators

SIGNS = {"en": (".", ","), "de": (",", "."), "es": (",", "."), **dict.fromkeys(("fr", "uk", "ru", "pl"), (",", " "))}


@given(st.integers(0, 10**12), st.sampled_from(LANGUAGES))
@settings(max_examples=100, deadline=None)
def test_a_number_in_the_digits_of_its_language_is_that_number(number: int, language: str) -> None:
    decimal, group = number_signs(language)
    assert (decimal, group) == SIGNS[language]
    assert read(f"{number:,}".replace(",", group), language).figure.value == number
    assert read(f"{number}{decimal}5", language, "kilometers").figure.value == float(f"{number}.5")


@given(st.text("0123456789.,' ", min_size=1, max_size=12), st.sampled_from([None, *LANGUAGES]))
@try_examples(120)
def test_digits_are_never_thousandfold_wrong(text: str, language: str | None) -> None:
    """Whoever reads the digits with the signs of the language, or else with both, gets the same number."""
    text = " ".join(text.strip(" .,'").split())  # a full stop at the end is no decimal sign
    try:
        value = read(text, language, "kilometers").figure.value
    except UnreadableWording:
        return
    assert value is not None
    signs = [SIGNS[language][0]] if language else [".", ","]
    readings = {_plain_reading(text, sign) for sign in signs} - {None}
    other = _plain_reading(text, "," if language and SIGNS[language][0] == "." else ".")
    assert {Fraction(str(value))} == (readings or {other})


def _plain_reading(text: str, decimal: str) -> Fraction | None:
    """Return what a reader who knows only one convention makes of digits."""
    whole, sign, fraction = text.strip().rpartition(decimal)
    if not sign:
        whole, fraction = text.strip(), ""
    groups = re.split(r"[^0-9]", whole)
    separators = set(re.findall(r"[^0-9]", whole))
    is_grouped = len(groups) > 1 and groups[0][:1] != "0" and all(len(group) == 3 for group in groups[1:])
    is_indian = separators == {","} and all(len(group) == 2 for group in groups[1:-1]) and len(groups[-1]) == 3
    fits = len(groups) == 1 or (is_grouped and len(groups[0]) <= 3) or (is_indian and 1 <= len(groups[0]) <= 2)
    if not fits or not groups[0] or len(separators) > 1 or decimal in separators or not (fraction or not sign):
        return None
    if not re.fullmatch("[0-9]*", fraction):
        return None
    return Fraction(int("".join(groups))) + Fraction(int(fraction or 0), 10 ** len(fraction))


# Round trips

PRINTED = {
    "en": ("{}", "about {}", "over {}", "at least {}", "up to {}", "under {}", "nearly {}", "just over {}"),
    "uk": ("{}", "близько {}", "понад {}", "щонайменше {}", "до {}", "менше {}", "майже {}", "трохи більше {}"),
    "ru": ("{}", "около {}", "более {}", "не менее {}", "до {}", "менее {}", "почти {}", "чуть более {}"),
    "fr": (
        "{}",
        "environ {}",
        "plus de {}",
        "au moins {}",
        "jusqu'à {}",
        "moins de {}",
        "près de {}",
        "un peu plus de {}",
    ),
    "de": ("{}", "rund {}", "über {}", "mindestens {}", "bis zu {}", "unter {}", "fast {}", "etwas mehr als {}"),
    "es": ("{}", "unos {}", "más de {}", "al menos {}", "hasta {}", "menos de {}", "casi {}", "poco más de {}"),
    "pl": ("{}", "około {}", "ponad {}", "co najmniej {}", "do {}", "poniżej {}", "prawie {}", "nieco ponad {}"),
}
KINDS: list[dict[str, Any]] = [
    {"value": 1},
    {"value": 1, "approximate": True},
    {"lower": 1, "lower_inclusive": False},
    {"lower": 1, "lower_inclusive": True},
    {"upper": 1, "upper_inclusive": True},
    {"upper": 1, "upper_inclusive": False},
    {"upper": 1, "upper_inclusive": False, "approximate": True},
    {"lower": 1, "lower_inclusive": False, "approximate": True},
]


@given(st.sampled_from(LANGUAGES), st.integers(0, len(KINDS) - 1), st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_what_is_read_and_printed_again_reads_the_same(language: str, kind: int, number: int) -> None:
    group = SIGNS[language][1]
    expected: dict[str, Any] = {
        name: number if isinstance(value, int) and value == 1 and name in NUMBERS else value
        for name, value in KINDS[kind].items()
    }
    text = PRINTED[language][kind].format(f"{number:,}".replace(",", group))
    figure = read(text, language).figure
    assert figure == PrintedFigure(text, **expected)


WORDS = "about over to and of in half a dozen million thousand more than 2022 per day times the persons or"
PARTS = [*"0123456789 ,.'-+±%()[]*½:/", *(f" {word} " for word in WORDS.split())]


@given(st.lists(st.sampled_from(PARTS), max_size=14), st.sampled_from([None, "en", "de"]))
@try_examples(120)
def test_no_digit_is_ignored_without_a_rule(parts: list[str], language: str | None) -> None:
    text = "".join(parts)
    try:
        reading = read_wording(text, WordingContext(language))
    except UnreadableWording:
        return
    named = [*reading.digits, *(part for _rule, part in reading.ignored)]
    assert sorted(re.findall("[0-9½]", text)) == sorted(re.findall("[0-9½]", "".join(named)))


@given(st.text(max_size=40), st.sampled_from([None, *LANGUAGES]))
@try_examples(120)
def test_any_text_is_read_or_refused(text: str, language: str | None) -> None:
    try:
        reading = read_wording(text, WordingContext(language))
    except UnreadableWording:
        return
    assert reading.figure.as_printed == text


# Every pair of what a language has


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_pair_of_qualifier_number_unit_is_read_soundly(language: str) -> None:
    """A qualifier never changes the size of a number, and what is bounded has no value."""
    grammar = load_grammar(language)
    qualifiers = [("", ""), *((" ".join(words), kind) for words, kind in grammar.before.phrases())]
    scales = [("", 1), *((" ".join(words), size) for words, size in grammar.scales.phrases() if words[0] != "m")]
    nouns = ["", "km", "%", *(" ".join(words) for words, name in grammar.nouns.phrases() if name == "persons")]
    pairs = [
        *((qualifier, scale, "") for qualifier in qualifiers for scale in scales),
        *((qualifier, ("", 1), noun) for qualifier in qualifiers for noun in nouns[:6]),
        *((("", ""), scale, noun) for scale in scales for noun in nouns[:12]),
    ]
    read_count = 0
    for (before, kind), (scale, size), noun in pairs:
        text = f"{before} 2{SIGNS[language][0]}5 {scale} {noun}".strip()
        try:
            figure = read_wording(text, WordingContext(language)).figure
        except UnreadableWording as error:
            reason = error.reason
            assert reason in {"words_not_understood", "two_figures", "ambiguous_word"}, text
            continue
        read_count += 1
        assert getattr(figure, BOUND_OF.get(kind, "value")) == 2.5 * size, text
        assert figure.approximate is (kind in {"about", "nearly", "just_over"}), text
    assert read_count > 0.9 * len(pairs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_qualifier_and_no_unit_changes_the_size_of_a_number(language: str) -> None:
    """Each form of a number, behind the qualifiers and in front of the units of a language, is that number."""
    grammar, (decimal, group) = load_grammar(language), SIGNS[language]
    qualifiers = [("", ""), *((" ".join(words), kind) for words, kind in grammar.before.phrases())]
    tables = (grammar.nouns, grammar.units, grammar.currencies, grammar.percent)
    units = ["", *(" ".join(words) for table in tables for words, kind in table.phrases() if kind != "fillers")]
    scales = [(" ".join(words), size) for words, size in grammar.scales.phrases()]
    forms = [
        *(("7", Fraction(7)), ("340", Fraction(340)), ("2024", Fraction(2024))),
        (f"12{group}345", Fraction(12_345)),
        (f"12{group}345{group}678", Fraction(12_345_678)),
        *((f"34 {scale}", Fraction(34 * size)) for scale, size in scales),
        *((f"1{decimal}234 {scale}", Fraction(1_234 * size, 1000)) for scale, size in scales),
    ]
    count = len(qualifiers) * len(forms) * len(units)
    for case in range(0, count, count // 300):
        rest, unit_number = divmod(case, len(units))
        qualifier_number, form_number = divmod(rest, len(forms))
        unit, (form, number), (qualifier, kind) = units[unit_number], forms[form_number], qualifiers[qualifier_number]
        text = f"{qualifier} {form} {unit}".strip()
        try:
            reading = read_wording(text, WordingContext(language))
        except UnreadableWording:
            continue
        named = "".join([*reading.digits, *(part for _rule, part in reading.ignored)])
        stated = [Fraction(str(found)) for name in NUMBERS if (found := getattr(reading.figure, name)) is not None]
        assert stated == [number], text
        assert getattr(reading.figure, BOUND_OF.get(kind, "value")) is not None, text
        assert re.sub("[^0-9]", "", named) == re.sub("[^0-9]", "", form), text


BOUND_OF = {
    **dict.fromkeys(("over", "least", "just_over"), "lower"),
    **dict.fromkeys(("most", "under", "nearly"), "upper"),
}


@pytest.mark.parametrize(
    "unit", ["1", "1,", "1 000", "one ", "many ", "tens of ", "a ", "1.", "-", "to ", "1-", "(", "half a ", "and "]
)
def test_long_wordings_cost_no_time(unit: str) -> None:
    begin = process_time()
    for length in (79, 199, 10_000):
        for language in (None, "en", "ru"):
            with contextlib.suppress(UnreadableWording):
                read_wording((unit * 10_000)[:length] + "!", WordingContext(language))
    assert process_time() - begin < 3


# The numbers beside a wording


def difference(
    text: str, proposition: str = "quantity", unit: str = "persons", per: str | None = None, **numbers: Any
) -> str | None:
    given_figure = GivenFigure(validate_figure(PrintedFigure(text, **numbers), "quantity"), proposition, unit, per)
    return find_difference(given_figure, WordingContext(unit=unit, is_fractional=has_fractions(unit)))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3,600", {"value": 360}),
        ("half of the area", {"value": 50, "unit": "hectares"}),
        ("260 a month", {"value": 260, "per": "day"}),
        ("260 a month", {"value": 260}),
        ("624", {"lower": 624}),
        ("over 950,000", {"lower": 950000}),
        ("over 950,000", {"value": 950000}),
        ("about 300", {"value": 300}),
        ("12 of the 100", {"value": 12}),
        ("1 in 5", {"value": 1, "out_of": 5, "unit": "percent"}),
        ("thousands more", {"value": 3000}),
        ("1.200", {"value": 12}),
        ("10%", {"value": 10}),
        ("$14.9 billion", {"value": 14_900_000_000, "unit": "EUR"}),
        ("1,000 acres", {"value": 1000, "unit": "hectares"}),
        ("at least 300", {"lower": 300, "upper": 500}),
    ],
)
def test_numbers_that_say_something_else_are_found(text: str, numbers: dict[str, Any]) -> None:
    assert difference(text, **numbers) is not None


@pytest.mark.parametrize(
    ("text", "language", "numbers", "expected"),
    [
        ("mehr als jeder dritte Zug", "de", {"value": 1, "out_of": 3}, "a bound (`mehr als`)"),
        ("around one in six", "en", {"value": 1, "out_of": 6}, "an approximate number (`around`)"),
        ("nearly two thirds of it", "en", {"value": 2, "out_of": 3}, "a bound (`nearly`)"),
        ("почти половина", "ru", {"value": 50}, "a bound (`почти`)"),
        ("near half a score of them", "en", {"value": 10}, "an approximate number (`near`)"),
    ],
)
def test_a_qualifier_is_not_left_out_even_if_the_wording_is_not_read(
    text: str, language: str, numbers: dict[str, Any], expected: str
) -> None:
    def differs(**more: Any) -> str | None:
        figure = validate_figure(PrintedFigure(text, **numbers, **more), "quantity")
        return find_difference(GivenFigure(figure, "ratio", "trains"), WordingContext(language))

    refusal(text, language, "trains")
    assert differs() == expected
    assert differs(approximate=True) is None


def test_a_qualifier_of_something_else_than_a_number_is_no_bound() -> None:
    given_figure = GivenFigure(PrintedFigure("over the weekend 300", value=300), "quantity", "persons")
    assert find_difference(given_figure, WordingContext("en")) is None


def test_none_of_the_things_that_the_unit_names_are_zero() -> None:
    assert read("not a single ship", "en", "ships").figure.value == 0
    assert refusal("not a single ship", "en").reason == "words_not_understood"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3,600", {"value": 3600}),
        ("3,600", {"value": 3600, "approximate": True}),
        ("1.200", {"value": 1200}),
        ("1.200", {"value": 1.2, "unit": "kilometers"}),
        ("half a million", {"value": 500000}),
        ("60,000–70,000", {"lower": 60000, "upper": 70000, "value": 66000}),
        ("260 a month", {"value": 260, "per": "month"}),
        ("1 in 5", {"value": 20, "unit": "percent"}),
        ("12 of 100", {"value": 12, "out_of": 100, "unit": "percent"}),
        ("52%", {"value": 52, "out_of": 100}),
        ("$14.9 billion", {"value": 14_900_000_000, "unit": "USD"}),
        ("whatever it was", {"value": 7}),
        ("20% more than in 2022", {"value": 20, "unit": "percent", "proposition": "change", "relative_to": "2022"}),
    ],
)
def test_numbers_that_are_those_of_the_wording_agree(text: str, numbers: dict[str, Any]) -> None:
    assert difference(text, **numbers) is None


@pytest.mark.parametrize(
    ("quote", "text", "numbers", "holds"),
    [
        (
            "He said that over\u00a0950,000 had fallen.",
            "over 950,000",
            {"lower": 950000, "lower_inclusive": False},
            True,
        ),
        ("60\u202f000\u201370\u202f000", "60 000-70 000", {"lower": 60000, "upper": 70000}, True),
        ("“surpassed one million”", "Surpassed one million", {"lower": 10**6, "lower_inclusive": False}, True),
        ("Загинули понад 29 700 військових.", "over 29,700", {"lower": 29700, "lower_inclusive": False}, True),
        ("Загинули 29 700 військових.", "over 29,700", {"lower": 29700, "lower_inclusive": False}, False),
        ("the toll was 11,351", "1,351", {"value": 1351}, False),
        ("the toll was 1,351,000", "1,351", {"value": 1351}, False),
        ("on the 12th of March", "12", {"value": 12}, False),
        ("many died", "1,351", {"value": 1351}, False),
    ],
)
def test_a_verbatim_quote_holds_the_wording_or_the_same_figure(
    quote: str,
    text: str,
    numbers: dict[str, Any],
    holds: bool,  # noqa: FBT001 - the expectation
) -> None:
    figure = validate_figure(PrintedFigure(text, **numbers), "quantity")
    assert quote_holds(quote, figure, WordingContext()) is holds


def test_texts_are_compared_without_their_typography() -> None:
    assert fold_text("1\u202f000 — ‘Ｓo’") == "1 000 - 'so'"


def test_a_long_quote_costs_no_time() -> None:
    begin = process_time()
    assert not quote_holds("about 5 of the 300 or so " * 200, PrintedFigure("7", value=7), WordingContext())
    assert process_time() - begin < 3
