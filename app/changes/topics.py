"""The topics that a change concerns: those of its claim, or the topic itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlmodel import Session

from app.claims.search.filters import FilterContext
from app.claims.search.question_scope import expand_question, match_scope, partial_date_patterns
from app.database.snapshot import Snapshot
from app.database.sql import batch_values
from app.database.tables import Change, ClaimVersion, columns_of
from app.enums import Aggregation, Status
from app.topics.queries import read_topic_fields
from app.topics.records import TOPIC
from app.vocabulary.reference_data import get_reference_data

StoredRow = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class _TopicScope:
    """The claims of a topic, as sets for the comparison with single claims."""

    slug: str
    categories: frozenset[str]
    subjects: frozenset[str]
    places: frozenset[str]
    aggregations: frozenset[str]
    since: date | None

    def contains(self, claim: StoredRow) -> bool:
        """Return whether a claim belongs to the topic. A tombstone has no aggregation and period."""
        if (
            claim["category"] not in self.categories
            or claim["subject"] not in self.subjects
            or claim["place"] not in self.places
        ):
            return False
        if claim["status"] == Status.removed:
            return True
        if self.aggregations and str(claim["aggregation"]) not in self.aggregations:
            return False
        return self.since is None or claim["period_start"] == self.since or self._may_start(claim, self.since)

    def _may_start(self, claim: StoredRow, since: date) -> bool:
        start = str(claim["period"]).partition("/")[0]
        is_partial = start in (since.isoformat()[:7], since.isoformat()[:4])
        return claim["aggregation"] == Aggregation.cumulative and is_partial


def find_topics_of_changes(session: Session, rows: Sequence[StoredRow], snapshot: Snapshot) -> list[list[str]]:
    """Return for each change the slugs of the topics that it concerns, by the snapshot, in order."""
    claims = _load_claims(session, {row["claim"] for row in rows if row["claim"]}, snapshot)
    scopes = _load_scopes(session, snapshot) if claims else []
    by_claim = {id_: [scope.slug for scope in scopes if scope.contains(claim)] for id_, claim in claims.items()}
    return [[row["key"]] if row["kind"] == "topic" else by_claim.get(row["claim"], []) for row in rows]


def concerns_topics(session: Session, slugs: Sequence[str], snapshot: Snapshot) -> ColumnElement[bool]:
    """Return the condition that a change concerns one of these topics. Raises `UnknownSlug`."""
    check_topics(session, slugs, snapshot)
    change, claim = columns_of(Change), columns_of(ClaimVersion)
    conditions: list[ColumnElement[bool]] = []
    for slug in slugs:
        fields = read_topic_fields(session, slug, snapshot)
        scope = expand_question(fields, get_reference_data(session, snapshot), fields["narrower"])
        since = [] if scope.since is None else [scope.since, *partial_date_patterns(scope.since)]
        key = (scope.categories, scope.subjects, scope.places)
        belongs = match_scope(claim, *key, scope.aggregations, since) | (
            match_scope(claim, *key) & (claim.status == Status.removed)
        )
        ids = select(claim.id).where(belongs, snapshot.contains(ClaimVersion))
        conditions += [change.claim.in_(ids), (change.kind == "topic") & (change.key == slug)]
    return or_(*conditions)


def check_topics(session: Session, slugs: Sequence[str], snapshot: Snapshot) -> None:
    """Raise `UnknownSlug` if a topic of the filter `topic` does not exist."""
    FilterContext(session, snapshot).check_slugs("topic", TOPIC.name, slugs)


def _load_claims(session: Session, ids: set[str], snapshot: Snapshot) -> dict[str, StoredRow]:
    claim = columns_of(ClaimVersion)
    names = ("id", "category", "subject", "place", "aggregation", "period", "period_start", "status")
    claims: dict[str, StoredRow] = {}
    for batch in batch_values(sorted(ids)):
        statement = select(*(claim[name] for name in names)).where(claim.id.in_(batch), snapshot.contains(ClaimVersion))
        claims |= {row["id"]: row for row in session.execute(statement).mappings()}
    return claims


def _load_scopes(session: Session, snapshot: Snapshot) -> list[_TopicScope]:
    reference_data = get_reference_data(session, snapshot)
    scopes = []
    for slug in sorted(reference_data.topics):
        fields = read_topic_fields(session, slug, snapshot)
        scope = expand_question(fields, reference_data, fields["narrower"])
        scopes.append(
            _TopicScope(
                slug,
                frozenset(scope.categories),
                frozenset(scope.subjects),
                frozenset(scope.places),
                frozenset(scope.aggregations),
                scope.since,
            )
        )
    return scopes
