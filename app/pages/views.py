"""What pages of every kind show: claims with their period in words, links between pages of a list, files to take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field

from app.claims.queries import find_claims
from app.claims.search.filters import ClaimQuery
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.addresses import whole_address
from app.http.pagination import AsOf, KnownOn
from app.http.serializers import NESTED_LAYOUT
from app.sentences.dates import describe_period
from app.sentences.phrases import RecordNames
from app.topics.side_by_side import sort_interests
from app.vocabulary.reference_data import get_reference_data

CLAIMS_PER_PAGE = 50
NOTHING: Mapping[str, str] = {}
"""No interests, or no parameters."""

Context = dict[str, Any]


PageCursor = Annotated[
    str | None,
    Field(max_length=600, description="The start of the list, from the link to its next page.", examples=[""]),
]


class PageStateQuery(BaseModel):
    """The state of the register that a page shows. Unknown parameters are ignored."""

    known_on: KnownOn = None
    recorded_as_of: AsOf = None

    def open_snapshot(self, read: ReadSession) -> Snapshot:
        """Return the requested state of the register."""
        return read.snapshot(self.recorded_as_of, known_on=self.known_on)


def state_parameters(snapshot: Snapshot) -> dict[str, str]:
    """Return the parameters of the state that a page shows, which its links keep; none for the current state."""
    parameters = {} if snapshot.known_on_text is None else {"known_on": snapshot.known_on_text}
    return parameters if snapshot.as_of is None else {**parameters, "recorded_as_of": f"seq:{snapshot.as_of}"}


def describe_state(snapshot: Snapshot) -> Context:
    """Return what a page says about the state that it shows, and the parameters that its links keep."""
    return {
        "state": state_parameters(snapshot),
        "known_on": snapshot.known_on_text,
        "as_of": snapshot.at if snapshot.is_past else None,
        "seq": snapshot.seq,
    }


def without_known_on(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a state for an address of a record that is not said: a source or a document."""
    return {name: value for name, value in parameters.items() if name != "known_on"}


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


def with_query(path: str, parameters: Mapping[str, Any] | Sequence[tuple[str, str]]) -> str:
    """Return the address of a path with these query parameters after those that it has."""
    separator = "&" if "?" in path else "?"
    return whole_address(path) + (f"{separator}{urlencode(parameters)}" if parameters else "")


def list_files(
    rows: Iterable[tuple[str, str, str]], parameters: Mapping[str, Any] = NOTHING
) -> Sequence[tuple[str, str, str]]:
    """Return rows of "Take it with you", label, path and note, with whole addresses and these query parameters."""
    return [(label, with_query(path, parameters), note) for label, path, note in rows]
