"""The sheet to fill in: its columns with explanations, the lists to choose from, and two claims as examples."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from app.claims.queries import read_claims
from app.claims.search.filters import ClaimQuery
from app.claims.search.planner import find_page
from app.claims.serialization.rows import ResponseObject
from app.comparison.period import InvalidPeriod
from app.comparison.units import CURRENCIES, dimension_of
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import UnreadableWording, WordingContext
from app.comparison.written_dates import UnreadableDate, read_written_period
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Aggregation, Derivation, DescribedEnum, Fidelity, Modality, Per, Proposition, Status
from app.http.serializers import FORMULA_PREFIXES
from app.imports.mappings.native import SKIP_COLUMN
from app.sentences.dates import describe_date
from app.vocabulary.name_index import NameIndex
from app.vocabulary.reference_data import get_reference_data

CLAIMS_SEARCHED_FOR_EXAMPLES: Final = 100
MAX_EXAMPLE_CHARACTERS: Final = 200
"""The longest title, and the longest quote, of a claim that is an example."""

MAX_LISTED_NAMES: Final = 10_000
"""Maximum number of names of a list to choose from; further ones are typed."""

EXPLANATION, EXAMPLE = "explanation", "example"
"""What the column `skip` says of the rows that come with the sheet."""


class SheetColumn(NamedTuple):
    """A column of the sheet."""

    name: str
    explanation: str
    is_needed: bool = False
    choices: str | type[DescribedEnum] | None = None
    """The kind of records, or the enumeration, of which one is chosen."""
    is_date: bool = False
    width: int = 18


SHEET_COLUMNS: Final = (
    SheetColumn(SKIP_COLUMN, "Leave this empty. A row with anything here is not imported.", width=12),
    SheetColumn("source", "Who says it: the name of a recorded source, or its slug.", True, "source", width=28),
    SheetColumn("category", "What is counted: the name or the slug of a category.", True, "category", width=22),
    SheetColumn("subject", "Whose: the name or the slug of a subject.", True, "subject", width=22),
    SheetColumn("place", "Where: the name or the slug of a place.", True, "place", width=22),
    SheetColumn(
        "as_printed",
        "The figure as it is printed, word for word: 1,351, or over 300, or 60,000 to 70,000. Its numbers are read.",
        True,
        width=22,
    ),
    SheetColumn(
        "period",
        "The period that it covers: 2024-06, since 15 April 2023, Apr 2023 to Jun 2024, to Nov 2024, or EDTF.",
        True,
        width=30,
    ),
    SheetColumn(
        "aggregation",
        "cumulative: a running total since the start; within: the total of the period; snapshot: the state at its end; "
        "rate: by unit of time.",
        True,
        Aggregation,
    ),
    SheetColumn(
        "modality", "Counted one by one, estimated, expected (forecast), or stated without evidence.", True, Modality
    ),
    SheetColumn(
        "date", "The day on which the source said it: 2024-12-01 or 1 Dec 2024. Not 03/04/2024 as text.", is_date=True
    ),
    SheetColumn("document_title", "The title of the page or report in which it can be read.", True, width=32),
    SheetColumn("document_url", "Its address. Empty for print.", width=32),
    SheetColumn("publisher", "Who published the page: the name or the slug of a source.", choices="source", width=28),
    SheetColumn("document_published_on", "The day of publication.", is_date=True),
    SheetColumn("quote", "The passage, word for word.", width=40),
    SheetColumn("fidelity", "How the page repeats the statement. Empty: paraphrase.", choices=Fidelity),
    SheetColumn("language", "The language of the wording, such as en or uk: it says what 1.200 means.", width=10),
    SheetColumn("unit", "Only if the category has none of its own: USD, hectares, millimeter.", width=12),
    SheetColumn("per", "Only for a rate: its unit of time.", choices=Per, width=10),
    SheetColumn("proposition", "Empty: quantity.", choices=Proposition, width=14),
    SheetColumn("derivation", "What the figure rests on. Empty: unknown.", choices=Derivation, width=14),
    SheetColumn("value", "The number, only if it is not read from as_printed.", width=12),
    SheetColumn("lower", "The lower bound, likewise.", width=12),
    SheetColumn("upper", "The upper bound, likewise.", width=12),
    SheetColumn("archive_url", "The address of an archived copy of the page.", width=32),
    SheetColumn("document_terms", "The licence or terms of use of the page, such as CC-BY-4.0.", width=16),
    SheetColumn("note", "A note for readers.", width=30),
)

_PLAIN_FIELDS: Final = ("out_of", "coverage", "relative_to", "wording_differs")
"""Fields of a figure that the sheet has no column for: a claim with one of them is no example."""


class Choice(NamedTuple):
    """An entry of a list: what is written into the cell, and what it means."""

    text: str
    meaning: str


@dataclass(frozen=True, slots=True)
class SheetContent:
    """What the sheet of a register contains besides its columns."""

    lists: Mapping[str, Sequence[Choice]]
    """The name of a list to choose from → its entries."""
    examples: Sequence[Mapping[str, str]]
    """Two rows, as a person would write them."""


def list_name(choices: str | type[DescribedEnum]) -> str:
    """Return the name of the list of a column."""
    return choices if isinstance(choices, str) else choices.__name__.lower()


def read_lists(read: ReadSession, snapshot: Snapshot) -> dict[str, list[Choice]]:
    """Return the lists to choose from: the names of the records of the register, and the values of enumerations."""
    index = get_reference_data(read, snapshot).read_name_index(read.session, snapshot)
    lists: dict[str, list[Choice]] = {}
    for column in SHEET_COLUMNS:
        if isinstance(column.choices, str):
            lists[column.choices] = _list_names(index, column.choices)
        elif column.choices is not None:
            lists[list_name(column.choices)] = [Choice(member.value, member.definition) for member in column.choices]
    return lists


def read_content(read: ReadSession, snapshot: Snapshot) -> SheetContent:
    """Return the lists and the examples of the sheet for the register as it is now."""
    lists = read_lists(read, snapshot)
    texts = {(kind, choice.meaning): choice.text for kind in lists for choice in lists[kind]}
    page = find_page(read, ClaimQuery(limit=CLAIMS_SEARCHED_FOR_EXAMPLES), snapshot)
    claims = [claim for claim in read_claims(read.session, page.versions, snapshot) if _is_plain(claim)]
    first = next(iter(claims), None)
    other = next((claim for claim in claims[1:] if first and claim["figure"]["kind"] != first["figure"]["kind"]), None)
    chosen = [claim for claim in (first, other or (claims[1] if len(claims) > 1 else None)) if claim is not None]
    examples = [_example_of_claim(claim, texts) for claim in chosen]
    return SheetContent(lists, examples + _PLACEHOLDERS[len(examples) :])


def csv_sheet(content: SheetContent) -> bytes:
    """Return the sheet as CSV: the column names, a row that explains them, and the examples."""
    explanations = {column.name: column.explanation for column in SHEET_COLUMNS} | {SKIP_COLUMN: EXPLANATION}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    names = [column.name for column in SHEET_COLUMNS]
    writer.writerow(names)
    for row in (explanations, *content.examples):
        writer.writerow([_guard_formula(row.get(name, "")) for name in names])
    return buffer.getvalue().encode()


def _guard_formula(cell: str) -> str:
    return "'" + cell if cell[:1] in FORMULA_PREFIXES else cell


def _list_names(index: NameIndex, kind: str) -> list[Choice]:
    """Return the names of the records of a kind; the slug of a record whose name another one has, too."""
    records = index.list_records(kind)[:MAX_LISTED_NAMES]
    return [
        Choice(record.name if index.find_named(kind, record.name) == [record.slug] else record.slug, record.slug)
        for record in records
    ]


def _is_plain(claim: ResponseObject) -> bool:
    """Return whether the columns of the sheet can state a claim."""
    figure, [citation, *others] = claim["figure"], claim["citations"] or [None]
    return (
        citation is not None
        and not others
        and claim["status"] == Status.asserted
        and claim["proposition"] == Proposition.quantity
        and not any(figure[name] for name in _PLAIN_FIELDS)
        and _is_read(figure)
        and not (claim["includes"] or claim["excludes"] or claim["said_at"])
        and claim["date"] is not None
        and claim["date_edtf"] in (None, str(claim["date"]))
        and not (citation["gap"] or citation["withdrawn_on"])
        and len(citation["quote"] or "") <= MAX_EXAMPLE_CHARACTERS
        and len(citation["document"]["title"]) <= MAX_EXAMPLE_CHARACTERS
    )


def _is_read(figure: ResponseObject) -> bool:
    """Return whether the numbers of a figure are those of its wording."""
    try:
        reading = read_wording(figure["as_printed"], WordingContext(figure["language"])).figure
    except UnreadableWording:
        return False
    return all(getattr(reading, name) == figure[name] for name in ("value", "lower", "upper", "approximate"))


def is_own_unit(unit: str) -> bool:
    """Return whether a claim names its unit itself, because that of its category is a dimension."""
    return unit in CURRENCIES or dimension_of(unit) is not None


def _example_of_claim(claim: ResponseObject, texts: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the cells of a recorded claim, with names and dates as people write them."""
    figure, period, [citation] = claim["figure"], claim["period"], claim["citations"]
    document = citation["document"]

    def name_of(kind: str, slug: str) -> str:
        return texts.get((kind, slug), slug)

    cells = {
        SKIP_COLUMN: EXAMPLE,
        "source": name_of("source", claim["source"]["slug"]),
        **{kind: name_of(kind, claim[kind]) for kind in ("category", "subject", "place")},
        "as_printed": figure["as_printed"],
        "period": describe_period_plainly(period["edtf"]),
        "aggregation": period["aggregation"],
        "modality": claim["modality"],
        "date": claim["date"],
        "document_title": document["title"],
        "document_url": document["url"],
        "publisher": name_of("source", document["publisher"]) if document["publisher"] else None,
        "document_published_on": document["published_on"],
        "quote": citation["quote"],
        "fidelity": citation["fidelity"],
        "language": figure["language"],
        "unit": figure["unit"] if is_own_unit(figure["unit"]) else None,
        "per": period["per"],
        "derivation": claim["derivation"],
        "archive_url": document["archive_url"],
        "document_terms": document["terms"],
        "note": claim["note"],
    }
    return {name: _cell_text(value) for name, value in cells.items() if value is not None}


