"""A period ends no later than the day on which it was said, at an hour that may be unknown."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.effective_period import (
    SHORT_PERIOD_DAYS,
    EffectivePeriod,
    EndMoment,
    compare_moments,
    grain_of,
    resolve_period,
)
from app.comparison.period import parse_period
from tests.comparison.registers import RANDOMS, draw_statement

D = date
END_OF_2025 = D(2025, 12, 31)


def resolve(edtf: str, aggregation: str = "cumulative", said: date | None = END_OF_2025, **given: Any) -> Any:
    return resolve_period(parse_period(edtf), aggregation, said, **given)


def days_of(effective: EffectivePeriod) -> tuple[Any, Any]:
    def read(days: tuple[int, int] | None) -> Any:
        if days is None:
            return None
        first, last = (date.fromordinal(day) for day in days)
        return first if first == last else (first, last)

    return read(effective.start), read(effective.end)


@pytest.mark.parametrize(
    ("edtf", "aggregation", "start", "end"),
    [
        ("2023", "within", D(2023, 1, 1), D(2023, 12, 31)),
        ("2023", "rate", D(2023, 1, 1), D(2023, 12, 31)),
        ("2023", "cumulative", (D(2023, 1, 1), D(2023, 12, 31)), (D(2023, 1, 1), D(2023, 12, 31))),
        ("2022-02-24/2025-06", "cumulative", D(2022, 2, 24), (D(2025, 6, 1), D(2025, 6, 30))),
        ("2022-02/2025-06-12", "cumulative", (D(2022, 2, 1), D(2022, 2, 28)), D(2025, 6, 12)),
        ("2022/2025-06", "snapshot", (D(2025, 6, 1), D(2025, 6, 30)), (D(2025, 6, 1), D(2025, 6, 30))),
        ("2025-06-12~", "snapshot", (D(2025, 6, 11), D(2025, 6, 13)), (D(2025, 6, 11), D(2025, 6, 13))),
        ("../2025-06-12", "cumulative", None, D(2025, 6, 12)),
        ("2022-02-24/..", "cumulative", D(2022, 2, 24), D(2025, 12, 31)),
        ("2022-02-24/", "within", D(2022, 2, 24), D(2025, 12, 31)),
        # A year that is not over ends on the day of the statement, and so does a day that may be later.
        ("2025", "cumulative", (D(2025, 1, 1), D(2025, 12, 31)), (D(2025, 1, 1), D(2025, 12, 31))),
        ("2026", "cumulative", (D(2026, 1, 1), D(2026, 12, 31)), D(2025, 12, 31)),
        ("2025-12-31~", "within", (D(2025, 12, 30), D(2026, 1, 1)), (D(2025, 12, 30), D(2025, 12, 31))),
    ],
)
def test_a_period_has_possible_first_and_last_days(edtf: str, aggregation: str, start: Any, end: Any) -> None:
    assert days_of(resolve(edtf, aggregation)) == (start, end)


@pytest.mark.parametrize(
    ("edtf", "said", "date_edtf", "end"),
    [
        ("2025", D(2025, 9, 2), None, D(2025, 9, 2)),
        ("2025", D(2025, 9, 2), "2025-09-02", D(2025, 9, 2)),
        ("2025", D(2025, 9, 30), "2025-09", (D(2025, 9, 1), D(2025, 9, 30))),
        ("2025", D(2025, 9, 20), "2025-09", (D(2025, 9, 1), D(2025, 9, 20))),
        ("2025", D(2025, 9, 20), "2025-09-15/..", (D(2025, 9, 15), D(2025, 9, 20))),
        ("2025", D(2025, 9, 3), "2025-09-02~", (D(2025, 9, 1), D(2025, 9, 3))),
        ("2025", D(2025, 9, 3), "../2025-09-03", D(2025, 9, 3)),
        ("2025/..", D(2025, 9, 30), "2025-09", (D(2025, 9, 1), D(2025, 9, 30))),
        ("2025-08", D(2025, 9, 30), "2025-09", D(2025, 8, 31)),
        ("2025-09-10", D(2025, 9, 30), "2025-09", (D(2025, 9, 1), D(2025, 9, 10))),
        ("2025", None, None, D(2025, 12, 31)),
        ("2025/..", None, None, None),
    ],
)
def test_a_period_never_ends_after_it_was_said(edtf: str, said: date | None, date_edtf: str | None, end: Any) -> None:
    effective = resolve(edtf, "within", said, date_edtf=date_edtf)
    assert days_of(effective)[1] == end
    assert (effective.earliest_end, effective.latest_end) == (end if isinstance(end, tuple) else (end, end))


def test_a_forecast_is_about_days_to_come() -> None:
    assert days_of(resolve("2027", "within", is_forecast=True))[1] == D(2027, 12, 31)
    assert days_of(resolve("2027/..", "within", is_forecast=True))[1] is None
    assert not resolve("2027", "within", is_forecast=True).ends_when_said


DAY = D(2025, 3, 15)
NOON = datetime.fromisoformat("2025-03-15T12:00:00+02:00")


def moment_of(said: date | None, moment: datetime | None = None, edtf: str = "2025-03-15", **given: Any) -> Any:
    return resolve(edtf, "within", said, said_at=moment, **given).moment


def test_a_period_that_ends_on_the_day_of_the_statement_ends_at_its_hour() -> None:
    day = DAY.toordinal()
    assert moment_of(DAY, NOON) == EndMoment(day + 0.5, day + 0.5, day + 0.5 - 2 / 24)
    assert moment_of(DAY) == EndMoment(day, day + 1)
    assert moment_of(D(2025, 3, 16)) == EndMoment(day + 1, day + 1)
    assert moment_of(D(2025, 3, 16), NOON.replace(day=16)) == EndMoment(day + 1, day + 1)
    assert moment_of(None) == EndMoment(day + 1, day + 1)
    assert moment_of(D(2025, 3, 31), date_edtf="2025-03", edtf="2025-03-01") == EndMoment(
        D(2025, 3, 1).toordinal() + 1, D(2025, 3, 1).toordinal() + 1
    )
    # Without a certain last day there is no moment.
    assert moment_of(D(2025, 3, 31), date_edtf="2025-03") is None
    assert moment_of(D(2025, 4, 30), edtf="2025-03-15~") is None
    assert moment_of(None, edtf="2025-03-15/..") is None


def test_seconds_count() -> None:
    exact = datetime.fromisoformat("2025-03-15T01:02:03.500000+00:00")
    assert moment_of(DAY, exact).earliest == DAY.toordinal() + 3723.5 / 86_400
    assert moment_of(DAY, NOON.replace(tzinfo=None)).utc == DAY.toordinal() + 0.5


def test_whether_a_period_ends_when_it_was_said() -> None:
    assert resolve("2025-03-15", "within", DAY).ends_when_said
    assert resolve("2025-03-15", "within", DAY, said_at=NOON).ends_when_said
    assert not resolve("2025-03-15", "within", D(2025, 3, 16)).ends_when_said
    assert not resolve("2025-03-15/..", "within", None).ends_when_said


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        (EndMoment(5.5, 5.5, 5.4), EndMoment(5.6, 5.6, 5.3), 1),
        (EndMoment(5.5, 5.5, 5.4), EndMoment(5.6, 5.6, 5.4), 0),
        (EndMoment(5, 6), EndMoment(5, 6), None),
        (EndMoment(5, 6), EndMoment(6, 6), -1),
        (EndMoment(6, 6), EndMoment(6, 6), 0),
        (EndMoment(5.5, 5.5, 5.4), EndMoment(5, 6), None),
        (EndMoment(5.5, 5.5, 5.4), EndMoment(6, 6), -1),
        (EndMoment(5, 6), EndMoment(6, 7), -1),
        (EndMoment(5, 5), EndMoment(6, 6), -1),
    ],
)
def test_moments_are_in_order_where_it_is_known(a: EndMoment, b: EndMoment, order: int | None) -> None:
    assert compare_moments(a, b) == order
    assert compare_moments(b, a) == (None if order is None else -order)


@pytest.mark.parametrize(
    ("edtf", "aggregation", "grain"),
    [
        ("2025-06-12", "within", "day"),
        ("2025-06-12/2025-06-13", "within", "week"),
        ("2025-06-02/2025-06-08", "within", "week"),
        ("2025-06-02/2025-06-09", "within", "month"),
        ("2025-03", "within", "month"),
        ("2025-03-01/2025-04-01", "within", "quarter"),
        ("2025-07/2025-09", "within", "quarter"),
        ("2025-07-01/2025-10-01", "within", "year"),
        ("2024", "rate", "year"),
        ("2024-01-01/2025-01-01", "rate", "longer"),
        ("2020/2025", "within", "longer"),
        ("../2025", "within", "longer"),
        ("2025-12-01/..", "within", "month"),
        ("2025-11-30/..", "within", "quarter"),
    ],
)
def test_the_grain_of_a_period(edtf: str, aggregation: str, grain: str) -> None:
    assert grain_of(parse_period(edtf), aggregation, resolve(edtf, aggregation)) == grain


@pytest.mark.parametrize(("edtf", "grain"), [("2023-06-01?", "week"), ("2023-06-24~/2023-06-30", "month")])
def test_the_grain_of_an_uncertain_period_is_that_of_all_days_that_it_can_mean(edtf: str, grain: str) -> None:
    assert grain_of(parse_period(edtf), "within", resolve(edtf, "within")) == grain


def test_the_grain_of_a_period_without_a_known_end() -> None:
    assert grain_of(parse_period("2025-12-01/.."), "within", resolve("2025-12-01/..", "within", None)) == "longer"


def test_a_grain_is_that_of_the_recorded_period() -> None:
    # In June, "2025" is the half of a year, and still a figure for a year.
    assert grain_of(parse_period("2025"), "within", resolve("2025", "within", D(2025, 6, 12))) == "year"


@pytest.mark.parametrize(
    ("edtf", "is_short"),
    [
        ("2025-03", True),
        ("2025-03-01/2025-04-01", False),
        ("2025-06-12", True),
        ("../2025-06-12", False),
    ],
)
def test_a_short_period_has_at_most_a_month(edtf: str, *, is_short: bool) -> None:
    assert resolve(edtf, "within").is_short is is_short
    assert SHORT_PERIOD_DAYS == 31


def test_the_longest_period_that_uncertain_days_can_mean_counts() -> None:
    assert not resolve("2025-02/2025-03-15").is_short
    assert not resolve("2025-03-20/2025-04").is_short
    assert resolve("2025-03/2025-03-15").is_short


def test_a_period_of_unknown_end_is_not_short() -> None:
    assert not resolve("2025-03-01/..", "within", None).is_short


@given(RANDOMS, st.sampled_from(["cumulative", "within", "snapshot", "rate"]))
@settings(max_examples=100, deadline=None)
def test_possible_days_are_in_order_and_not_after_the_statement(random: Any, aggregation: str) -> None:
    claim = draw_statement(random, "c")
    effective = resolve_period(claim.period, aggregation, claim.date, claim.date_edtf, claim.said_at)
    for days in (effective.start, effective.end):
        assert days is None or days[0] <= days[1]
    if claim.date is not None:
        assert effective.latest_end is not None
        assert effective.latest_end <= claim.date
    if effective.moment is not None:
        assert effective.end is not None
        assert effective.end[0] == effective.end[1]
        assert effective.end[0] <= effective.moment.earliest <= effective.moment.latest <= effective.end[0] + 1
