"""Names of records that a reader may mean: the parameters, the rows and the route of suggestions."""

from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Query, Request
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from app.cache.scope import record_scope
from app.database.read_session import ReadSession, read_session
from app.database.snapshot import Snapshot
from app.http.addresses import whole_address
from app.http.dependencies import Db
from app.http.lists import URL_CHARACTERS, Listing
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Output
from app.vocabulary.name_index import MAX_SEARCH_CHARACTERS, SEARCHED_KINDS, NamedRecord, split_search_words
from app.vocabulary.reference_data import get_reference_data
from app.vocabulary.schemas import SelfLink

router = api_router("vocabulary")

DEFAULT_SUGGESTIONS, MAX_SUGGESTIONS = 10, 50

PATHS: Final = {
    "topic": "topics",
    "source": "sources",
    "category": "categories",
    "subject": "subjects",
    "place": "places",
}
"""The path below `/v1` of each kind."""

PAGE_PATHS: Final = {
    "topic": "/topics/{}",
    "source": "/sources/{}",
    "category": "/claims?category={}",
    "subject": "/claims?subject={}",
    "place": "/claims?place={}",
}
"""The path of the page for people of a record of each kind; of a vocabulary, that of its claims."""


def check_search_text(text: str | None) -> str | None:
    """Return a search text. Raise `PydanticCustomError` if it has neither a letter nor a digit."""
    if text is not None and not split_search_words(text):
        raise PydanticCustomError("search_words", "Expected at least one letter or digit")
    return text


SearchText = Annotated[
    str, Field(min_length=1, max_length=MAX_SEARCH_CHARACTERS, examples=["mediaz"]), AfterValidator(check_search_text)
]
"""A text whose words are the beginnings of words of names."""


class SuggestedKind(StrEnum):
    """The kinds of records that are suggested."""

    topic = "topic"
    source = "source"
    category = "category"
    subject = "subject"
    place = "place"


class SuggestionQuery(BaseModel):
    """What is searched, and how many names to return."""

    q: SearchText = Field(
        description="The beginning of a name, or of any of its words; several words in any order. Accents and case are "
        f"ignored. At most {MAX_SEARCH_CHARACTERS} characters.",
        examples=["mediaz"],
    )
    limit: int = Field(
        default=DEFAULT_SUGGESTIONS,
        ge=1,
        le=MAX_SUGGESTIONS,
        description=f"Maximum number of names, up to {MAX_SUGGESTIONS}.",
        examples=[10],
    )


class SuggestionLinks(SelfLink):
    """Links of a suggested record."""

    self: str = Field(description="The address of the record.", examples=["/v1/sources/mediazona-bbc"])
    page: str = Field(
        description="The page of a topic or a source; of other kinds, the page of the claims about them.",
        examples=["/sources/mediazona-bbc"],
    )


class Suggestion(Output):
    """A record whose name was found."""

    kind: SuggestedKind = Field(description="The kind of record.", examples=["source"])
    slug: str = Field(description="The slug of the record.", examples=["mediazona-bbc"])
    name: str = Field(description="The name of the record; of a topic, its title.", examples=["Mediazona and BBC News"])
    short_name: str | None = Field(description="The short name of a source, if it has one.", examples=["Mediazona"])
    links: SuggestionLinks = Field(description="Links of the record.")


@router.get(
    "/suggest", summary="Suggest names", operation_id="suggest_names", responses={200: {"model": Listing[Suggestion]}}
)
def suggest_names(query: Annotated[SuggestionQuery, Query()], request: Request, db: Db) -> Response:
    """Return the topics, sources, categories, subjects and places whose name has the words that `q` begins.

    A name that is the text comes first, then names that begin with it, then names of which later words do; among these
    topics, sources, categories, subjects and places, by name.
    """
    with read_session(db) as read:
        snapshot = read.snapshot()
        rows = [build_suggestion(record) for record in find_suggestions(read, snapshot, query.q, query.limit)]
    address = whole_address("/v1/suggest")
    body = {
        "data": rows,
        "meta": {"count": len(rows), "next_cursor": None, "seq": snapshot.seq},
        "links": {"self": f"{address}?{quote(request.url.query, safe=URL_CHARACTERS + '%?')}", "next": None},
    }
    return json_response(request, body, cache_scope=record_scope(snapshot.latest_seq, "names"))


def find_suggestions(
    read: ReadSession, snapshot: Snapshot, text: str, limit: int, kinds: tuple[str, ...] = SEARCHED_KINDS
) -> list[NamedRecord]:
    """Return the records whose names match a text, the best matches first; see `NameIndex.suggest`."""
    index = get_reference_data(read, snapshot).read_name_index(read.session, snapshot)
    return index.suggest(text, limit, kinds)


def find_page_path(record: NamedRecord) -> str:
    """Return the path of the page for people of a record."""
    return PAGE_PATHS[record.kind].format(record.slug)


def build_suggestion(record: NamedRecord) -> dict[str, Any]:
    """Return a suggested record as a response object."""
    path = f"/{PATHS[record.kind]}/{record.slug}"
    return {
        "kind": record.kind,
        "slug": record.slug,
        "name": record.name,
        "short_name": record.short_name,
        "links": {"self": whole_address(f"/v1{path}"), "page": whole_address(find_page_path(record))},
    }
