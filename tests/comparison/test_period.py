"""Periods are parsed as EDTF levels 0 and 1, and any other text is rejected."""

from calendar import monthrange
from datetime import date
from time import process_time, struct_time
from typing import Any

import pytest
from edtf import parse_edtf
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.period import (
    DateSpan,
    EdtfPeriod,
    InvalidPeriod,
    date_from_edtf,
    parse_date,
    parse_period,
    possible_end_days,
    possible_start_days,
)
from tests.strategies import try_examples

YEARS = st.integers(1, 9999)
QUALIFIERS = st.sampled_from(["", "?", "~", "%"])


@st.composite
def days(draw: st.DrawFn) -> str:
    year, month = draw(YEARS), draw(st.integers(1, 12))
    return f"{year:04}-{month:02}-{draw(st.integers(1, monthrange(year, month)[1])):02}"


MONTHS = st.builds("{:04}-{:02}".format, YEARS, st.integers(1, 12))
PLAIN = st.one_of(YEARS.map("{:04}".format), MONTHS, days())
UNSPECIFIED = st.one_of(
    st.integers(1, 999).map("{:03}X".format),
    st.integers(1, 99).map("{:02}XX".format),
    YEARS.map("{:04}-XX".format),
    YEARS.map("{:04}-XX-XX".format),
    MONTHS.map("{}-XX".format),
)
# The package knows no qualified seasons, and cuts winter at 31 December: those have cases of their own below.
SEASONS = st.builds("{:04}-{}".format, YEARS, st.integers(21, 23))
DATES = st.one_of(SEASONS, st.builds("{}{}".format, st.one_of(PLAIN, UNSPECIFIED), QUALIFIERS))


def day_of(moment: struct_time) -> date:
    return date(moment.tm_year, moment.tm_mon, moment.tm_mday)


def bounds(parsed: Any) -> tuple[date, date]:
    return day_of(parsed.lower_strict()), day_of(parsed.upper_strict())


@given(DATES)
@try_examples(80)
def test_dates_mean_the_days_that_the_edtf_package_gives(text: str) -> None:
    span = parse_date(text)
    assert (span.earliest, span.latest) == bounds(parse_edtf(text))


@given(st.one_of(SEASONS, PLAIN), QUALIFIERS, st.one_of(SEASONS, PLAIN), QUALIFIERS)
@settings(max_examples=60, deadline=None)
def test_intervals_mean_the_days_that_the_edtf_package_gives(a: str, qa: str, b: str, qb: str) -> None:
    begin, end = sorted([a, b], key=lambda text: parse_date(text).earliest)
    text = f"{begin}{qa if begin[5:6] != '2' else ''}/{end}{qb if end[5:6] != '2' else ''}"
    period = parse_period(text)
    assert (period.earliest_start, period.latest_end) == bounds(parse_edtf(text))
    assert period.is_interval


@given(st.integers(1200, 8800), QUALIFIERS)
@settings(max_examples=40, deadline=None)
def test_qualified_years_are_padded_as_the_edtf_package_pads_them(year: int, qualifier: str) -> None:
    text = f"{year}{qualifier}"
    parsed: Any = parse_edtf(text)
    padded = parse_date(text).padded_span
    assert (padded.earliest, padded.latest) == (day_of(parsed.lower_fuzzy()), day_of(parsed.upper_fuzzy()))


@given(st.integers(1200, 8800), st.integers(1, 12), st.integers(1, 28), QUALIFIERS, st.sampled_from([4, 7, 10]))
@settings(max_examples=60, deadline=None)
def test_padding_lies_between_the_packages_strict_and_fuzzy_bounds(
    year: int, month: int, day: int, qualifier: str, length: int
) -> None:
    text = f"{year}-{month:02}-{day:02}"[:length] + qualifier
    parsed: Any = parse_edtf(text)
    padded = parse_date(text).padded_span
    # A month of slack for the package, which takes a year and a month off as "same day of the month".
    assert day_of(parsed.lower_fuzzy()) <= padded.earliest <= day_of(parsed.lower_strict())
    assert day_of(parsed.upper_strict()) <= padded.latest
    assert (padded.latest - day_of(parsed.upper_fuzzy())).days <= 3


