"""Converts rows of claims to response objects."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, select
from sqlmodel import Session

from app.claims.serialization.input_fields import CITATION_PLAIN_FIELDS, plain_figure_numbers
from app.claims.supersession import load_successors
from app.comparison.leading import choose_leading
from app.comparison.supersession import Successor
from app.database.snapshot import Snapshot, contains_version
from app.database.tables import AssessmentVersion, CitationVersion, DocumentVersion, SourceVersion, columns_of, table_of
from app.enums import Status
from app.http.addresses import whole_address
from app.sentences.figures import name_base_in_display
from app.sources.documents import DOCUMENT_SUMMARY_FIELDS

CITATION_RESPONSE_FIELDS = ("id", "document", "leading", *CITATION_PLAIN_FIELDS)
"""The fields of a citation in a response, in order."""

TOMBSTONE_FIELDS = ("id", "revision", "status", "category", "subject", "place", "recorded_at", "seq")

CONFIDENCE_FIELDS = ("level", "reliability", "credibility", "stated", "assessor", "assessed_on", "rationale")


ResponseObject = dict[str, Any]


def build_claim_responses(
    session: Session, rows: Sequence[Mapping[Any, Any]], snapshot: Snapshot
) -> list[ResponseObject]:
    """Return the response objects of the claims in `rows`, in the same order."""
    ids = [row["id"] for row in rows]
    citations, confidence = load_citations(session, ids, snapshot), load_confidence(session, ids, snapshot)
    successors = load_successors(session, ids, snapshot)
    return [
        build_tombstone(row)
        if row["status"] == Status.removed
        else build_claim_response(
            row, citations[row["id"]], confidence.get(row["id"]), snapshot, successors.get(row["id"])
        )
        for row in rows
    ]


def build_claim_response(
    row: Mapping[Any, Any],
    citations: list[ResponseObject],
    confidence: ResponseObject | None,
    snapshot: Snapshot,
    successor: Successor | None = None,
) -> ResponseObject:
    """Return the response object of a claim from its row, citations, latest assessment and successor."""
    address = whole_address(f"/v1/claims/{row['id']}")
    # With `known_on`, a retraction after that day is ignored.
    ignores_retraction = (
        row["retracted_on"] is not None and snapshot.known_on is not None and row["retracted_on"] > snapshot.known_on
    )
    return {
        "id": row["id"],
        "revision": row["revision"],
        "status": Status.asserted if ignores_retraction else row["status"],
        "category": row["category"],
        "subject": row["subject"],
        "place": row["place"],
        "proposition": row["proposition"],
        "modality": row["modality"],
        "derivation": row["derivation"],
        "figure": build_figure_response(row),
        "period": {
            "edtf": row["period"],
            "start": row["period_start"],
            "end": row["period_end"],
            "aggregation": row["aggregation"],
            "per": row["per"],
        },
        "date": row["date"],
        "date_edtf": row["date_edtf"],
        "said_at": row["said_at"],
        "source": {
            "slug": row["source"],
            "name": row["source_name"],
            "short_name": row["source_short_name"],
            "kind": row["source_kind"],
            "interest": row["source_interest"],
            "terms": row["source_terms"],
        },
        "confidence": confidence,
        "includes": row["includes"],
        "excludes": row["excludes"],
        "citations": citations,
        "note": row["note"],
        "retracted_on": None if ignores_retraction else row["retracted_on"],
        "superseded_by": None if successor is None else successor.claim,
        "superseded_on": None if successor is None else successor.superseded_on,
        "import_id": row["import_id"],
        "recorded_at": row["recorded_at"],
        # A snapshot does not include the change that ends it.
        "recorded_until": None,
        "seq": row["seq"],
        "links": {
            "self": address,
            "revisions": f"{address}/revisions",
            "citation": f"{address}/citation",
            "relations": f"{address}/relations",
            "assessments": f"{address}/assessments",
            "page": whole_address(f"/claims/{row['id']}"),
        },
    }


def build_figure_response(row: Mapping[Any, Any]) -> ResponseObject:
    """Return the figure of a claim."""
    numbers = plain_figure_numbers(row)
    return {
        "as_printed": row["as_printed"],
        "language": row["language"],
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
        "relative_to_kind": row["relative_to_kind"],
        "unit": row["served_unit"],
        "display": _show_display(row),
        "wording_differs": row["wording_differs"],
    }


def _show_display(row: Mapping[Any, Any]) -> str | None:
    display, base_name = row["display"], row["base_name"]
    return display if display is None or not base_name else name_base_in_display(display, row["relative_to"], base_name)


def build_tombstone(row: Mapping[Any, Any]) -> ResponseObject:
    """Return the tombstone of a claim that was taken down."""
    fields = {name: row[name] for name in TOMBSTONE_FIELDS}
    return fields | {"links": {"self": whole_address(f"/v1/claims/{row['id']}")}}


@cache
def _select_citations(*, past: bool) -> Select[Any]:
    """Select the citations of some claims with the columns of their document and its publisher."""
    citation, document, source = columns_of(CitationVersion), columns_of(DocumentVersion), columns_of(SourceVersion)
    joined = (
        table_of(CitationVersion)
        .outerjoin(
            table_of(DocumentVersion),
            and_(document.id == citation.document, contains_version(DocumentVersion, past=past)),
        )
        .outerjoin(
            table_of(SourceVersion),
            and_(source.slug == document.publisher, contains_version(SourceVersion, past=past)),
        )
    )
    document_columns = [
        document[name].label(f"document_{name}") for name in DOCUMENT_SUMMARY_FIELDS if name != "publisher_name"
    ]
    return (
        select(
            *citation,
            *document_columns,
            source.name.label("document_publisher_name"),
            source.kind.label("publisher_kind"),
        )
        .select_from(joined)
        .where(_is_of_claim(citation.claim), contains_version(CitationVersion, past=past))
        .order_by(citation.id)
    )


def _is_of_claim(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("claims", expanding=True))


def load_citations(session: Session, claims: Iterable[str], snapshot: Snapshot) -> dict[str, list[ResponseObject]]:
    """Return the citations of each claim, in the order of recording."""
    parameters = {"claims": list(claims), "as_of": snapshot.as_of}
    rows: dict[str, list[Mapping[Any, Any]]] = defaultdict(list)
    for row in session.execute(_select_citations(past=snapshot.is_past), parameters).mappings():
        rows[row["claim"]].append(row)
    citations: dict[str, list[ResponseObject]] = defaultdict(list)
    for claim, cited in rows.items():
        citations[claim] = [
            {
                "id": row["id"],
                "document": {name: row[f"document_{name}"] for name in DOCUMENT_SUMMARY_FIELDS},
                **{name: row[name] for name in CITATION_PLAIN_FIELDS},
            }
            for row in cited
        ]
        marked = next((row["id"] for row in cited if row["marked"]), None)
        kinds = [row["publisher_kind"] for row in cited]
        citations[claim] = add_leading(citations[claim], kinds, marked, snapshot)
    return citations


def add_leading(
    citations: Sequence[ResponseObject], publisher_kinds: Sequence[str | None], marked: str | None, snapshot: Snapshot
) -> list[ResponseObject]:
    """Return the citations of a claim, each with whether it leads, and its fields in the order of a response."""
    leading = choose_leading(citations, publisher_kinds, marked, snapshot.known_on)
    return [
        {name: citation["id"] == leading if name == "leading" else citation[name] for name in CITATION_RESPONSE_FIELDS}
        for citation in citations
    ]


@cache
def _select_assessments(*, past: bool) -> Select[Any]:
    columns = columns_of(AssessmentVersion)
    is_standing = (columns.withdrawn.is_(False), contains_version(AssessmentVersion, past=past))
    return (
        select(columns.claim, *(columns[name] for name in CONFIDENCE_FIELDS))
        .where(_is_of_claim(columns.claim), *is_standing)
        .order_by(columns.assessed_on, columns.id)
    )


def load_confidence(session: Session, claims: Iterable[str], snapshot: Snapshot) -> dict[str, ResponseObject]:
    """Return the latest assessment of each claim that is not withdrawn."""
    parameters = {"claims": list(claims), "as_of": snapshot.as_of}
    rows = session.execute(_select_assessments(past=snapshot.is_past), parameters).mappings()
    return {row["claim"]: {name: row[name] for name in CONFIDENCE_FIELDS} for row in rows}
