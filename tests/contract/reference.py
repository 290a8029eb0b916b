"""The tables of the documentation, generated from the code: `python -m tests.contract.reference` puts them into docs/.

A page holds a table between `<!-- NAME -->` and `<!-- /NAME -->`; the rest of the page is written by hand.
"""

import json
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_origin

from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.claims.search.filters import ClaimQuery, Sort
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.enums import DescribedEnum, Outcome, SmellKind
from app.errors import known_problems
from app.http.deprecation import deprecations_of
from app.http.list_columns import LIST_COLUMNS, ListName
from app.http.negotiation import Format
from app.http.pagination import PageQuery
from app.imports.mappings.load import load_shipped_mapping, shipped_mappings
from app.imports.mappings.schema import (
    CitationMap,
    ClaimMap,
    Condition,
    ConfidenceMap,
    DayCheck,
    DocumentMap,
    FigureMap,
    Mapping,
    NewRecord,
    PeriodMap,
    Pick,
    RelationMap,
    Skip,
    VintageMap,
)
from app.imports.readers.options import FileFormat, FileOptions, ReadLimits
from app.main import DESCRIBED_ROUTES
from app.settings import Settings, environment_variable
from app.topics.parameters import CompareQuery
from app.vocabulary.routes import TERM_ROWS

DOCS = Path(__file__).parents[2] / "docs"

SORT_DESCRIPTIONS = {
    Sort.newest: "By date, newest first.",
    Sort.oldest: "By date, oldest first.",
    Sort.newest_recorded: "By time of recording, newest first.",
    Sort.oldest_recorded: "By time of recording, oldest first.",
    Sort.smallest: "By value, else lower bound, else upper bound; smallest first.",
    Sort.largest: "The same, largest first.",
    Sort.by_source: "By source, then by date.",
    Sort.least_confident: "By the confidence level of the latest assessment, lowest first.",
    Sort.most_confident: "The same, highest first.",
}


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(each).replace("|", "\\|") for each in line) + " |" for line in lines)


def format_code(value: Any) -> str:
    """Format a value as in an address or a file."""
    if isinstance(value, list):
        return ", ".join(format_code(each) for each in value)
    shown = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return f"`{shown}`" if shown else ""


def parameter_table(model: type[BaseModel], *, without: type[BaseModel] | None = None) -> str:
    """Return the query parameters that a model declares."""
    left_out = without.model_fields if without else {}
    rows = []
    for name, info in model.model_fields.items():
        if name not in left_out:
            repeats = "yes" if get_origin(info.annotation) is list else ""
            rows.append((format_code(name), info.description, format_code((info.examples or [None])[0]), repeats))
    return markdown_table(("parameter", "meaning", "example", "repeatable"), rows)


def settings_table() -> str:
    """Return all settings."""
    rows = [
        (format_code(environment_variable(name)), info.description, format_code(info.default) or "empty")
        for name, info in Settings.model_fields.items()
    ]
    return markdown_table(("variable", "meaning", "default"), rows)


def enumeration_sections() -> str:
    """Return every enumeration with its values."""
    parts: list[str] = []
    enumerations = dict.fromkeys(term["enumeration"] for term in TERM_ROWS)
    for enumeration in enumerations:
        rows = [(format_code(t["word"]), t["definition"]) for t in TERM_ROWS if t["enumeration"] == enumeration]
        parts.append(f"## `{enumeration}`\n\n" + markdown_table(("word", "meaning"), rows))
    return "\n\n".join(parts)


def problem_table() -> str:
    """Return every kind of problem."""
    kinds = sorted(known_problems().values(), key=lambda kind: (kind.status, kind.code))
    meaning = {kind: " ".join((kind.__doc__ or "").split()) for kind in kinds}
    return markdown_table(
        ("status", "code", "meaning"), [(kind.status, format_code(kind.code), meaning[kind]) for kind in kinds]
    )


def column_table() -> str:
    """Return every column of a claims file."""
    rows = [
        (
            format_code(each.name),
            each.type,
            each.description,
            format_code(".".join(each.path)),
            format_code(each.example),
        )
        for each in CLAIM_COLUMNS
    ]
    return markdown_table(("column", "type", "what it holds", "in JSON", "example"), rows)


def list_table() -> str:
    """Return every list with its address, and the columns that identify a row of its files."""
    rows = [
        (format_code(name.value), name.definition, ", ".join(map(format_code, LIST_COLUMNS[name].key)))
        for name in ListName
    ]
    return markdown_table(("list", "address", "a row is identified by"), rows)


