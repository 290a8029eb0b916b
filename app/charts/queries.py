"""Reads what charts show beyond a brief: claims in words, and the claims of a timeline."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from app.charts.description import PointStatus, Row
from app.charts.side_by_side import build_words_row, describe_said
from app.charts.timeline import ClaimOverTime, TimelineClaims
from app.claims.supersession import load_successors
from app.comparison.question import ComparisonOptions, Question
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.sentences.overview import describe_end
from app.topics.candidates import is_retracted, load_claims
from app.topics.side_by_side import find_claims_to_compare, scope_of
from app.topics.timeline import TimelineEntry, fetch_timeline_rows
from app.vocabulary.reference_data import get_reference_data

MAX_CLAIMS_IN_WORDS = 40
MAX_CLAIMS_READ = 20_000
MAX_POINTS = 1_500
"""A timeline reads so many claims, and draws so many of them: of each source its last one, and others evenly."""


def load_claims_in_words(
    read: ReadSession,
    question: Question,
    options: ComparisonOptions,
    snapshot: Snapshot,
    interests: Mapping[str, str],
) -> list[Row]:
    """Return the rows of the newest claims of a question that state no number."""
    reference_data = get_reference_data(read.session, snapshot)
    scope = scope_of(question, reference_data, options.narrower)
    found = find_claims_to_compare(read.session, scope, options, snapshot, reference_data)
    candidates = load_claims(read.session, found.without_number, snapshot, reference_data)
    statements = sorted(
        (candidate.statement for candidate in candidates),
        key=lambda each: (each.date is None, -(each.date.toordinal() if each.date else 0), each.id),
    )
    rows = []
    for statement in statements[:MAX_CLAIMS_IN_WORDS]:
        source = reference_data.sources[statement.source]
        rows.append(
            build_words_row(
                statement.id,
                source.short_name or source.name,
                interests.get(source.slug, source.interest),
                describe_end(statement) or describe_said(statement.date, statement.date_edtf),
                " ".join(statement.figure.as_printed.split()),
            )
        )
    return rows


def load_timeline_claims(
    read: ReadSession, question: Question, narrower: Collection[str], snapshot: Snapshot
) -> TimelineClaims:
    """Return the claims of a question with a number. Of many claims, some of each source are left out."""
    session = read.session
    reference_data = get_reference_data(session, snapshot)
    scope = scope_of(question, reference_data, narrower)
    entries = fetch_timeline_rows(session, scope, snapshot, MAX_CLAIMS_READ + 1)
    shown = thin_out(entries[:MAX_CLAIMS_READ], MAX_POINTS)
    candidates = load_claims(session, [entry.id for entry in shown], snapshot, reference_data)
    numeric = [candidate for candidate in candidates if candidate.statement.figure.has_number]
    successors = load_successors(session, [candidate.id for candidate in numeric], snapshot)
    claims = []
    for candidate in numeric:
        status, replaced_by = PointStatus.stated, None
        if is_retracted(candidate, snapshot):
            status = PointStatus.retracted
        elif (successor := successors.get(candidate.id)) is not None:
            status, replaced_by = PointStatus.restated, successor.claim
        claims.append(ClaimOverTime(candidate.statement, status, replaced_by))
    is_cut = len(entries) > MAX_CLAIMS_READ
    left_out = {
        "without a number": len(candidates) - len(numeric),
        "of sources with many, evenly": len(entries) - is_cut - len(shown),
        "or more of sources at the end of the alphabet": int(is_cut),
    }
    return TimelineClaims(claims, left_out)


def thin_out(entries: Sequence[TimelineEntry], limit: int) -> list[TimelineEntry]:
    """Return some claims of a list that is ordered by source: of each source the last, and others evenly.

    They are about `limit`, and never more than twice as many, for a question with very many sources.
    """
    if len(entries) <= limit:
        return list(entries)
    step = -(-len(entries) // limit)
    kept: list[TimelineEntry] = []
    for _, group in groupby(entries, key=lambda entry: entry.source):
        members = list(group)
        kept += members[(len(members) - 1) % step :: step]
    return kept[: 2 * limit]
