"""The sentence about two figures says what both count, up to when, and why they have their verdict."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from app.comparison.figure import PrintedFigure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair
from app.comparison.statement import Statement
from app.sentences.pair import explain_pair
from app.sentences.phrases import CategoryDetails, PlaceDetails, RecordNames, SourceDetails, SubjectDetails
from tests.comparison.registers import HIERARCHY as RANDOM_HIERARCHY
from tests.comparison.registers import RANDOMS, draw_statement

CATEGORIES = [
    CategoryNode("dead", ("dead",), None, non_decreasing=True, unit="persons"),
    CategoryNode("missing", ("missing",), None, non_decreasing=True, unit="persons"),
    CategoryNode("dead-and-missing", ("dead", "missing"), None, non_decreasing=True, unit="persons"),
]
HIERARCHY = Hierarchy({node.slug: node for node in CATEGORIES}, {}, {"west": ("sea",)})
NAMES = RecordNames(
    {"a": SourceDetails("a", "Agency A"), "b": SourceDetails("b", "Agency with a long name", in_text="Agency B")},
    {"dead": CategoryDetails("Dead"), "dead-and-missing": CategoryDetails("Dead and missing")},
    {},
    {"west": PlaceDetails("Western sea", "in the western sea")},
)

FIRST = Statement(
    id="1",
    source="a",
    category="dead",
    subject="travellers",
    place="sea",
    unit="persons",
    proposition="quantity",
    modality="estimate",
    derivation="own",
    figure=PrintedFigure("3,140", value=3140),
    period=parse_period("2023-01-01/2023-12-31"),
    aggregation="cumulative",
    date=date(2024, 1, 6),
)
SECOND = replace(FIRST, id="2", source="b", figure=PrintedFigure("3,760", value=3760))
UP_TO = "up to 31 December 2023"


NOTHING_IN_COMMON = "the figures for the same end have no number in common"
PART = "one counts a part of what the other counts"


@pytest.mark.parametrize(
    ("changes", "figures", "explanation"),
    [
        (
            {},
            (f"3,140 persons {UP_TO}", f"3,760 persons {UP_TO}"),
            f"contradict each other: {NOTHING_IN_COMMON}; Agency B states 620 persons more",
        ),
        (
            {"figure": FIRST.figure},
            (f"3,140 persons {UP_TO}", f"3,140 persons {UP_TO}"),
            "agree: one figure lies within the other",
        ),
        (
            {"category": "dead-and-missing"},
            (f"3,140 persons (Dead) {UP_TO}", f"3,760 persons (Dead and missing) {UP_TO}"),
            f"do not conflict: {PART}",
        ),
        (
            {"place": "west"},
            (f"3,140 persons (sea) {UP_TO}", f"3,760 persons (in the western sea) {UP_TO}"),
            f"contradict each other: {PART}, and is larger; Agency B states 620 persons more",
        ),
        (
            {"unit": "vehicles"},
            (f"3,140 persons {UP_TO}", f"3,760 vehicles {UP_TO}"),
            "cannot be compared: they count in different units",
        ),
        (
            {"period": parse_period("2023-01-01/2024-02"), "date": date(2024, 3, 6)},
            (f"3,140 persons {UP_TO}", "3,760 persons up to a day in February 2024"),
            "do not conflict: their periods end at different times, and the figure can have changed in between",
        ),
    ],
)
def test_a_pair_is_explained_in_one_sentence(
    changes: dict[str, Any], figures: tuple[str, str], explanation: str
) -> None:
    second = replace(SECOND, **changes)
    pair = compare_pair(FIRST, second, HIERARCHY)
    sentence = f"Agency A ({figures[0]}) and Agency B ({figures[1]}) {explanation}."
    assert explain_pair(FIRST, second, pair, NAMES) == sentence


@pytest.mark.parametrize(
    ("edtf", "aggregation", "said", "days"),
    [
        ("2026", "within", date(2026, 9, 2), "in 2026 up to 2 September 2026"),
        ("2026", "within", date(2027, 1, 2), "in 2026"),
        ("2026-09", "within", date(2026, 9, 2), "in September 2026 up to 2 September 2026"),
        ("2026-01-01/..", "within", date(2026, 9, 2), "from 1 January 2026 up to 2 September 2026"),
        ("2026-01/2026-03", "within", date(2026, 9, 2), "from January to March 2026"),
        ("2026-01/2026-12", "within", None, "from January to December 2026"),
        ("2026", "cumulative", date(2026, 9, 2), "up to a day from 1 January 2026 to 2 September 2026"),
        ("2026-09-02", "snapshot", date(2026, 9, 2), "on 2 September 2026"),
    ],
)
def test_the_days_of_a_figure_end_with_the_day_on_which_it_was_said(
    edtf: str, aggregation: str, said: date | None, days: str
) -> None:
    first = replace(FIRST, period=parse_period(edtf), aggregation=aggregation, date=said)
    sentence = explain_pair(first, SECOND, compare_pair(first, SECOND, HIERARCHY), NAMES)
    assert sentence.startswith(f"Agency A (3,140 persons {days}) and ")


PRICES_AND_GAUGES = Hierarchy(
    {
        node.slug: node
        for node in (
            CategoryNode("price", ("price",), None, non_decreasing=False, unit="currency"),
            CategoryNode("prices", ("prices",), None, non_decreasing=False, unit="percent"),
            CategoryNode("votes", ("votes",), None, non_decreasing=True, unit="votes"),
            CategoryNode("share", ("share",), None, non_decreasing=False, unit="percent"),
            CategoryNode("level", ("level",), None, non_decreasing=False, unit="length"),
            CategoryNode("temperature", ("temperature",), None, non_decreasing=False, unit="degrees-celsius"),
            CategoryNode("flooded", ("flooded",), None, non_decreasing=True, unit="area"),
            CategoryNode("dead", ("dead",), None, non_decreasing=True, unit="persons"),
            CategoryNode("losses", None, None, non_decreasing=True, unit="persons"),
        )
    },
    {"women": ("voters",)},
    {"upper": ("river",)},
)
RECORDS = replace(NAMES, subjects={"voters": SubjectDetails("Voters"), "women": SubjectDetails("Women", "women")})


def make_statement(unit: str, printed: str, value: float | None = None, **changes: Any) -> Statement:
    """Return a claim on a total of 2023. Its figure has the fields of a figure among `changes`."""
    names = ("lower", "upper", "lower_inclusive", "approximate", "out_of", "relative_to", "coverage")
    numbers: dict[str, Any] = {name: changes.pop(name) for name in names if name in changes}
    plain: dict[str, Any] = {"category": "votes", "subject": "voters", "place": "river", "aggregation": "within"}
    fields = plain | {"period": parse_period(changes.pop("edtf", "2023")), "base": numbers.get("relative_to")} | changes
    return replace(FIRST, unit=unit, figure=PrintedFigure(printed, value, **numbers), **fields)


def make_change(
    printed: str, value: float | None, unit: str = "percent", base: str = "2022", **changes: Any
) -> Statement:
    return make_statement(unit, printed, value, relative_to=base, proposition="change", category="prices", **changes)


def make_level(unit: str, printed: str, value: float | None, **changes: Any) -> Statement:
    return make_statement(
        unit, printed, value, **{"category": "level", "aggregation": "snapshot", "edtf": "2023-05-07"} | changes
    )


def make_rate(unit: str, printed: str, value: float, per: str | None, **changes: Any) -> Statement:
    return make_statement(unit, printed, value, aggregation="rate", per=per, **changes)


def make_toll(value: float, moment: str | None, **changes: Any) -> Statement:
    said_at = None if moment is None else datetime.fromisoformat(moment)
    fields = {"category": "dead", "aggregation": "cumulative", "edtf": "2023-05-01/2023-05-07", "said_at": said_at}
    return make_statement("persons", str(value), value, **fields | {"date": date(2023, 5, 7)} | changes)


def make_ratio(
    printed: str, value: float, out_of: float | None = None, unit: str = "votes", **changes: Any
) -> Statement:
    return make_statement(unit, printed, value, out_of=out_of, proposition="ratio", **changes)


APART = f"contradict each other: {NOTHING_IN_COMMON}; "
FALLS = "a total that can only grow is larger at an earlier moment than at a later one"
SCOPE_UNSTATED = "only one states whether it includes a group, so a contradiction cannot be established"
SAME_DAY = "one source gave several totals up to the day on which it stated them, and their hours are not all known"
OTHER_BASE = (
    "cannot be compared: they are shares of different wholes or relative to different bases, or only one of them is"
)
ON_DAY = "on 7 May 2023"


@pytest.mark.parametrize(
    ("one", "two", "figures", "explanation"),
    [
        # Changes and shares in percent differ by percentage points.
        (
            make_change("40 percent more than in 2022", 40),
            make_change("31 per cent more than in 2022", 31),
            ("40% more than in 2022, in 2023", "31% more than in 2022, in 2023"),
            APART + "the figure of Agency A is 9 percentage points higher",
        ),
        (
            make_change("20 pct less than in 2022", -20),
            make_change("ein Drittel weniger", -30),
            ("20% less than in 2022, in 2023", "30% less than in 2022, in 2023"),
            APART + "the figure of Agency A is 10 percentage points higher",
        ),
        (
            make_change("up 31 percent", 31),
            make_change("down by 2 percentage points", -2, "percentage-points"),
            ("up 31% (relative to 2022), in 2023", "down by 2 percentage points (relative to 2022), in 2023"),
            "cannot be compared: they count in different units",
        ),
        (
            make_change("40 percent more than women", 40, base="women"),
            make_change("40 % more", 40),
            ("40% more than women, in 2023", "40% more (relative to 2022), in 2023"),
            OTHER_BASE,
        ),
        (
            make_change("2 Mrd. mehr", 2 * 10**9, "EUR"),
            make_change("x", -(10**9), "EUR"),
            ("€2 billion more than in 2022, in 2023", "€1 billion less than in 2022, in 2023"),
            APART + "the figure of Agency A is €3 billion higher",
        ),
        (
            make_statement("percent", "51.2%", 51.2, category="share"),
            make_statement("percent", "48 percent", 48, category="share"),
            ("51.2% in 2023", "48% in 2023"),
            APART + "Agency A states 3.2 percentage points more",
        ),
        (
            make_statement("percent", "4 percent", 4, category="share", aggregation="rate", per="year"),
            make_statement("percent", "3", 3, category="share", aggregation="rate", per="year"),
            ("4% a year in 2023", "3% a year in 2023"),
            APART + "Agency A states 1 percentage point a year more",
        ),
        (
            make_statement("percent of GDP", "31 percent", 31, category="share"),
            make_statement("percent-of-GDP", "30", 30, category="share"),
            ("31% of GDP in 2023", "30% of GDP in 2023"),
            "cannot be compared: they count in different units",
        ),
        (
            make_statement("% of income", "31%", 31, category="share"),
            make_statement("% of income", "20–30", lower=20, upper=30, category="share"),
            ("31% of income in 2023", "between 20 and 30% of income in 2023"),
            APART + "Agency A states at least 1 percentage point more",
        ),
        # Of an open bound or a range, the gap is the least difference.
        (
            make_statement("votes", "1.2 million or more", lower=1_200_000),
            make_statement("votes", "387,000", 387_000),
            ("at least 1.2 million votes in 2023", "387,000 votes in 2023"),
            APART + "Agency A states at least 813,000 votes more",
        ),
        (
            make_statement("votes", "1,500", 1_500),
            make_statement("votes", "up to 600", upper=600),
            ("1,500 votes in 2023", "up to 600 votes in 2023"),
            APART + "Agency A states at least 900 votes more",
        ),
        (
            make_level("USD", "$66.04", 66.04, category="price"),
            make_level("USD", "58", 58, category="price"),
            (f"US$66.04 {ON_DAY}", f"US$58 {ON_DAY}"),
            APART + "Agency A states US$8.04 more",
        ),
        # Ratios differ by no number that has a unit.
        (
            make_ratio("one in five", 1, 5),
            make_ratio("2 in 5", 2, 5),
            ("1 in 5 votes in 2023", "2 in 5 votes in 2023"),
            APART + "the figure of Agency B is larger",
        ),
        (
            make_ratio("one to five", 1, 5, relative_to="women"),
            make_ratio("1:3", 1, 3, relative_to="women"),
            ("1 to 5 (relative to women) in 2023", "1 to 3 (relative to women) in 2023"),
            APART + "the figure of Agency B is larger",
        ),
        (
            make_ratio("four times the average", 4, unit="times", relative_to="the average"),
            make_ratio("doppelt so viel", 2, unit="times", relative_to="the average"),
            ("four times the average, in 2023", "2 times (relative to the average), in 2023"),
            APART + "the figure of Agency A is larger",
        ),
        (
            make_statement("votes", "12 of the 100", 12, out_of=100),
            make_statement("votes", "15 of the 200", 15, out_of=200),
            ("12 of 100 votes in 2023", "15 of 200 votes in 2023"),
            OTHER_BASE,
        ),
        (
            make_statement("votes", "12 of the 100", 12, out_of=100),
            make_statement("votes", "13 of 100", 13, out_of=100),
            ("12 of 100 votes in 2023", "13 of 100 votes in 2023"),
            APART + "Agency B states 1 vote more",
        ),
        # Prices.
        (
            make_level("USD", "$4.50", 4.5, category="price"),
            make_level("USD", "4.10", 4.1, category="price"),
            (f"US$4.50 {ON_DAY}", f"US$4.10 {ON_DAY}"),
            APART + "Agency A states US$0.40 more",
        ),
        (
            make_level("USD", "$4.50", 4.5, category="price"),
            make_level("EUR", "4,123", 4123, category="price"),
            (f"US$4.50 {ON_DAY}", f"€4,123 {ON_DAY}"),
            "cannot be compared: they count in different units",
        ),
        # Rates.
        (
            make_rate("votes", "8.5 a day", 8.5, "day"),
            make_rate("votes", "9 a day", 9, "day"),
            ("8.5 votes a day in 2023", "9 votes a day in 2023"),
            APART + "Agency B states 0.5 votes a day more",
        ),
        (
            make_rate("votes", "8.5 a day", 8.5, "day"),
            make_rate("votes", "260 a month", 260, "month"),
            ("8.5 votes a day in 2023", "260 votes a month in 2023"),
            "cannot be compared: they are rates per different units of time",
        ),
        (
            make_rate("votes", "8.5", 8.5, None),
            make_level("votes", "9", 9, category="votes"),
            ("8.5 votes (a rate without a stated unit of time) in 2023", f"9 votes {ON_DAY}"),
            "cannot be compared: they are not of one kind: a total over a period, the state on a day, or a rate",
        ),
        # Gauges, and units that are converted.
        (
            make_level("meters", "3.2", 3.2),
            make_level("cm", "350", 350),
            (f"3.2 metres {ON_DAY}", f"350 cm {ON_DAY}"),
            APART + "Agency B states 30 cm more; their units were converted exactly",
        ),
        (
            make_statement("hectares", "10", 10, category="flooded"),
            make_statement("acres", "2,000", 2000, category="flooded"),
            ("10 hectares in 2023", "2,000 acres in 2023"),
            APART + "Agency B states about 1,980 acres more; their units were converted exactly",
        ),
        (
            make_statement("acres", "10", 10, category="flooded"),
            make_statement("hectares", "3-5", lower=3, upper=5, category="flooded"),
            ("10 acres in 2023", "between 3 and 5 hectares in 2023"),
            "agree: one figure lies within the other; their units were converted exactly",
        ),
        (
            make_level("degrees-celsius", "-5", -5, category="temperature"),
            make_level("degrees-celsius", "-8", -8, category="temperature"),
            (f"-5°C {ON_DAY}", f"-8°C {ON_DAY}"),
            APART + "the figure of Agency A is 3°C higher",
        ),
        (
            make_level("degrees-celsius", "1.5", 1.5, category="temperature", relative_to="1951/1980"),
            make_level("degrees-celsius", "1.2", 1.2, category="temperature", relative_to="1991-2020"),
            (f"1.5°C (relative to 1951–1980) {ON_DAY}", f"1.2°C (relative to 1991–2020) {ON_DAY}"),
            OTHER_BASE,
        ),
        (
            make_level("meters", "3.2", 3.2),
            make_level("meters", "3.4", 3.4, edtf="2023-05-08"),
            (f"3.2 metres {ON_DAY}", "3.4 metres on 8 May 2023"),
            "cannot be compared: they are for different periods or days",
        ),
        (
            make_level("meters", "over 3.2", lower=3.2, value=None, lower_inclusive=False),
            make_level("meters", "3.4", 3.4, modality="forecast", place="upper"),
            (f"over 3.2 metres (river) {ON_DAY}", f"3.4 metres (upper) as a forecast {ON_DAY}"),
            "cannot be compared: they refer to different places; one is a forecast, the other is not",
        ),
        # Starts, hours and scopes that differ are named.
        (
            make_toll(12, None, edtf="2023-05-01/2023-05-06"),
            make_toll(15, None, edtf="2023-04-01/2023-05-05"),
            (
                "12 persons from 1 May 2023 up to 6 May 2023",
                "15 persons from 1 April 2023 up to 5 May 2023",
            ),
            "cannot be compared: they are for different periods or days",
        ),
        (
            make_toll(12, None, edtf="../2023-05-05"),
            make_toll(15, None, edtf="2023-04-01/2023-05-05"),
            (
                "12 persons up to 5 May 2023 (since when was not said)",
                "15 persons from 1 April 2023 up to 5 May 2023",
            ),
            "cannot be compared: the start or the end of a period is not known",
        ),
        (
            make_toll(12, "2023-05-07T08:00:00+00:00"),
            make_toll(15, "2023-05-07T12:30:00+05:30"),
            ("12 persons up to 7 May 2023, 08:00 UTC", "15 persons up to 7 May 2023, 12:30 UTC+5:30"),
            f"contradict each other: {FALLS}; Agency B states 3 persons more",
        ),
        (
            make_toll(12, "2023-05-07T08:00:00-03:00"),
            make_toll(15, "2023-05-07T12:30:00-03:00"),
            ("12 persons up to 7 May 2023, 08:00 UTC-3", "15 persons up to 7 May 2023, 12:30 UTC-3"),
            "do not conflict: their periods end at different times, and the figure can have changed in between",
        ),
        (
            make_toll(12, None),
            make_toll(15, "2023-05-07T12:30:00-03:00"),
            ("12 persons up to 7 May 2023", "15 persons up to 7 May 2023, 12:30 UTC-3"),
            "do not suffice to decide: the hour at which a total ends is not known, and it can have grown that day",
        ),
        (
            make_statement("votes", "12", 12, includes=frozenset({"women"})),
            make_statement("votes", "15", 15),
            ("12 votes (including women) in 2023", "15 votes in 2023"),
            f"do not suffice to decide: {SCOPE_UNSTATED}",
        ),
        (
            make_statement("votes", "12", 12, includes=frozenset({"women", "voters"})),
            make_statement("votes", "15", 15, excludes=frozenset({"women"}), includes=frozenset({"voters"})),
            (
                "12 votes (including Voters and women) in 2023",
                "15 votes (including Voters, not counting women) in 2023",
            ),
            f"contradict each other: {PART}, and is larger; Agency B states 3 votes more",
        ),
        (
            make_statement("votes", "1,204,511", 1_204_511),
            make_statement("votes", "1.2 million", 1_200_000),
            ("1,204,511 votes in 2023", "1.2 million votes in 2023"),
            "agree: they differ by no more than the rounding of a printed number",
        ),
    ],
)
def test_figures_of_other_domains_are_compared_in_usual_words(
    one: Statement, two: Statement, figures: tuple[str, str], explanation: str
) -> None:
    second = replace(two, id="2", source="b")
    pair = compare_pair(one, second, PRICES_AND_GAUGES)
    sentence = f"Agency A ({figures[0]}) and Agency B ({figures[1]}) {explanation}."
    assert explain_pair(one, second, pair, RECORDS) == sentence


@pytest.mark.parametrize(
    ("one", "two", "explanation"),
    [
        (
            make_statement("votes", "12", 12),
            make_statement("votes", "15", 15),
            "contradict each other: two transcriptions of one statement give different figures; they differ by 3 votes",
        ),
        (
            make_ratio("one in five", 1, 5),
            make_ratio("2 in 5", 2, 5),
            "contradict each other: two transcriptions of one statement give different figures",
        ),
        (
            make_toll(12, None),
            make_toll(15, None),
            f"do not suffice to decide: {SAME_DAY}; they differ by 3 persons",
        ),
        (
            make_statement("votes", "12", 12),
            make_statement("votes", "10-20", lower=10, upper=20),
            "agree: one figure lies within the other; both are statements of one source about one period on one day",
        ),
    ],
)
def test_figures_of_one_source_differ_by_an_amount(one: Statement, two: Statement, explanation: str) -> None:
    second = replace(two, id="2")
    pair = compare_pair(one, second, PRICES_AND_GAUGES)
    assert explain_pair(one, second, pair, RECORDS).endswith(f" {explanation}.")


UNITS = (
    "percent",
    "per cent",
    "%",
    "pct",
    "percent of GDP",
    "percentage-points",
    "USD",
    "CHF",
    "persons",
    "°C",
    "mm",
    "acres",
    "times",
)
WORDINGS = ("40 percent more than in 2022", "31 per cent less", "up 12.5 pct", "52%", "5,1 Prozent mehr", "12 of 100")
UNUSUAL = {
    "a unit that is written twice": r"(?:%|percent|per cent|pct) ?(?:percent|per cent|pct|%)",
    "percent in letters": r"[0-9] ?(?:percent|per cent|pct)\b",
    "a currency by its code": r"[0-9] ?USD\b",
    "tenths of a dollar": r"\$[0-9,]+\.[0-9](?![0-9])(?! [mb]illion)",
    "more digits than its figures": r"[0-9]\.[0-9]{5}",
    "a reason without words": r": *[;.]|; *[;.]|\bNone\b",
    "one of several": r"(?<![0-9.,–-])(?<!in )1 (?:persons|percentage points|acres|degrees)\b",
    "a hyphen in a unit": r"percentage-point|degrees-celsius",
    "a space that is doubled": r"  ",
}


def draw_pair(random: Random) -> Iterator[Statement]:
    """Yield two random claims with a common unit and with wordings that name percent."""
    unit = random.choice(UNITS)
    for number in "ab":
        claim = replace(draw_statement(random, number), unit=unit, source=number)
        figure = claim.figure
        if random.random() < 0.5 and figure.value is not None and figure.out_of is None:
            figure = replace(
                figure, value=random.choice((0.1, 4.5, 12.25, 1, 200, 4_500_000_000)), lower=None, upper=None
            )
        if claim.proposition == "change" or random.random() < 0.3:
            figure = replace(figure, as_printed=random.choice(WORDINGS))
        if claim.proposition == "change" or unit == "times":
            figure = replace(figure, relative_to="2022")
        yield replace(claim, figure=figure)


@given(RANDOMS)
@settings(max_examples=300, deadline=None)
def test_the_sentence_of_any_pair_is_written_as_people_write(random: Random) -> None:
    a, b = draw_pair(random)
    sentence = explain_pair(a, b, compare_pair(a, b, RANDOM_HIERARCHY), NAMES)
    found = {name: match[0] for name, pattern in UNUSUAL.items() if (match := re.search(pattern, sentence))}
    assert not found, sentence


@pytest.mark.parametrize(
    ("edtf", "words"),
    [
        ("0001-24/9999-24", "up to a day in December 9999"),
        ("../9999-12", "up to a day in December 9999"),
        ("0001-01/0001-03", "up to a day in March 1"),
        ("0001/0001", "up to a day in 1"),
    ],
)
def test_ends_at_the_limits_of_the_calendar_are_printed(edtf: str, words: str) -> None:
    one, two = (
        replace(each, period=parse_period(edtf), date=date.max, modality="forecast") for each in (FIRST, SECOND)
    )
    assert words in explain_pair(one, two, compare_pair(one, two, HIERARCHY), NAMES)
