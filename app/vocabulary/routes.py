"""HTTP routes of categories, subjects, places and the enumerations of the API."""

import re
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.database.snapshot import open_snapshot
from app.enums import ALL_ENUMS, DescribedEnum
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, Page, PageQuery, paginate_list
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.writes import WriteRequestDep
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT, put_category, put_place, put_subject
from app.vocabulary.schemas import (
    Category,
    CategoryInput,
    Place,
    PlaceInput,
    Subject,
    SubjectInput,
    TermRow,
)
from app.vocabulary.slug_records import handle_put, record_page_loader, record_response

router = api_router("vocabulary")

SLUG_DESCRIPTION = "The slug of the record."
NEW_SLUG_DESCRIPTION = "The slug of the record: lowercase letters, digits and hyphens."
CategorySlug = Annotated[str, Path(description=SLUG_DESCRIPTION, examples=["killed"])]
SubjectSlug = Annotated[str, Path(description=SLUG_DESCRIPTION, examples=["wagner-group"])]
PlaceSlug = Annotated[str, Path(description=SLUG_DESCRIPTION, examples=["kursk-oblast"])]
NewCategorySlug = Annotated[Slug, Path(description=NEW_SLUG_DESCRIPTION, examples=["killed"])]
NewSubjectSlug = Annotated[Slug, Path(description=NEW_SLUG_DESCRIPTION, examples=["wagner-group"])]
NewPlaceSlug = Annotated[Slug, Path(description=NEW_SLUG_DESCRIPTION, examples=["kursk-oblast"])]


CATEGORY_COLUMNS = columns_of_model(Category, appended=("additive", "fractional"))
SUBJECT_COLUMNS = columns_of_model(Subject)
PLACE_COLUMNS = columns_of_model(Place, appended=("in_text",))
TERM_COLUMNS = columns_of_model(TermRow)


@list_route(router, "/categories", Category, "List categories", ListName.categories, CATEGORY_COLUMNS, key=["slug"])
def list_categories(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the categories, ordered by slug, with units and components."""
    return listing.send(record_page_loader(db, CATEGORY), query, CATEGORY_COLUMNS)


@router.get(
    "/categories/{slug}", summary="Read a category", operation_id="read_category", responses={200: {"model": Category}}
)
def get_category(slug: CategorySlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """Return one category with its definition, unit and components."""
    return record_response(request, db, CATEGORY, slug, recorded_as_of)


@router.put(
    "/categories/{slug}",
    summary="Record a category",
    operation_id="put_category",
    responses={200: {"model": Category}, 201: {"model": Category, "description": "The new category."}},
)
def record_category(slug: NewCategorySlug, payload: CategoryInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Create or replace a category. Once claims use it, its unit, components and parent cannot change."""
    return handle_put(write, editor, CATEGORY, slug, lambda transaction: put_category(transaction, slug, payload))


@list_route(router, "/subjects", Subject, "List subjects", ListName.subjects, SUBJECT_COLUMNS, key=["slug"])
def list_subjects(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the subjects (the people or organisations counted), ordered by slug."""
    return listing.send(record_page_loader(db, SUBJECT), query, SUBJECT_COLUMNS)


@router.get(
    "/subjects/{slug}", summary="Read a subject", operation_id="read_subject", responses={200: {"model": Subject}}
)
def get_subject(slug: SubjectSlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """Return one subject with its definition and parents."""
    return record_response(request, db, SUBJECT, slug, recorded_as_of)


@router.put(
    "/subjects/{slug}",
    summary="Record a subject",
    operation_id="put_subject",
    responses={200: {"model": Subject}, 201: {"model": Subject, "description": "The new subject."}},
)
def record_subject(slug: NewSubjectSlug, payload: SubjectInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Create or replace a subject."""
    return handle_put(write, editor, SUBJECT, slug, lambda transaction: put_subject(transaction, slug, payload))


@list_route(router, "/places", Place, "List places", ListName.places, PLACE_COLUMNS, key=["slug"])
def list_places(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the places, ordered by slug."""
    return listing.send(record_page_loader(db, PLACE), query, PLACE_COLUMNS)


@router.get("/places/{slug}", summary="Read a place", operation_id="read_place", responses={200: {"model": Place}})
def get_place(slug: PlaceSlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """Return one place with its definition and parents."""
    return record_response(request, db, PLACE, slug, recorded_as_of)


@router.put(
    "/places/{slug}",
    summary="Record a place",
    operation_id="put_place",
    responses={200: {"model": Place}, 201: {"model": Place, "description": "The new place."}},
)
def record_place(slug: NewPlaceSlug, payload: PlaceInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Create or replace a place. It may have several parents."""
    return handle_put(write, editor, PLACE, slug, lambda transaction: put_place(transaction, slug, payload))


def _to_snake_case(enumeration: type[DescribedEnum]) -> str:
    """Return the name of a class in snake case: `SourceKind` → `source_kind`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enumeration.__name__).lower()


TERM_ROWS: list[dict[str, Any]] = [
    {
        "key": f"{_to_snake_case(enumeration)}/{member}",
        "enumeration": _to_snake_case(enumeration),
        "word": member.value,
        "definition": member.definition,
    }
    for enumeration in ALL_ENUMS
    for member in enumeration
]


@list_route(
    router,
    "/vocabulary",
    TermRow,
    "List the values of the enumerations",
    ListName.vocabulary,
    TERM_COLUMNS,
    key=["key"],
)
def list_vocabulary(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return every enumeration of the API with the definition of each value."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            return paginate_list(TERM_ROWS, page, open_snapshot(session, page.recorded_as_of).seq, "key")

    return listing.send(find, query, TERM_COLUMNS)
