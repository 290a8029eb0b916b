"""A mapping at work: each row becomes the drafts of the claims that the mapping declares."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from itertools import islice, product
from math import ceil
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from app.http.schema_types import SLUG_PATTERN, Input
from app.imports.mappings.fields import GetterFactory, RowScope, TextGetter, UnreadableValue, path_getter
from app.imports.mappings.figures import FigureFields, figure_getter, wording_getter
from app.imports.mappings.schema import CitationMap, ClaimMap, Mapping, PeriodMap
from app.imports.pipeline.record_order import sort_records
from app.imports.pipeline.row_mapping import ClaimDraft, MappedRow, SeriesOptions
from app.imports.quality.anomalies import RowLocation, find_day_anomaly, find_label_anomaly
from app.imports.readers.options import FileRow, MappingRefused
from app.sources.queries import SOURCE
from app.sources.schemas import SourceInput
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.schemas import PlaceInput, SubjectInput
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
    "note",
)
RECORD_TYPES: dict[str, tuple[RecordType, type[Input]]] = {
    "source": (SOURCE, SourceInput),
    "subject": (SUBJECT, SubjectInput),
    "place": (PLACE, PlaceInput),
}
HOURS_PER_DAY = 24
MAX_RELATIONS_PER_ROW = 1_000
"""Relations between the claims of one row."""

MAX_KEY_CHARACTERS = 250
"""Characters of a row's key; of a longer one a hash is kept."""

