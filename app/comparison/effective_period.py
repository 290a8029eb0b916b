"""The period that a claim covers as of the day on which it was said: its possible first and last days, and its hours.

A period never ends after the day on which its claim was said. Only forecasts are about later days.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from app.comparison.period import EdtfPeriod, parse_period, possible_end_days, possible_start_days

SHORT_PERIOD_DAYS: Final = 31
"""In a period of up to so many days, an unknown hour leaves a contradiction undetermined."""

TOTALS: Final = frozenset({"cumulative", "within"})
"""The aggregations that are totals over a period: one class."""


def aggregation_class(aggregation: str) -> str:
    """Return the aggregation class: running totals and totals for a period are both totals."""
    return "total" if aggregation in TOTALS else aggregation


Ordinals = tuple[int, int]
"""The earliest and the latest possible day, as proleptic Gregorian ordinals."""

_GRAIN_LIMITS: Final = (("day", 1), ("week", 7), ("month", 31), ("quarter", 92), ("year", 366))
_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class EndMoment:
    """The moment at which a period ends, as days since 0001-01-01 in local time; unknown within `earliest`-`latest`.

    `utc` is the exact moment in UTC, if the claim states it.
    """

    earliest: float
    latest: float
    utc: float | None = None


@dataclass(frozen=True, slots=True)
class EffectivePeriod:
    """The possible first and last days of a period. None: unknown.

    `ends_when_said` says whether the period ends on the day on which the claim was said, and `moment` is then the
    moment at which it ends.
    """

    start: Ordinals | None
    end: Ordinals | None
    moment: EndMoment | None

    @property
    def earliest_end(self) -> date | None:
        """The earliest possible last day."""
        return None if self.end is None else date.fromordinal(self.end[0])

    @property
    def latest_end(self) -> date | None:
        """The latest possible last day."""
        return None if self.end is None else date.fromordinal(self.end[1])

    @property
    def ends_when_said(self) -> bool:
        """Whether the period ends on the day on which the claim was said, at a known or unknown hour."""
        return self.moment is not None and (self.moment.utc is not None or self.moment.earliest < self.moment.latest)

    @property
    def is_short(self) -> bool:
        """Whether the period has at most `SHORT_PERIOD_DAYS` days."""
        return self.start is not None and self.end is not None and self.end[1] - self.start[0] < SHORT_PERIOD_DAYS


def resolve_period(
    period: EdtfPeriod,
    aggregation: str,
    statement_date: date | None,
    date_edtf: str | None = None,
    said_at: datetime | None = None,
    *,
    is_forecast: bool = False,
) -> EffectivePeriod:
    """Return the effective period of a claim.

    Args:
        period: The recorded period.
        aggregation: How the figure relates to it.
        statement_date: The latest day on which the claim can have been said; None if unknown.
        date_edtf: The date of the claim in EDTF, if it is known less precisely than to the day.
        said_at: The moment of the statement, with its offset.
        is_forecast: Whether the claim is a forecast, which is about later days.
    """
    said = _possible_days_said(statement_date, date_edtf)
    end = None
    if period.end is not None:
        earliest, latest = possible_end_days(period, aggregation)
        end = earliest.toordinal(), latest.toordinal()
    if said is not None and not is_forecast:
        end = said if end is None else (min(end[0], said[0]), min(end[1], said[1]))
    start = possible_start_days(period, aggregation)
    return EffectivePeriod(
        end if aggregation == "snapshot" else None if start is None else (start[0].toordinal(), start[1].toordinal()),
        end,
        _resolve_moment(end, said, said_at),
    )


def _possible_days_said(statement_date: date | None, date_edtf: str | None) -> Ordinals | None:
    if statement_date is None:
        return None
    latest = statement_date.toordinal()
    start = None if date_edtf is None else parse_period(date_edtf).start
    earliest = latest if start is None else start.padded_span.earliest.toordinal()
    return min(earliest, latest), latest


def _resolve_moment(end: Ordinals | None, said: Ordinals | None, said_at: datetime | None) -> EndMoment | None:
    """Return the moment of a certain last day: the hour of the statement on that day, else the end of the day."""
    if end is None or end[0] != end[1]:
        return None
    day = end[0]
    if said_at is not None and said_at.date().toordinal() == day:
        local = day + _share_of_day(said_at)
        offset = said_at.utcoffset()
        return EndMoment(local, local, local - (offset.total_seconds() / _SECONDS_PER_DAY if offset else 0))
    if said == (day, day):
        return EndMoment(day, day + 1)
    return EndMoment(day + 1, day + 1)


def _share_of_day(moment: datetime) -> float:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return seconds / _SECONDS_PER_DAY


def compare_moments(a: EndMoment, b: EndMoment) -> int | None:
    """Return -1, 0 or 1 if the first moment is earlier, the same or later; None if that is unknown."""
    if a.utc is not None and b.utc is not None:
        return (a.utc > b.utc) - (a.utc < b.utc)
    if a.earliest == a.latest == b.earliest == b.latest:
        return 0
    # An unknown moment lies before the end of its day.
    if a.latest < b.earliest or (a.latest == b.earliest and a.earliest < b.latest):
        return -1
    if b.latest < a.earliest or (b.latest == a.earliest and b.earliest < a.latest):
        return 1
    return None


def grain_of(period: EdtfPeriod, aggregation: str, effective: EffectivePeriod) -> str:
    """Return the length class of a period: `day`, `week`, `month`, `quarter`, `year` or `longer`."""
    start = possible_start_days(period, aggregation)
    end = possible_end_days(period, aggregation)[1] if period.end is not None else effective.latest_end
    if start is None or end is None:
        return "longer"
    days = (end - start[0]).days + 1
    return next((name for name, limit in _GRAIN_LIMITS if days <= limit), "longer")
