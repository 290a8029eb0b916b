"""The columns and paths that a mapping reads, and a comparison with those that files have."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from app.comparison.figure import NUMERIC_PROPOSITIONS
from app.errors import suggest_nearest
from app.imports.mappings.expressions import parse_template, path_columns
from app.imports.mappings.schema import ClaimMap, Condition, DayCheck, Mapping, Pick

MAX_SEEN_COLUMNS: Final = 2_000
"""Maximum number of column names of nested files that are remembered."""

MIN_TYPO_SIMILARITY: Final = 0.8
"""The similarity of two names above which one is taken for a typing error of the other."""

MAX_LISTED_COLUMNS: Final = 20


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A place in a mapping that reads the first of some columns that has a value, or a path."""

    location: str
    columns: tuple[str, ...]
    path: str | None = None


@dataclass(slots=True)
class ColumnUsage:
    """What a mapping reads, and what the files have."""

    uses: Sequence[ColumnUse]
    optional: frozenset[str] = frozenset()
    """Columns and paths that files may lack."""
    derived: frozenset[str] = frozenset()
    row_columns: dict[str, None] = field(default_factory=dict)
    """The names of the columns of rows, in the order in which they occur."""
    element_columns: dict[str, None] = field(default_factory=dict)
    """The names of the columns of elements of lists in a row."""
    found_paths: set[str] = field(default_factory=set)
    """The paths that had a value in a row."""

    def add_columns(self, columns: Collection[str]) -> None:
        """Remember the columns of a row."""
        if not columns <= self.row_columns.keys() and len(self.row_columns) < MAX_SEEN_COLUMNS:  # type: ignore[operator]
            self.row_columns.update(dict.fromkeys(columns))

    def add_element(self, columns: Collection[str]) -> None:
        """Remember the columns of an element of a list in a row."""
        if not columns <= self.element_columns.keys() and len(self.element_columns) < MAX_SEEN_COLUMNS:  # type: ignore[operator]
            self.element_columns.update(dict.fromkeys(columns))

    def find_missing(self, *, is_table: bool) -> list[ColumnUse]:
        """Return the uses of columns that no row has; in nested files also the paths that never had a value."""
        known = {*self.row_columns, *self.element_columns, *self.derived}
        return [
            use
            for use in self.uses
            if not self.optional.intersection((*use.columns, use.path or ""))
            and (
                not known.intersection(use.columns)
                if use.path is None or is_table
                else use.path not in self.found_paths and bool(use.columns)
            )
        ]

    def find_unread(self) -> list[str]:
        """Return the columns that nothing reads."""
        read = {column for use in self.uses for column in use.columns} | self.optional
        names = [name for name in self.row_columns if name not in read]
        return names + [name for name in self.element_columns if name not in read and name not in names]

    def describe(self, uses: Sequence[ColumnUse]) -> list[str]:
        """Return a sentence for each column or path that no file has, with the column that may be meant."""
        places: dict[str, list[ColumnUse]] = {}
        for use in uses:
            names = " or ".join(f"`{name}`" for name in use.columns)
            places.setdefault(f"column {names}" if use.path is None else f"path `{use.path}`", []).append(use)
        return [
            f"No row has the {what}, which `{each[0].location}` names"
            f"{f' (and {len(each) - 1} more)' if len(each) > 1 else ''}{self._hint(each[0])}."
            for what, each in places.items()
        ]

    def is_typo(self, use: ColumnUse) -> bool:
        """Return whether a column that no file has is nearly the name of one that nothing reads."""
        unread = self.find_unread()
        return any(difflib.get_close_matches(name, unread, n=1, cutoff=MIN_TYPO_SIMILARITY) for name in use.columns)

    def _hint(self, use: ColumnUse) -> str:
        known = [*self.row_columns, *self.element_columns]
        for options in (self.find_unread(), known):
            for name in use.columns:
                if name not in known and (hint := suggest_nearest(name, options)):
                    return f"; {hint.rstrip('?')}" if use.path is None else f" ({hint})"
        shown = ", ".join(f"`{name}`" for name in known[:MAX_LISTED_COLUMNS])
        return f" (the columns are {shown}{', …' if len(known) > MAX_LISTED_COLUMNS else ''})"


def read_usage(mapping: Mapping) -> ColumnUsage:
    """Return what a mapping reads."""
    uses = [use for use in _find_uses(mapping) if use.columns]
    return ColumnUsage(uses, frozenset(mapping.optional), frozenset(mapping.columns))