MAX_SLUG_CHARACTERS = 80
NUMERIC_PROPOSITIONS = frozenset({"quantity", "ratio"})
InputBuilder = Callable[[RowScope], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _ClaimBuilder:
    """What makes the drafts of one claim of the mapping."""

    name: str
    over: Callable[[RowScope], Any] | None
    only: list[Callable[[RowScope], bool]]
    unless: list[Callable[[RowScope], bool]]
    figure: Callable[[RowScope], FigureFields | None]
    is_numeric: bool
    build: InputBuilder

    def applies_to(self, scope: RowScope) -> bool:
        """Whether the claim is made of this row."""
        return all(holds(scope) for holds in self.only) and not any(holds(scope) for holds in self.unless)


class MappingRowMapper:
    """The plan of a mapping. Raises `MappingRefused` for templates that cannot be read."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name = name
        self.mapping = mapping
        self.options = mapping.file
        self._getters = GetterFactory(mapping.missing)
        vintage = mapping.vintage
        self.series_options = None
        if mapping.series is not None and vintage is not None:
            self.series_options = SeriesOptions(mapping.series, vintage.on_change, vintage.complete)
        self._key_getters = [self._getters.text_getter(given) for given in vintage.key] if vintage else []
        self._vintage_getter = self._getters.text_getter(vintage.date if vintage else None)
        self._skip_rules = [(self._getters.predicate(skip), skip.reason) for skip in mapping.skip]
        self._day_checks = [(check, self._getters.text_getter(check.date), check.first) for check in mapping.days]
        self._claim_builders = [self._compile_claim(each, claim) for each, claim in mapping.claims.items()]
        self._record_builders = [
            (*RECORD_TYPES[new.kind], self._getters.text_getter(new.slug), self._compile_record(new.fields))
            for new in mapping.new
        ]
        self._validated_records: dict[tuple[str, str], Input] = {}
        self.records = self._collect_records()

    def _collect_records(self) -> Sequence[tuple[RecordType, str, Input]]:
        """What the mapping itself declares, in an order in which nothing refers to what comes later."""
        tables: list[tuple[RecordType, dict[str, Any]]] = [
            (CATEGORY, dict(self.mapping.categories)),
            (SUBJECT, dict(self.mapping.subjects)),
            (PLACE, dict(self.mapping.places)),
            (SOURCE, dict(self.mapping.sources)),
        ]
        return [(kind, slug, given) for kind, table in tables for slug, given in sort_records(kind, table)]

    def vintage_of(self, file: str) -> date | None:
        """The day of a file, as the mapping reads it off the file's name."""
        try:
            found = self._vintage_getter({"_file": file})
        except UnreadableValue as wrong:
            raise MappingRefused(f"The day of {file} cannot be read: {wrong}") from None
        try:
            return date.fromisoformat(found) if found else None
        except ValueError:
            raise MappingRefused(f"The day of {file} is read as `{found}`, which is no date.") from None

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:
        """The drafts of one row, its smells, and what is wrong with it."""
        day = vintage.isoformat() if vintage else None
        scope: dict[str, Any] = {**row.data, "_file": row.file, "_line": row.line, "_vintage": day}
        made = MappedRow()
        try:
            if reason := next((reason for holds, reason in self._skip_rules if holds(scope)), None):
                made.skip_reason = reason
                return made
            self._check_row(row, scope, made)
            if made.skip_reason:
                return made
            for kind, model, slug, build in self._record_builders:
                self._add_record(kind, model, slug(scope), build(scope), made)
            first: dict[str, list[int]] = {}
            for claim in self._claim_builders:
                self._add_claim_drafts(claim, scope, made, first)
        except UnreadableValue as wrong:
            made.faults.append(_describe_unreadable("", wrong))
        self._add_relations(first if not made.faults else {}, made)
        return made

    def _add_relations(self, first: dict[str, list[int]], made: MappedRow) -> None:
        """Relate the claims of a row to each other; two lists of one length pair by pair."""
        for relation in self.mapping.relations:
            ones, others = first.get(relation.claim, []), first.get(relation.to, [])
            pairs = zip(ones, others, strict=True) if len(ones) == len(others) else product(ones, others)
            made.relations += [
                (one, relation.type.value, other) for one, other in islice(pairs, MAX_RELATIONS_PER_ROW + 1)
            ]
        if len(made.relations) > MAX_RELATIONS_PER_ROW:
            made.faults.append(f"The row makes more than {MAX_RELATIONS_PER_ROW:,} relations.")

    def _add_claim_drafts(
        self, claim: _ClaimBuilder, scope: RowScope, made: MappedRow, first: dict[str, list[int]]
    ) -> None:
        items: Iterable[Any] = [{}]
        if claim.over is not None:
            found = claim.over(scope)
            items = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        for item in items:
            inner = {**scope, **(item if isinstance(item, dict) else {"value": item}), "_name": claim.name}
            try:
                if not claim.applies_to(inner):
                    continue
                figure = claim.figure(inner)
                if figure is None and claim.is_numeric:
                    continue
                given = claim.build(inner)
                given["figure"] = figure or {"as_printed": given.get("note") or claim.name}
                key = self._row_key(claim, inner)
            except UnreadableValue as wrong:
                made.faults.append(_describe_unreadable(claim.name, wrong))
                continue
            first.setdefault(claim.name, []).append(len(made.drafts))
            made.drafts.append(ClaimDraft(claim.name, given, key))

    def _row_key(self, claim: _ClaimBuilder, scope: RowScope) -> str | None:
        if not self._key_getters:
            return None
        parts = [pluck(scope) for pluck in self._key_getters]
        if any(part is None for part in parts):
            raise UnreadableValue(
                "The row has nothing to be known again by.", "`vintage.key` names a column that is empty here"
            )
        key = "|".join([*(part or "" for part in parts), claim.name])
        if "\0" in key:
            raise UnreadableValue("What the row is known again by has a NUL character in it.")
        return key if len(key) <= MAX_KEY_CHARACTERS else f"{key[:150]}…{sha256(key.encode()).hexdigest()}"

    def _check_row(self, row: FileRow, scope: RowScope, made: MappedRow) -> None:
        place = RowLocation(row.file, row.line)
        for column in self.mapping.labels:
            label = self._getters.to_text(scope.get(column))
            if label and (smell := find_label_anomaly(place, column, label)):
                made.anomalies.append(smell)
        for check, on, first in self._day_checks:
            said = on(scope)
            try:
                day = date.fromisoformat(said) if said else None
            except ValueError:
                continue  # the claim itself will be refused for it
            value = scope.get(check.column)
            if (
                day is not None
                and value is not None
                and (smell := find_day_anomaly(place, check.column, value, day, first))
            ):
                made.anomalies.append(smell)
                if check.skip:
                    made.skip_reason = f"`{check.column}` counts to another day than the date"

    def _add_record(
        self, kind: RecordType, model: type[Input], slug: str | None, fields: dict[str, Any], made: MappedRow
    ) -> None:
        if slug is None:
            return
        if (kind.name, slug) not in self._validated_records:
            if re.fullmatch(SLUG_PATTERN, slug) is None or len(slug) > MAX_SLUG_CHARACTERS:
                made.faults.append(f"`{slug}` is no slug of a {kind.name} (`slug = true` makes one of any text)")
                return
            try:
                self._validated_records[kind.name, slug] = model.model_validate(fields)
            except ValidationError as wrong:
                told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors())
                made.faults.append(f"The {kind.name} `{slug}`: {told}")
                return
        made.records.append((kind, slug, self._validated_records[kind.name, slug]))

    def _compile_claim(self, name: str, claim: ClaimMap) -> _ClaimBuilder:
        fields = self._getters
        plucks = {
            field: fields.text_getter(getattr(claim, field))
            for field in TEXT_FIELDS
            if getattr(claim, field) is not None
        }
        scopes = {
            field: [fields.text_getter(each) for each in getattr(claim, field)] for field in ("includes", "excludes")
        }
        period, cite = _period_builder(fields, claim.period), _citation_builder(fields, claim.citation)
        confidence = claim.confidence
        assessed = (
            {f: fields.text_getter(getattr(confidence, f)) for f in type(confidence).model_fields} if confidence else {}
        )

        def build(scope: RowScope) -> dict[str, Any]:
            given: dict[str, Any] = {field: text for field, pluck in plucks.items() if (text := pluck(scope))}
            for field, several in scopes.items():
                if several:
                    given[field] = [text for pluck in several if (text := pluck(scope))]
            given["period"] = period(scope)
            given["citations"] = [cite(scope)]
            if assessed:
                given["confidence"] = _read_texts(assessed, scope)
            return given

        over = path_getter(claim.over) if claim.over else None
        only, unless = [fields.predicate(c) for c in claim.only], [fields.predicate(c) for c in claim.unless]
        numeric = claim.proposition in NUMERIC_PROPOSITIONS if isinstance(claim.proposition, str) else True
        figure = figure_getter(fields, claim.figure, name) if numeric else wording_getter(fields, claim.figure)
        return _ClaimBuilder(name, over, only, unless, figure, numeric, build)

    def _compile_record(self, fields: dict[str, Any]) -> InputBuilder:
        plucks = {
            name: value
            if isinstance(value, bool)
            else [self._getters.text_getter(v) for v in value]
            if isinstance(value, list)
            else self._getters.text_getter(value)
            for name, value in fields.items()
        }

        def build(scope: RowScope) -> dict[str, Any]:
            found = {
                name: value
                if isinstance(value, bool)
                else [text for pluck in value if (text := pluck(scope))]
                if isinstance(value, list)
                else value(scope)
                for name, value in plucks.items()
            }
            return {name: value for name, value in found.items() if value is not None}

        return build


