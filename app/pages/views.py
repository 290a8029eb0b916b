"""What pages of every kind show: claims with their period in words, links between pages of a list, files to take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

import orjson

from app.claims.queries import find_claims
from app.claims.search.filters import ClaimQuery
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.addresses import whole_address
from app.http.serializers import NESTED_LAYOUT
from app.sentences.dates import describe_period
from app.sentences.phrases import RecordNames
from app.topics.side_by_side import sort_interests
from app.vocabulary.reference_data import get_reference_data

CLAIMS_PER_PAGE = 50
NOTHING: Mapping[str, str] = {}
"""No interests, or no parameters."""

Context = dict[str, Any]


def load_claims(
    read: ReadSession, query: ClaimQuery, snapshot: Snapshot, interests: Mapping[str, str] = NOTHING
) -> tuple[list[Context], str | None, int | None]:
    """Return one page of claims, each with its period and what it counts in words, the next cursor, and the total.

    `interests` are those of a topic, by source.
    """
    page = find_claims(read, query, snapshot, replace(NESTED_LAYOUT, interests=sort_interests(interests)))
    rows = [orjson.loads(text) for text in page.json_rows or ()]
    names = get_reference_data(read.session, snapshot).read_names(read.session, snapshot)
    described = [
        claim | {"period_words": describe_claim_period(claim), "counted": describe_counted(claim, names)}
        for claim in rows
    ]
    return described, page.next_cursor, page.total


def describe_counted(claim: Mapping[str, Any], names: RecordNames) -> tuple[str, str, str]:
    """Return what a claim (a response object) counts, of whom or what, and where, by name."""
    return (
        names.name_category(claim["category"]),
        names.name_subject(claim["subject"]),
        names.name_place(claim["place"]),
    )


def describe_claim_period(claim: Mapping[str, Any]) -> str:
    """Return the period of a claim (a response object) in words."""
    period, day = claim["period"], claim["date"]
    return describe_period(
        period["edtf"],
        str(period["aggregation"]),
        date.fromisoformat(day) if isinstance(day, str) else day,
        claim["date_edtf"],
        is_forecast=str(claim["modality"]) == "forecast",
    )


def page_links(path: str, parameters: Mapping[str, Any], cursor: str | None, next_cursor: str | None) -> Context:
    """Return the links to the first and the next page of the claims of a page; None where there is none."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    first = with_query(path, given) + "#claims" if cursor else None
    following = with_query(path, {**given, "cursor": next_cursor}) + "#claims" if next_cursor else None
    return {"first_page": first, "next_page": following}


def with_query(path: str, parameters: Mapping[str, Any]) -> str:
    """Return the address of a path with a query string."""
    return whole_address(path) + (f"?{urlencode(parameters)}" if parameters else "")


def list_files(
    rows: Iterable[tuple[str, str, str]], parameters: Mapping[str, Any] = NOTHING
) -> Sequence[tuple[str, str, str]]:
    """Return rows of "Take it with you", label, path and note, with whole addresses and these query parameters."""
    return [(label, with_query(path, parameters), note) for label, path, note in rows]
