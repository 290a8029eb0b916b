"""From the claims of a question to its side-by-side: rows become plain statements, the rules do the rest."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session

from app.changes.clock import View
from app.claims import sides
from app.claims.compare import Pair, Statement
from app.claims.figure import Figure, interval
from app.claims.filters import Asking, claim, starts_on, topic_clause
from app.claims.given import FIGURE, figure_numbers
from app.claims.origins import ClaimNode, Edge, Root, independent_origins, roots
from app.claims.period import parse_period
from app.claims.queries import Card, cards, relations_of, select_claims
from app.claims.scheme import Scheme
from app.paging import Found, PageQuery
from app.sources.queries import SOURCE, holders
from app.tables import ClaimVersion, RelationVersion, SourceVersion, columns_of, table_of
from app.topics.kinds import TOPIC
from app.vocabulary.kinds import CATEGORY, PLACE, SUBJECT, scheme
from app.vocabulary.slugged import find_slugged, read_slugged
from app.vocabulary.terms import FigureKind, RelationType, Status, Verdict

MOST_PAIRED = 40
"""Up to so many positions, every two of them are compared."""

ASKED = ("slug", "title", "category", "subject", "place", "aggregation", "since")


@dataclass(frozen=True, slots=True)
class Question:
    """What a side-by-side is asked: the fields of a topic, and how to compare."""

    asked: Mapping[str, Any]
    tolerance: float | None
    window: int = sides.WINDOW
    narrower: bool = True
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """The claims of a question, sorted out: rows of positions, of claims without a figure, of retracted ones."""

    scheme: Scheme
    positions: tuple[Statement, ...]
    rows: Mapping[str, Mapping[Any, Any]]
    without_figure: Sequence[Mapping[Any, Any]]
    retracted: Sequence[Mapping[Any, Any]]


def _belongs(question: Question, hierarchies: Scheme) -> ColumnElement[bool]:
    asked = question.asked
    if asked["subject"] and asked["place"]:
        return topic_clause(hierarchies, asked, narrower=question.narrower)
    categories = hierarchies.narrower_categories(asked["category"]) if question.narrower else {asked["category"]}
    clause = claim.category.in_(sorted(categories))
    for name in ("subject", "place", "aggregation"):
        if asked[name] is not None:
            clause &= claim[name] == asked[name]
    return clause if asked["since"] is None else clause & starts_on(asked["since"])


def _sort_out(session: Session, question: Question, view: View) -> Sides:
    hierarchies = scheme(session, view)
    known = [_belongs(question, hierarchies), claim.status != Status.removed, view.holds(ClaimVersion)]
    if view.known_on is not None:
        known.append(claim.date <= view.known_on)
    rows = session.execute(select_claims(view).where(*known).order_by(claim.id)).mappings().all()
    held = holders(session, view)
    standing, without_figure, retracted = [], [], []
    for row in rows:
        if row["status"] == Status.retracted and row["retracted_on"] <= view.today:
            retracted.append(row)
        elif row["kind"] == FigureKind.none:
            without_figure.append(row)
        else:
            standing.append(_statement(row, held))
    return Sides(
        scheme=hierarchies,
        positions=sides.positions(standing),
        rows={row["id"]: row for row in rows},
        without_figure=without_figure,
        retracted=retracted,
    )


def _statement(row: Mapping[Any, Any], held: Mapping[str, str]) -> Statement:
    return Statement(
        id=row["id"],
        source=held.get(row["source"], row["source"]),
        category=row["category"],
        subject=row["subject"],
        place=row["place"],
        unit=row["unit"],
        proposition=row["proposition"].value,
        modality=row["modality"].value,
        derivation=row["derivation"].value,
        figure=Figure(**figure_numbers(row), **{name: row[name] for name in FIGURE}),
        period=parse_period(row["period"]),
        aggregation=row["aggregation"].value,
        date=row["date"],
        includes=frozenset(row["includes"]),
        excludes=frozenset(row["excludes"]),
    )


def side_by_side(session: Session, question: Question, view: View) -> dict[str, Any]:
    """The answer of section 5 of the contract: every source's position, and how each stands to the others."""
    found = _sort_out(session, question, view)
    if question.against is not None:
        Asking(session, view).check("against", SOURCE, [question.against])
        held = holders(session, view)
        question = replace(question, against=held.get(question.against, question.against))
    ids = [position.id for position in found.positions]
    named = _sources(session, {position.source for position in found.positions}, view)
    shown = _shown(session, [found.rows[id_] for id_ in ids], view)
    traced = _roots(session, ids, view)
    at_least, at_most = independent_origins(root for each in traced.values() for root in each)
    pairs = _pairs(found, question)
    return {
        "topic": {name: question.asked.get(name) for name in ASKED},
        "known_on": view.today,
        "recorded_as_of": None if view.as_of is None else f"seq:{view.as_of}",
        "seq": view.seq,
        "tolerance": question.tolerance,
        "window": question.window,
        "positions": [
            {
                "source": named[position.source],
                "claim": shown[position.id],
                "interval": _interval(position, question.tolerance),
                "age_days": sides.age_days(position, view.today),
                "roots": [asdict(root) for root in traced[position.id]],
            }
            for position in found.positions
        ],
        "pairs": None if pairs is None else [asdict(pair) for pair in pairs],
        "spread": _spread(found, question),
        "independent_origins": {"at_least": at_least, "at_most": at_most},
        "related": {
            "relations": relations_of(session, ids, view, withdrawn=False),
            "claims": cards(session, found.without_figure, view),
        },
        "retracted": cards(session, found.retracted, view),
    }


