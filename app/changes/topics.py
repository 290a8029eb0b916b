"""The topics that a change concerns: those of its claim, or the topic itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlmodel import Session

from app.cache.scope import FieldValues
from app.claims.search.filters import FilterContext
from app.claims.search.question_scope import expand_question, match_scope, partial_date_patterns
from app.database.question_keys import question_key
from app.database.snapshot import Snapshot
from app.database.sql import batch_values
from app.database.tables import Change, ClaimVersion, columns_of
from app.enums import Aggregation, Status
from app.topics.queries import read_topic_fields
from app.topics.records import TOPIC
from app.vocabulary.reference_data import ReferenceData, get_reference_data

StoredRow = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class TopicScope:
    """The claims of a topic, as sets for the comparison with single claims."""

    slug: str
    categories: frozenset[str]
    subjects: frozenset[str]
    places: frozenset[str]
    aggregations: frozenset[str]
    since: date | None

    @property
    def question_keys(self) -> list[int]:
        """The keys of the questions of the claims, see `app/database/question_keys.py`."""
        questions = product(sorted(self.categories), sorted(self.subjects), sorted(self.places))
        return [question_key(*question) for question in questions]

    @property
    def field_values(self) -> FieldValues:
        """The claims as a cache scope selects them."""
        return {"category": self.categories, "subject": self.subjects, "place": self.places}

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
        if self.since is None:
            return True
        if claim["aggregation"] == Aggregation.snapshot:  # it has no start
            return False
        return claim["period_start"] == self.since or self._may_start(claim, self.since)

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
    change = columns_of(Change)
    conditions: list[ColumnElement[bool]] = []
    for slug in slugs:
        scope = read_topic_scope(read_topic_fields(session, slug, snapshot), get_reference_data(session, snapshot))
        claim = columns_of(ClaimVersion)
        is_of_topic = select_claims_of_topic(scope, snapshot).where(claim.id == change.claim).exists()
        conditions += [is_of_topic, (change.kind == "topic") & (change.key == slug)]
    return or_(*conditions)


def select_claims_of_topic(scope: TopicScope, snapshot: Snapshot) -> Select[Any]:
    """Select the ids of the claims of a topic. A tombstone belongs to it whatever its aggregation and period were."""
    claim = columns_of(ClaimVersion)
    since = [] if scope.since is None else [scope.since, *partial_date_patterns(scope.since)]
    categories, subjects, places = sorted(scope.categories), sorted(scope.subjects), sorted(scope.places)
    belongs = match_scope(claim, categories, subjects, places, sorted(scope.aggregations), since) | (
        match_scope(claim, categories, subjects, places) & (claim.status == Status.removed)
    )
    return select(claim.id).where(belongs, snapshot.contains(ClaimVersion))


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


def _load_scopes(session: Session, snapshot: Snapshot) -> list[TopicScope]:
    reference_data = get_reference_data(session, snapshot)
    return [
        read_topic_scope(read_topic_fields(session, slug, snapshot), reference_data)
        for slug in sorted(reference_data.topics)
    ]


def read_topic_scope(fields: Mapping[str, Any], reference_data: ReferenceData) -> TopicScope:
    """Return the claims of a topic, from its fields."""
    scope = expand_question(fields, reference_data, fields["narrower"])
    return TopicScope(
        fields["slug"],
        frozenset(scope.categories),
        frozenset(scope.subjects),
        frozenset(scope.places),
        frozenset(scope.aggregations),
        scope.since,
    )
