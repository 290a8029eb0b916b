"""Loading of mappings: from TOML, from the built-in mappings, and as row mappers."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.imports.mappings.errors import describe_errors
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import NativeRowMapper
from app.imports.mappings.schema import Mapping
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.readers.options import MappingRefused

MAX_MAPPING_CHARACTERS = 200_000
"""Maximum length of a mapping."""

MAX_KEY_DOTS = 100
"""Maximum number of dots in a key, because the TOML parser is slow for keys with many dots."""


def parse_mapping(text: str, name: str) -> Mapping:
    """Parse a mapping in TOML. Raises `MappingRefused` with all faults and their locations."""
    if len(text) > MAX_MAPPING_CHARACTERS or any(
        line.partition("=")[0].count(".") > MAX_KEY_DOTS for line in text.splitlines()
    ):
        raise MappingRefused(f"{name} is not a mapping: it is too long, or nested too deeply")
    try:
        given = tomllib.loads(text)
    except RecursionError:
        raise MappingRefused(f"{name} is not a mapping: it is nested too deeply") from None
    except ValueError as wrong:
        raise MappingRefused(f"{name} is not TOML: {wrong}") from None
    return validate_mapping(given, name)


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


def parse_row_mapper(text: str, name: str, file_name: str) -> RowMapper:
    """Return the row mapper of a mapping in TOML, called `name` in results. Raises `MappingRefused`.

    Args:
        text: The mapping.
        name: Its name in import records and reports.
        file_name: Its name in error messages.
    """
    return MappingRowMapper(name, parse_mapping(text, file_name))
