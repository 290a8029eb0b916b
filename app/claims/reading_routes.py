"""HTTP route of the reader of wordings."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.claims.lookups import ReferenceLookup
from app.claims.rules import wording_context
from app.claims.schemas import Number
from app.comparison.figure import PrintedFigure, kind_of
from app.comparison.units import PERCENT, TIMES, as_dimension
from app.comparison.wordings.agreement import check_unit
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import Reading, UnreadableWording, WordingContext
from app.database.snapshot import open_snapshot
from app.enums import FigureKind, Per, Proposition
from app.errors import UnknownSlug, UnreadWording, field_fault
from app.http.dependencies import Db
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Input, Language, Output, Slug
from app.vocabulary.records import CATEGORY

router = api_router("claims")

MAX_QUERY_CHARACTERS = 10_000
"""Longer texts are refused by the schema, shorter sentences by the reader."""


class WordingQuery(Input):
    """A wording, and the context in which it is read."""

    # `check_parameters` refuses unknown parameters, but for those that other software appends to links.
    model_config = ConfigDict(extra="ignore")

    as_printed: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)] = Field(
        description="The printed wording of the figure, verbatim.", examples=["surpassed one million"]
    )
    language: Language | None = Field(
        default=None,
        description="The language in which it is printed (BCP 47). English, Ukrainian, Russian, French, German, "
        "Spanish and Polish are read with their words, all others with their digits.",
        examples=["en"],
    )
    unit: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        default=None,
        description="The unit of the figure. A wording that states something else than a number of it is refused.",
        examples=["persons"],
    )
    category: Slug | None = Field(
        default=None,
        description="The category: its unit is that of the figure if none is given, and its words may follow the "
        "number.",
        examples=["casualties"],
    )


class ReadFigure(Output):
    """The figure that a wording states, in the fields of a new claim."""

    as_printed: str = Field(description="The wording, verbatim.", examples=["surpassed one million"])
    language: str | None = Field(description="The given language.", examples=["en"])
    kind: FigureKind = Field(description="The form of the figure.", examples=["lower_bound"])
    value: Number | None = Field(description="The number.", examples=[1351])
    lower: Number | None = Field(description="The lower bound.", examples=[1000000])
    upper: Number | None = Field(description="The upper bound.", examples=[250000])
    lower_inclusive: bool | None = Field(description="False: more than `lower`.", examples=[False])
    upper_inclusive: bool | None = Field(description="False: less than `upper`.", examples=[True])
    approximate: bool = Field(description="Whether the wording says that it is approximate.", examples=[False])
    coverage: Number | None = Field(description="The stated probability of the range.", examples=[0.95])
    out_of: Number | None = Field(description="The whole, if it is a share or a ratio.", examples=[100])
    relative_to: str | None = Field(description="The base that the wording names.", examples=["2022"])
    unit: str | None = Field(
        description="The given unit, or the one that the wording names; null if neither says it.", examples=["persons"]
    )


class WordingReading(Output):
    """What the reader makes of a wording."""

    figure: ReadFigure = Field(description="The figure.")
    proposition: Proposition = Field(description="The kind of statement.", examples=["quantity"])
    per: Per | None = Field(description="The unit of time, if it is a rate.", examples=["day"])


@router.get(
    "/reading",
    summary="Read a wording",
    operation_id="read_wording",
    responses={200: {"model": WordingReading}},
)
def get_reading(request: Request, query: Annotated[WordingQuery, Query()], db: Db) -> Response:
    """Return the figure that a printed wording states, as a claim with this wording would be recorded.

    A wording that could mean two things is not guessed: the answer is a 422 with the `reason`, one of the values of
    `wording_refusal` in `/v1/vocabulary`, and the words that were not understood.
    """
    context = _load_context(query, db)
    try:
        reading = read_wording(query.as_printed, context)
        check_unit(reading, _expected(query, reading, context))
    except UnreadableWording as error:
        faults = [field_fault("as_printed", error.detail, hint=error.hint or None, location="query")]
        more = {"reason": error.reason}
        raise UnreadWording(error.detail, hint=error.hint or None, errors=faults, more=more) from None
    return json_response(request, _build_response(query, reading, context))


def _load_context(query: WordingQuery, db: Db) -> WordingContext:
    """Return the context of the wording. Raises `UnknownSlug` for a category that does not exist."""
    if query.category is None:
        return wording_context(query.language, query.unit, "", is_fractional=False)
    with db.read() as session:
        references = ReferenceLookup(session, open_snapshot(session))
        category = references.find_category(query.category)
        if category is None:
            faults = references.find_faults(CATEGORY, [("category", query.category)])
            fault = field_fault("category", faults[0].detail, hint=faults[0].hint, location="query")
            raise UnknownSlug(fault.detail, hint=fault.hint, errors=[fault])
    unit = query.unit or category.unit
    return wording_context(query.language, unit, query.category, is_fractional=category.fractional)


def _expected(query: WordingQuery, reading: Reading, context: WordingContext) -> WordingContext:
    """Return what a wording has to be a number of. A category alone allows a rate, a change or a multiple of it."""
    is_relative = reading.per is not None or reading.proposition == "change" or reading.unit == TIMES
    return replace(context, unit=None) if query.unit is None and is_relative else context


def _build_response(query: WordingQuery, reading: Reading, context: WordingContext) -> dict[str, Any]:
    figure: PrintedFigure = reading.figure
    names = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate", "coverage", "out_of")
    unit = context.unit if context.unit is not None and as_dimension(context.unit) is None else None
    is_relative = reading.proposition == "change" or reading.unit in {PERCENT, TIMES}
    return {
        "figure": {
            "as_printed": figure.as_printed,
            "language": query.language,
            "kind": kind_of(figure, reading.proposition),
            **{name: getattr(figure, name) for name in names},
            "relative_to": figure.relative_to,
            "unit": reading.unit if is_relative else unit or reading.unit,
        },
        "proposition": reading.proposition,
        "per": reading.per,
    }