def _cell_text(value: Any) -> str:  # noqa: ANN401 - the type varies by field
    return value.isoformat() if isinstance(value, date) else str(value)


def describe_period_plainly(edtf: str) -> str:
    """Return a period in words that are read as the same period, or else in EDTF."""
    begin, slash, finish = edtf.partition("/")
    try:
        ends = [describe_date(end).text if end not in {"", ".."} else end for end in (begin, finish) if end or slash]
        if not slash:
            words = ends[0]
        elif finish == "..":
            words = f"since {ends[0]}"
        else:
            words = f"{ends[0]} \u2013 {ends[1]}"
        return words if read_written_period(words) == edtf else edtf
    except (InvalidPeriod, UnreadableDate):
        return edtf


def as_cells(rows: Iterable[Mapping[str, str]], columns: Sequence[SheetColumn]) -> Iterable[list[Any]]:
    """Yield the cells of rows, with days as dates in the columns of days."""
    for row in rows:
        yield [as_cell(row.get(column.name), is_date=column.is_date) for column in columns]


def as_cell(value: Any, *, is_date: bool) -> Any:  # noqa: ANN401 - a cell of a file
    """Return a cell; a day as a date, so that a spreadsheet shows it as one."""
    if is_date and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


_PLACEHOLDERS: Final[list[dict[str, str]]] = [
    {
        SKIP_COLUMN: EXAMPLE,
        "source": "The name of a source",
        "category": "The name of a category",
        "subject": "The name of a subject",
        "place": "The name of a place",
        "as_printed": "over 300",
        "period": "since 15 April 2023",
        "aggregation": "cumulative",
        "modality": "count",
        "date": "2024-12-01",
        "document_title": "The title of the page",
        "document_url": "https://example.org/page",
    },
    {
        SKIP_COLUMN: EXAMPLE,
        "source": "The name of a source",
        "category": "The name of a category",
        "subject": "The name of a subject",
        "place": "The name of a place",
        "as_printed": "60,000–70,000",
        "period": "2024-06",
        "aggregation": "within",
        "modality": "estimate",
        "date": "2024-07-03",
        "document_title": "The title of the page",
        "document_url": "https://example.org/another-page",
    },
]
"""The examples of a register that has no claims which the sheet can state."""