def deprecation_table() -> str:
    """Return what is deprecated, or that nothing is."""
    rows = [
        (
            format_code(f"{' '.join(sorted(route.methods or ()))} {route.path}"),
            format_code(each.parameter),
            each.since,
            each.sunset,
            each.instead,
        )
        for route in DESCRIBED_ROUTES
        if isinstance(route, APIRoute)
        for each in deprecations_of(route.endpoint)
    ]
    head = ("operation", "parameter", "deprecated since", "works until at least", "instead")
    return markdown_table(head, rows) if rows else "Nothing is deprecated."


def list_values(enumeration: type[Enum]) -> str:
    """Return the values of an enumeration, in one line."""
    return ", ".join(format_code(each.value) for each in enumeration)


MAPPING_TABLES: dict[str, type[BaseModel]] = {
    "The mapping": Mapping,
    "`[file]`": FileOptions,
    "Selecting a value": Pick,
    "`[claim]` and `[claims.…]`": ClaimMap,
    "`figure`": FigureMap,
    "`period`": PeriodMap,
    "`citation`": CitationMap,
    "`citation.document`": DocumentMap,
    "`confidence`": ConfidenceMap,
    "Conditions, in `only` and `unless`": Condition,
    "`[[skip]]`": Skip,
    "`[[relations]]`": RelationMap,
    "`[vintage]`": VintageMap,
    "`[[days]]`": DayCheck,
    "`[[new]]`": NewRecord,
}


def format_toml(value: Any) -> str:
    """Format a value as TOML."""
    match value:
        case dict():
            return (
                "{ "
                + ", ".join(f"{format_toml_key(name)} = {format_toml(inner)}" for name, inner in value.items())
                + " }"
            )
        case list():
            return "[" + ", ".join(map(format_toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def format_toml_key(name: str) -> str:
    """Format a key, in quotes if TOML needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def mapping_field_sections() -> str:
    """Return every field of mappings."""
    parts = []
    for title, model in MAPPING_TABLES.items():
        rows = [
            (format_code(name), info.description, f"`{format_toml(info.examples[0])}`" if info.examples else "")
            for name, info in model.model_fields.items()
        ]
        parts.append(f"### {title}\n\n{markdown_table(('field', 'meaning', 'example'), rows)}")
    return "\n\n".join(parts)


def mapping_table() -> str:
    """Return the built-in mappings."""
    return markdown_table(
        ("name", "what it reads"),
        [(format_code(name), load_shipped_mapping(name).title) for name in shipped_mappings()],
    )


def limit_table() -> str:
    """Return the limits of reading files."""
    limits = ReadLimits()
    rows = [
        ("characters of one cell", limits.cell_characters),
        ("bytes of one row", limits.row_bytes),
        ("columns", limits.columns),
        ("levels of nested lists and objects", limits.nesting_depth),
        ("bytes of a YAML file", limits.yaml_bytes),
        ("files in a folder or archive", limits.members),
        ("unpacked bytes", limits.unpacked_bytes),
        ("blank rows of a file", limits.blank_rows),
        ("unpacked bytes per packed byte", limits.unpacked_ratio),
    ]
    return markdown_table(("what", "at most"), [(what, f"{most:,}") for what, most in rows])


def definition_table(enumeration: type[DescribedEnum]) -> str:
    """Return an enumeration with its definitions."""
    return markdown_table(("word", "meaning"), [(format_code(term.value), term.definition) for term in enumeration])


PAGE_TABLES: dict[str, dict[str, str]] = {
    "settings.md": {"settings": settings_table()},
    "words.md": {"words": enumeration_sections()},
    "stability.md": {"deprecated": deprecation_table()},
    "problems.md": {"problems": problem_table()},
    "columns.md": {"lists": list_table(), "columns": column_table()},
    "reading.md": {
        "filters": parameter_table(ClaimQuery, without=PageQuery),
        "sorts": markdown_table(
            ("sort", "order"), [(format_code(sort.value), SORT_DESCRIPTIONS[sort]) for sort in Sort]
        ),
        "pages": parameter_table(PageQuery),
        "formats": list_values(Format),
    },
    "mappings.md": {"fields": mapping_field_sections(), "shipped": mapping_table()},
    "imports.md": {
        "file formats": list_values(FileFormat),
        "limits": limit_table(),
        "outcomes": definition_table(Outcome),
        "smells": definition_table(SmellKind),
    },
    "comparing.md": {"parameters": parameter_table(CompareQuery)},
}


def fill_tables(page: str, text: str) -> str:
    """Return the text of a page with the current tables."""
    for name, content in PAGE_TABLES[page].items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{page} has no {begin} … {end}")
        text = pattern.sub(lambda _match, made=f"{begin}\n{content}\n{end}": made, text)  # type: ignore[misc]
    return text


def main() -> None:
    """Write every table."""
    for page in PAGE_TABLES:
        path = DOCS / page
        path.write_text(fill_tables(page, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
