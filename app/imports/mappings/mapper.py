"""Applies a mapping: creates drafts of claims from each row."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from itertools import islice, product
from math import ceil
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from app.comparison.figure import NUMERIC_PROPOSITIONS
from app.http.schema_types import SLUG_PATTERN, Input
from app.imports.mappings.columns import ColumnUsage, find_text_fields, read_usage
from app.imports.mappings.fields import (
    GetterFactory,
    RowScope,
    TextGetter,
    UnreadableValue,
    describe_origin,
)
from app.imports.mappings.figures import IS_READ, FigureFields, figure_getter, wording_getter
from app.imports.mappings.inheritance import resolve_unstated
from app.imports.mappings.schema import (
    CategoryTextMap,
    CitationMap,
    ClaimMap,
    Mapping,
    PeriodMap,
    Pick,
    SubjectTextMap,
    ValueExpression,
)
from app.imports.pipeline.record_order import sort_records
from app.imports.pipeline.row_mapping import ClaimDraft, FileSeriesOptions, MappedRow
from app.imports.quality.anomalies import RowLocation, find_day_anomaly, find_label_anomaly
from app.imports.readers.options import FileRow, MappingRefused
from app.sources.queries import SOURCE
from app.sources.schemas import SourceInput
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from app.vocabulary.slug_records import RecordType

TEXT_FIELDS = (
    "category",
    "subject",
    "place",
    "source",
    "proposition",
    "modality",
    "derivation",
    "date",
    "date_edtf",
    "said_at",
    "note",
)
RECORD_TYPES: dict[str, tuple[RecordType, type[Input]]] = {
    "source": (SOURCE, SourceInput),
    "category": (CATEGORY, CategoryInput),
    "subject": (SUBJECT, SubjectInput),
    "place": (PLACE, PlaceInput),
}
HOURS_PER_DAY = 24
MAX_RELATIONS_PER_ROW = 1_000
"""Maximum number of relations between the claims of one row."""

MAX_KEY_CHARACTERS = 250
"""Maximum length of a row's key; a longer key is shortened with a hash."""

MAX_EMPTY_REASONS = 5
"""Maximum number of reasons that are listed for a row without a claim."""