@pytest.mark.parametrize(
    ("text", "earliest", "latest", "precision", "qualifier"),
    [
        ("2024-24", date(2024, 12, 1), date(2025, 2, 28), "season", ""),
        ("2023-24", date(2023, 12, 1), date(2024, 2, 29), "season", ""),
        ("9999-24", date(9999, 12, 1), date.max, "season", ""),
        ("2024-21~", date(2024, 3, 1), date(2024, 5, 31), "season", "~"),
        ("2024", date(2024, 1, 1), date(2024, 12, 31), "year", ""),
        ("201X", date(2010, 1, 1), date(2019, 12, 31), "year", ""),
        ("2004-XX", date(2004, 1, 1), date(2004, 12, 31), "month", ""),
        ("1985-04-XX?", date(1985, 4, 1), date(1985, 4, 30), "day", "?"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "month", ""),
        ("2024-06-12%", date(2024, 6, 12), date(2024, 6, 12), "day", "%"),
    ],
)
def test_a_date_names_its_unit(text: str, earliest: date, latest: date, precision: Any, qualifier: Any) -> None:
    span = parse_date(text)
    assert span == DateSpan(earliest, latest, precision, qualifier)
    assert span.is_qualified is bool(qualifier)


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2025-06", date(2025, 6, 1), date(2025, 6, 30)),
        ("2025-06?", date(2025, 5, 1), date(2025, 7, 31)),
        ("2025-06~", date(2025, 5, 1), date(2025, 7, 31)),
        ("2025-06%", date(2025, 4, 1), date(2025, 8, 31)),
        ("2025-06-12~", date(2025, 6, 11), date(2025, 6, 13)),
        ("2024-22~", date(2024, 3, 1), date(2024, 11, 30)),
        ("201X~", date(2009, 1, 1), date(2020, 12, 31)),
        ("0001~", date.min, date(2, 12, 31)),
        ("0001-01-01%", date.min, date(1, 1, 3)),
        ("9999~", date(9998, 1, 1), date.max),
        ("9999-12-31~", date(9999, 12, 30), date.max),
    ],
)
def test_a_qualifier_is_worth_a_unit_of_precision(text: str, earliest: date, latest: date) -> None:
    padded = parse_date(text).padded_span
    assert (padded.earliest, padded.latest) == (earliest, latest)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2022-02-24/2025-06-12", date(2022, 2, 24), date(2025, 6, 12)),
        ("2022-02-24/..", date(2022, 2, 24), None),
        ("2022-02-24/", date(2022, 2, 24), None),
        ("../2025-06", None, date(2025, 6, 30)),
        ("/2025-06~", None, date(2025, 6, 30)),
        ("../..", None, None),
        ("2024-09/2024-11", date(2024, 9, 1), date(2024, 11, 30)),
        ("2020-06/2020", date(2020, 6, 1), date(2020, 12, 31)),
        ("2020/2020", date(2020, 1, 1), date(2020, 12, 31)),
        (" 2025-06 ", date(2025, 6, 1), date(2025, 6, 30)),
    ],
)
def test_a_period_serves_its_first_and_last_day(text: str, first: date | None, last: date | None) -> None:
    period = parse_period(text)
    assert (period.earliest_start, period.latest_end, period.is_interval) == (first, last, "/" in text)
    assert period.edtf == text.strip()


