"""Loading of mappings: from TOML, from the built-in mappings, and as row mappers."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.errors import suggest_nearest
from app.imports.mappings.errors import describe_errors
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import NativeRowMapper
from app.imports.mappings.schema import Mapping
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.readers.options import FileOptions, MappingRefused

MAX_MAPPING_CHARACTERS = 200_000
"""Maximum length of a mapping."""

MAX_KEY_DOTS = 100
"""Maximum number of dots in a key, because the TOML parser is slow for keys with many dots."""


VOCABULARY_TABLES = ("sources", "categories", "subjects", "places")
"""The tables that a mapping takes from those that it includes."""

MAX_INCLUDED_MAPPINGS = 20
"""Maximum number of mappings that are included, also by included ones."""


def parse_mapping(text: str, name: str, folder: Path | None = None) -> Mapping:
    """Parse a mapping in TOML. Raises `MappingRefused` with all faults and their locations.

    Args:
        text: The mapping.
        name: Its name in messages.
        folder: The folder of its file, if it may include other files.
    """
    return validate_mapping(_include_vocabularies(_parse_toml(text, name), name, folder, set()), name)


def parse_file_options(text: str, name: str) -> FileOptions:
    """Return the `[file]` table of a mapping, of which the rest may be missing. Raises `MappingRefused`."""
    tables = _parse_toml(text, name).get("file", {})
    try:
        return FileOptions.model_validate(tables)
    except ValidationError as wrong:
        lines = [f"{name} is not a mapping:", *describe_errors(wrong, tables, FileOptions)]
        raise MappingRefused("\n".join(lines)) from None


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    if len(text) > MAX_MAPPING_CHARACTERS or any(
        line.partition("=")[0].count(".") > MAX_KEY_DOTS for line in text.splitlines()
    ):
        raise MappingRefused(f"{name} is not a mapping: it is too long, or nested too deeply")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise MappingRefused(f"{name} is not a mapping: it is nested too deeply") from None
    except ValueError as wrong:
        raise MappingRefused(f"{name} is not TOML: {wrong}") from None


def _include_vocabularies(
    tables: dict[str, Any], name: str, folder: Path | None, included: set[str | Path]
) -> dict[str, Any]:
    """Return the tables of a mapping with the vocabulary of those that it includes; its own records take precedence."""
    others = tables.get("include")
    if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
        return tables  # the validation refuses it
    tables = dict(tables)
    for other in others:
        inner, inner_folder = _read_included(other, name, folder)
        key = inner_folder / other if inner_folder else other
        if key in included:
            continue
        included.add(key)
        if len(included) > MAX_INCLUDED_MAPPINGS:
            raise MappingRefused(f"{name} includes more than {MAX_INCLUDED_MAPPINGS} mappings.")
        vocabulary = _include_vocabularies(_parse_toml(inner, other), other, inner_folder, included)
        for table in VOCABULARY_TABLES:
            own, more = tables.get(table, {}), vocabulary.get(table, {})
            if more and isinstance(own, dict) and isinstance(more, dict):
                tables[table] = {**more, **own}
    return tables


def _read_included(other: str, name: str, folder: Path | None) -> tuple[str, Path | None]:
    """Return the text of an included mapping, and its folder if it may include files."""
    shipped = shipped_mappings()
    if other in shipped:
        return shipped[other].read_text("utf-8"), None
    if folder is None or not other.endswith(".toml"):
        files = "a shipped mapping" if folder is None else "a shipped mapping or a file that ends in .toml"
        hint = suggest_nearest(other[:100], shipped)
        raise MappingRefused(f"{name} includes `{other[:100]}`; expected {files}{f' ({hint})' if hint else ''}.")
    path = (folder / other).resolve()
    try:
        with path.open("rb") as file:
            return file.read(MAX_MAPPING_CHARACTERS + 1).decode(), path.parent
    except (OSError, ValueError) as error:
        raise MappingRefused(f"{name} includes {other[:100]}, which cannot be read: {error}.") from None


def validate_mapping(given: dict[str, Any], name: str) -> Mapping:
    """Return the mapping in a parsed TOML file. Raises `MappingRefused` with all faults and their locations."""
    try:
        return Mapping.model_validate(given)
    except RecursionError:
        raise MappingRefused(f"{name} is not a mapping: it is nested too deeply") from None
    except ValidationError as wrong:
        lines = [f"{name} is not a mapping:", *describe_errors(wrong, given, Mapping)]
        raise MappingRefused("\n".join(lines)) from None


def shipped_mappings() -> dict[str, Path]:
    """Return the built-in mappings by name."""
    folder = Path(__file__).parent / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_shipped_mapping(name: str) -> Mapping:
    """Return a built-in mapping by name. Raises `MappingRefused`."""
    found = shipped_mappings().get(name)
    if found is None:
        raise MappingRefused(
            f"There is no mapping `{name}`; the built-in mappings are {', '.join(shipped_mappings())}."
        )
    return parse_mapping(found.read_text("utf-8"), name)


def load_row_mapper(name: str | None) -> RowMapper:
    """Return the row mapper of a built-in mapping, or that of the native format for None. Raises `MappingRefused`."""
    return NativeRowMapper() if name is None else MappingRowMapper(name, load_shipped_mapping(name))


def parse_row_mapper(text: str, name: str, file_name: str, folder: Path | None = None) -> RowMapper:
    """Return the row mapper of a mapping in TOML, called `name` in results. Raises `MappingRefused`.

    Args:
        text: The mapping.
        name: Its name in import records and reports.
        file_name: Its name in error messages.
        folder: The folder of its file, if it may include other files.
    """
    return MappingRowMapper(name, parse_mapping(text, file_name, folder))
