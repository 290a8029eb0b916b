"""Claims as they are read: found by filters, then completed with their source, citations and newest assessment."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlmodel import Session

from app.cache.etags import Basis
from app.claims.search.filters import ClaimQuery
from app.claims.search.planner import find_page
from app.claims.serialization.export import write_lines
from app.claims.serialization.input_fields import figure_numbers
from app.claims.serialization.projection import MOST_COLUMNS, write_claim
from app.claims.serialization.row_cache import claims_as_text
from app.database.read_session import Reading
from app.database.tables import (
    AssessmentVersion,
    CategoryVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    RelationVersion,
    SourceVersion,
    Version,
    columns_of,
    table_of,
)
from app.database.transaction import View
from app.enums import Status
from app.http.pagination import Found
from app.http.problems import NotFound, Removed
from app.http.schema_types import ID_PATTERN
from app.http.serializers import Layout
from app.sources.queries import CARD

CITED = ("id", "role", "via", "fidelity", "quote", "quote_language", "translation", "locator", "gap", "withdrawn_on")
CONFIDENCE = ("level", "reliability", "credibility", "stated", "assessor", "assessed_on", "rationale")

Card = dict[str, Any]


def select_claims(view: View) -> Select[Any]:
    """Claims with what their card needs of their source and category."""
    claim, source, category = columns_of(ClaimVersion), columns_of(SourceVersion), columns_of(CategoryVersion)
    joined = (
        table_of(ClaimVersion)
        .outerjoin(table_of(SourceVersion), and_(source.slug == claim.source, view.holds(SourceVersion)))
        .outerjoin(table_of(CategoryVersion), and_(category.slug == claim.category, view.holds(CategoryVersion)))
    )
    return select(
        *claim,
        source.name.label("source_name"),
        source.kind.label("source_kind"),
        source.interest.label("source_interest"),
        category.unit.label("unit"),
    ).select_from(joined)


def find_claims(reading: Reading, query: ClaimQuery, view: View, layout: Layout) -> Found:
    """One page of the claims that match every filter. Raises a problem for slugs that do not exist."""
    page = find_page(reading, query, view)
    end = (view.seq, page.next_cursor, page.total, basis_of(query, view))
    # What is left of a claim that was taken down has another shape, and a function of SQL takes so many arguments.
    if Status.removed in query.status or len(layout.columns) > MOST_COLUMNS:
        return Found(read_cards(reading.session, page.versions, view), *end)
    if layout.file:
        return Found([], *end, lines=write_lines(reading, page.versions, page.ids, view, layout))
    return Found([], *end, written=claims_as_text(reading, page.versions, view, layout))


def read_cards(session: Session, versions: Sequence[int], view: View) -> list[Card]:
    """The claims of these versions, in the same order."""
    wanted = columns_of(ClaimVersion).version.in_(versions)
    rows = {row["version"]: row for row in session.execute(select_claims(view).where(wanted)).mappings()}
    return cards(session, [rows[version] for version in versions], view)


def basis_of(query: ClaimQuery, view: View) -> Basis:
    """What a page of claims rests on: those claims that its plainest filters let through."""
    plain = {name: getattr(query, name) for name in ("source", "kind", "modality", "aggregation")}
    plain["level"] = query.confidence
    about = {name: frozenset(str(word) for word in words) for name, words in plain.items() if words}
    if not query.narrower:
        given = {name: getattr(query, name) for name in ("category", "subject", "place")}
        about |= {name: frozenset(words) for name, words in given.items() if words}
    return Basis(view.head, about, ("claims",))


def find_claim(reading: Reading, id_: str, view: View) -> tuple[int, bytes]:
    """The revision of a claim, and the claim as JSON. Raises `NotFound`, or `Removed` with the tombstone."""
    found = write_claim(reading, id_, view) if ID_PATTERN.fullmatch(id_) else None
    if found is None:
        card = read_claim(reading.session, id_, view)  # says why
        raise AssertionError(card["id"])
    text, revision = found
    return revision, text.encode()


def read_tombstone(session: Session, id_: str, view: View) -> Card:
    """What is left of a claim that was taken down."""
    claim = columns_of(ClaimVersion)
    statement = select(*claim).where(claim.id == id_, view.holds(ClaimVersion))
    return tombstone(session.execute(statement).mappings().one())


def read_claim(session: Session, id_: str, view: View) -> Card:
    """One claim. Raises `NotFound`, or `Removed` with the tombstone."""
    row = None
    if ID_PATTERN.fullmatch(id_):
        claim = columns_of(ClaimVersion)
        statement = select_claims(view).where(claim.id == id_, view.holds(ClaimVersion))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no claim `{id_}`.", hint="GET /v1/claims lists them")
    if row["status"] == Status.removed:
        raise Removed("This claim was taken down.", more={"claim": tombstone(row)})
    return cards(session, [row], view)[0]


def cards(session: Session, rows: Sequence[Mapping[Any, Any]], view: View) -> list[Card]:
    """The claims in `rows` as they are served, in the same order."""
    ids = [row["id"] for row in rows]
    cited, assessed = citations_of(session, ids, view), confidence_of(session, ids, view)
    return [
        tombstone(row)
        if row["status"] == Status.removed
        else _card(row, cited[row["id"]], assessed.get(row["id"]), view)
        for row in rows
    ]


def _card(row: Mapping[Any, Any], citations: list[Card], confidence: Card | None, view: View) -> Card:
    address = f"/v1/claims/{row['id']}"
    # Before the day of its retraction a claim stands, for whoever asks what was known then.
    stood = row["retracted_on"] is not None and view.known_on is not None and row["retracted_on"] > view.known_on
    return {
        "id": row["id"],
        "revision": row["revision"],
        "status": Status.asserted if stood else row["status"],
        "category": row["category"],
        "subject": row["subject"],
        "place": row["place"],
        "proposition": row["proposition"],
        "modality": row["modality"],
        "derivation": row["derivation"],
        "figure": figure_card(row),
        "period": {
            "edtf": row["period"],
            "start": row["period_start"],
            "end": row["period_end"],
            "aggregation": row["aggregation"],
        },
        "date": row["date"],
        "date_edtf": row["date_edtf"],
        "source": {
            "slug": row["source"],
            "name": row["source_name"],
            "kind": row["source_kind"],
            "interest": row["source_interest"],
        },
        "confidence": confidence,
        "includes": row["includes"],
        "excludes": row["excludes"],
        "citations": citations,
        "note": row["note"],
        "retracted_on": None if stood else row["retracted_on"],
        "import_id": row["import_id"],
        "recorded_at": row["recorded_at"],
        # A past state did not know when it would end.
        "recorded_until": None,
        "seq": row["seq"],
        "links": {
            "self": address,
            "revisions": f"{address}/revisions",
            "citation": f"{address}/citation",
            "relations": f"{address}/relations",
            "assessments": f"{address}/assessments",
        },
    }


def figure_card(row: Mapping[Any, Any]) -> Card:
    """The figure of a claim."""
    numbers = figure_numbers(row)
    return {
        "as_printed": row["as_printed"],
        "kind": row["kind"],
        "value": numbers["value"],
        "lower": numbers["lower"],
        "upper": numbers["upper"],
        "lower_inclusive": row["lower_inclusive"],
        "upper_inclusive": row["upper_inclusive"],
        "approximate": row["approximate"],
        "coverage": numbers["coverage"],
        "out_of": numbers["out_of"],
        "relative_to": row["relative_to"],
        "unit": row["unit"],
    }


def tombstone(row: Mapping[Any, Any]) -> Card:
    """What is left of a claim that was taken down."""
    kept = {name: row[name] for name in ("id", "status", "category", "subject", "place", "recorded_at", "seq")}
    return kept | {"links": {"self": f"/v1/claims/{row['id']}"}}


def citations_of(session: Session, claims: Iterable[str], view: View) -> dict[str, list[Card]]:
    """Claim → its citations, the first recorded first."""
    citation, document, source = columns_of(CitationVersion), columns_of(DocumentVersion), columns_of(SourceVersion)
    joined = (
        table_of(CitationVersion)
        .outerjoin(table_of(DocumentVersion), and_(document.id == citation.document, view.holds(DocumentVersion)))
        .outerjoin(table_of(SourceVersion), and_(source.slug == document.publisher, view.holds(SourceVersion)))
    )
    of_document = [document[name].label(f"document_{name}") for name in CARD if name != "publisher_name"]
    statement = (
        select(*citation, *of_document, source.name.label("document_publisher_name"))
        .select_from(joined)
        .where(citation.claim.in_(list(claims)), view.holds(CitationVersion))
        .order_by(citation.id)
    )
    found: dict[str, list[Card]] = defaultdict(list)
    for row in session.execute(statement).mappings():
        card = {name: row[name] for name in CITED}
        shown = {"id": card.pop("id"), "document": {name: row[f"document_{name}"] for name in CARD}}
        found[row["claim"]].append(shown | card)
    return found


def confidence_of(session: Session, claims: Iterable[str], view: View) -> dict[str, Card]:
    """Claim → its newest assessment that was not withdrawn."""
    columns = columns_of(AssessmentVersion)
    statement = (
        select(columns.claim, *(columns[name] for name in CONFIDENCE))
        .where(columns.claim.in_(list(claims)), columns.withdrawn.is_(False), view.holds(AssessmentVersion))
        .order_by(columns.assessed_on, columns.id)
    )
    return {row["claim"]: {name: row[name] for name in CONFIDENCE} for row in session.execute(statement).mappings()}


ASSESSMENT = (*CONFIDENCE, "id", "claim", "withdrawn", "recorded_at", "seq")
RELATION = (
    "id",
    "type",
    "claim",
    "to_claim",
    "to_source",
    "asserted_by",
    "scope",
    "independence",
    "document",
    "quote",
    "note",
    "withdrawn",
    "recorded_at",
    "seq",
)


def assessments_of(session: Session, claim: str, view: View) -> list[Card]:
    """Every assessment of a claim, the newest first, the withdrawn ones too."""
    columns = columns_of(AssessmentVersion)
    statement = (
        select(*(columns[name] for name in ASSESSMENT))
        .where(columns.claim == claim, view.holds(AssessmentVersion))
        .order_by(columns.assessed_on.desc(), columns.id.desc())
    )
    return [dict(row) for row in session.execute(statement).mappings()]


def relations_of(session: Session, claims: Sequence[str], view: View, *, withdrawn: bool = True) -> list[Card]:
    """The relations of these claims, from either end, in the order in which they were recorded."""
    columns = columns_of(RelationVersion)
    statement = (
        select(*(columns[name] for name in RELATION))
        .where(or_(columns.claim.in_(claims), columns.to_claim.in_(claims)), view.holds(RelationVersion))
        .order_by(columns.id)
    )
    if not withdrawn:
        statement = statement.where(columns.withdrawn.is_(False))
    return [dict(row) for row in session.execute(statement).mappings()]


def read_assessment(session: Session, id_: str, view: View) -> Card:
    """One assessment. Raises `NotFound`."""
    return _one_of(session, AssessmentVersion, ASSESSMENT, id_, view)


def read_relation(session: Session, id_: str, view: View) -> Card:
    """One relation. Raises `NotFound`."""
    return _one_of(session, RelationVersion, RELATION, id_, view)


def _one_of(session: Session, table: type[Version], shown: Sequence[str], id_: str, view: View) -> Card:
    columns = columns_of(table)
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = select(*(columns[name] for name in shown)).where(columns.id == id_, view.holds(table))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no {table_of(table).name} `{id_}`.")
    return dict(row)