def _pairs(found: Sides, question: Question) -> list[Pair] | None:
    if question.against is not None:
        mine = [each for each in found.positions if each.source == question.against]
        others = [each for each in found.positions if each.source != question.against]
        return [sides.pair(a, b, found.scheme, question.tolerance) for a in mine for b in others]
    if len(found.positions) > MOST_PAIRED:
        return None
    return list(sides.pairs(found.positions, found.scheme, question.tolerance))


def _spread(found: Sides, question: Question) -> dict[str, Any]:
    asked = {name: question.asked[name] for name in ("category", "subject", "place", "aggregation")}
    spread = sides.spread(found.positions, sides.Asked(**asked), question.window)
    left_out = [{"claim": id_, "reasons": list(reasons)} for id_, reasons in spread.left_out]
    return {**asdict(spread), "left_out": left_out}


def _interval(position: Statement, tolerance: float | None) -> dict[str, Any] | None:
    ends = interval(position.figure, tolerance)
    return None if ends is None else asdict(ends)


def _shown(session: Session, rows: Sequence[Mapping[Any, Any]], view: View) -> dict[str, Card]:
    return {card["id"]: card for card in cards(session, rows, view)}


def _sources(session: Session, wanted: Iterable[str], view: View) -> dict[str, Card]:
    source = columns_of(SourceVersion)
    shown = (source.slug, source.name, source.kind, source.interest)
    rows = session.execute(select(*shown).where(source.slug.in_(set(wanted)), view.holds(SourceVersion)))
    return {row["slug"]: dict(row) for row in rows.mappings()}


def check_question(session: Session, category: str, subject: str | None, place: str | None, view: View) -> None:
    """Raise `UnknownSlug` where what is asked about does not exist."""
    asking = Asking(session, view)
    asking.check("category", CATEGORY, [category])
    asking.check("subject", SUBJECT, [subject] if subject else [])
    asking.check("place", PLACE, [place] if place else [])


def _roots(session: Session, ids: Sequence[str], view: View) -> dict[str, tuple[Root, ...]]:
    """Follow `based_on` and `repeats` from each claim, however far they lead."""
    relation = columns_of(RelationVersion)
    basis = (RelationType.based_on, RelationType.repeats)
    held = holders(session, view)
    edges: list[Edge] = []
    seen: set[str] = set()
    frontier = set(ids)
    while frontier:
        seen |= frontier
        wanted = (relation.claim, relation.to_claim, relation.to_source)
        stands = (relation.type.in_(basis), relation.withdrawn.is_(False), view.holds(RelationVersion))
        rows = session.execute(select(*wanted).where(relation.claim.in_(frontier), *stands)).all()
        edges += [Edge(row.claim, row.to_claim, held.get(row.to_source, row.to_source)) for row in rows]
        frontier = {row.to_claim for row in rows if row.to_claim} - seen
    stated = select(claim.id, claim.source, claim.derivation).where(
        claim.id.in_(seen), claim.status != Status.removed, view.holds(ClaimVersion)
    )
    nodes = {
        id_: ClaimNode(id_, held.get(source, source), derivation.value)
        for id_, source, derivation in session.execute(stated)
    }
    # What was taken down no longer says whose it was: `roots` takes an edge to it for an unknown basis.
    edges = [edge for edge in edges if edge.from_claim in nodes]
    return {id_: roots(id_, nodes, edges) for id_ in ids}


def _summary(session: Session, topic: Card, view: View) -> Card:
    """A topic with how its figures stand."""
    question = Question(topic, topic["tolerance"])
    found = _sort_out(session, question, view)
    counted = (func.count(), func.count(claim.source.distinct()), func.min(claim.date), func.max(claim.date))
    belongs = (_belongs(question, found.scheme), claim.status != Status.removed, view.holds(ClaimVersion))
    claims, sources, first, last = session.execute(
        select(*counted).select_from(table_of(ClaimVersion)).where(*belongs)
    ).one()
    verdicts = Counter(pair.verdict.value for pair in _pairs(found, question) or [])
    own = {name: topic[name] for name in ("slug", *TOPIC.fields)}
    return own | {
        "claims": claims,
        "sources": sources,
        "first_date": first,
        "last_date": last,
        "spread": _spread(found, question),
        "verdicts": {verdict.value: verdicts.get(verdict.value, 0) for verdict in Verdict},
        **{name: topic[name] for name in ("revision", "recorded_at", "seq")},
        "links": {
            "self": f"/v1/topics/{topic['slug']}",
            **{
                name.replace("-", "_"): f"/v1/topics/{topic['slug']}/{name}"
                for name in ("claims", "side-by-side", "timeline")
            },
        },
    }


def find_topics(session: Session, query: PageQuery, view: View) -> Found:
    """The questions, each with how its figures stand."""
    found = find_slugged(session, TOPIC, query, view)
    return Found([_summary(session, topic, view) for topic in found.rows], found.seq, found.next_cursor, found.total)


def read_topic(session: Session, slug: str, view: View) -> Card:
    """One question. Raises `NotFound`."""
    return _summary(session, read_slugged(session, TOPIC, slug, view), view)


def topic_fields(session: Session, slug: str, view: View) -> Card:
    """The fields of a topic. Raises `NotFound`."""
    return read_slugged(session, TOPIC, slug, view)
