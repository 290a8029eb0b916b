"""Reads which claims were replaced by later claims of the same source; see `app/comparison/supersession.py`.

Few claims are superseded. An index lookup first selects those, and only for them the chain of replacements is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, FromClause, Select, and_, func, or_, select
from sqlmodel import Session

from app.claims.known_on import was_said_by
from app.claims.search.full_text import build_exists
from app.comparison.effective_period import TOTALS
from app.comparison.supersession import (
    Successor,
    SupersessionClaim,
    find_successors,
    status_of,
)
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList, batch_values, fetch_rows
from app.database.tables import ClaimVersion, RelationVersion, SourceVersion, table_of
from app.enums import RelationType, Status
from app.http.schema_types import parse_moment
from app.sources.queries import MAX_SPEAKS_FOR_STEPS, load_position_holders
from app.vocabulary.reference_data import get_reference_data

_RELATION, _CLAIM = table_of(RelationVersion), table_of(ClaimVersion)

_FACT_COLUMNS = (
    *("id", "seq", "status", "source", "category", "subject", "place", "proposition", "aggregation"),
    *("period_start", "period_end", "date", "said_at", "retracted_on"),
)

MAX_IDS_PER_STATEMENT = 10_000
"""Maximum number of ids in one statement."""


@dataclass(frozen=True, slots=True)
class SupersessionChain:
    """The relations `supersedes` that lead to some claims, directly or through others, and the claims at their ends."""

    relations: Sequence[tuple[str, str]]
    """The superseding and the superseded claim of each relation."""
    claims: Mapping[str, SupersessionClaim]
    latest_seq: int
    """The latest change of these relations, withdrawn ones included, and claims; 0 if there are none."""


def load_successors(session: Session, ids: Iterable[str], snapshot: Snapshot) -> dict[str, Successor]:
    """Return the successor of each claim in `ids` that is superseded in the snapshot, as known on its `known_on`."""
    superseded = [
        str(id_)
        for batch in batch_values(ids, MAX_IDS_PER_STATEMENT)
        for (id_,) in fetch_rows(session, _select_superseded(past=snapshot.as_of is not None), _bind(batch, snapshot))
    ]
    if not superseded:
        return {}
    chain = load_chain(session, superseded, snapshot)
    successors = find_successors(chain.relations, chain.claims, snapshot.knowledge_limit)
    return {id_: successors[id_] for id_ in superseded if id_ in successors}


def load_superseded_by(session: Session, ids: Iterable[str], snapshot: Snapshot) -> set[str]:
    """Return the claims that some claims replaced, directly or through others, without retracted and removed ones."""
    reached: set[str] = set()
    level = set(ids)
    while level:
        statement = _select_directly_superseded(past=snapshot.as_of is not None)
        found = {
            str(id_)
            for batch in batch_values(sorted(level), MAX_IDS_PER_STATEMENT)
            for (id_,) in fetch_rows(session, statement, _bind(batch, snapshot))
        }
        level = found - reached
        reached |= found
    if not reached:
        return set()
    superseded = load_successors(session, reached, snapshot)
    claims = _load_claims(session, superseded, snapshot)[0]
    return {id_ for id_, claim in claims.items() if status_of(claim, snapshot.knowledge_limit) == Status.asserted}


def load_chain(session: Session, ids: Iterable[str], snapshot: Snapshot) -> SupersessionChain:
    """Return the relations and claims on which the successors of some claims depend."""
    is_past = snapshot.as_of is not None
    edges: dict[tuple[str, str], tuple[bool, int]] = {}
    for batch in batch_values(ids, MAX_IDS_PER_STATEMENT):
        for claim, superseded, withdrawn, seq in fetch_rows(
            session, _select_chain(past=is_past), _bind(batch, snapshot)
        ):
            # Several relations may say the same: it is withdrawn only if all of them are.
            was_withdrawn, last_seq = edges.get((str(claim), str(superseded)), (True, 0))
            edges[str(claim), str(superseded)] = (was_withdrawn and bool(withdrawn), max(last_seq, seq))
    claims, claims_seq = _load_claims(session, sorted({id_ for edge in edges for id_ in edge}), snapshot)
    return SupersessionChain(
        [edge for edge, (withdrawn, _) in edges.items() if not withdrawn],
        claims,
        max([claims_seq, *(seq for _, seq in edges.values())]),
    )


def load_supersession_claims(session: Session, ids: Iterable[str], snapshot: Snapshot) -> dict[str, SupersessionClaim]:
    """Return what supersession depends on of some claims, by id."""
    return _load_claims(session, ids, snapshot)[0]


def _load_claims(session: Session, ids: Iterable[str], snapshot: Snapshot) -> tuple[dict[str, SupersessionClaim], int]:
    """Return claims by id, and the latest `seq` of them."""
    claims: dict[str, SupersessionClaim] = {}
    latest_seq = 0
    holders: Mapping[str, str] | None = None
    for batch in batch_values(ids, MAX_IDS_PER_STATEMENT):
        holders = _load_position_holders(session, snapshot) if holders is None else holders
        for row in fetch_rows(session, _select_facts(past=snapshot.as_of is not None), _bind(batch, snapshot)):
            facts = dict(zip(_FACT_COLUMNS, row, strict=True))
            latest_seq = max(latest_seq, facts["seq"])
            claim = build_supersession_claim(facts, holders)
            claims[claim.id] = claim
    return claims, latest_seq


def build_supersession_claim(facts: Mapping[str, Any], position_holders: Mapping[str, str]) -> SupersessionClaim:
    """Return a claim from its columns, in the types of the driver or of Python."""
    return SupersessionClaim(
        id=str(facts["id"]),
        status=str(facts["status"]),
        source=position_holders.get(facts["source"], facts["source"]),
        category=facts["category"],
        subject=facts["subject"],
        place=facts["place"],
        proposition=str(facts["proposition"]),
        aggregation=str(facts["aggregation"]),
        period_start=_parse_day(facts["period_start"]),
        period_end=_parse_day(facts["period_end"]),
        date=_parse_day(facts["date"]),
        said_at=None if facts["said_at"] is None else parse_moment(facts["said_at"]),
        retracted_on=_parse_day(facts["retracted_on"]),
    )


COMPARED_COLUMNS = (
    *("status", "source", "category", "subject", "place", "proposition", "aggregation"),
    *("period_start", "period_end", "date", "said_at"),
)
"""The columns of a claim that decide whether it supersedes another one."""


def is_superseded(
    columns: Any,  # noqa: ANN401 - of a table or a subquery
    snapshot: Snapshot,
    day: ColumnElement[Any] | None = None,
    moment: ColumnElement[Any] | None = None,
) -> ColumnElement[bool]:
    """Return the condition that a claim is superseded, by the rules of `app/comparison/supersession.py`.

    `day` and `moment` are the parameters for `known_on`, see `was_said_by`. Circles, which can no longer be recorded,
    count here.
    """
    relation, claim = _RELATION.alias("superseding"), _CLAIM.alias("newer_claim")
    # OFFSET is an optimization fence: PostgreSQL would look for the claim by its category, subject and place.
    found = select(*(claim.c[name] for name in COMPARED_COLUMNS)).offset(0)
    found = found.where(claim.c.id == relation.c.claim, snapshot.contains_alias(claim.c))
    newer = found.correlate(relation).subquery("newer")
    replaces = [
        *(newer.c[name] == columns[name] for name in ("category", "subject", "place")),
        or_(newer.c.status == Status.removed, _has_same_series(newer, columns, snapshot)),
    ]
    if day is not None:
        replaces.append(was_said_by(newer.c, day, moment))
    return build_exists(
        relation,
        relation.c.to_claim == columns.id,
        relation.c.type == RelationType.supersedes,
        relation.c.withdrawn.is_(False),
        snapshot.contains_alias(relation.c),
        build_exists(newer, *replaces),
    )


def _has_same_series(newer: FromClause, columns: Any, snapshot: Snapshot) -> ColumnElement[bool]:  # noqa: ANN401 - as in `is_superseded`
    totals = sorted(TOTALS)
    is_same_class = or_(
        newer.c.aggregation == columns.aggregation,
        and_(newer.c.aggregation.in_(totals), columns.aggregation.in_(totals)),
    )
    return and_(
        _position_holder(newer.c.source, snapshot) == _position_holder(columns.source, snapshot),
        newer.c.proposition == columns.proposition,
        is_same_class,
        *(newer.c[name].is_not_distinct_from(columns[name]) for name in ("period_start", "period_end")),
    )


def _position_holder(slug: ColumnElement[Any], snapshot: Snapshot) -> ColumnElement[Any]:
    """Return the expression of the source that holds the position of a source: the end of its chain of `speaks_for`."""
    steps = [table_of(SourceVersion).alias() for _ in range(MAX_SPEAKS_FOR_STEPS)]
    chain: FromClause = steps[0]
    for source, principal in pairwise(steps):
        is_principal = and_(principal.c.slug == source.c.speaks_for, snapshot.contains_alias(principal.c))
        chain = chain.outerjoin(principal, is_principal)
    holder = select(func.coalesce(*(source.c.speaks_for for source in reversed(steps)))).select_from(chain)
    holder = holder.where(steps[0].c.slug == slug, snapshot.contains_alias(steps[0].c))
    return func.coalesce(holder.correlate_except(chain).scalar_subquery(), slug)


def _load_position_holders(session: Session, snapshot: Snapshot) -> Mapping[str, str]:
    if session.info.get("database") is None:  # a write transaction, which would load all reference data
        return load_position_holders(session, snapshot)
    return get_reference_data(session, snapshot).position_holders


def _bind(ids: Sequence[str], snapshot: Snapshot) -> dict[str, Any]:
    return {"ids": list(ids), "as_of": snapshot.as_of}


def _supersedes(relation: FromClause, *, past: bool) -> list[ColumnElement[bool]]:
    return [relation.c.type == RelationType.supersedes, is_version_at(relation.c, AS_OF if past else None)]


@cache
def _select_superseded(*, past: bool) -> Select[Any]:
    """Return the statement that selects, of some claims, those to which a relation `supersedes` leads."""
    relation = _RELATION
    return (
        select(relation.c.to_claim)
        .distinct()
        .where(InList(relation.c.to_claim, "ids"), relation.c.withdrawn.is_(False), *_supersedes(relation, past=past))
    )


@cache
def _select_directly_superseded(*, past: bool) -> Select[Any]:
    """Return the statement that selects the claims to which a relation `supersedes` of some claims leads."""
    relation = _RELATION
    is_from = (InList(relation.c.claim, "ids"), relation.c.withdrawn.is_(False), relation.c.to_claim.is_not(None))
    return select(relation.c.to_claim).distinct().where(*is_from, *_supersedes(relation, past=past))


@cache
def _select_chain(*, past: bool) -> ClauseElement:
    """Return the statement of the relations that lead to some claims, directly or through others."""
    fields = ("claim", "to_claim", "withdrawn", "seq")
    direct, further = _RELATION.alias("direct"), _RELATION.alias("further")
    chain = (
        select(*(direct.c[name] for name in fields))
        .where(InList(direct.c.to_claim, "ids"), *_supersedes(direct, past=past))
        .cte("chain", recursive=True)
    )
    step = select(*(further.c[name] for name in fields)).select_from(
        chain.join(further, further.c.to_claim == chain.c.claim)
    )
    chain = chain.union(step.where(*_supersedes(further, past=past)))
    return select(*(chain.c[name] for name in fields))


@cache
def _select_facts(*, past: bool) -> Select[Any]:
    return select(*(_CLAIM.c[name] for name in _FACT_COLUMNS)).where(
        InList(_CLAIM.c.id, "ids"), is_version_at(_CLAIM.c, AS_OF if past else None)
    )


def _parse_day(day: date | str | None) -> date | None:
    """Return the date of a driver value; SQLite stores dates as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day