YEARS_RUN = "years run from 0001 to 9999"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2025-02-30", "February 2025 has 28 days"),
        ("2024-02-30", "February 2024 has 29 days"),
        ("2025-04-00", "April 2025 has 30 days"),
        ("2025-13", "months run from 01 to 12, seasons from 21 (spring) to 24 (winter)"),
        ("2025-00-01", "months run from 01 to 12, seasons from 21 (spring) to 24 (winter)"),
        ("2025-21-01", "months run from 01 to 12, seasons from 21 (spring) to 24 (winter)"),
        ("06/2025", "write 2025-06"),
        ("6.2025", "write 2025-06"),
        ("2025/6", "write 2025-06"),
        ("2025-6", "write 2025-06"),
        ("2025-6-1", "write 2025-06-01"),
        ("2025/06/12", "write 2025-06-12"),
        ("12.6.2025", "write 2025-06-12"),
        ("12/06/2025", "write the year first, such as 2025-06-12"),
        ("20250612", "write 2025-06-12"),
        ("2025-06-12T10:00:00Z", "give the day without a time"),
        ("2025-06-12T10:00/2025-06-13", "give the day without a time"),
        ("-0500", YEARS_RUN),
        ("\u22120500", YEARS_RUN),
        ("Y170000002", YEARS_RUN),
        ("12025", YEARS_RUN),
        ("0000", YEARS_RUN),
        ("0000-01-01", YEARS_RUN),
        ("000X", YEARS_RUN),
        ("00XX", YEARS_RUN),
        ("201x", "write unspecified digits as a capital X"),
        ("201u", "write unspecified digits as a capital X"),
        ("2XXX", "at most the last two digits of a year can be unspecified"),
        ("XXXX-12", "at most the last two digits of a year can be unspecified"),
        ("201X-06", "a year with unspecified digits stands alone, such as 201X"),
        ("2004-XX-05", "a day needs its month"),
        ("2025/2024", "the interval ends before it starts"),
        ("2025-06-13/2025-06-12", "the interval ends before it starts"),
        ("2024-01-01/2025-02-30", "February 2025 has 28 days"),
        ("/", "an interval needs a start or an end; write ../.. if neither is bounded"),
        ("2024/2025/2026", ""),
        ("2024/25", ""),
        ("", ""),
        ("..", ""),
        ("June 2025", ""),
        ("2025-06-12\n2", ""),
        ("\uff12\uff10\uff12\uff15", ""),
        ("2025?~", ""),
        ("2025-?06", ""),
        ("2025-06-1X", ""),
    ],
)
def test_what_is_no_period_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(InvalidPeriod) as caught:
        parse_period(text)
    assert caught.value.hint == hint
    assert "years 0001\u20139999" in caught.value.expected
    assert str(caught.value).endswith(f"Hint: {hint}." if hint else "2025-06-12.")


def test_a_date_is_no_interval() -> None:
    with pytest.raises(InvalidPeriod, match="one date, not an interval"):
        parse_date("2024-01/2024-02")


def test_an_overlong_text_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidPeriod) as caught:
        parse_period("2" * 100_000)
    assert len(str(caught.value)) < 300


@given(st.text(alphabet="0123456789X-/.?~%", max_size=16))
@try_examples(80)
def test_any_text_is_a_period_or_a_fault(text: str) -> None:
    try:
        period = parse_period(text)
    except InvalidPeriod:
        return
    if period.earliest_start is not None and period.latest_end is not None:
        assert period.earliest_start <= period.latest_end


@pytest.mark.parametrize("unit", ["2", "X", "-", "/", "2025-", "T", "../"])
def test_hostile_texts_cost_no_time(unit: str) -> None:
    begin = process_time()
    with pytest.raises(InvalidPeriod):
        parse_period(unit * 20_000)
    assert process_time() - begin < 0.5


D = date


