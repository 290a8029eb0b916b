"""The side-by-side of a topic: the position of each source, verdicts, spread and origins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from orjson import Fragment
from sqlalchemy import CompoundSelect, select, union
from sqlmodel import Session

from app.claims.annotations import load_relations
from app.claims.search.filters import FilterContext, claim
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.comparison.figure import interval_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.origins import ClaimNode, OriginEdge, OriginRoot, count_independent_origins, find_all_roots
from app.comparison.positions import age_days, compare_pair, compare_pairs, find_positions
from app.comparison.question import ComparisonOptions, Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.comparison.verdicts import PairComparison, Statement
from app.database.read_session import ReadSession
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList, batch_values
from app.database.tables import ClaimVersion, RelationVersion, columns_of, table_of
from app.enums import FigureKind, RelationType, Status
from app.sources.queries import SOURCE
from app.topics.candidates import Candidate, expand_categories, fetch_rows, load_candidates
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import get_reference_data

MAX_COMPARED_POSITIONS = 40
"""Maximum number of positions of which all pairs are compared."""

MAX_IDS_PER_STATEMENT = 10_000
"""Maximum number of ids in one statement; SQLite allows 32,766 parameters."""

BASIS_RELATION_TYPES = (RelationType.based_on, RelationType.repeats)

QUESTION_FIELDS = ("slug", "title", "category", "subject", "place", "aggregation", "since")
"""The fields of a question in a response."""


@dataclass(frozen=True, slots=True)
class ClassifiedClaims:
    """The claims of a question: statements that may be positions, and the ids of claims that are listed separately."""

    statements: Sequence[Statement]
    without_figure: Sequence[str]
    retracted: Sequence[str]


def build_question(fields: Mapping[str, Any]) -> Question:
    """Return the question of a topic or of the filters of a request."""
    aggregation = fields["aggregation"]
    return Question(
        slug=fields.get("slug"),
        title=fields.get("title"),
        category=fields["category"],
        subject=fields["subject"],
        place=fields["place"],
        aggregation=None if aggregation is None else str(aggregation),
        since=fields["since"],
    )


def build_side_by_side(
    read: ReadSession, question: Question, options: ComparisonOptions, snapshot: Snapshot
) -> tuple[dict[str, Any], list[int]]:
    """Return the response of a side-by-side, and the versions of the claims that are positions.

    The database renders the claims. Intervals, roots and pairs have the field names of the schema and are serialized
    as they are.
    """
    session = read.session
    reference_data = get_reference_data(session, snapshot)
    categories = expand_categories(question, reference_data, narrower=options.narrower)
    candidates = load_candidates(session, question, categories, snapshot, reference_data)
    claims = classify_candidates(candidates, snapshot.today)
    positions = find_positions(claims.statements)
    against = _resolve_against(session, options.against, reference_data.position_holders, snapshot)
    pairs = compare_positions(positions, reference_data.hierarchy, options.tolerance, against)
    spread = measure_spread(positions, question, options.window)
    relations = _load_relations(session, [position.id for position in positions], snapshot)
    roots = _trace_roots(session, positions, relations, reference_data.position_holders, snapshot)
    at_least, at_most = count_independent_origins(root for claim_roots in roots.values() for root in claim_roots)
    versions = {candidate.id: candidate.version for candidate in candidates}
    listed_ids = [*roots, *claims.without_figure, *claims.retracted]
    rendered = _render_claims(read, listed_ids, versions, snapshot)
    response = {
        "topic": {name: getattr(question, name) for name in QUESTION_FIELDS},
        "known_on": snapshot.today,
        "recorded_as_of": None if snapshot.as_of is None else f"seq:{snapshot.as_of}",
        "seq": snapshot.seq,
        "tolerance": options.tolerance,
        "window": options.window,
        "positions": [
            {
                "source": reference_data.sources[position.source],
                "claim": rendered[position.id],
                "interval": interval_of(position.figure, options.tolerance),
                "age_days": age_days(position, snapshot.today),
                "roots": roots[position.id],
            }
            for position in positions
        ],
        "pairs": pairs,
        "spread": describe_spread(spread),
        "independent_origins": {"at_least": at_least, "at_most": at_most},
        "related": {"relations": relations, "claims": [rendered[id_] for id_ in claims.without_figure]},
        "retracted": [rendered[id_] for id_ in claims.retracted],
    }
    return response, [versions[position.id] for position in positions]


def classify_candidates(candidates: Iterable[Candidate], today: date) -> ClassifiedClaims:
    """Separate the statements that may be positions from retracted claims and claims without a figure."""
    statements: list[Statement] = []
    without_figure: list[str] = []
    retracted: list[str] = []
    for candidate in candidates:
        retracted_on = candidate.retracted_on
        if retracted_on is not None and candidate.status == Status.retracted and retracted_on <= today:
            retracted.append(candidate.id)
        elif candidate.kind == FigureKind.none:
            without_figure.append(candidate.id)
        else:
            statements.append(candidate.statement)
    return ClassifiedClaims(statements, sorted(without_figure), sorted(retracted))


def compare_positions(
    positions: Sequence[Statement], hierarchy: Hierarchy, tolerance: float | None, against: str | None = None
) -> list[PairComparison] | None:
    """Compare all pairs of positions, or only those with the source `against`. None if there are too many positions."""
    if against is not None:
        own_positions = [position for position in positions if position.source == against]
        others = [position for position in positions if position.source != against]
        return [compare_pair(a, b, hierarchy, tolerance) for a in own_positions for b in others]
    if len(positions) > MAX_COMPARED_POSITIONS:
        return None
    return list(compare_pairs(positions, hierarchy, tolerance))


def describe_spread(spread: MeasuredSpread) -> dict[str, Any]:
    """Return a spread as a response object."""
    left_out = [{"claim": id_, "reasons": reasons} for id_, reasons in spread.left_out]
    return {
        **{name: getattr(spread, name) for name in ("lower", "upper", "ratio", "sources", "open_lower", "open_upper")},
        "left_out": left_out,
    }


def check_question(session: Session, category: str, subject: str | None, place: str | None, snapshot: Snapshot) -> None:
    """Check the slugs of a question. Raises `UnknownSlug` if one of them does not exist."""
    context = FilterContext(session, snapshot)
    context.check_slugs("category", CATEGORY.name, [category])
    context.check_slugs("subject", SUBJECT.name, [subject] if subject else [])
    context.check_slugs("place", PLACE.name, [place] if place else [])


def _resolve_against(
    session: Session, slug: str | None, position_holders: Mapping[str, str], snapshot: Snapshot
) -> str | None:
    """Return the source whose position `slug` holds. Raises `UnknownSlug` if there is no such source."""
    if slug is None:
        return None
    FilterContext(session, snapshot).check_slugs("against", SOURCE.name, [slug])
    return position_holders.get(slug, slug)


def _render_claims(
    read: ReadSession, ids: Sequence[str], versions: Mapping[str, int], snapshot: Snapshot
) -> dict[str, Fragment]:
    """Return claims as JSON, by id."""
    texts = get_or_render_claims(read, [versions[id_] for id_ in ids], snapshot)
    return {id_: Fragment(text) for id_, text in zip(ids, texts, strict=True)}


def _trace_roots(
    session: Session,
    positions: Sequence[Statement],
    relations: Sequence[ResponseObject],
    position_holders: Mapping[str, str],
    snapshot: Snapshot,
) -> dict[str, tuple[OriginRoot, ...]]:
    """Return the roots of each position, by following `based_on` and `repeats`. `relations` are those of positions."""
    relation = columns_of(RelationVersion)
    next_relations = select(relation.type, relation.claim, relation.to_claim, relation.to_source)
    is_current = (relation.withdrawn.is_(False), snapshot.contains(RelationVersion))
    nodes = {position.id: ClaimNode(position.id, position.source, position.derivation) for position in positions}
    edges: list[OriginEdge] = []
    level: Sequence[Mapping[Any, Any]] = [row for row in relations if row["claim"] in nodes]
    visited = set(nodes)
    while level:
        level = [row for row in level if row["type"] in BASIS_RELATION_TYPES]
        edges += [
            OriginEdge(row["claim"], row["to_claim"], position_holders.get(row["to_source"], row["to_source"]))
            for row in level
        ]
        next_claims = {row["to_claim"] for row in level if row["to_claim"]} - visited
        visited |= next_claims
        level = [
            row
            for batch in batch_values(next_claims, MAX_IDS_PER_STATEMENT)
            for row in session.execute(next_relations.where(relation.claim.in_(batch), *is_current)).mappings()
        ]
    for batch in batch_values(visited - nodes.keys(), MAX_IDS_PER_STATEMENT):
        origins = select(claim.id, claim.source, claim.derivation).where(
            claim.id.in_(batch), claim.status != Status.removed, snapshot.contains(ClaimVersion)
        )
        for id_, source, derivation in session.execute(origins):
            nodes[id_] = ClaimNode(id_, position_holders.get(source, source), derivation.value)
    # A removed claim is no node: `find_all_roots` takes an edge to it for an unknown basis.
    ids = [position.id for position in positions]
    return find_all_roots(ids, nodes, [edge for edge in edges if edge.from_claim in nodes])


def _load_relations(session: Session, ids: Sequence[str], snapshot: Snapshot) -> list[ResponseObject]:
    """Return the relations from and to these claims, each once, in the order in which they were recorded."""
    # Most claims have no relations: a cheaper statement first selects those that have some.
    statement = _select_related(past=snapshot.as_of is not None)
    related = {str(id_) for (id_,) in fetch_rows(session, statement, {"ids": list(ids), "as_of": snapshot.as_of})}
    relations = {
        relation["id"]: relation
        for batch in batch_values(sorted(related), MAX_IDS_PER_STATEMENT)
        for relation in load_relations(session, batch, snapshot, withdrawn=False)
    }
    return [relations[id_] for id_ in sorted(relations)]


@cache
def _select_related(*, past: bool) -> CompoundSelect[Any]:
    """Return the statement that selects, of some claims, those with a current relation."""
    relation = table_of(RelationVersion).c
    is_current = (relation.withdrawn.is_(False), is_version_at(relation, AS_OF if past else None))
    ends = (relation.claim, relation.to_claim)
    return union(*(select(end).where(InList(end, "ids"), *is_current) for end in ends))