MAX_SLUG_CHARACTERS = 80
InputBuilder = Callable[[RowScope], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _ClaimBuilder:
    """The compiled functions that create the drafts of one claim of the mapping."""

    name: str
    over: Callable[[RowScope], Any] | None
    key: list[tuple[TextGetter, str]]
    only: list[Callable[[RowScope], bool]]
    unless: list[Callable[[RowScope], bool]]
    figure: Callable[[RowScope], FigureFields | None]
    is_numeric: Callable[[RowScope], bool]
    build: InputBuilder
    text_fields: frozenset[str]

    def applies_to(self, scope: RowScope) -> bool:
        """Return whether this row has the claim, by `only` and `unless`."""
        return all(holds(scope) for holds in self.only) and not any(holds(scope) for holds in self.unless)


@dataclass(frozen=True, slots=True)
class _RecordBuilder:
    """The compiled functions that create the records that a row names."""

    kind: RecordType
    model: type[Input]
    over: Callable[[RowScope], Any] | None
    slug: TextGetter
    build: InputBuilder


def _scopes_over(over: Callable[[RowScope], Any] | None, scope: RowScope, usage: ColumnUsage) -> Iterator[RowScope]:
    """Yield the scope of each element of a list in the row, or that of the row itself if there is no list.

    The columns of the elements are noted in `usage`.
    """
    if over is None:
        yield scope
        return
    elements = over(scope)
    for item in elements if isinstance(elements, list) else [elements] if isinstance(elements, dict) else []:
        if isinstance(item, dict):
            usage.add_element(item.keys())
        yield {**scope, **(item if isinstance(item, dict) else {"value": item}), "_name": scope.get("_name")}


class MappingRowMapper:
    """Maps rows by a mapping. Raises `MappingRefused` for invalid templates."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name = name
        self.mapping = mapping
        self.options = mapping.file
        self._getters = GetterFactory(mapping.missing)
        vintage = mapping.vintage
        self.file_series_options = None
        if mapping.series is not None and vintage is not None:
            self.file_series_options = FileSeriesOptions(mapping.series, vintage.on_change, vintage.complete)
        self._key_getters = self._compile_key(vintage.key) if vintage else []
        self._vintage_getter = self._getters.text_getter(vintage.date if vintage else None)
        self._derived_columns = [(name, self._getters.text_getter(value)) for name, value in mapping.columns.items()]
        self._skip_rules = [(self._getters.predicate(skip), skip.reason) for skip in mapping.skip]
        self._day_checks = [(check, self._getters.text_getter(check.date), check.first) for check in mapping.days]
        self._claim_builders = [self._compile_claim(claim_name, claim) for claim_name, claim in mapping.claims.items()]
        self._record_builders = [
            _RecordBuilder(
                *RECORD_TYPES[new.kind],
                self._getters.path_getter(new.over) if new.over else None,
                self._getters.text_getter(new.slug),
                self._compile_record(resolve_unstated(new.fields)),
            )
            for new in mapping.new
        ]
        self._usage = read_usage(mapping)
        self.columns: ColumnUsage | None = self._usage
        self._usage.found_paths = self._getters.found_paths
        self._validated_records: dict[tuple[str, str], Input] = {}
        self.records = self._collect_records()

    def _collect_records(self) -> Sequence[tuple[RecordType, str, Input]]:
        """Return the records that the mapping declares, each after the records that it refers to."""
        tables: list[tuple[RecordType, dict[str, Any]]] = [
            (CATEGORY, dict(self.mapping.categories)),
            (SUBJECT, dict(self.mapping.subjects)),
            (PLACE, dict(self.mapping.places)),
            (SOURCE, dict(self.mapping.sources)),
        ]
        return [(kind, slug, record) for kind, table in tables for slug, record in sort_records(kind, table)]

    def check_header(self, names: Sequence[str]) -> None:
        """Accept any column names: those that the mapping needs are looked up in each row."""

    def vintage_of(self, file: str) -> date | None:
        """Return the date of a file, from its name. Raises `MappingRefused` for what is not a date."""
        try:
            day = self._vintage_getter({"_file": file})
        except UnreadableValue as error:
            raise MappingRefused(f"The day of {file} cannot be read: {error}") from None
        try:
            return date.fromisoformat(day) if day else None
        except ValueError:
            raise MappingRefused(f"The day of {file} is read as `{day}`, which is not a date.") from None

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:
        """Return the drafts of one row, its anomalies and its faults."""
        day = vintage.isoformat() if vintage else None
        scope: dict[str, Any] = {**row.data, "_file": row.file, "_line": row.line, "_vintage": day}
        mapped_row = MappedRow()
        try:
            for column, derive in self._derived_columns:
                scope[column] = derive(scope)
            if reason := next((reason for holds, reason in self._skip_rules if holds(scope)), None):
                mapped_row.skip_reason = reason
                return mapped_row
            self._check_row(row, scope, mapped_row)
            if mapped_row.skip_reason:
                return mapped_row
            for record in self._record_builders:
                for inner in _scopes_over(record.over, scope, self._usage):
                    self._add_record(record.kind, record.model, record.slug(inner), record.build(inner), mapped_row)
            first: dict[str, list[int]] = {}
            for claim in self._claim_builders:
                self._add_claim_drafts(claim, scope, mapped_row, first)
        except UnreadableValue as error:
            mapped_row.faults.append(_describe_unreadable("", error))
        self._add_relations(first if not mapped_row.faults else {}, mapped_row)
        return mapped_row

    def _add_relations(self, first: dict[str, list[int]], mapped_row: MappedRow) -> None:
        """Add the relations between the claims of a row; two lists of equal length are paired in order."""
        for relation in self.mapping.relations:
            ones, others = first.get(relation.claim, []), first.get(relation.to, [])
            pairs = zip(ones, others, strict=True) if len(ones) == len(others) else product(ones, others)
            mapped_row.relations += [
                (one, relation.type.value, other) for one, other in islice(pairs, MAX_RELATIONS_PER_ROW + 1)
            ]
        if len(mapped_row.relations) > MAX_RELATIONS_PER_ROW:
            mapped_row.faults.append(f"The row has more than {MAX_RELATIONS_PER_ROW:,} relations.")

    def _add_claim_drafts(
        self, claim: _ClaimBuilder, scope: RowScope, mapped_row: MappedRow, first: dict[str, list[int]]
    ) -> None:
        reason = f"nothing in `over` of {claim.name}" if claim.over is not None else ""
        scopes = _scopes_over(claim.over, {**scope, "_name": claim.name}, self._usage)
        for position, inner in enumerate(scopes, 1):
            try:
                if not claim.applies_to(inner):
                    reason = f"excluded by `only` or `unless` of {claim.name}"
                    continue
                figure = claim.figure(inner)
                if figure is None and claim.is_numeric(inner):
                    reason = f"no figure for {claim.name}"
                    continue
                raw_fields = claim.build(inner)
                is_read = figure is not None and figure.pop(IS_READ, False)
                raw_fields["figure"] = figure or {"as_printed": raw_fields.get("note") or claim.name}
                key = self._row_key(claim, inner)
            except UnreadableValue as error:
                mapped_row.faults.append(_describe_unreadable(claim.name, error))
                continue
            first.setdefault(claim.name, []).append(len(mapped_row.drafts))
            draft = ClaimDraft(claim.name, raw_fields, key, has_unstated_decimal=is_read, text_fields=claim.text_fields)
            if claim.over is not None:
                draft.element, draft.is_element_without_key = position, not claim.key
            mapped_row.drafts.append(draft)
        if reason and len(mapped_row.empty_reasons) < MAX_EMPTY_REASONS:
            mapped_row.empty_reasons.append(reason)

    def _compile_key(self, parts: Sequence[ValueExpression]) -> list[tuple[TextGetter, str]]:
        """Return the functions for the parts of a key, each with a description of where it is read."""
        return [(self._getters.text_getter(part), describe_origin(part)) for part in parts]

    def _row_key(self, claim: _ClaimBuilder, scope: RowScope) -> str | None:
        if not self._key_getters:
            return None
        parts = []
        for get_text, origin in (*self._key_getters, *claim.key):
            if (part := get_text(scope)) is None:
                key_name = "`key` of its element" if (get_text, origin) in claim.key else "`vintage.key`"
                raise UnreadableValue(f"The row has no key. {origin} is empty.", f"it is part of {key_name}")
            parts.append(part)
        key = "|".join([*parts, claim.name])
        if "\0" in key:
            raise UnreadableValue("The key of the row contains a NUL character.")
        return key if len(key) <= MAX_KEY_CHARACTERS else f"{key[:150]}…{sha256(key.encode()).hexdigest()}"

    def _check_row(self, row: FileRow, scope: RowScope, mapped_row: MappedRow) -> None:
        location = RowLocation(row.file, row.line)
        for column in self.mapping.labels:
            label = self._getters.to_text(scope.get(column))
            if label and (anomaly := find_label_anomaly(location, column, label)):
                mapped_row.anomalies.append(anomaly)
        for check, on, first in self._day_checks:
            row_date = on(scope)
            try:
                day = date.fromisoformat(row_date) if row_date else None
            except ValueError:
                continue  # the validation of the claim reports it
            value = scope.get(check.column)
            if (
                day is not None
                and value is not None
                and (anomaly := find_day_anomaly(location, check.column, value, day, first))
            ):
                mapped_row.anomalies.append(anomaly)
                if check.skip:
                    mapped_row.skip_reason = f"`{check.column}` does not match the date"

    def _add_record(
        self, kind: RecordType, model: type[Input], slug: str | None, fields: dict[str, Any], mapped_row: MappedRow
    ) -> None:
        if not slug:
            return
        if (kind.name, slug) not in self._validated_records:
            if re.fullmatch(SLUG_PATTERN, slug) is None or len(slug) > MAX_SLUG_CHARACTERS:
                mapped_row.faults.append(
                    f"`{slug}` is not a slug of a {kind.name} (`slug = true` converts text to a slug)"
                )
                return
            try:
                self._validated_records[kind.name, slug] = model.model_validate(fields)
            except ValidationError as error:
                messages = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
                mapped_row.faults.append(f"The {kind.name} `{slug}`: {messages}")
                return
        mapped_row.records.append((kind, slug, self._validated_records[kind.name, slug]))

    def _compile_claim(self, name: str, claim: ClaimMap) -> _ClaimBuilder:
        fields = self._getters
        getters = {
            field: fields.text_getter(getattr(claim, field))
            for field in TEXT_FIELDS
            if getattr(claim, field) is not None
        }
        scopes = {
            field: [fields.text_getter(slug) for slug in getattr(claim, field)] for field in ("includes", "excludes")
        }
        period, cite = _period_builder(fields, claim.period), _citation_builder(fields, claim.citation)
        confidence = claim.confidence
        assessed = (
            {f: fields.text_getter(getattr(confidence, f)) for f in type(confidence).model_fields} if confidence else {}
        )

        def build(scope: RowScope) -> dict[str, Any]:
            raw_fields: dict[str, Any] = {
                field: text for field, get_text in getters.items() if (text := get_text(scope))
            }
            for field, slugs in scopes.items():
                if slugs:
                    raw_fields[field] = [text for get_text in slugs if (text := get_text(scope))]
            raw_fields["period"] = period(scope)
            raw_fields["citations"] = [cite(scope)]
            if assessed:
                raw_fields["confidence"] = _read_texts(assessed, scope)
            return raw_fields

        over = fields.path_getter(claim.over) if claim.over else None
        key = self._compile_key(claim.key)
        only, unless = [fields.predicate(c) for c in claim.only], [fields.predicate(c) for c in claim.unless]
        is_numeric = _numeric_predicate(fields, claim)
        printed = claim.figure
        if printed.printed is None and not isinstance(claim.proposition, str):
            printed = printed.model_copy(update={"printed": Pick(column=name)})
        read_number, read_wording = figure_getter(fields, claim.figure, name), wording_getter(fields, printed)

        def read_either(scope: RowScope) -> FigureFields | None:
            return read_number(scope) if is_numeric(scope) else read_wording(scope)

        figure: Callable[[RowScope], FigureFields | None] = read_either
        if isinstance(claim.proposition, str):  # the same for every row
            figure = read_number if claim.proposition in NUMERIC_PROPOSITIONS else read_wording
        text_fields = find_text_fields(claim, self.mapping.columns)
        return _ClaimBuilder(name, over, key, only, unless, figure, is_numeric, build, text_fields)

    def _compile_record(self, fields: dict[str, Any]) -> InputBuilder:
        getters = {name: self._compile_field(value) for name, value in fields.items() if value is not None}
        unstated = dict.fromkeys(name for name, value in fields.items() if value is None)

        def build(scope: RowScope) -> dict[str, Any]:
            record_fields = {name: get(scope) for name, get in getters.items()}
            return {**unstated, **{name: value for name, value in record_fields.items() if value is not None}}

        return build

    def _compile_field(self, value: Any) -> Callable[[RowScope], Any]:  # noqa: ANN401 - a validated expression
        """Return the function that reads a field of a new record from a row."""
        if isinstance(value, bool):
            return lambda _scope: value
        if isinstance(value, list):
            texts = [self._getters.text_getter(part) for part in value]
            return lambda scope: [text for get_text in texts if (text := get_text(scope))]
        if isinstance(value, SubjectTextMap | CategoryTextMap):
            return self._compile_record({name: part for name, part in value if part is not None})
        return self._getters.text_getter(value)


def _numeric_predicate(fields: GetterFactory, claim: ClaimMap) -> Callable[[RowScope], bool]:
    """Return the function that tells whether the proposition of a row has a figure."""
    if isinstance(claim.proposition, str):
        numeric = claim.proposition in NUMERIC_PROPOSITIONS
        return lambda _scope: numeric
    proposition = fields.text_getter(claim.proposition)
    return lambda scope: (proposition(scope) or "quantity") in NUMERIC_PROPOSITIONS


def _describe_unreadable(name: str, error: UnreadableValue) -> str:
    message = f"{name}: {error}" if name else str(error)
    return f"{message} ({error.hint})" if error.hint else message


def _read_texts(getters: dict[str, TextGetter], scope: RowScope) -> dict[str, str]:
    return {name: text for name, get_text in getters.items() if (text := get_text(scope)) is not None}


def _period_builder(fields: GetterFactory, mapped: PeriodMap) -> InputBuilder:
    getters = {name: fields.text_getter(getattr(mapped, name)) for name in ("edtf", "on", "start", "end", "hours")}
    aggregation, per = fields.text_getter(mapped.aggregation), fields.text_getter(mapped.per)

    def build(scope: RowScope) -> dict[str, Any]:
        texts = _read_texts(getters, scope)
        end = texts.get("end") or texts.get("on")
        if "edtf" in texts:
            edtf = texts["edtf"]
        elif "hours" in texts and end:
            edtf = _period_of_hours(texts["hours"], end)
        elif "on" in texts:
            edtf = texts["on"]
        elif "start" in texts or end:
            edtf = f"{texts.get('start', '')}/{end or '..'}"
        else:
            raise UnreadableValue("The row has no period.", "give `period.edtf`, `on`, or `start` and `end`")
        raw_fields = {"edtf": edtf, "aggregation": aggregation(scope)}
        return {**raw_fields, "per": unit} if (unit := per(scope)) else raw_fields

    return build


def _period_of_hours(hours: str, end: str) -> str:
    """Return the period of the days that overlap the `hours` before the end of the day `end`."""
    try:
        days, last = ceil(float(hours) / HOURS_PER_DAY), date.fromisoformat(end)
        first = last - timedelta(days=days - 1)
    except (ValueError, OverflowError):
        raise UnreadableValue(f"`{hours}` hours before `{end}` are not a period.") from None
    if days < 1:
        raise UnreadableValue(f"A period of {hours} hours covers nothing.")
    return end if days == 1 else f"{first}/{end}"


def _citation_builder(fields: GetterFactory, mapped: CitationMap) -> InputBuilder:
    document = {name: fields.text_getter(getattr(mapped.document, name)) for name in type(mapped.document).model_fields}
    addresses = [name for name in ("url", "archive_url") if getattr(mapped.document, name) is not None]
    own = {
        name: fields.text_getter(getattr(mapped, name))
        for name in type(mapped).model_fields
        if name not in {"document", "via"} and getattr(mapped, name) is not None
    }
    via = [fields.text_getter(source) for source in mapped.via]

    def build(scope: RowScope) -> dict[str, Any]:
        links = [text for get_text in via if (text := get_text(scope))]
        texts = _read_texts(document, scope)
        texts |= {name: encode_url(texts[name]) for name in addresses if name in texts}
        return {"document": texts, **_read_texts(own, scope), "via": links}

    return build


def encode_url(address: str) -> str:
    """Encode an address in ASCII, like browsers, so that one page has one spelling."""
    return address if address.isascii() else quote(address, safe="%!#$&'()*+,/:;=?@[]~")
