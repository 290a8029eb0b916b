"""The page of a claim: its card, its citations, its relations, its history, and its files."""

from collections.abc import Mapping
from datetime import date
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import select
from sqlmodel import Session

from app.cache.scope import CacheScope
from app.claims.annotations import load_relations
from app.claims.change_scope import claim_scope
from app.claims.queries import had_been_said, read_claims
from app.claims.revisions import load_revisions
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import ClaimVersion, columns_of
from app.enums import RelationType, Status
from app.http.responses import json_bytes
from app.pages.embed import CARD_HEIGHT, build_element, build_frame, oembed_addresses
from app.pages.templates import RELATION_WORDS
from app.pages.views import Context, describe_claim_period, describe_state, list_files, with_query
from app.references.queries import CitableClaim, read_citable_claim
from app.sentences.phrases import RecordNames, SourceDetails, collapse_whitespace, join_with_and, label_source
from app.vocabulary.reference_data import get_reference_data


def build_claim_page(read: ReadSession, id_: str, snapshot: Snapshot) -> tuple[Context, CacheScope]:
    """Return what the page of a claim shows, and what it depends on."""
    session = read.session
    citable = read_citable_claim(session, id_, snapshot)
    claim = orjson.loads(json_bytes(citable.claim))
    path = f"/claims/{id_}"
    shown_state = describe_state(snapshot)
    state = shown_state["state"]
    reference_data = get_reference_data(session, snapshot)
    names = reference_data.read_names(session, snapshot)
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
        **shown_state,
        "names": _name_records(citable),
        "period_words": describe_claim_period(claim),
        "topics": topics,
        "chain_names": {slug: label_source(details) for slug, details in citable.names.sources.items()},
        "relations": _list_relations(read, id_, snapshot, names.sources),
        "revisions": _list_revisions(session, id_, snapshot, names),
        "alternates": [
            *oembed_addresses(path, state),
            ("application/json", with_query(f"/v1{path}", state)),
            ("application/vnd.citationstyles.csl+json", with_query(f"/v1{path}/citation.csl.json", state)),
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
                ),
                state,
            ),
            ("Embed as a frame", build_frame(path, citable.text.short_form, "100%", CARD_HEIGHT, state), "any site"),
            ("Embed as an element", build_element("claim", "claim", id_, state), "sizes itself"),
            *_list_formulas(path, state),
        ],
    }
    return context, claim_scope(snapshot.latest_seq, id_)


def _list_revisions(session: Session, id_: str, snapshot: Snapshot, names: RecordNames) -> list[dict[str, Any]]:
    """Return the revisions of a claim with records by name, without the retractions and reversals after `known_on`."""
    limit = snapshot.knowledge_limit
    revisions: list[dict[str, Any]] = []
    is_retraction_hidden = False
    for revision in load_revisions(session, id_, snapshot):
        if revision["event"] == "retraction":
            is_retraction_hidden = limit is not None and not limit.includes(revision["retracted_on"])
        if not (is_retraction_hidden and revision["event"] in {"retraction", "reinstatement"}):
            revisions.append(revision)
    listed: list[dict[str, Any]] = orjson.loads(json_bytes(revisions))
    for change in chain.from_iterable(revision["changes"] for revision in listed):
        for side in ("before", "after"):
            change[side] = _name_value(change["field"], change[side], names)
    return listed


def _name_value(field: str, value: Any, names: RecordNames) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a changed field, with the name of a record instead of its slug."""
    match field, value:
        case ("category", str(slug)):
            return names.name_category(slug)
        case ("subject", str(slug)):
            return names.name_subject(slug)
        case ("place", str(slug)):
            return names.name_place(slug)
        case ("source", str(slug)):
            return label_source(names.sources[slug]) if slug in names.sources else slug
        case ("includes" | "excludes", [_, *_]):
            return join_with_and([names.name_subject(slug) for slug in value])
        case ("figure.relative_to", str(base)):
            return names.name_base(base)
    return value


def _list_formulas(path: str, state: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the formulas that show the figure and the citation in a cell of a spreadsheet."""
    formulas = []
    for words, name in (("figure", "figure.txt"), ("citation", "citation.txt")):
        address = with_query(f"/v1{path}/{name}", state)
        formula = f'=WEBSERVICE("{address}")'
        if name == "citation.txt":  # the text ends with a line break, which would be part of the cell
            formula = f'=CLEAN(WEBSERVICE("{address}"))'
        formulas += [
            (f"LibreOffice, {words}", formula, ""),
            (f"Excel, {words}", formula, "for Windows; not run"),
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
    found: list[dict[str, Any]] = orjson.loads(json_bytes(read_claims(read.session, versions, snapshot)))
    others = {claim["id"]: claim for claim in found if _had_been_said(claim, snapshot)}
    for row in rows:
        is_own = row["claim"] == id_
        verb = RELATION_WORDS[RelationType(row["type"])]
        other = others.get(row["to_claim"] if is_own else row["claim"])
        if is_own:
            row["words"] = f"This claim {verb}" + ("" if other else f" {_name_target(row['to_source'], sources)}")
        else:
            row["words"] = f"This claim is what another {verb}" if verb != "replaces" else "Another claim replaces this"
        row["other"] = other
        asserted_by = row["asserted_by"]
        row["says"] = "the editors say" if asserted_by not in sources else f"{label_source(sources[asserted_by])} says"
    return rows


def _had_been_said(claim: Mapping[str, Any], snapshot: Snapshot) -> bool:
    day = claim["date"] and date.fromisoformat(claim["date"])
    return had_been_said(day, claim["said_at"], snapshot)


def _name_target(source: str | None, sources: Mapping[str, SourceDetails]) -> str:
    """Return the name of the source that a relation leads to; "a claim" if it leads to one that is not shown."""
    if source is None:
        return "a claim"
    return label_source(sources[source]) if source in sources else source
