"""Rows taken in: each becomes drafts, each draft is checked by every rule, compared with the register, and staged."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session
from uuid_utils import uuid7

from app.changes.bulk import Form
from app.changes.clock import View, view_of
from app.claims.checking import Checked, check_claim, citation_columns, fingerprint
from app.claims.known import Card, Known
from app.claims.schemas import CitationInput, ClaimInput
from app.db import Database
from app.imports.comparing import Recorded, look_up, other_transcriptions, series_name
from app.imports.files import Row
from app.imports.outcomes import Decision, Outcome, Said, by_id, decide
from app.imports.plan import Draft, Drafted, Plan
from app.imports.smells import Place, Smell, differing_transcriptions, figure_smells
from app.imports.staging import Stage, Staged
from app.problems import InvalidRequest
from app.shapes import Input
from app.sources.queries import documents_named
from app.tables import AssessmentVersion, CitationVersion, ClaimVersion, DocumentVersion
from app.vocabulary.slugged import Slugged
from app.vocabulary.terms import Aggregation, Status

EXAMPLES = 5
"""So many examples of each outcome are kept for the summary."""

MOST_SMELLS = 1_000
"""So many smells are kept with their words; the others are counted."""


@dataclass(slots=True)
class Forms:
    """How the tables are written that an import fills."""

    claim: Form
    citation: Form
    assessment: Form
    document: Form

    @classmethod
    def of(cls, database: Database) -> "Forms":
        """The forms for a database."""
        tables = (ClaimVersion, CitationVersion, AssessmentVersion, DocumentVersion)
        return cls(*(Form(table, database.writer.dialect) for table in tables))


@dataclass(slots=True)
class Tally:
    """What came of the rows so far, in numbers and with a few examples of each."""

    rows: int = 0
    refused: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    smell_counts: Counter[str] = field(default_factory=Counter)
    smells: list[Smell] = field(default_factory=list)
    vanished: int = 0
    remembered: int = 0
    """Rows of a series whose words are noted, so that they are known again."""

    def note(self, outcome: str, example: str) -> None:
        """Keep an example, if there are not enough yet."""
        if len(kept := self.examples.setdefault(outcome, [])) < EXAMPLES:
            kept.append(example)

    def skip(self, made: Drafted) -> None:
        """Count a row that holds no claim; what it smells of is told all the same."""
        self.skipped[made.skipped or ""] += 1
        for smell in made.smells:
            self.smell(smell)

    def smell(self, smell: Smell) -> None:
        """Count a smell, and keep it if there are not too many."""
        self.smell_counts[smell.kind.value] += 1
        if len(self.smells) < MOST_SMELLS:
            self.smells.append(smell)


@dataclass(slots=True)
class _Ready:
    """A draft that keeps every rule."""

    row: Row
    draft: Draft
    given: ClaimInput
    checked: Checked
    print: str
    documents: list[Card] = field(default_factory=list)
    claim: str = ""


class Intake:
    """Takes in the rows of one import, some at a time, each time in a short session of its own."""

    def __init__(self, database: Database, plan: Plan, stage: Stage, import_id: str, *, strict: bool) -> None:
        self.database = database
        self.plan = plan
        self.stage = stage
        self.import_id = import_id
        self.strict = strict
        self.tally = Tally()
        self.seq: int | None = None
        """The state of the register that everything was compared with, at the earliest."""
        self.records: dict[tuple[str, str], tuple[Slugged, str, Input]] = {}
        self.repairs = 0
        self.assessments = 0
        self.oldest_vintage: date | None = None
        self._forms = Forms.of(database)
        self._known: Known | None = None
        self._vintages: dict[str, date | None] = {}
        self.given_vintage: date | None = None

    def take(self, rows: Sequence[Row]) -> None:
        """Take in some rows."""
        self.tally.rows += len(rows)
        drafted = [(row, self.plan.draft(row, self._vintage(row.file))) for row in rows]
        with self.database.read() as session:
            view = view_of(session)
            self.seq = view.seq if self.seq is None else min(self.seq, view.seq)
            known = self._open(session, view)
            ready, relations = self._check(known, drafted)
            self._settle_documents(session, view, known, ready)
            self._keep_keys_apart(ready)
            register = self._recorded(session, view, ready)
            waiting = self.stage.staged_prints(each.print for each in ready)
            staged = [self._decided(known, each, register, waiting) for each in ready]
            self._smell_transcriptions(session, view, staged, ready)
        self.stage.add(staged)
        for one, type_, other in relations:
            if {one.claim, other.claim} & self._fresh(staged):
                self.stage.relate(one.claim, type_, other.claim)

    def refuse(self, row: Row | Place, reasons: Sequence[str]) -> None:
        """Refuse a row, with all claims that it gives."""
        if self.stage.is_refused(row.file, row.line) is None:
            self.tally.refused += 1
        self.stage.refuse(row.file, row.line, reasons)
        self.tally.note(Outcome.refused, f"{row.file}, line {row.line}: {reasons[0]}")

    def _open(self, session: Session, view: View) -> Known:
        if self._known is None:
            self._known = Known(session, view)
            self._promise(self.plan.records)
        self._known.session, self._known.view = session, view
        return self._known

    def _promise(self, records: Iterable[tuple[Slugged, str, Input]]) -> None:
        """Note the sources, categories, subjects and places that will be recorded, where they are not yet."""
        assert self._known is not None  # noqa: S101 - opened first
        for kind, slug, given in records:
            if not self._known.has(kind, slug):
                self.records[kind.name, slug] = (kind, slug, given)
                self._known.promise(kind, slug, given.model_dump())

    def _check(
        self, known: Known, drafted: Iterable[tuple[Row, Drafted]]
    ) -> tuple[list[_Ready], list[tuple[_Ready, str, _Ready]]]:
        """The drafts that keep every rule, and the relations between them."""
        drafted = list(drafted)
        parsed = [(row, made, self._parse(row, made)) for row, made in drafted]
        cited = (cite.document.url for _, _, inputs in parsed for given in inputs for cite in given.citations)
        addresses = {url for url in cited if url}
        known.look_up(addresses)
        for card in self.stage.documents_at(addresses).values():
            known.promise_document(card)
        ready: list[_Ready] = []
        relations: list[tuple[_Ready, str, _Ready]] = []
        for row, made, inputs in parsed:
            for smell in made.smells:
                self.tally.smell(smell)
            if made.skipped:
                self.tally.skipped[made.skipped] += 1
                continue
            self._promise(made.records)
            if (mine := self._checked(known, row, made, inputs)) is not None:
                ready += mine
                relations += [(mine[one], type_, mine[other]) for one, type_, other in made.relations]
        return ready, relations

    def _checked(self, known: Known, row: Row, made: Drafted, inputs: Sequence[ClaimInput]) -> list[_Ready] | None:
        """The drafts of one row, all of them right; None where the row is refused."""
        mine: list[_Ready] = []
        reasons = list(made.faults)
        for draft, given in zip(made.drafts, inputs, strict=False):
            try:
                checked = check_claim(known, given)
            except InvalidRequest as wrong:
                reasons += [_reason(draft, fault.pointer, fault.detail, fault.hint) for fault in wrong.errors]
                continue
            if draft.retracted_on:
                checked.state.update(status=Status.retracted, retracted_on=draft.retracted_on)
            mine.append(_Ready(row, draft, given, checked, checked.state["fingerprint"]))
        smells = [smell for each in mine for smell in _figure_smells(each)]
        for smell in smells:
            self.tally.smell(smell)
        if self.strict:
            reasons += [smell.detail for smell in (*made.smells, *smells)]
        if reasons:
            self.refuse(row, reasons)
            return None
        return mine

    @staticmethod
    def _parse(row: Row, made: Drafted) -> list[ClaimInput]:  # noqa: ARG004 - faults are the row's
        inputs = []
        for draft in made.drafts:
            try:
                inputs.append(ClaimInput.model_validate(draft.given))
            except ValidationError as wrong:
                for error in wrong.errors():
                    where = "/".join(str(step) for step in error["loc"])
                    made.faults.append(_reason(draft, where, error["msg"].removeprefix("Value error, "), None))
        return [] if made.faults else inputs

    def _settle_documents(self, session: Session, view: View, known: Known, ready: Sequence[_Ready]) -> None:
        """Find the document of every citation, or stage a new one: of one address, or name, there is one."""
        nameless = {
            cite.document.title
            for each in ready
            for cite, recorded in zip(each.given.citations, each.checked.documents, strict=True)
            if recorded is None and cite.document.url is None and cite.document.title
        }
        named = documents_named(session, nameless, view) if nameless else {}
        for each in ready:
            for cite, recorded in zip(each.given.citations, each.checked.documents, strict=True):
                each.documents.append(recorded or self._document(known, cite, named))

    def _document(self, known: Known, cite: CitationInput, named: Mapping[tuple[str, str | None], Card]) -> Card:
        given = cite.document
        if given.url is not None and (card := known.document_at(given.url)) is not None:
            return card
        address = given.url or f"{given.title}\n{given.publisher or ''}"
        if given.url is None:
            if card := named.get((given.title or "", given.publisher)):
                return card
            if card := self.stage.documents_at([address]).get(address):
                return card
        state = {**given.model_dump(), "id": given.id or str(uuid7())}
        card = {**{name: state[name] for name in state if name != "publisher_name"}, "publisher_name": None}
        self.stage.add_document(state["id"], address, {**state, "values": self._forms.document.values(state)})
        known.promise_document(card)
        return card

    def _keep_keys_apart(self, ready: Sequence[_Ready]) -> None:
        """Two rows of one file with one key are two rows: the second is known again as such."""
        taken = self.stage.keys_among(each.draft.key for each in ready if each.draft.key)
        for each in ready:
            if (key := each.draft.key) is None:
                continue
            number, own = 1, key
            while own in taken or (number > 1 and self.stage.keys_among([own])):
                number += 1
                own = f"{key} ({number})"
            each.draft.key = own
            taken.add(own)

    def _recorded(self, session: Session, view: View, ready: Sequence[_Ready]) -> Recorded:
        prints = [each.print for each in ready]
        ids = [each.draft.id for each in ready if each.draft.id]
        keys = [each.draft.key for each in ready if each.draft.key]
        return look_up(session, view, prints, ids, keys, self.plan.vintages)

    def _smell_transcriptions(
        self, session: Session, view: View, staged: Sequence[Staged], ready: Sequence[_Ready]
    ) -> None:
        """One source cannot have said two figures of one thing on one day: one of the two transcriptions slipped."""
        fresh = [
            each
            for each, one in zip(ready, staged, strict=True)
            if one.outcome is Outcome.new and one.value is not None and each.checked.state["date"] is not None
        ]
        states = [each.checked.state for each in fresh]
        for index, claim, figure in other_transcriptions(session, view, states):
            each, state = fresh[index], states[index]
            place = Place(each.row.file, each.row.line)
            smell = differing_transcriptions(
                series_name(state), state["date"], state["magnitude"], figure, (place,), f"claim {claim}"
            )
            self.tally.smell(smell)
            if self.strict:
                self.refuse(each.row, [smell.detail])

    def _decided(self, known: Known, each: _Ready, register: Recorded, waiting: dict[str, str]) -> Staged:
        """The claim as it waits: what becomes of it, and what is to be written."""
        draft, print_ = each.draft, each.print
        same = register.same.get(print_)
        said = register.said.get(draft.key or "", ())
        vintage = self._vintage(each.row.file) or known.today
        if (earlier := waiting.get(print_)) is not None and not said:
            decision = Decision(Outcome.unchanged, earlier)
            cited = register.cited.setdefault(earlier, set())
            cited |= self.stage.cited_in(print_)
            body = self._cite_more(known, each, earlier, cited)
        elif draft.id is not None:
            decision = by_id(print_, same, register.named.get(draft.id))
            body = {}
        else:
            on_change = self.plan.vintages.on_change if self.plan.vintages else "report"
            decision = decide(print_, same, said, vintage, on_change)
            body = {}
        if decision.outcome is Outcome.changed:
            decision, body = self._change(known, each, decision, vintage)
        elif decision.outcome is Outcome.new:
            decision = Decision(Outcome.new, draft.id or str(uuid7()))
            body = self._new(known, each, decision.claim or "", self._dated(each))
        elif decision.outcome in {Outcome.cited, Outcome.unchanged} and not body:
            assert decision.claim is not None  # noqa: S101 - it stands
            body = self._cite_more(known, each, decision.claim, register.cited.get(decision.claim, set()))
            decision = Decision(Outcome.cited if body else Outcome.unchanged, decision.claim)
        each.claim = decision.claim or ""
        if body:
            register.cited.setdefault(each.claim, set()).update(document["id"] for document in each.documents)
        waiting.setdefault(print_, each.claim)
        self._remember(each, decision, said, vintage, body)
        if decision.outcome is not Outcome.new:
            self.tally.note(decision.outcome, f"{_where(each.row)}: {_spoken(each)}")
        state = each.checked.state
        return Staged(
            each.row.file,
            each.row.line,
            decision.outcome,
            print_,
            each.claim,
            draft.key,
            self.stage.series(series_name(state), running=state["aggregation"] == Aggregation.cumulative),
            state["period_end"].isoformat() if state["period_end"] else None,
            state["magnitude"],
            body,
        )

    def _new(self, known: Known, each: _Ready, id_: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """What is written of a new claim."""
        body: dict[str, Any] = {
            "claim": self._forms.claim.values({**state, "id": id_, "import_id": self.import_id}),
            "citations": self._citations(known, each, id_, ()),
        }
        if (assessed := each.given.confidence) is not None:
            self.assessments += 1
            named = {name: getattr(assessed, name) for name in type(assessed).model_fields}
            assessment = {**named, "id": str(uuid7()), "claim": id_, "withdrawn": False}
            assessment["assessor"] = assessed.assessor or self.plan.name
            assessment["assessed_on"] = assessed.assessed_on or known.today
            body["assessment"] = [assessment["id"], self._forms.assessment.values(assessment)]
        return body

    def _dated(self, each: _Ready) -> Mapping[str, Any]:
        """A claim without a day of its own was said on that of its file at the latest, where that is known."""
        state, day = each.checked.state, self._vintage(each.row.file)
        if day is None or self.plan.vintages is None or state["date"] is not None or state["date_edtf"] is not None:
            return state
        dated = {**state, "date": day, "date_edtf": day.isoformat()}
        return dated | {"fingerprint": fingerprint(dated)}

    def _citations(self, known: Known, each: _Ready, claim: str, but: Iterable[str]) -> list[list[Any]]:
        """The rows of the citations, with their ids and documents, except in the documents `but`."""
        made = []
        for cite, document in zip(each.given.citations, each.documents, strict=True):
            if document["id"] not in but:
                columns = citation_columns(known, cite, claim, each.given.source, document)
                id_ = str(uuid7())
                made.append([id_, document["id"], self._forms.citation.values({**columns, "id": id_})])
        return made

    def _cite_more(self, known: Known, each: _Ready, claim: str, cited: set[str]) -> dict[str, Any]:
        """The citations that a claim, which stands already, does not have yet."""
        more = self._citations(known, each, claim, cited)
        return {"citations": more} if more else {}

    def _change(self, known: Known, each: _Ready, decision: Decision, vintage: date) -> tuple[Decision, dict[str, Any]]:
        """A row that said something else before: a claim of its own, or a repair of ours."""
        assert self.plan.vintages is not None  # noqa: S101 - only a series changes
        assert decision.claim is not None  # noqa: S101 - it stands
        told = f"{_where(each.row)} gives {each.given.figure.as_printed}"
        if self.plan.vintages.on_change == "fix":
            self.repairs += 1
            changes = {**each.draft.given}
            changes.pop("citations")
            changes.pop("confidence", None)
            return decision, {"fix": {"changes": changes, "reason": f"{told}; an earlier file gave another figure."}}
        day = max(vintage, each.checked.state["date"] or vintage)
        state = {**each.checked.state, "date": day, "date_edtf": day.isoformat()}
        state["fingerprint"] = fingerprint(state)
        id_ = str(uuid7())
        self.stage.relate(id_, "supersedes", decision.claim, f"{told}; an earlier file gave another figure.")
        return Decision(Outcome.changed, id_), self._new(known, each, id_, state)

    def _remember(
        self, each: _Ready, decision: Decision, said: Sequence[Said], vintage: date, body: dict[str, Any]
    ) -> None:
        """Note what the row said, so that it is known again, unless that is remembered."""
        remembered = {Outcome.new, Outcome.cited, Outcome.unchanged, Outcome.changed}
        if each.draft.key is None or self.plan.vintages is None or decision.outcome not in remembered:
            return
        if not any(before.print == each.print for before in said):
            self.tally.remembered += 1
            body["said"] = [each.draft.key, each.print, vintage.isoformat()]

    def _vintage(self, file: str) -> date | None:
        if file not in self._vintages:
            day = self.given_vintage or self.plan.vintage(file)
            self._vintages = {file: day}
            if day is not None:
                self.oldest_vintage = min(day, self.oldest_vintage or day)
        return self._vintages[file]

    @staticmethod
    def _fresh(staged: Sequence[Staged]) -> set[str]:
        return {each.claim for each in staged if "claim" in each.body}


def _figure_smells(each: _Ready) -> Iterable[Smell]:
    state = each.checked.state
    if state["lower"] is None and state["upper"] is None:
        return ()
    place = Place(each.row.file, each.row.line)
    return figure_smells(place, state["category"], state["value"], state["lower"], state["upper"])


def _reason(draft: Draft, where: str, detail: str, hint: str | None) -> str:
    where = where.removeprefix("#/")
    said = f"{draft.name}: " if draft.name else ""
    return f"{said}{where}: {detail}" + (f" ({hint})" if hint else "")


def _where(row: Row) -> str:
    return f"{row.file}, line {row.line}"


def _spoken(each: _Ready) -> str:
    given = each.given
    return f"{given.source}: {given.figure.as_printed} {given.category} ({given.period.edtf})"
