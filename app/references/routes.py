"""Claims in words over HTTP: the sentence, references for bibliographies, one cell for a spreadsheet."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.claims.change_scope import claim_scope
from app.claims.routes import ClaimId, KnownOn
from app.database.snapshot import open_snapshot
from app.http.dependencies import Db
from app.http.pagination import AsOf
from app.http.responses import cacheable_response, json_bytes, json_response
from app.http.routing import api_router
from app.http.serializers import csv_cell
from app.references.bibliography import CslItem, build_document_item, build_record_item, format_bibtex, list_caveats
from app.references.queries import CitableClaim, read_citable_claim
from app.references.schemas import BIBTEX_EXAMPLE, CSL_EXAMPLE, FIGURE_EXAMPLE, SENTENCE_EXAMPLE, ClaimCitation

router = api_router("claims")

TEXT_MEDIA_TYPE = "text/plain; charset=utf-8"
CSL_MEDIA_TYPE = "application/vnd.citationstyles.csl+json"
BIBTEX_MEDIA_TYPE = "application/x-bibtex; charset=utf-8"


def _read_requested_claim(
    claim: ClaimId, db: Db, known_on: KnownOn = None, recorded_as_of: AsOf = None
) -> CitableClaim:
    """The claim that is to be cited, in the state that was asked for."""
    with db.read() as session:
        return read_citable_claim(session, claim, open_snapshot(session, recorded_as_of, known_on=known_on))


RequestedClaim = Annotated[CitableClaim, Depends(_read_requested_claim)]
"""A claim ready to be cited, in a route's signature."""


def _file_route(
    path: str,
    name: str,
    summary: str,
    media_type: str,
    example: Any,  # noqa: ANN401 - JSON or text
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Serve one form of a citation that is no JSON document of ours."""
    kind = media_type.partition(";")[0]
    schema = {"type": "string"} if isinstance(example, str) else {"type": "array", "items": {"type": "object"}}
    return router.get(
        path,
        summary=summary,
        operation_id=f"{name}_file",
        response_class=Response,
        responses={200: {"content": {kind: {"schema": schema, "example": example}}, "description": summary}},
    )


@router.get(
    "/claims/{id}/citation",
    summary="Cite a claim in words",
    operation_id="read_citation",
    responses={200: {"model": ClaimCitation}},
)
def read_citation(request: Request, found: RequestedClaim) -> Response:
    """A sentence to print, with its hedge, date, claimant and outlet, and a link that gives it again for good."""
    card, cited = found.card, found.text
    address = card["links"]["self"]
    body = {
        "claim": card["id"],
        "revision": card["revision"],
        "status": card["status"],
        "sentence": cited.sentence,
        "short": cited.short_form,
        "figure": cited.figure,
        "language": "en",
        "document": cited.citation["document"] if cited.citation else None,
        "caveats": list_caveats(card, found.names, cited),
        "known_on": found.known_on,
        "recorded_at": card["recorded_at"],
        "recorded_as_of": f"seq:{found.state}",
        "csl": build_document_item(card, found.names, cited),
        "links": {
            "self": f"{address}/citation",
            "claim": address,
            "permanent": _permanent_url(found),
            "text": f"{address}/citation.txt",
            "csl": f"{address}/citation.csl.json",
            "bibtex": f"{address}/citation.bib",
            "figure": f"{address}/figure.txt",
        },
    }
    return json_response(request, body, tag=_etag_prefix(found), basis=_cache_scope(found))


@_file_route(
    "/claims/{id}/citation.txt",
    "read_citation_text",
    "Cite a claim as plain text",
    TEXT_MEDIA_TYPE,
    SENTENCE_EXAMPLE + "\n",
)
def read_citation_text(request: Request, found: RequestedClaim) -> Response:
    """The sentence alone."""
    return cacheable_response(
        request,
        f"{found.text.sentence}\n".encode(),
        TEXT_MEDIA_TYPE,
        tag=_etag_prefix(found),
        basis=_cache_scope(found),
    )


@_file_route(
    "/claims/{id}/citation.csl.json", "read_citation_csl", "Cite a claim as CSL-JSON", CSL_MEDIA_TYPE, [CSL_EXAMPLE]
)
def read_citation_csl(request: Request, found: RequestedClaim) -> Response:
    """For Zotero and other reference managers: the document, and our record of the claim in this revision."""
    return cacheable_response(
        request,
        json_bytes(_build_csl_items(request, found)),
        CSL_MEDIA_TYPE,
        tag=_etag_prefix(found),
        basis=_cache_scope(found),
    )


@_file_route(
    "/claims/{id}/citation.bib", "read_citation_bibtex", "Cite a claim as BibTeX", BIBTEX_MEDIA_TYPE, BIBTEX_EXAMPLE
)
def read_citation_bibtex(request: Request, found: RequestedClaim) -> Response:
    """For LaTeX: the document, and our record of the claim in this revision."""
    return cacheable_response(
        request,
        format_bibtex(_build_csl_items(request, found)).encode(),
        BIBTEX_MEDIA_TYPE,
        tag=_etag_prefix(found),
        basis=_cache_scope(found),
    )


@_file_route("/claims/{id}/figure.txt", "read_figure", "Read a figure for one cell", TEXT_MEDIA_TYPE, FIGURE_EXAMPLE)
def read_figure(request: Request, found: RequestedClaim) -> Response:
    """The figure with its hedge and nothing else: `=WEBSERVICE("…")`.

    Google Sheets splits at commas unless told otherwise: `=IMPORTDATA("…", CHAR(9))`. A claim that its source took back
    says so in the cell.
    """
    text = found.text.figure
    if not (text[:1] == "-" and text[1:2].isdigit()):
        text = csv_cell(text)
    return cacheable_response(
        request, text.encode(), TEXT_MEDIA_TYPE, tag=_etag_prefix(found), basis=_cache_scope(found)
    )


def _build_csl_items(request: Request, found: CitableClaim) -> list[CslItem]:
    base = request.app.state.settings.base_url
    document = build_document_item(found.card, found.names, found.text)
    record = build_record_item(found.card, found.text, base + _permanent_url(found) if base else "")
    return [record] if document is None else [document, record]


def _permanent_url(found: CitableClaim) -> str:
    day = "" if found.known_on is None else f"&known_on={found.known_on}"
    return f"{found.card['links']['self']}/citation?recorded_as_of=seq:{found.state}{day}"


def _cache_scope(found: CitableClaim) -> CacheScope:
    return claim_scope(found.head, found.card["id"])


def _etag_prefix(found: CitableClaim) -> str:
    return f"{found.card['revision']}-"
