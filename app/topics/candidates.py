"""Which claims of a question its side-by-side needs, and how many there are, without a look at each of them.

The rules show of every standpoint (`app/standpoints.py`) only the claims of the latest period end and date. An index
keeps the claims that stand by question, standpoint and recency; here it is read from standpoint to standpoint, and of
each only the end: a few steps for each standpoint, however many claims there are. What is found is what the rules need
and little more; they decide.

For a past state of the register there is no such index, so that all claims of the question are read, in the database.
"""

# ruff: noqa: S608 - statements are made of our own names

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.cache.bounded import BoundedCache
from app.claims.series_key import (
    FUTURE_PERIOD_SUFFIX,
    OPEN_PERIOD_SUFFIX,
    PERIOD_END_FACTOR,
    RETRACTED_SUFFIX,
    WITHOUT_FIGURE_SUFFIX,
    encode_day,
)
from app.comparison.figure import PrintedFigure, normalize_number
from app.comparison.period import parse_period
from app.comparison.verdicts import Statement
from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.query_budget import is_budget_exceeded
from app.database.snapshot import Snapshot
from app.errors import QueryTooBroad
from app.vocabulary.reference_data import ReferenceData

STATEMENT_COLUMNS = (
    *("version", "id", "status", "retracted_on", "kind", "source", "category", "subject", "place"),
    *("proposition", "modality", "derivation", "value", "lower", "upper", "coverage", "out_of"),
    *("lower_inclusive", "upper_inclusive", "approximate", "relative_to"),
    *("period", "aggregation", "date", "includes", "excludes"),
)
"""What the rules need of a claim."""

_CURRENT_VERSION = "c.until_seq IS NULL"
_VERSION_AT_SEQ = "c.seq <= :as_of AND (c.until_seq IS NULL OR c.until_seq > :as_of)"
_IS_NO_POSITION = f"(p.standpoint LIKE '% {RETRACTED_SUFFIX}' OR p.standpoint LIKE '% {WITHOUT_FIGURE_SUFFIX}')"
_SAME_SERIES = "c.category = p.category AND c.subject = p.subject AND c.place = p.place AND c.standpoint = p.standpoint"

MAX_CACHED_CANDIDATES = 8_000
"""So many claims are kept as statements, in about a kilobyte each."""

MAX_VERSIONS_PER_STATEMENT = 10_000
"""So many versions in one statement."""

SqlParameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The claims that a question is about; None asks for any."""

    categories: tuple[str, ...]
    subject: str | None
    place: str | None
    aggregation: str | None
    since: date | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim that may be a position: its version, what the rules say about, and whether it is set apart from them."""

    version: int
    id: str
    status: str
    retracted_on: date | None
    kind: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """How many claims there are, of how many sources, and from when to when they were said."""

    claims: int
    sources: int
    first_date: date | None
    last_date: date | None


class CandidateCache:
    """Candidates by version, as one state of the reference data describes them."""

    def __init__(self) -> None:
        self._reference_data: ReferenceData | None = None
        self._by_version: BoundedCache[int, Candidate] = BoundedCache(MAX_CACHED_CANDIDATES)

    def get(self, versions: Iterable[int], words: ReferenceData) -> dict[int, Candidate]:
        """Return those of `versions` that are in the cache. Other reference data than the last empty it."""
        if self._reference_data is not words:
            self._reference_data, self._by_version = words, BoundedCache(MAX_CACHED_CANDIDATES)
        by_version = self._by_version
        return {version: found for version in versions if (found := by_version.get(version)) is not None}

    def store(self, candidates: Mapping[int, Candidate], words: ReferenceData) -> None:
        """Add candidates, unless the reference data are no longer those that they were built with."""
        by_version = self._by_version
        if self._reference_data is words:
            for version, candidate in candidates.items():
                by_version.store(version, candidate)


CANDIDATES = CacheKey("candidates", lambda _database: CandidateCache())