def _describe_unreadable(name: str, wrong: UnreadableValue) -> str:
    said = f"{name}: {wrong}" if name else str(wrong)
    return f"{said} ({wrong.hint})" if wrong.hint else said


def _read_texts(plucks: dict[str, TextGetter], scope: RowScope) -> dict[str, str]:
    return {name: text for name, pluck in plucks.items() if (text := pluck(scope)) is not None}


def _period_builder(fields: GetterFactory, mapped: PeriodMap) -> InputBuilder:
    plucks = {name: fields.text_getter(getattr(mapped, name)) for name in ("edtf", "on", "start", "end", "hours")}
    aggregation = fields.text_getter(mapped.aggregation)

    def build(scope: RowScope) -> dict[str, Any]:
        texts = _read_texts(plucks, scope)
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
            raise UnreadableValue("The row says no period.", "give `period.edtf`, `on`, or `start` and `end`")
        return {"edtf": edtf, "aggregation": aggregation(scope)}

    return build


def _period_of_hours(hours: str, end: str) -> str:
    """The days that `hours` up to the end of the day `end` touch."""
    try:
        days, last = ceil(float(hours) / HOURS_PER_DAY), date.fromisoformat(end)
        first = last - timedelta(days=days - 1)
    except (ValueError, OverflowError):
        raise UnreadableValue(f"`{hours}` hours before `{end}` are no period.") from None
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
    via = [fields.text_getter(each) for each in mapped.via]

    def build(scope: RowScope) -> dict[str, Any]:
        links = [text for pluck in via if (text := pluck(scope))]
        texts = _read_texts(document, scope)
        texts |= {name: encode_url(texts[name]) for name in addresses if name in texts}
        return {"document": texts, **_read_texts(own, scope), "via": links}

    return build


def encode_url(address: str) -> str:
    """An address in ASCII, as browsers send it: of one page there is one spelling, whichever a file copied."""
    return address if address.isascii() else quote(address, safe="%!#$&'()*+,/:;=?@[]~")
