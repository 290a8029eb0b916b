"""The page of a claim: its card, its citations, its relations, its history, and its files."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import select

from app.cache.scope import CacheScope, record_scope
from app.claims.annotations import load_relations
from app.claims.queries import read_claims
from app.claims.revisions import load_revisions
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import ClaimVersion, columns_of
from app.enums import RelationType, Status
from app.http.addresses import whole_address
from app.http.responses import json_bytes
from app.pages.embed import CARD_HEIGHT, build_element, build_frame, oembed_addresses
from app.pages.templates import RELATION_WORDS
from app.pages.views import Context, describe_claim_period, list_files
from app.references.queries import CitableClaim, read_citable_claim
from app.sentences.phrases import SourceDetails, collapse_whitespace, join_with_and, label_source
from app.vocabulary.reference_data import get_reference_data


def build_claim_page(read: ReadSession, id_: str, snapshot: Snapshot) -> tuple[Context, CacheScope]:
    """Return what the page of a claim shows, and what it depends on."""
    session = read.session
    citable = read_citable_claim(session, id_, snapshot)
    claim = orjson.loads(json_bytes(citable.claim))
    path = f"/claims/{id_}"
    reference_data = get_reference_data(session, snapshot)
    topics = [
        {"slug": slug, "title": row["title"]}
        for slug, row in sorted(reference_data.topics.items())
        if all(row[name] == claim[name] for name in ("category", "subject", "place"))
    ]
    context: Context = {
        "title": citable.text.short_form,
        "description": citable.text.sentence,
        "claim": claim,
        "text": citable.text,
        "path": path,
        "names": _name_records(citable),
        "period_words": describe_claim_period(claim),
        "topics": topics,
        "chain_names": {slug: label_source(details) for slug, details in citable.names.sources.items()},
        "relations": _list_relations(read, id_, snapshot, reference_data.read_names(session, snapshot).sources),
        "revisions": orjson.loads(json_bytes(load_revisions(session, id_, snapshot))),
        "alternates": [
            *oembed_addresses(path),
            ("application/json", whole_address(f"/v1{path}")),
            ("application/vnd.citationstyles.csl+json", whole_address(f"/v1{path}/citation.csl.json")),
        ],
        "take": [
            ("Sentence", citable.text.sentence, ""),
            *list_files(
                (
                    ("This page", path, ""),
                    ("Claim as JSON", f"/v1{path}", ""),
                    ("Citation as text", f"/v1{path}/citation.txt", ""),
                    ("BibTeX", f"/v1{path}/citation.bib", ""),
                    ("CSL JSON", f"/v1{path}/citation.csl.json", "for Zotero"),
                )
            ),
            ("Embed as a frame", build_frame(path, citable.text.short_form, "100%", CARD_HEIGHT), "any site"),
            ("Embed as an element", build_element("claim", "claim", id_), "sizes itself"),
            *_list_formulas(path),
        ],
    }
    return context, record_scope(snapshot.latest_seq, "claims")


def _list_formulas(path: str) -> list[tuple[str, str, str]]:
    """Return the formulas that show the figure and the citation in a cell of a spreadsheet."""
    formulas = []
    for words, name in (("figure", "figure.txt"), ("citation", "citation.txt")):
        address = whole_address(f"/v1{path}/{name}")
        formulas += [
            (f"LibreOffice, {words}", f'=WEBSERVICE("{address}")', ""),
            (f"Excel, {words}", f'=WEBSERVICE("{address}")', "for Windows; not run"),
            (f"Google Sheets, {words}", f'=IMPORTDATA("{address}"; "\\t")', "not run"),
        ]
    return formulas


def _name_records(citable: CitableClaim) -> dict[str, str]:
    claim, names = citable.claim, citable.names
    place = names.places.get(claim["place"])
    return {
        "category": names.category.name_with_details(),
        "subject": collapse_whitespace(names.find_subject(claim["subject"]).name),
        "place": collapse_whitespace(place.name if place else claim["place"]),
        **{
            field: join_with_and([collapse_whitespace(names.find_subject(slug).name) for slug in claim[field]])
            for field in ("includes", "excludes")
        },
    }


def _list_relations(
    read: ReadSession, id_: str, snapshot: Snapshot, sources: Mapping[str, SourceDetails]
) -> list[dict[str, Any]]:
    """Return the relations of a claim in words, from its side, each with the other claim if that is on record."""
    rows: list[dict[str, Any]] = orjson.loads(
        json_bytes(load_relations(read.session, [id_], snapshot, withdrawn=False))
    )
    ids = {row["to_claim"] if row["claim"] == id_ else row["claim"] for row in rows} - {None}
    columns = columns_of(ClaimVersion)
    statement = select(columns.version).where(
        columns.id.in_(ids), snapshot.contains(ClaimVersion), columns.status != Status.removed
    )
    versions = list(read.session.execute(statement).scalars())
    others = {claim["id"]: claim for claim in orjson.loads(json_bytes(read_claims(read.session, versions, snapshot)))}
    for row in rows:
        is_own = row["claim"] == id_
        verb = RELATION_WORDS[RelationType(row["type"])]
        other = others.get(row["to_claim"] if is_own else row["claim"])
        if is_own:
            row["words"] = f"This claim {verb}" + ("" if other else f" {row['to_source'] or 'a claim'}")
        else:
            row["words"] = f"This claim is what another {verb}" if verb != "replaces" else "Another claim replaces this"
        row["other"] = other
        asserted_by = row["asserted_by"]
        row["says"] = "the editors say" if asserted_by not in sources else f"{label_source(sources[asserted_by])} says"
    return rows