def load_candidates(
    session: Session, asked: Asked, view: Snapshot, words: ReferenceData, *, apart: bool = True
) -> list[Candidate]:
    """Every claim that may be a position, and a few more that turn out to be none.

    With `apart` also those that are shown apart: taken back by their sources, or without a figure.
    """
    # Nothing is taken back on a day after the last change, so it only still stands where a clock was set back.
    apart = apart or view.today < view.at.date()
    statement = _select_latest(asked, view, apart=apart) if view.as_of is None else _select_past(asked, view)
    versions = [version for (version,) in fetch_rows(session, statement, bind_question(asked, view))]
    # A version never changes, so that it is taken apart once as long as its words mean the same.
    database: Database | None = session.info.get("database")
    cache = None if database is None or view.as_of is not None else database.caches[CANDIDATES]
    known = {} if cache is None else cache.get(versions, words)
    missing = [version for version in versions if version not in known]
    loaded = {}
    for start in range(0, len(missing), MAX_VERSIONS_PER_STATEMENT):
        some = ", ".join(map(str, missing[start : start + MAX_VERSIONS_PER_STATEMENT]))
        for row in fetch_rows(
            session, f"SELECT {', '.join(STATEMENT_COLUMNS)} FROM claim WHERE version IN ({some})", {}
        ):
            loaded[row[0]] = _build_candidate(row, words)
    if cache is not None:
        cache.store(loaded, words)
    known |= loaded
    return [known[version] for version in versions]


def count_claims(session: Session, asked: Asked, view: Snapshot) -> ClaimCounts:
    """Count the claims of a question that were not taken down."""
    parameters = bind_question(asked, view)
    said = f"NULLIF(c.recency % {PERIOD_END_FACTOR}, 0)"
    if view.as_of is not None:
        counted = f"SELECT c.source, count(*), min({said}), max({said}) FROM claim c"
        rows = fetch_rows(
            session,
            f"{counted} WHERE {_past_condition(asked)}{_known_on_condition(view)} GROUP BY c.source",
            parameters,
        )
        counts = [(source, count) for source, count, _, _ in rows]
        days = [day_of_number(day) for _, _, *ends in rows for day in ends if day]
    else:
        counts = fetch_rows(session, _select_per_series("count(*)", asked, view), parameters)
        if asked.aggregation is None and asked.since is None and view.known_on is None:
            days = [
                day
                for end in fetch_rows(session, _select_date_range(asked), parameters)[0]
                if (day := parse_stored_date(end))
            ]
        else:
            ends = [_select_per_series(f"{end}({said})", asked, view) for end in ("min", "max")]
            days = [day_of_number(day) for end in ends for _, day in fetch_rows(session, end, parameters) if day]
    return ClaimCounts(
        claims=sum(count for _, count in counts),
        sources=len({line.partition(" ")[0] for line, count in counts if count}),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
    )


def _select_per_series(wanted: str, asked: Asked, view: Snapshot) -> str:
    """Something of the claims of each standpoint that the index tells; one after the other, nothing is sorted."""
    among = f"{_CURRENT_VERSION} AND {_SAME_SERIES}{_known_on_condition(view)}{since_condition(asked)}"
    counted = f"SELECT p.standpoint, (SELECT {wanted} FROM claim c WHERE {among}) FROM standpoints p"
    return f"{_series_ctes(asked)} {counted} WHERE p.standpoint IS NOT NULL{_aggregation_condition(asked)}"


def _select_date_range(asked: Asked) -> str:
    """The first and the last date in each category: the two ends of an index."""
    given = "c.status <> 'removed' AND c.subject = :subject AND c.place = :place"
    ends = [
        f"(SELECT {end}(c.date) FROM claim c WHERE {_CURRENT_VERSION} AND {given} AND c.category = :category_{n})"
        for n in range(len(asked.categories))
        for end in ("min", "max")
    ]
    return f"SELECT {', '.join(ends)}"


def _known_on_condition(view: Snapshot) -> str:
    """Only what had been said by the asked day."""
    return "" if view.known_on is None else f" AND c.recency % {PERIOD_END_FACTOR} BETWEEN 1 AND :said"


