"""HTTP routes of citations: a printable sentence, references for bibliographies, and a figure for a spreadsheet."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.claims.change_scope import claim_scope
from app.claims.routes import ClaimId, ClaimStateQuery
from app.database.snapshot import open_snapshot
from app.http.addresses import base_url
from app.http.dependencies import Db
from app.http.responses import cacheable_response, json_bytes, json_response
from app.http.routing import api_router
from app.http.serializers import csv_cell
from app.references.bibliography import CslItem, build_document_item, build_record_item, format_bibtex, list_caveats
from app.references.queries import CitableClaim, read_citable_claim
from app.references.schemas import BIBTEX_EXAMPLE, CSL_EXAMPLE, FIGURE_EXAMPLE, SENTENCE_EXAMPLE, ClaimCitation

router = api_router("citations")

TEXT_MEDIA_TYPE = "text/plain; charset=utf-8"
CSL_MEDIA_TYPE = "application/vnd.citationstyles.csl+json"
BIBTEX_MEDIA_TYPE = "application/x-bibtex; charset=utf-8"


def _read_requested_claim(claim: ClaimId, db: Db, query: Annotated[ClaimStateQuery, Query()]) -> CitableClaim:
    """Return the claim to cite, in the requested state."""
    with db.read() as session:
        return read_citable_claim(session, claim, open_snapshot(session, query.recorded_as_of, known_on=query.known_on))


RequestedClaim = Annotated[CitableClaim, Depends(_read_requested_claim)]
"""The claim to cite, as a dependency of a route."""


def _file_route(
    path: str,
    name: str,
    summary: str,
    media_type: str,
    example: Any,  # noqa: ANN401 - JSON or text
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Declare a route for a format of a citation other than the service's own JSON."""
    content_type = media_type.partition(";")[0]
    schema = {"type": "string"} if isinstance(example, str) else {"type": "array", "items": {"type": "object"}}
    return router.get(
        path,
        summary=summary,
        operation_id=f"{name}_file",
        response_class=Response,
        responses={200: {"content": {content_type: {"schema": schema, "example": example}}, "description": summary}},
    )


@router.get(
    "/claims/{id}/citation",
    summary="Read a citation of a claim",
    operation_id="read_citation",
    responses={200: {"model": ClaimCitation}},
)
def read_citation(request: Request, citable: RequestedClaim) -> Response:
    """Return a printable sentence with the figure, date, claimant and publisher, and a permanent link to it."""
    claim, text = citable.claim, citable.text
    address = claim["links"]["self"]
    body = {
        "claim": claim["id"],
        "revision": claim["revision"],
        "status": claim["status"],
        "sentence": text.sentence,
        "short": text.short_form,
        "figure": text.figure,
        "language": "en",
        "document": text.citation["document"] if text.citation else None,
        "caveats": list_caveats(claim, citable.names, text),
        "known_on": citable.known_on,
        "recorded_at": claim["recorded_at"],
        "recorded_as_of": f"seq:{citable.content_seq}",
        "csl": build_document_item(claim, citable.names, text, known_on=citable.known_on),
        "links": {
            "self": f"{address}/citation",
            "claim": address,
            "permanent": _permanent_url(citable),
            "text": f"{address}/citation.txt",
            "csl": f"{address}/citation.csl.json",
            "bibtex": f"{address}/citation.bib",
            "figure": f"{address}/figure.txt",
        },
    }
    return json_response(request, body, tag=_etag_prefix(citable), cache_scope=_cache_scope(citable))


@_file_route(
    "/claims/{id}/citation.txt",
    "read_citation_text",
    "Cite a claim as plain text",
    TEXT_MEDIA_TYPE,
    SENTENCE_EXAMPLE + "\n",
)
def read_citation_text(request: Request, citable: RequestedClaim) -> Response:
    """Return the sentence as plain text."""
    return cacheable_response(
        request,
        f"{citable.text.sentence}\n".encode(),
        TEXT_MEDIA_TYPE,
        tag=_etag_prefix(citable),
        cache_scope=_cache_scope(citable),
    )


@_file_route(
    "/claims/{id}/citation.csl.json", "read_citation_csl", "Cite a claim as CSL-JSON", CSL_MEDIA_TYPE, [CSL_EXAMPLE]
)
def read_citation_csl(request: Request, citable: RequestedClaim) -> Response:
    """Return the document and this revision of the claim as CSL-JSON, for Zotero and other reference managers."""
    return cacheable_response(
        request,
        json_bytes(_build_csl_items(citable)),
        CSL_MEDIA_TYPE,
        tag=_etag_prefix(citable),
        cache_scope=_cache_scope(citable),
    )


@_file_route(
    "/claims/{id}/citation.bib", "read_citation_bibtex", "Cite a claim as BibTeX", BIBTEX_MEDIA_TYPE, BIBTEX_EXAMPLE
)
def read_citation_bibtex(request: Request, citable: RequestedClaim) -> Response:
    """Return the document and this revision of the claim as BibTeX, for LaTeX."""
    return cacheable_response(
        request,
        format_bibtex(_build_csl_items(citable)).encode(),
        BIBTEX_MEDIA_TYPE,
        tag=_etag_prefix(citable),
        cache_scope=_cache_scope(citable),
    )


@_file_route(
    "/claims/{id}/figure.txt",
    "read_figure",
    "Read the figure of a claim as plain text",
    TEXT_MEDIA_TYPE,
    FIGURE_EXAMPLE,
)
def read_figure(request: Request, citable: RequestedClaim) -> Response:
    """Return only the figure with its qualification, for a spreadsheet cell: `=WEBSERVICE("…")`.

    Google Sheets splits at commas unless another separator is given: `=IMPORTDATA("…", CHAR(9))`. The figure of a
    retracted claim is marked as retracted.
    """
    text = citable.text.figure
    if not (text[:1] == "-" and text[1:2].isdigit()):
        text = csv_cell(text)
    return cacheable_response(
        request, text.encode(), TEXT_MEDIA_TYPE, tag=_etag_prefix(citable), cache_scope=_cache_scope(citable)
    )


def _build_csl_items(citable: CitableClaim) -> list[CslItem]:
    known_on = citable.known_on
    document = build_document_item(citable.claim, citable.names, citable.text, known_on=known_on)
    address = _permanent_url(citable) if base_url() else ""
    record = build_record_item(citable.claim, citable.text, address, known_on=known_on)
    return [record] if document is None else [document, record]


def _permanent_url(citable: CitableClaim) -> str:
    day = "" if citable.known_on is None else f"&known_on={citable.known_on}"
    return f"{citable.claim['links']['self']}/citation?recorded_as_of=seq:{citable.content_seq}{day}"


def _cache_scope(citable: CitableClaim) -> CacheScope:
    return claim_scope(citable.register_seq, citable.claim["id"])


def _etag_prefix(citable: CitableClaim) -> str:
    return f"{citable.claim['revision']}-"
