"""Loads the claims of a question that may be positions, and counts its claims, without reading all of them.

A position is among the claims of a series (`app/comparison/series_key.py`) with the latest period end and date. The
result may contain a few claims that are not positions; the rules in `app/comparison` decide. The SQL is in
`candidate_statements.py`.

What is read is bounded by counts, the same on both databases: of the questions and series (`MAX_SERIES`), of the claims
that a response lists, and of all claims of a question in a past state (`MAX_PAST_CLAIMS`). A question with more is
refused with `QueryTooBroad`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import orjson
from sqlalchemy import select
from sqlmodel import Session

from app.cache.bounded import BoundedCache
from app.claims.search.question_scope import QuestionScope
from app.comparison.figure import PrintedFigure, normalize_number
from app.comparison.period import parse_period
from app.comparison.relative_base import normalize_relative_to
from app.comparison.series_key import PERIOD_END_FACTOR, encode_day, has_aggregation, parse_moment
from app.comparison.statement import Statement
from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.snapshot import Snapshot
from app.database.sql import fetch_rows
from app.database.tables import ClaimVersion, columns_of
from app.enums import Reason, Status
from app.errors import QueryTooBroad
from app.http.addresses import whole_address
from app.topics.candidate_statements import (
    SELECT_STATEMENTS,
    QuestionShape,
    bind_question,
    bind_state,
    select_date_ranges,
    select_earlier,
    select_ending_on,
    select_latest,
    select_past,
    select_past_counts,
    select_past_ending_on,
    select_per_series,
    select_series_count,
    select_start_counts,
    select_tied,
    select_undated_count,
    select_version_count,
)
from app.vocabulary.records import CATEGORY, SUBJECT
from app.vocabulary.reference_data import ReferenceData

MAX_SERIES = 2_500
"""Maximum number of questions, and of series of them, that a comparison reads."""

MAX_COMPARED_CLAIMS = 1_000
"""Maximum number of claims in a side-by-side, brief or chart: positions, and claims that are listed apart."""

MAX_PAST_CLAIMS = 50_000
"""Maximum number of versions of claims on a question that is read in a past state of the register."""

MAX_CACHED_CANDIDATES = 4_000
"""Maximum number of cached candidates. Each takes about one and a half kilobytes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim that may be a position: its version, its status, and its statement."""

    version: int
    id: str
    status: str
    retracted_on: date | None
    statement: Statement


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """The number of claims and of their sources, and the dates of the first and the last claim."""

    claims: int
    sources: int
    first_date: date | None
    last_date: date | None


class CandidateCache:
    """A cache of candidates by version. It is valid for one state of the reference data."""

    def __init__(self) -> None:
        self._reference_data: ReferenceData | None = None
        self._by_version: BoundedCache[int, Candidate] = BoundedCache(MAX_CACHED_CANDIDATES)

    def get(self, versions: Iterable[int], reference_data: ReferenceData) -> dict[int, Candidate]:
        """Return the cached candidates among `versions`. Changed reference data clear the cache."""
        if self._reference_data is not reference_data:
            self._reference_data, self._by_version = reference_data, BoundedCache(MAX_CACHED_CANDIDATES)
        by_version = self._by_version
        return {version: candidate for version in versions if (candidate := by_version.get(version)) is not None}

    def store(self, candidates: Mapping[int, Candidate], reference_data: ReferenceData) -> None:
        """Add candidates, unless the reference data have changed since they were built."""
        by_version = self._by_version
        if self._reference_data is reference_data:
            for version, candidate in candidates.items():
                by_version.store(version, candidate)


CANDIDATES = CacheKey("candidates", lambda _database: CandidateCache())


def load_candidates(
    session: Session,
    scope: QuestionScope,
    snapshot: Snapshot,
    reference_data: ReferenceData,
    *,
    include_non_positions: bool = True,
    ends_by: date | None = None,
) -> list[Candidate]:
    """Return the claims of a question that may be positions.

    Raises `QueryTooBroad` if there are too many of them, or of their series.

    With `include_non_positions`, also return those that the response lists separately: claims that their sources
    retracted, and claims without a number.
    """
    # A retraction is not dated later than its change, so a retracted claim is a position only if a clock was set back.
    lists_claims = include_non_positions
    include_non_positions = include_non_positions or snapshot.last_known_day < snapshot.at.date()
    shape = QuestionShape.of(scope, snapshot, ends_by)
    parameters = bind_question(scope, snapshot, ends_by)
    check_scope(session, scope, snapshot)
    if shape.past:
        versions = [version for (version,) in fetch_rows(session, select_past(shape.rounded), parameters)]
    else:
        statement = select_latest(shape.without_counts, include_non_positions=include_non_positions)
        rows = fetch_rows(session, statement, parameters | {"max_series": MAX_SERIES + 1})
        # The counts of the questions and of the series are negative.
        if min(number for (number,) in rows) < -MAX_SERIES:
            raise too_broad_error(scope, f"It has more than {MAX_SERIES:,} series of claims.")
        versions = [version for (version,) in rows if version > 0]
    if lists_claims and len(versions) > MAX_COMPARED_CLAIMS:
        raise too_broad_error(scope, f"It would list more than {MAX_COMPARED_CLAIMS:,} claims.")
    return _load_versions(session, versions, snapshot, reference_data)


def check_scope(session: Session, scope: QuestionScope, snapshot: Snapshot) -> None:
    """Raise `QueryTooBroad` if a scope has more questions, or in a past state more claims, than are read."""
    if len(scope.categories) * max(1, len(scope.subjects)) * max(1, len(scope.places)) > MAX_SERIES:
        raise too_broad_error(scope, f"It has more than {MAX_SERIES:,} questions.")
    if snapshot.as_of is not None and count_versions(session, scope, snapshot, MAX_PAST_CLAIMS + 1) > MAX_PAST_CLAIMS:
        detail = f"In a past state of the register it would read more than {MAX_PAST_CLAIMS:,} claims."
        raise too_broad_error(scope, detail, ["omit `recorded_as_of`"])


def count_versions(session: Session, scope: QuestionScope, snapshot: Snapshot, max_rows: int) -> int:
    """Return the number of versions of claims on the questions of a scope, or `max_rows` if there are more."""
    parameters = bind_question(scope, snapshot) | {"max_rows": max_rows}
    ((count,),) = fetch_rows(session, select_version_count(QuestionShape.of(scope, snapshot).rounded), parameters)
    return int(count)


def count_series(session: Session, scope: QuestionScope, snapshot: Snapshot, max_rows: int) -> int:
    """Return the number of series of a question in the current state, or `max_rows` if there are more."""
    parameters = bind_question(scope, snapshot) | {"max_series": max_rows}
    ((count,),) = fetch_rows(session, select_series_count(QuestionShape.of(scope, snapshot).without_counts), parameters)
    return int(count)


def too_broad_error(scope: QuestionScope, reason: str, hints: Sequence[str] = ()) -> QueryTooBroad:
    """Return the error for a question that would read too much, with what narrows it."""
    fields = {"subject": scope.subjects, "place": scope.places, "aggregation": scope.aggregations}
    missing = [f"`{name}`" for name, values in fields.items() if not values]
    narrowing = [f"set {' or '.join(missing)}"] if missing else []
    if max(len(scope.categories), len(scope.subjects), len(scope.places)) > 1:
        narrowing.append("set `narrower=false`")
    hint = ", or ".join([*hints, *narrowing]) or f"ask for pages of {whole_address('/v1/claims')}"
    return QueryTooBroad(f"This question is too broad. {reason}", hint=hint)


def load_earlier_candidates(
    session: Session,
    superseded: Iterable[Candidate],
    scope: QuestionScope,
    snapshot: Snapshot,
    reference_data: ReferenceData,
    ends_by: date | None = None,
) -> list[Candidate]:
    """Return the claims before each of these in its series, at most `EARLIER_CLAIMS` for each, latest first."""
    shape = QuestionShape.of(scope, snapshot, ends_by).without_counts
    parameters = bind_question(scope, snapshot, ends_by) | {"max_rows": EARLIER_CLAIMS}
    versions = [
        version
        for candidate in superseded
        for (version,) in fetch_rows(session, select_earlier(shape), parameters | {"version": candidate.version})
    ]
    return _load_versions(session, versions, snapshot, reference_data)


def is_retracted(candidate: Candidate, snapshot: Snapshot) -> bool:
    """Return whether the source of a claim has retracted it, as known in the snapshot."""
    retracted_on = candidate.retracted_on
    is_known = retracted_on is not None and retracted_on <= snapshot.last_known_day
    return is_known and candidate.status == Status.retracted


def load_tied_candidates(
    session: Session, ids: Sequence[str], snapshot: Snapshot, reference_data: ReferenceData
) -> list[Candidate]:
    """Return these claims, and all of their series that are said on the same day about a period with the same end."""
    claims = load_claims(session, ids, snapshot, reference_data)
    shape = QuestionShape.of(QuestionScope((), (), (), (), None), snapshot)
    parameters = bind_state(snapshot)
    versions = {candidate.version for candidate in claims}
    for candidate in claims:
        rows = fetch_rows(session, select_tied(shape), parameters | {"version": candidate.version})
        versions |= {version for (version,) in rows}
    return _load_versions(session, sorted(versions), snapshot, reference_data)


def load_totals_ending_on(
    session: Session,
    versions: Sequence[int],
    days: Iterable[date],
    scope: QuestionScope,
    snapshot: Snapshot,
    reference_data: ReferenceData,
) -> list[Candidate]:
    """Return the claims of a question whose period ends on one of these days, of the series of these versions."""
    shape = QuestionShape.of(scope, snapshot)
    parameters = bind_question(scope, snapshot) | {"versions": list(versions)}
    if shape.past:
        parameters["ends"] = [encode_day(day) for day in days]
        found = [version for (version,) in fetch_rows(session, select_past_ending_on(shape.rounded), parameters)]
    else:
        found = [
            version
            for day in days
            for (version,) in fetch_rows(
                session,
                select_ending_on(shape.without_counts),
                parameters
                | {"least": encode_day(day) * PERIOD_END_FACTOR, "limit": (encode_day(day) + 1) * PERIOD_END_FACTOR},
            )
        ]
    return _load_versions(session, sorted(set(found)), snapshot, reference_data)


def load_claims(
    session: Session, ids: Sequence[str], snapshot: Snapshot, reference_data: ReferenceData
) -> list[Candidate]:
    """Return the claims with these ids, in the same order."""
    claim = columns_of(ClaimVersion)
    found = session.execute(select(claim.id, claim.version).where(claim.id.in_(ids), snapshot.contains(ClaimVersion)))
    versions = {str(id_): version for id_, version in found}
    return _load_versions(session, [versions[id_] for id_ in ids], snapshot, reference_data)


EARLIER_CLAIMS = 50
"""Claims that are read at once before a superseded one of the same series."""


def _load_versions(
    session: Session, versions: Sequence[int], snapshot: Snapshot, reference_data: ReferenceData
) -> list[Candidate]:
    """Return the candidates of these versions, from the cache where possible."""
    # A version never changes: its candidate is valid as long as the reference data do not change.
    database: Database | None = session.info.get("database")
    cache = None if database is None or snapshot.as_of is not None else database.caches[CANDIDATES]
    candidates = {} if cache is None else cache.get(versions, reference_data)
    missing = [version for version in versions if version not in candidates]
    if missing:
        rows = fetch_rows(session, SELECT_STATEMENTS, {"versions": missing})
        loaded = {row[0]: _build_candidate(row, reference_data) for row in rows}
        if cache is not None:
            cache.store(loaded, reference_data)
        candidates |= loaded
    return [candidates[version] for version in versions]


def count_claims(session: Session, scope: QuestionScope, snapshot: Snapshot) -> ClaimCounts:
    """Count the claims of a question, without removed ones."""
    shape = QuestionShape.of(scope, snapshot)
    parameters = bind_question(scope, snapshot)
    if shape.past:
        rows = fetch_rows(session, select_past_counts(shape.rounded), parameters)
        counts = [(source, count) for source, count, _, _ in rows]
        days = [day_of_number(day) for _, _, *ends in rows for day in ends if day]
    elif shape.has_values("aggregation") or shape.since or shape.known_on:
        rows = fetch_rows(session, select_per_series(shape.without_counts, has_dates=True), parameters)
        numbers = [(series_key, *map(int, text.split(" "))) for series_key, text in rows]
        counts = [(series_key, count) for series_key, count, _, _ in numbers]
        days = [day_of_number(day) for _, _, *ends in numbers for day in ends if day]
    else:
        counts = fetch_rows(session, select_per_series(shape.without_counts), parameters)
        ranges = fetch_rows(session, select_date_ranges(shape.without_counts), parameters)
        days = [day for ends in ranges for end in ends if (day := parse_stored_date(end))]
    return ClaimCounts(
        claims=sum(count for _, count in counts),
        sources=len({series_key.partition(" ")[0] for series_key, count in counts if count}),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
    )


def count_left_out(session: Session, scope: QuestionScope, snapshot: Snapshot) -> dict[Reason, int]:
    """Count the claims on the category, subject and place of a question that it leaves out, by the first reason.

    Reasons are `aggregation_differs` and `window_differs`, and `date_unknown` under `known_on`.
    """
    counts: dict[Reason, int] = {}
    if scope.aggregations or scope.since:
        others, other_starts = _count_other_claims(session, scope, snapshot)
        counts |= {Reason.aggregation_differs: others, Reason.window_differs: other_starts}
    if snapshot.known_on is not None:
        shape = QuestionShape.of(scope, snapshot).rounded
        undated = fetch_rows(session, select_undated_count(shape), bind_question(scope, snapshot))
        counts[Reason.date_unknown] = undated[0][0]
    return {reason: count for reason, count in counts.items() if count}


def _count_other_claims(session: Session, scope: QuestionScope, snapshot: Snapshot) -> tuple[int, int]:
    """Count the claims of another aggregation class, and those of the class that start on another day."""
    parameters = bind_question(scope, snapshot)
    if snapshot.as_of is not None:
        scopes = (replace(scope, since=None, aggregations=()), replace(scope, since=None), scope)
        everything, in_class, on_question = (count_claims(session, each, snapshot).claims for each in scopes)
        return everything - in_class, in_class - on_question
    shape = QuestionShape.of(replace(scope, aggregations=()), snapshot).without_counts
    others = other_starts = 0
    for series_key, claims, starting in fetch_rows(session, select_start_counts(shape), parameters):
        if scope.aggregations and not has_aggregation(series_key, scope.aggregations[0]):
            others += claims
        else:
            other_starts += claims - starting
    return others, other_starts


def day_of_number(number: int) -> date:
    """Return the date of a number of eight digits, such as 20240630."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def _build_candidate(row: Sequence[Any], reference_data: ReferenceData) -> Candidate:
    # fmt: off
    (
        version, id_, status, retracted_on, source, category, subject, place,
        proposition, modality, derivation, value, lower, upper, coverage, out_of,
        lower_inclusive, upper_inclusive, approximate, relative_to, as_printed, unit,
        period, aggregation, per, day, date_edtf, said_at, includes, excludes, fingerprint,
    ) = row
    # fmt: on
    category_node = reference_data.hierarchy.categories.get(category)
    figure = PrintedFigure(
        as_printed,
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
        reference_data.position_holders.get(source, source),
        category,
        subject,
        place,
        unit or (category_node.unit if category_node else ""),
        proposition,
        modality,
        derivation,
        figure,
        parse_period(period),
        aggregation,
        parse_stored_date(day),
        _parse_stored_slugs(includes),
        _parse_stored_slugs(excludes),
        date_edtf,
        parse_moment(said_at),
        per,
        None if relative_to is None else _normalize_base(relative_to, reference_data),
        fingerprint,
    )
    return Candidate(version, statement.id, status, parse_stored_date(retracted_on), statement)


def _normalize_base(relative_to: str, reference_data: ReferenceData) -> str:
    slugs = reference_data.slugs
    return " ".join(normalize_relative_to(relative_to, slugs[SUBJECT.name], slugs[CATEGORY.name]))


_NO_SLUGS: Final = frozenset[str]()


def parse_stored_date(day: date | str | None) -> date | None:
    """Return the date of a driver value; SQLite stores dates as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day


def _parse_stored_slugs(slugs: str | list[str]) -> frozenset[str]:
    """Return the slugs of a driver value; SQLite stores lists as text."""
    if slugs in ("[]", []):
        return _NO_SLUGS
    return frozenset(orjson.loads(slugs) if isinstance(slugs, str) else slugs)