def day_of_number(number: int) -> date:
    """The day that eight digits stand for."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def _select_latest(asked: Asked, view: Snapshot, *, apart: bool) -> str:
    """Of each standpoint the claims of the greatest recency; and every claim that is set apart."""
    known, since, counts_so = _known_on_condition(view), since_condition(asked), _aggregation_condition(asked)
    early = ""
    if known:
        # Nobody can have said later what ended before; only those about days to come are looked through from the end.
        early = f"""{known} AND c.recency < CASE
            WHEN p.standpoint LIKE '% {OPEN_PERIOD_SUFFIX}%' THEN :said_open
            WHEN p.standpoint LIKE '% {FUTURE_PERIOD_SUFFIX}%' THEN {PERIOD_END_FACTOR * PERIOD_END_FACTOR}
            ELSE :said_ended END"""
    statement = f"""{_series_ctes(asked)}, heads AS MATERIALIZED (
            SELECT p.*, (
                SELECT max(c.recency) FROM claim c WHERE {_CURRENT_VERSION} AND {_SAME_SERIES}{early}{since}
            ) AS head
            FROM standpoints p WHERE p.standpoint IS NOT NULL AND NOT {_IS_NO_POSITION}{counts_so}
        )
        SELECT c.version FROM heads p CROSS JOIN claim c
        WHERE {_CURRENT_VERSION} AND {_SAME_SERIES} AND c.recency = p.head{since}"""
    if apart:
        statement += f""" UNION ALL SELECT c.version FROM standpoints p CROSS JOIN claim c
            WHERE {_IS_NO_POSITION} AND {_CURRENT_VERSION} AND {_SAME_SERIES}{known}{since}{counts_so}"""
    return statement


def _select_past(asked: Asked, view: Snapshot) -> str:
    """The same of a past state: every claim of the question is looked at."""
    return f"""SELECT p.version FROM (
            SELECT c.version, c.standpoint, rank() OVER (
                PARTITION BY c.category, c.subject, c.place, c.standpoint ORDER BY c.recency DESC
            ) AS place_in_line
            FROM claim c WHERE {_past_condition(asked)}{_known_on_condition(view)}
        ) p WHERE p.place_in_line = 1 OR {_IS_NO_POSITION}"""


def _past_condition(asked: Asked) -> str:
    """The condition under which a version is a claim of the question in a past state."""
    categories = ", ".join(f":category_{n}" for n in range(len(asked.categories)))
    given = [f" AND c.{name} = :{name}" for name in ("subject", "place", "aggregation") if getattr(asked, name)]
    held = f"c.seq > 0 AND {_VERSION_AT_SEQ} AND c.recency IS NOT NULL"
    return f"c.category IN ({categories}){''.join(given)} AND {held}{since_condition(asked)}"


def _series_ctes(asked: Asked) -> str:
    """Every category, subject, place and standpoint of the question: from each the index leads to the next."""
    levels = [
        "categories (category) AS (VALUES "
        + ", ".join(f"(CAST(:category_{n} AS VARCHAR(80)) COLLATE BINARY)" for n in range(len(asked.categories)))
    ]
    levels[0] += ")"
    before, known = "categories", ["category"]
    for name, level in (("subject", "subjects"), ("place", "places"), ("standpoint", "standpoints")):
        above = ", ".join(f"p.{column}" for column in known)
        if name != "standpoint" and getattr(asked, name) is not None:
            levels.append(
                f"{level} AS (SELECT {above}, CAST(:{name} AS VARCHAR(80)) COLLATE BINARY AS {name} FROM {before} p)"
            )
        else:
            same = "".join(f" AND c.{column} = p.{column}" for column in known)
            least = f"SELECT min(c.{name}) FROM claim c WHERE {_CURRENT_VERSION}{same}"
            levels.append(
                f"{level} ({', '.join([*known, name])}) AS ("
                f" SELECT {above}, ({least}) FROM {before} p WHERE p.{known[-1]} IS NOT NULL"
                f" UNION ALL SELECT {above}, ({least} AND c.{name} > p.{name})"
                f" FROM {level} p WHERE p.{name} IS NOT NULL)"
            )
        before, known = level, [*known, name]
    return "WITH RECURSIVE " + ", ".join(levels)


def _aggregation_condition(asked: Asked) -> str:
    return "" if asked.aggregation is None else " AND p.standpoint LIKE :counted_so"


def since_condition(asked: Asked) -> str:
    """The period starts on the asked day, or in a month or year that has it and is known no closer."""
    if asked.since is None:
        return ""
    # What the index of standpoints knows comes first. `IS TRUE` keeps other indices away, that would lead astray.
    starts = "(c.period_start IN (:since, :since_month, :since_year)) IS TRUE"
    return f" AND {starts} AND (c.period_start = :since OR c.period LIKE :in_month OR c.period LIKE :in_year)"


def version_condition(view: Snapshot) -> str:
    """The condition under which the version `c` of anything is in a view."""
    return _CURRENT_VERSION if view.as_of is None else _VERSION_AT_SEQ


def bind_question(asked: Asked, view: Snapshot) -> SqlParameters:
    """Everything that the statements about a question name."""
    found: SqlParameters = {f"category_{n}": slug for n, slug in enumerate(asked.categories)}
    found |= {"subject": asked.subject, "place": asked.place, "aggregation": asked.aggregation}
    said = encode_day(view.known_on)
    found |= {
        "as_of": view.as_of,
        "known_on": view.known_on,
        "said": said,
        "said_open": said + 1,
        "said_ended": (said + 1) * PERIOD_END_FACTOR,
    }
    found["counted_so"] = f"% {asked.aggregation}%"
    if asked.since is not None:
        day = asked.since
        found |= {"since": day, "since_month": day.replace(day=1), "since_year": day.replace(month=1, day=1)}
        found |= {"in_month": f"{day.isoformat()[:7]}/%", "in_year": f"{day.isoformat()[:4]}/%"}
    return found


def fetch_rows(session: Session, statement: str, parameters: SqlParameters) -> list[Any]:
    """The rows of a statement as the driver gives them: types of their own cost more than the reading.

    Raises `QueryTooBroad` where it takes more than a reader's statement may.
    """
    connection = session.connection()
    given = parameters
    if connection.dialect.name == "postgresql":
        statement = _translate_for_psycopg(statement)
    else:
        given = {name: value.isoformat() if isinstance(value, date) else value for name, value in parameters.items()}
    try:
        return list(connection.exec_driver_sql(statement, given).all())
    except DBAPIError as error:
        if not is_budget_exceeded(error):
            raise
        detail = "Too many claims would have to be looked at to answer this."
        raise QueryTooBroad(detail, hint="name a `subject` and a `place`, and ask for the present state") from error


@cache
def _translate_for_psycopg(statement: str) -> str:
    """`:name` is `%(name)s` there, and the order of bytes has another name."""
    statement = statement.replace("%", "%%").replace("COLLATE BINARY", 'COLLATE "C"')
    return re.sub(r":(\w+)", r"%(\1)s", statement)


def _build_candidate(row: Sequence[Any], words: ReferenceData) -> Candidate:
    # fmt: off
    (
        version, id_, status, retracted_on, kind, source, category, subject, place,
        proposition, modality, derivation, value, lower, upper, coverage, out_of,
        lower_inclusive, upper_inclusive, approximate, relative_to,
        period, aggregation, said, includes, excludes,
    ) = row
    # fmt: on
    known = words.hierarchy.categories.get(category)
    figure = PrintedFigure(
        "",
        None if value is None else normalize_number(value),
        None if lower is None else normalize_number(lower),
        None if upper is None else normalize_number(upper),
        None if lower_inclusive is None else bool(lower_inclusive),
        None if upper_inclusive is None else bool(upper_inclusive),
        bool(approximate),
        coverage,
        None if out_of is None else normalize_number(out_of),
        relative_to,
    )
    statement = Statement(
        str(id_),
        words.position_holders.get(source, source),
        category,
        subject,
        place,
        known.unit if known else "",
        proposition,
        modality,
        derivation,
        figure,
        parse_period(period),
        aggregation,
        parse_stored_date(said),
        _parse_stored_slugs(includes),
        _parse_stored_slugs(excludes),
    )
    return Candidate(version, statement.id, status, parse_stored_date(retracted_on), kind, statement)


_NO_SLUGS: Final = frozenset[str]()


def parse_stored_date(day: date | str | None) -> date | None:
    """SQLite keeps days as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day


def _parse_stored_slugs(words: str | list[str]) -> frozenset[str]:
    """SQLite keeps lists as text."""
    if words in ("[]", []):
        return _NO_SLUGS
    return frozenset(orjson.loads(words) if isinstance(words, str) else words)