@pytest.mark.parametrize(
    ("text", "aggregation", "expected"),
    [
        ("2022-02-24/2025-06-12", "cumulative", (D(2025, 6, 12), D(2025, 6, 12))),
        ("2022-02-24/2025-06", "cumulative", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2022-02-24/2025-06~", "cumulative", (D(2025, 5, 1), D(2025, 7, 31))),
        ("2022-02-24/2025-06-12~", "cumulative", (D(2025, 6, 11), D(2025, 6, 13))),
        ("2025-06", "snapshot", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2024/2025-06", "snapshot", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2025-06", "within", (D(2025, 6, 30), D(2025, 6, 30))),
        ("2025-06", "rate", (D(2025, 6, 30), D(2025, 6, 30))),
        ("2025-06", "cumulative", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2025", "cumulative", (D(2025, 1, 1), D(2025, 12, 31))),
        ("2025-06~", "within", (D(2025, 5, 31), D(2025, 7, 31))),
        ("2025-06-12%", "within", (D(2025, 6, 10), D(2025, 6, 14))),
        ("2024-09/2024-11", "within", (D(2024, 11, 30), D(2024, 11, 30))),
        ("2024-24", "within", (D(2025, 2, 28), D(2025, 2, 28))),
        ("2004-XX", "within", (D(2004, 1, 31), D(2004, 12, 31))),
        ("201X", "within", (D(2010, 12, 31), D(2019, 12, 31))),
        ("1985-04-XX", "within", (D(1985, 4, 1), D(1985, 4, 30))),
        ("9999-24", "within", (D.max, D.max)),
        ("2022-02-24/..", "cumulative", (D(2022, 2, 24), D.max)),
        ("2022-02/", "within", (D(2022, 2, 1), D.max)),
        ("../..", "snapshot", (D.min, D.max)),
    ],
)
def test_the_end_can_mean_these_days(text: str, aggregation: str, expected: tuple[date, date]) -> None:
    assert possible_end_days(parse_period(text), aggregation) == expected


@pytest.mark.parametrize(
    ("text", "aggregation", "expected"),
    [
        ("2022-02/2025", "cumulative", (D(2022, 2, 1), D(2022, 2, 28))),
        ("2022-02~/2025", "within", (D(2022, 1, 1), D(2022, 3, 1))),
        ("2022-02~/2025", "cumulative", (D(2022, 1, 1), D(2022, 3, 31))),
        ("2022-02-24?/2025", "rate", (D(2022, 2, 23), D(2022, 2, 25))),
        ("2024-21~", "within", (D(2023, 12, 1), D(2024, 6, 1))),
        ("2025-06", "within", (D(2025, 6, 1), D(2025, 6, 1))),
        ("2025-06", "cumulative", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2025-22", "rate", (D(2025, 6, 1), D(2025, 6, 1))),
        ("2025", "rate", (D(2025, 1, 1), D(2025, 1, 1))),
        ("2025-06", "snapshot", (D(2025, 6, 1), D(2025, 6, 30))),
        ("2004-XX", "within", (D(2004, 1, 1), D(2004, 12, 1))),
        ("201X", "within", (D(2010, 1, 1), D(2019, 1, 1))),
        ("1985-04-XX", "within", (D(1985, 4, 1), D(1985, 4, 30))),
        ("../2025", "cumulative", None),
        ("/2025", "cumulative", None),
    ],
)
def test_the_start_can_mean_these_days(text: str, aggregation: str, expected: tuple[date, date] | None) -> None:
    assert possible_start_days(parse_period(text), aggregation) == expected


@given(
    st.one_of(DATES, st.builds("{}/..".format, DATES)), st.sampled_from(["cumulative", "within", "snapshot", "rate"])
)
@settings(max_examples=80, deadline=None)
def test_possible_days_are_in_order(text: str, aggregation: str) -> None:
    period: EdtfPeriod = parse_period(text)
    start, end = possible_start_days(period, aggregation), possible_end_days(period, aggregation)
    assert start is not None
    assert start[0] <= start[1]
    assert end[0] <= end[1]


@pytest.mark.parametrize(
    ("edtf", "expected"),
    [
        ("2022-03", D(2022, 3, 31)),
        ("2022-03~", D(2022, 3, 31)),
        ("2025", D(2025, 6, 12)),
        ("2025-07", D(2025, 6, 12)),
        ("2022-03/2022-04", D(2022, 4, 30)),
        ("2022-03/..", D(2025, 6, 12)),
        ("2022-03/", D(2025, 6, 12)),
    ],
)
def test_a_vague_date_claims_neither_too_much_nor_the_future(edtf: str, expected: date) -> None:
    assert date_from_edtf(edtf, not_after=D(2025, 6, 12)) == expected
