"""The side-by-side of a topic: the position of each source, verdicts, spread and origins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orjson import Fragment
from sqlalchemy import select
from sqlmodel import Session

from app.claims.annotations import load_relations
from app.claims.search.filters import FilterContext, claim
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.comparison.figure import interval
from app.comparison.origins import ClaimNode, Edge, Root, all_roots, independent_origins
from app.comparison.positions import age_days, compare_pair, compare_pairs, find_positions
from app.comparison.spread import WINDOW, SpreadQuestion, measure_spread
from app.comparison.verdicts import Pair, Statement
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import ClaimVersion, RelationVersion, columns_of
from app.enums import FigureKind, RelationType, Status
from app.sources.queries import SOURCE
from app.topics.candidates import Asked, candidates, held_in, read
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import ReferenceData, get_reference_data

MOST_PAIRED = 40
"""Up to so many positions, every two of them are compared."""


AT_ONCE = 10_000
"""So many ids in one statement; SQLite takes 32,766."""


BASIS = (RelationType.based_on, RelationType.repeats)


ASKED = ("slug", "title", "category", "subject", "place", "aggregation", "since")


@dataclass(frozen=True, slots=True)
class Question:
    """What a side-by-side is asked: the fields of a topic, and how to compare."""

    asked: Mapping[str, Any]
    tolerance: float | None
    window: int = WINDOW
    narrower: bool = True
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """The claims of a question, sorted out: positions, claims without a figure, retracted ones. By id → version."""

    words: ReferenceData
    asked: Asked
    positions: tuple[Statement, ...]
    versions: Mapping[str, int]
    without_figure: Sequence[str] = ()
    retracted: Sequence[str] = ()


def _sort_out(session: Session, question: Question, view: Snapshot, *, apart: bool = True) -> Sides:
    words = get_reference_data(session, view)
    asked = _asked(question, words)
    standing: list[Statement] = []
    without_figure: list[str] = []
    retracted: list[str] = []
    found = candidates(session, asked, view, words, apart=apart)
    for each in found:
        if each.retracted_on is not None and each.status == Status.retracted and each.retracted_on <= view.today:
            retracted.append(each.id)
        elif each.kind == FigureKind.none:
            without_figure.append(each.id)
        else:
            standing.append(each.statement)
    return Sides(
        words=words,
        asked=asked,
        positions=find_positions(standing),
        versions={each.id: each.version for each in found},
        without_figure=sorted(without_figure),
        retracted=sorted(retracted),
    )


def _asked(question: Question, words: ReferenceData) -> Asked:
    asked = question.asked
    categories = words.descendants("category", asked["category"]) if question.narrower else {asked["category"]}
    return Asked(
        categories=tuple(sorted(categories)),
        subject=asked["subject"],
        place=asked["place"],
        aggregation=None if asked["aggregation"] is None else str(asked["aggregation"]),
        since=asked["since"],
    )


def side_by_side(reading: ReadSession, question: Question, view: Snapshot) -> tuple[dict[str, Any], list[int]]:
    """The answer of section 5 of the contract: every source's position, and how each stands to the others.

    Its claims are written by the database. The records of the rules (intervals, roots, pairs) have the names of the
    schema, and become JSON as they are. Returns the versions of the positions beside it.
    """
    session = reading.session
    found = _sort_out(session, question, view)
    if question.against is not None:
        FilterContext(session, view).check_slugs("against", SOURCE, [question.against])
        question = replace(question, against=found.words.position_holders.get(question.against, question.against))
    ids = [position.id for position in found.positions]
    named = found.words.sources
    wanted = [*ids, *found.without_figure, *found.retracted]
    written = get_or_render_claims(reading, [found.versions[id_] for id_ in wanted], view)
    shown = {id_: Fragment(text) for id_, text in zip(wanted, written, strict=True)}
    relations = _related(session, ids, view)
    traced = _roots(session, found, relations, view)
    at_least, at_most = independent_origins(root for each in traced.values() for root in each)
    today = view.today
    answer = {
        "topic": {name: question.asked.get(name) for name in ASKED},
        "known_on": today,
        "recorded_as_of": None if view.as_of is None else f"seq:{view.as_of}",
        "seq": view.seq,
        "tolerance": question.tolerance,
        "window": question.window,
        "positions": [
            {
                "source": named[position.source],
                "claim": shown[position.id],
                "interval": interval(position.figure, question.tolerance),
                "age_days": age_days(position, today),
                "roots": traced[position.id],
            }
            for position in found.positions
        ],
        "pairs": _pairs(found, question),
        "spread": _spread(found, question),
        "independent_origins": {"at_least": at_least, "at_most": at_most},
        "related": {
            "relations": relations,
            "claims": [shown[id_] for id_ in found.without_figure],
        },
        "retracted": [shown[id_] for id_ in found.retracted],
    }
    return answer, [found.versions[id_] for id_ in ids]


def _pairs(found: Sides, question: Question) -> list[Pair] | None:
    if question.against is not None:
        mine = [each for each in found.positions if each.source == question.against]
        others = [each for each in found.positions if each.source != question.against]
        return [compare_pair(a, b, found.words.hierarchy, question.tolerance) for a in mine for b in others]
    if len(found.positions) > MOST_PAIRED:
        return None
    return list(compare_pairs(found.positions, found.words.hierarchy, question.tolerance))


def _spread(found: Sides, question: Question) -> dict[str, Any]:
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
    asking.check_slugs("category", CATEGORY, [category])
    asking.check_slugs("subject", SUBJECT, [subject] if subject else [])
    asking.check_slugs("place", PLACE, [place] if place else [])


def _roots(
    session: Session, found: Sides, relations: Sequence[ResponseObject], view: Snapshot
) -> dict[str, tuple[Root, ...]]:
    """Follow `based_on` and `repeats` from each position, however far they lead; `relations` are the first steps."""
    relation, held = columns_of(RelationVersion), found.words.position_holders
    wanted = select(relation.type, relation.claim, relation.to_claim, relation.to_source)
    stands = (relation.withdrawn.is_(False), view.contains(RelationVersion))
    nodes = {each.id: ClaimNode(each.id, each.source, each.derivation) for each in found.positions}
    edges: list[Edge] = []
    steps: Sequence[Mapping[Any, Any]] = [each for each in relations if each["claim"] in nodes]
    seen = set(nodes)
    while steps:
        steps = [each for each in steps if each["type"] in BASIS]
        edges += [
            Edge(each["claim"], each["to_claim"], held.get(each["to_source"], each["to_source"])) for each in steps
        ]
        ahead = {each["to_claim"] for each in steps if each["to_claim"]} - seen
        seen |= ahead
        steps = [
            row
            for some in _some(ahead)
            for row in session.execute(wanted.where(relation.claim.in_(some), *stands)).mappings()
        ]
    for some in _some(seen - nodes.keys()):
        stated = select(claim.id, claim.source, claim.derivation).where(
            claim.id.in_(some), claim.status != Status.removed, view.contains(ClaimVersion)
        )
        for id_, source, derivation in session.execute(stated):
            nodes[id_] = ClaimNode(id_, held.get(source, source), derivation.value)
    # What was taken down no longer says whose it was: `all_roots` takes an edge to it for an unknown basis.
    ids = [position.id for position in found.positions]
    return all_roots(ids, nodes, [edge for edge in edges if edge.from_claim in nodes])


def _related(session: Session, ids: Sequence[str], view: Snapshot) -> list[ResponseObject]:
    """The relations of these claims, from either end, each once and in the order in which they were recorded."""
    # Most claims have none: those that have are found first, in words that cost less.
    ends = set[str]()
    for some in _some(ids):
        names = {f"id_{n}": id_ for n, id_ in enumerate(some)}
        among = f"IN ({', '.join(f':{name}' for name in names)}) AND NOT c.withdrawn AND {held_in(view)}"
        statement = " UNION ".join(
            f"SELECT c.{end} FROM relation c WHERE c.{end} {among}"  # noqa: S608 - our own names
            for end in ("claim", "to_claim")
        )
        ends.update(str(id_) for (id_,) in read(session, statement, {**names, "as_of": view.as_of}))
    found = {
        card["id"]: card
        for some in _some(sorted(ends))
        for card in load_relations(session, some, view, withdrawn=False)
    }
    return [found[id_] for id_ in sorted(found)]


def _some(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """The ids, no more at once than a statement takes."""
    listed = list(ids)
    return (listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE))
