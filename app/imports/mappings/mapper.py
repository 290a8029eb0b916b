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
from app.imports.mappings.fields import Fields, Pluck, Scope, Unread, follow
from app.imports.mappings.figures import FigureFields, figure_reader, words_reader
from app.imports.mappings.schema import CitationMap, ClaimMap, Mapping, PeriodMap
from app.imports.pipeline.row_mapping import Draft, Drafted, Vintages
from app.imports.quality.anomalies import Place, day_smell, label_smell
from app.imports.readers.options import MappingRefused
from app.imports.readers.reader import Row
from app.sources.queries import SOURCE
from app.sources.schemas import SourceInput
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.schemas import PlaceInput, SubjectInput
from app.vocabulary.slug_records import RecordType

SIMPLE = (
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
KINDS: dict[str, tuple[RecordType, type[Input]]] = {
    "source": (SOURCE, SourceInput),
    "subject": (SUBJECT, SubjectInput),
    "place": (PLACE, PlaceInput),
}
HOURS_A_DAY = 24
MOST_RELATIONS = 1_000
"""Relations between the claims of one row."""

LONGEST_KEY = 250
"""Characters of a row's key; of a longer one a hash is kept."""

LONGEST_SLUG = 80
NUMERIC = frozenset({"quantity", "ratio"})
Build = Callable[[Scope], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What makes the drafts of one claim of the mapping."""

    name: str
    over: Callable[[Scope], Any] | None
    only: list[Callable[[Scope], bool]]
    unless: list[Callable[[Scope], bool]]
    figure: Callable[[Scope], FigureFields | None]
    numeric: bool
    build: Build

    def wanted(self, scope: Scope) -> bool:
        """Whether the claim is made of this row."""
        return all(holds(scope) for holds in self.only) and not any(holds(scope) for holds in self.unless)


class MappedPlan:
    """The plan of a mapping. Raises `MappingRefused` for templates that cannot be read."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name = name
        self.mapping = mapping
        self.options = mapping.file
        self._fields = Fields(mapping.missing)
        vintage = mapping.vintage
        self.vintages = None
        if mapping.series is not None and vintage is not None:
            self.vintages = Vintages(mapping.series, vintage.on_change, vintage.complete)
        self._key = [self._fields.pluck(given) for given in vintage.key] if vintage else []
        self._day = self._fields.pluck(vintage.date if vintage else None)
        self._skips = [(self._fields.holds(skip), skip.reason) for skip in mapping.skip]
        self._checks = [(check, self._fields.pluck(check.date), check.first) for check in mapping.days]
        self._claims = [self._compiled(each, claim) for each, claim in mapping.claims.items()]
        self._new = [(*KINDS[new.kind], self._fields.pluck(new.slug), self._record(new.fields)) for new in mapping.new]
        self._made: dict[tuple[str, str], Input] = {}
        self.records = self._declared()

    def _declared(self) -> Sequence[tuple[RecordType, str, Input]]:
        """What the mapping itself declares, in an order in which nothing refers to what comes later."""
        tables: list[tuple[RecordType, dict[str, Any]]] = [
            (CATEGORY, dict(self.mapping.categories)),
            (SUBJECT, dict(self.mapping.subjects)),
            (PLACE, dict(self.mapping.places)),
            (SOURCE, dict(self.mapping.sources)),
        ]
        return [(kind, slug, given) for kind, table in tables for slug, given in in_order(kind, table)]

    def vintage(self, file: str) -> date | None:
        """The day of a file, as the mapping reads it off the file's name."""
        try:
            found = self._day({"_file": file})
        except Unread as wrong:
            raise MappingRefused(f"The day of {file} cannot be read: {wrong}") from None
        try:
            return date.fromisoformat(found) if found else None
        except ValueError:
            raise MappingRefused(f"The day of {file} is read as `{found}`, which is no date.") from None

    def draft(self, row: Row, vintage: date | None = None) -> Drafted:
        """The drafts of one row, its smells, and what is wrong with it."""
        day = vintage.isoformat() if vintage else None
        scope: dict[str, Any] = {**row.data, "_file": row.file, "_line": row.line, "_vintage": day}
        made = Drafted()
        try:
            if reason := next((reason for holds, reason in self._skips if holds(scope)), None):
                made.skipped = reason
                return made
            self._check(row, scope, made)
            if made.skipped:
                return made
            for kind, model, slug, build in self._new:
                self._note_record(kind, model, slug(scope), build(scope), made)
            first: dict[str, list[int]] = {}
            for claim in self._claims:
                self._draft_claim(claim, scope, made, first)
        except Unread as wrong:
            made.faults.append(_told("", wrong))
        self._relate(first if not made.faults else {}, made)
        return made

    def _relate(self, first: dict[str, list[int]], made: Drafted) -> None:
        """Relate the claims of a row to each other; two lists of one length pair by pair."""
        for relation in self.mapping.relations:
            ones, others = first.get(relation.claim, []), first.get(relation.to, [])
            pairs = zip(ones, others, strict=True) if len(ones) == len(others) else product(ones, others)
            made.relations += [(one, relation.type.value, other) for one, other in islice(pairs, MOST_RELATIONS + 1)]
        if len(made.relations) > MOST_RELATIONS:
            made.faults.append(f"The row makes more than {MOST_RELATIONS:,} relations.")

    def _draft_claim(self, claim: _Claim, scope: Scope, made: Drafted, first: dict[str, list[int]]) -> None:
        items: Iterable[Any] = [{}]
        if claim.over is not None:
            found = claim.over(scope)
            items = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        for item in items:
            inner = {**scope, **(item if isinstance(item, dict) else {"value": item}), "_name": claim.name}
            try:
                if not claim.wanted(inner):
                    continue
                figure = claim.figure(inner)
                if figure is None and claim.numeric:
                    continue
                given = claim.build(inner)
                given["figure"] = figure or {"as_printed": given.get("note") or claim.name}
                key = self._row_key(claim, inner)
            except Unread as wrong:
                made.faults.append(_told(claim.name, wrong))
                continue
            first.setdefault(claim.name, []).append(len(made.drafts))
            made.drafts.append(Draft(claim.name, given, key))

    def _row_key(self, claim: _Claim, scope: Scope) -> str | None:
        if not self._key:
            return None
        parts = [pluck(scope) for pluck in self._key]
        if any(part is None for part in parts):
            raise Unread("The row has nothing to be known again by.", "`vintage.key` names a column that is empty here")
        key = "|".join([*(part or "" for part in parts), claim.name])
        if "\0" in key:
            raise Unread("What the row is known again by has a NUL character in it.")
        return key if len(key) <= LONGEST_KEY else f"{key[:150]}…{sha256(key.encode()).hexdigest()}"

    def _check(self, row: Row, scope: Scope, made: Drafted) -> None:
        place = Place(row.file, row.line)
        for column in self.mapping.labels:
            label = self._fields.text(scope.get(column))
            if label and (smell := label_smell(place, column, label)):
                made.smells.append(smell)
        for check, on, first in self._checks:
            said = on(scope)
            try:
                day = date.fromisoformat(said) if said else None
            except ValueError:
                continue  # the claim itself will be refused for it
            value = scope.get(check.column)
            if day is not None and value is not None and (smell := day_smell(place, check.column, value, day, first)):
                made.smells.append(smell)
                if check.skip:
                    made.skipped = f"`{check.column}` counts to another day than the date"

    def _note_record(
        self, kind: RecordType, model: type[Input], slug: str | None, fields: dict[str, Any], made: Drafted
    ) -> None:
        if slug is None:
            return
        if (kind.name, slug) not in self._made:
            if re.fullmatch(SLUG_PATTERN, slug) is None or len(slug) > LONGEST_SLUG:
                made.faults.append(f"`{slug}` is no slug of a {kind.name} (`slug = true` makes one of any text)")
                return
            try:
                self._made[kind.name, slug] = model.model_validate(fields)
            except ValidationError as wrong:
                told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors())
                made.faults.append(f"The {kind.name} `{slug}`: {told}")
                return
        made.records.append((kind, slug, self._made[kind.name, slug]))

    def _compiled(self, name: str, claim: ClaimMap) -> _Claim:
        fields = self._fields
        plucks = {field: fields.pluck(getattr(claim, field)) for field in SIMPLE if getattr(claim, field) is not None}
        scopes = {field: [fields.pluck(each) for each in getattr(claim, field)] for field in ("includes", "excludes")}
        period, cite = _period(fields, claim.period), _citation(fields, claim.citation)
        confidence = claim.confidence
        assessed = (
            {f: fields.pluck(getattr(confidence, f)) for f in type(confidence).model_fields} if confidence else {}
        )

        def build(scope: Scope) -> dict[str, Any]:
            given: dict[str, Any] = {field: text for field, pluck in plucks.items() if (text := pluck(scope))}
            for field, several in scopes.items():
                if several:
                    given[field] = [text for pluck in several if (text := pluck(scope))]
            given["period"] = period(scope)
            given["citations"] = [cite(scope)]
            if assessed:
                given["confidence"] = _texts(assessed, scope)
            return given

        over = follow(claim.over) if claim.over else None
        only, unless = [fields.holds(c) for c in claim.only], [fields.holds(c) for c in claim.unless]
        numeric = claim.proposition in NUMERIC if isinstance(claim.proposition, str) else True
        figure = figure_reader(fields, claim.figure, name) if numeric else words_reader(fields, claim.figure)
        return _Claim(name, over, only, unless, figure, numeric, build)

    def _record(self, fields: dict[str, Any]) -> Build:
        plucks = {
            name: value
            if isinstance(value, bool)
            else [self._fields.pluck(v) for v in value]
            if isinstance(value, list)
            else self._fields.pluck(value)
            for name, value in fields.items()
        }

        def build(scope: Scope) -> dict[str, Any]:
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


def _told(name: str, wrong: Unread) -> str:
    said = f"{name}: {wrong}" if name else str(wrong)
    return f"{said} ({wrong.hint})" if wrong.hint else said


def _texts(plucks: dict[str, Pluck], scope: Scope) -> dict[str, str]:
    return {name: text for name, pluck in plucks.items() if (text := pluck(scope)) is not None}


def _period(fields: Fields, mapped: PeriodMap) -> Build:
    plucks = {name: fields.pluck(getattr(mapped, name)) for name in ("edtf", "on", "start", "end", "hours")}
    aggregation = fields.pluck(mapped.aggregation)

    def build(scope: Scope) -> dict[str, Any]:
        texts = _texts(plucks, scope)
        end = texts.get("end") or texts.get("on")
        if "edtf" in texts:
            edtf = texts["edtf"]
        elif "hours" in texts and end:
            edtf = _hours_before(texts["hours"], end)
        elif "on" in texts:
            edtf = texts["on"]
        elif "start" in texts or end:
            edtf = f"{texts.get('start', '')}/{end or '..'}"
        else:
            raise Unread("The row says no period.", "give `period.edtf`, `on`, or `start` and `end`")
        return {"edtf": edtf, "aggregation": aggregation(scope)}

    return build


def _hours_before(hours: str, end: str) -> str:
    """The days that `hours` up to the end of the day `end` touch."""
    try:
        days, last = ceil(float(hours) / HOURS_A_DAY), date.fromisoformat(end)
        first = last - timedelta(days=days - 1)
    except (ValueError, OverflowError):
        raise Unread(f"`{hours}` hours before `{end}` are no period.") from None
    if days < 1:
        raise Unread(f"A period of {hours} hours covers nothing.")
    return end if days == 1 else f"{first}/{end}"


def _citation(fields: Fields, mapped: CitationMap) -> Build:
    document = {name: fields.pluck(getattr(mapped.document, name)) for name in type(mapped.document).model_fields}
    addresses = [name for name in ("url", "archive_url") if getattr(mapped.document, name) is not None]
    own = {
        name: fields.pluck(getattr(mapped, name))
        for name in type(mapped).model_fields
        if name not in {"document", "via"} and getattr(mapped, name) is not None
    }
    via = [fields.pluck(each) for each in mapped.via]

    def build(scope: Scope) -> dict[str, Any]:
        links = [text for pluck in via if (text := pluck(scope))]
        texts = _texts(document, scope)
        texts |= {name: sendable(texts[name]) for name in addresses if name in texts}
        return {"document": texts, **_texts(own, scope), "via": links}

    return build


def sendable(address: str) -> str:
    """An address in ASCII, as browsers send it: of one page there is one spelling, whichever a file copied."""
    return address if address.isascii() else quote(address, safe="%!#$&'()*+,/:;=?@[]~")


def in_order(kind: RecordType, table: dict[str, Any]) -> list[tuple[str, Any]]:
    """The records of a table so that each comes after those it refers to. Raises `MappingRefused` for a circle."""
    waiting, ordered = dict(table), list[tuple[str, Any]]()
    own = [name for name, target in kind.references.items() if target is None]
    while waiting:
        ready = [slug for slug, given in waiting.items() if not _referred(given, own) & (waiting.keys() - {slug})]
        if not ready:
            raise MappingRefused(f"These refer to each other in a circle: {', '.join(waiting)}.")
        ordered += [(slug, waiting.pop(slug)) for slug in ready]
    return ordered


def _referred(given: Input, fields: Sequence[str]) -> set[str]:
    values = [getattr(given, name) for name in fields]
    return {word for value in values for word in (value if isinstance(value, list) else [value]) if word}