def find_text_fields(claim: ClaimMap, derived: dict[str, Any]) -> frozenset[str]:
    """Return the fields beside the statement that a mapping takes from the row, not from its place in the file."""
    citation = claim.citation
    fields = {name: getattr(claim, name) for name in ("note", "derivation")}
    fields |= {f"citations.{name}": getattr(citation, name) for name in CITATION_TEXTS}
    fields |= {f"document.{name}": getattr(citation.document, name) for name in DOCUMENT_TEXTS}
    fields["figure.as_printed"] = claim.figure
    placed = {name for name, value in derived.items() if _depends_on_place(value, frozenset())}
    return frozenset(
        name for name, value in fields.items() if value is not None and not _depends_on_place(value, frozenset(placed))
    )


CITATION_TEXTS: Final = ("quote", "quote_language", "translation", "fidelity", "locator", "gap")
DOCUMENT_TEXTS: Final = ("title", "language", "terms")
PLACE_COLUMNS: Final = frozenset({"_file", "_line", "_vintage"})


def _depends_on_place(value: Any, placed: frozenset[str]) -> bool:  # noqa: ANN401 - any part of a mapping
    """Return whether a part of a mapping reads the place of a row, or one of the columns that do."""
    match value:
        case str():
            return bool((PLACE_COLUMNS | placed).intersection(_template_columns(value)))
        case Pick() if value.column is not None:
            return value.column in PLACE_COLUMNS | placed
        case BaseModel():
            return any(
                _depends_on_place(getattr(value, name), placed) for name in ("text", "first") if hasattr(value, name)
            ) or (
                not isinstance(value, Pick)
                and any(_depends_on_place(getattr(value, name), placed) for name in type(value).model_fields)
            )
        case list():
            return any(_depends_on_place(inner, placed) for inner in value)
    return False


def _find_uses(mapping: Mapping) -> Iterator[ColumnUse]:
    yield from _uses_in(mapping.columns, "columns")
    yield from _uses_in(mapping.vintage, "vintage")
    yield from _uses_in(mapping.skip, "skip")
    yield from (ColumnUse("labels", (column,)) for column in mapping.labels)
    yield from _uses_in(mapping.days, "days")
    yield from _uses_in(mapping.new, "new")
    for name, claim in mapping.claims.items():
        location = f"claims.{name}"
        yield from _uses_in(claim, location)
        if _has_own_column(claim):
            yield ColumnUse(location, (name,))


def _has_own_column(claim: ClaimMap) -> bool:
    """Return whether the figure of a claim is in the column with its name."""
    figure = claim.figure
    is_numeric = claim.proposition in NUMERIC_PROPOSITIONS if isinstance(claim.proposition, str) else True
    return is_numeric and not any((figure.printed, figure.value, figure.lower, figure.upper))


def _uses_in(value: Any, location: str) -> Iterator[ColumnUse]:  # noqa: ANN401 - any part of a mapping
    """Yield the uses of columns in a part of a mapping."""
    match value:
        case str():
            yield from _single_uses(_template_columns(value), location)
        case Pick():
            yield from _uses_of_pick(value, location)
        case Condition():
            yield from _uses_of_origin(value.column, value.path, location)
        case DayCheck():
            yield ColumnUse(location, (value.column,))
            yield from _uses_in(value.date, f"{location}.date")
        case BaseModel():
            yield from _uses_in({name: getattr(value, name) for name in type(value).model_fields}, location)
        case dict():
            for name, inner in value.items():
                # The only path that is a text of its own is the one to a list.
                is_path = name == "over" and isinstance(inner, str)
                yield from [_path_use(inner, f"{location}.over")] if is_path else _uses_in(inner, f"{location}.{name}")
        case list():
            for inner in value:
                yield from _uses_in(inner, location)


def _uses_of_pick(pick: Pick, location: str) -> Iterator[ColumnUse]:
    if pick.first is not None:
        options = [use for option in pick.first for use in _uses_in(option, location)]
        yield ColumnUse(location, tuple(column for use in options for column in use.columns))
    elif pick.text is not None:
        yield from _single_uses(_template_columns(pick.text), location)
    else:
        yield from _uses_of_origin(pick.column, pick.path, location)


def _uses_of_origin(column: str | None, path: str | None, location: str) -> Iterator[ColumnUse]:
    if path is not None:
        yield _path_use(path, location)
    else:
        yield from _single_uses([column or ""], location)


def _single_uses(columns: Sequence[str], location: str) -> Iterator[ColumnUse]:
    # `_file`, `_line`, `_vintage` and `_name` are columns of every row, and `value` is that of a plain element.
    return (ColumnUse(location, (column,)) for column in columns if not column.startswith("_") and column != "value")


def _path_use(path: str, location: str) -> ColumnUse:
    return ColumnUse(location, tuple(sorted(path_columns(path))), path)


def _template_columns(text: str) -> list[str]:
    return [name for _, name in parse_template(text) if name]
