"""The side-by-side of a topic: the position of each source, verdicts, spread and origins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from app.comparison.origins import ClaimNode, OriginEdge, OriginRoot, count_independent_origins, find_all_roots
from app.comparison.positions import age_days, compare_pair, compare_pairs, find_positions
from app.comparison.spread import DEFAULT_WINDOW_DAYS, SpreadQuestion, measure_spread
from app.comparison.verdicts import PairComparison, Statement
from app.database.read_session import ReadSession
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList
from app.database.tables import ClaimVersion, RelationVersion, columns_of, table_of
from app.enums import FigureKind, RelationType, Status
from app.sources.queries import SOURCE
from app.topics.candidates import Asked, fetch_rows, load_candidates
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import ReferenceData, get_reference_data

MAX_COMPARED_POSITIONS = 40
"""Up to so many positions, every two of them are compared."""


MAX_IDS_PER_STATEMENT = 10_000
"""So many ids in one statement; SQLite takes 32,766."""


BASIS_RELATION_TYPES = (RelationType.based_on, RelationType.repeats)


QUESTION_FIELDS = ("slug", "title", "category", "subject", "place", "aggregation", "since")


@dataclass(frozen=True, slots=True)
class Question:
    """What a side-by-side is asked: the fields of a topic, and how to compare."""

    asked: Mapping[str, Any]
    tolerance: float | None
    window: int = DEFAULT_WINDOW_DAYS
    narrower: bool = True
    against: str | None = None


@dataclass(frozen=True, slots=True)
class ClassifiedClaims:
    """The claims of a question, sorted out: positions, claims without a figure, retracted ones. By id → version."""

    reference_data: ReferenceData
    asked: Asked
    positions: tuple[Statement, ...]
    versions: Mapping[str, int]
    without_figure: Sequence[str] = ()
    retracted: Sequence[str] = ()


def classify_claims(session: Session, question: Question, view: Snapshot, *, apart: bool = True) -> ClassifiedClaims:
    """Load the claims of a question and sort them into positions and claims that are shown apart."""
    words = get_reference_data(session, view)
    asked = resolve_question(question, words)
    standing: list[Statement] = []
    without_figure: list[str] = []
    retracted: list[str] = []
    found = load_candidates(session, asked, view, words, apart=apart)
    for each in found:
        if each.retracted_on is not None and each.status == Status.retracted and each.retracted_on <= view.today:
            retracted.append(each.id)
        elif each.kind == FigureKind.none:
            without_figure.append(each.id)
        else:
            standing.append(each.statement)
    return ClassifiedClaims(
        reference_data=words,
        asked=asked,
        positions=find_positions(standing),
        versions={each.id: each.version for each in found},
        without_figure=sorted(without_figure),
        retracted=sorted(retracted),
    )


def resolve_question(question: Question, words: ReferenceData) -> Asked:
    """Return the columns that the claims of a question have, with the categories below the one asked for."""
    asked = question.asked
    categories = words.descendants("category", asked["category"]) if question.narrower else {asked["category"]}
    return Asked(
        categories=tuple(sorted(categories)),
        subject=asked["subject"],
        place=asked["place"],
        aggregation=None if asked["aggregation"] is None else str(asked["aggregation"]),
        since=asked["since"],
    )


def build_side_by_side(reading: ReadSession, question: Question, view: Snapshot) -> tuple[dict[str, Any], list[int]]:
    """The answer of section 5 of the contract: every source's position, and how each stands to the others.

    Its claims are written by the database. The records of the rules (intervals, roots, pairs) have the names of the
    schema, and become JSON as they are. Returns the versions of the positions beside it.
    """
    session = reading.session
    found = classify_claims(session, question, view)
    if question.against is not None:
        FilterContext(session, view).check_slugs("against", SOURCE.name, [question.against])
        question = replace(
            question, against=found.reference_data.position_holders.get(question.against, question.against)
        )
    ids = [position.id for position in found.positions]
    named = found.reference_data.sources
    wanted = [*ids, *found.without_figure, *found.retracted]
    written = get_or_render_claims(reading, [found.versions[id_] for id_ in wanted], view)
    shown = {id_: Fragment(text) for id_, text in zip(wanted, written, strict=True)}
    relations = _read_relations(session, ids, view)
    traced = _trace_roots(session, found, relations, view)
    at_least, at_most = count_independent_origins(root for each in traced.values() for root in each)
    today = view.today
    answer = {
        "topic": {name: question.asked.get(name) for name in QUESTION_FIELDS},
        "known_on": today,
        "recorded_as_of": None if view.as_of is None else f"seq:{view.as_of}",
        "seq": view.seq,
        "tolerance": question.tolerance,
        "window": question.window,
        "positions": [
            {
                "source": named[position.source],
                "claim": shown[position.id],
                "interval": interval_of(position.figure, question.tolerance),
                "age_days": age_days(position, today),
                "roots": traced[position.id],
            }
            for position in found.positions
        ],
        "pairs": compare_positions(found, question),
        "spread": describe_spread(found, question),
        "independent_origins": {"at_least": at_least, "at_most": at_most},
        "related": {
            "relations": relations,
            "claims": [shown[id_] for id_ in found.without_figure],
        },
        "retracted": [shown[id_] for id_ in found.retracted],
    }
    return answer, [found.versions[id_] for id_ in ids]


def compare_positions(found: ClassifiedClaims, question: Question) -> list[PairComparison] | None:
    """Compare the positions pair by pair; None if there are too many."""
    if question.against is not None:
        mine = [each for each in found.positions if each.source == question.against]
        others = [each for each in found.positions if each.source != question.against]
        return [compare_pair(a, b, found.reference_data.hierarchy, question.tolerance) for a in mine for b in others]
    if len(found.positions) > MAX_COMPARED_POSITIONS:
        return None
    return list(compare_pairs(found.positions, found.reference_data.hierarchy, question.tolerance))


def describe_spread(found: ClassifiedClaims, question: Question) -> dict[str, Any]:
    """Return the spread of the positions as the API shows it."""
    asked = {name: question.asked[name] for name in ("category", "subject", "place", "aggregation")}
    spread = measure_spread(found.positions, SpreadQuestion(**asked), question.window)
    left_out = [{"claim": id_, "reasons": reasons} for id_, reasons in spread.left_out]
    return {
        **{name: getattr(spread, name) for name in ("lower", "upper", "ratio", "sources", "open_lower", "open_upper")},
        "left_out": left_out,
    }


def check_question(session: Session, category: str, subject: str | None, place: str | None, view: Snapshot) -> None:
    """Raise `UnknownSlug` where what is asked about does not exist."""
    asking = FilterContext(session, view)
    asking.check_slugs("category", CATEGORY.name, [category])
    asking.check_slugs("subject", SUBJECT.name, [subject] if subject else [])
    asking.check_slugs("place", PLACE.name, [place] if place else [])


def _trace_roots(
    session: Session, found: ClassifiedClaims, relations: Sequence[ResponseObject], view: Snapshot
) -> dict[str, tuple[OriginRoot, ...]]:
    """Follow `based_on` and `repeats` from each position, however far they lead; `relations` are the first steps."""
    relation, held = columns_of(RelationVersion), found.reference_data.position_holders
    wanted = select(relation.type, relation.claim, relation.to_claim, relation.to_source)
    stands = (relation.withdrawn.is_(False), view.contains(RelationVersion))
    nodes = {each.id: ClaimNode(each.id, each.source, each.derivation) for each in found.positions}
    edges: list[OriginEdge] = []
    steps: Sequence[Mapping[Any, Any]] = [each for each in relations if each["claim"] in nodes]
    seen = set(nodes)
    while steps:
        steps = [each for each in steps if each["type"] in BASIS_RELATION_TYPES]
        edges += [
            OriginEdge(each["claim"], each["to_claim"], held.get(each["to_source"], each["to_source"]))
            for each in steps
        ]
        ahead = {each["to_claim"] for each in steps if each["to_claim"]} - seen
        seen |= ahead
        steps = [
            row
            for some in _split_into_batches(ahead)
            for row in session.execute(wanted.where(relation.claim.in_(some), *stands)).mappings()
        ]
    for some in _split_into_batches(seen - nodes.keys()):
        stated = select(claim.id, claim.source, claim.derivation).where(
            claim.id.in_(some), claim.status != Status.removed, view.contains(ClaimVersion)
        )
        for id_, source, derivation in session.execute(stated):
            nodes[id_] = ClaimNode(id_, held.get(source, source), derivation.value)
    # What was taken down no longer says whose it was: `all_roots` takes an edge to it for an unknown basis.
    ids = [position.id for position in found.positions]
    return find_all_roots(ids, nodes, [edge for edge in edges if edge.from_claim in nodes])


def _read_relations(session: Session, ids: Sequence[str], view: Snapshot) -> list[ResponseObject]:
    """The relations of these claims, from either end, each once and in the order in which they were recorded."""
    # Most claims have none: those that have are found first, in words that cost less.
    related = _select_related(past=view.as_of is not None)
    ends = {str(id_) for (id_,) in fetch_rows(session, related, {"ids": list(ids), "as_of": view.as_of})}
    found = {
        card["id"]: card
        for some in _split_into_batches(sorted(ends))
        for card in load_relations(session, some, view, withdrawn=False)
    }
    return [found[id_] for id_ in sorted(found)]


@cache
def _select_related(*, past: bool) -> CompoundSelect[Any]:
    """Those of some claims that a relation has at one of its ends."""
    relation = table_of(RelationVersion).c
    stands = (relation.withdrawn.is_(False), is_version_at(relation, AS_OF if past else None))
    ends = (relation.claim, relation.to_claim)
    return union(*(select(end).where(InList(end, "ids"), *stands) for end in ends))


def _split_into_batches(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """The ids, no more at once than a statement takes."""
    listed = list(ids)
    return (listed[start : start + MAX_IDS_PER_STATEMENT] for start in range(0, len(listed), MAX_IDS_PER_STATEMENT))
