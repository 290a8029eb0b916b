"""What is to be written of each claim that a row gives: a new claim, a citation, a repair, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from uuid_utils import uuid7

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitedDocument, ClaimInput
from app.claims.validation import ValidatedClaim, build_citation_columns, compute_fingerprint
from app.database.engine import Database
from app.database.row_encoding import RowEncoder
from app.database.tables import AssessmentVersion, CitationVersion, ClaimVersion, DocumentVersion
from app.enums import Aggregation
from app.imports.pipeline.matching import Recorded, series_name
from app.imports.pipeline.reconciliation import GONE, Decision, Outcome, Said, by_id, decide
from app.imports.pipeline.row_mapping import Draft, Vintages
from app.imports.pipeline.staging import Stage, Staged
from app.imports.readers.reader import Row

STANDS = frozenset({Outcome.new, Outcome.cited, Outcome.unchanged, Outcome.changed})
"""Outcomes after which the row's claim stands in the register."""

Body = dict[str, Any]
State = Mapping[str, Any]


@dataclass(slots=True)
class Forms:
    """How the tables are written that an import fills."""

    claim: RowEncoder
    citation: RowEncoder
    assessment: RowEncoder
    document: RowEncoder

    @classmethod
    def of(cls, database: Database) -> "Forms":
        """The forms for a database."""
        tables = (ClaimVersion, CitationVersion, AssessmentVersion, DocumentVersion)
        return cls(*(RowEncoder(table, database.write_engine.dialect) for table in tables))


@dataclass(slots=True)
class Ready:
    """A draft that keeps every rule.

    `checked.state` is what the row says, `state` what a new claim of it would be: one without a day of its own was said
    on that of its file at the latest. `restated` is the claim that supersedes where the row said something else before.
    """

    n: int
    row: Row
    draft: Draft
    given: ClaimInput
    checked: ValidatedClaim
    documents: list[RecordFields] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    restated: dict[str, Any] | None = None
    claim: str = ""
    outcome: Outcome = Outcome.refused
    fresh: bool = False

    @property
    def print(self) -> str:
        """The fingerprint of what the row says."""
        return str(self.checked.state["fingerprint"])

    @property
    def prints(self) -> list[str]:
        """The fingerprints under which a claim of this row could be recorded."""
        states = [self.state] if self.restated is None else [self.state, self.restated]
        return [str(state["fingerprint"]) for state in states]

    @property
    def new(self) -> bool:
        """Whether a new claim is made of it that nothing came before."""
        return self.outcome is Outcome.new

    @property
    def stands(self) -> bool:
        """Whether its claim stands, now or when all is written."""
        return self.outcome in STANDS


class Desk:
    """Decides what becomes of each draft, and makes the rows that are written of it."""

    def __init__(self, database: Database, stage: Stage, import_id: str, actor: str) -> None:
        self.stage = stage
        self.import_id = import_id
        self.actor = actor
        self.forms = Forms.of(database)
        self.repairs = 0
        self.assessments = 0
        self.retractions = 0
        self._pending: dict[str, tuple[str, dict[str, Any]]] = {}
        """Documents that are written as soon as something is cited from them."""
        self._thought_of: dict[str, RecordFields] = {}
        """The same by their address, or what stands for it."""

    def begin(self) -> None:
        """Begin with other rows: documents that nothing was cited from are forgotten."""
        self._pending.clear()
        self._thought_of.clear()

    def settle(self, each: Ready, vintages: Vintages | None, day: date | None) -> None:
        """Work out what a new claim of a row would be, and one that supersedes."""
        each.state = each.checked.state
        if vintages is None:
            return
        undated = each.state["date"] is None and each.state["date_edtf"] is None
        if day is not None and undated:
            each.state = _said_on(each.state, day)
        if vintages.on_change == "supersede" and day is not None:
            each.restated = _said_on(each.checked.state, max(day, each.checked.state["date"] or day))

    def new_document(self, known: ReferenceLookup, given: CitedDocument) -> RecordFields:
        """A document that is not recorded yet, as a card; it is written once something is cited from it."""
        address = given.url or nameless(given.title, given.publisher)
        if (known_as := self._thought_of.get(address)) is not None:
            return known_as
        if (waiting := self.stage.documents_at([address]).get(address)) is not None:
            return waiting
        free = given.id is not None and known.find_document(given.id) is None and not self.stage.has_document(given.id)
        state = {**given.model_dump(), "id": given.id if free else str(uuid7()), "publisher_name": None}
        self._pending[state["id"]] = (address, {**state, "values": self.forms.document.encode(state)})
        self._thought_of[address] = state
        return state

    def decide(
        self, known: ReferenceLookup, each: Ready, register: Recorded, vintages: Vintages | None, day: date | None
    ) -> Staged | str:
        """The claim as it waits: what becomes of it, and what is to be written; or why the row is refused."""
        said = register.said.get(each.draft.key or "", [])
        decision = self._choice(each, register, said, vintages, day or known.today)
        if isinstance(decision, str):
            return decision
        print_: str | None = None
        body: Body = {}
        match decision.outcome:
            case Outcome.new:
                if each.draft.retracted and each.draft.retracted_on is None:
                    return "The claim was retracted, and the file does not say when: import the NDJSON."
                each.claim, print_ = each.draft.id or str(uuid7()), each.prints[0]
                body = self._new(known, each, each.claim, each.state)
                register.cited[each.claim] = {document["id"] for document in each.documents}
            case Outcome.changed:
                body, print_ = self._changed(known, each, decision, register, day or known.today)
                decision = Decision(each.outcome, each.claim)
            case Outcome.cited | Outcome.unchanged:
                each.claim = decision.claim or ""
                print_ = decision.print
                body = self._cited(known, each, register, print_ or each.print)
                decision = Decision(Outcome.cited if body else Outcome.unchanged, each.claim)
            case _:
                each.claim = decision.claim or ""
        each.outcome, each.fresh = decision.outcome, "claim" in body
        if print_ is not None:
            register.waiting[print_] = each.claim
        if each.draft.id is not None and each.fresh:
            register.ids.add(each.draft.id)
        if each.stands:
            self._remember(each, said, print_ or "", vintages, day, known.today, body)
        return self._staged(each, print_, body)

    def _choice(
        self, each: Ready, register: Recorded, said: list[Said], vintages: Vintages | None, day: date
    ) -> Decision | str:
        print_ = each.prints[0]
        waiting = register.waiting.get(print_)
        if each.draft.id is not None and each.draft.id in register.ids and waiting != each.draft.id:
            return f"The id {each.draft.id} is given to another claim of this file."
        if waiting is not None and not said:
            return Decision(Outcome.unchanged, waiting, print_)
        same = register.same.get(print_)
        if each.draft.id is not None:
            return by_id(print_, same, register.named.get(each.draft.id))
        decision = decide(each.print, same, said, day, vintages.on_change if vintages else "report")
        if decision.outcome is Outcome.changed and vintages is not None and vintages.on_change == "fix" and waiting:
            return Decision(Outcome.unchanged, waiting, print_)
        return decision

    def _new(self, known: ReferenceLookup, each: Ready, id_: str, state: State) -> Body:
        """What is written of a new claim."""
        body: Body = {
            "claim": self.forms.claim.encode({**state, "id": id_, "import_id": self.import_id}),
            "citations": self._citations(known, each, id_, ()),
        }
        self.retractions += state["retracted_on"] is not None
        if (assessed := each.given.confidence) is not None:
            self.assessments += 1
            named = {name: getattr(assessed, name) for name in type(assessed).model_fields}
            assessment = {**named, "id": str(uuid7()), "claim": id_, "withdrawn": False}
            assessment["assessor"] = assessed.assessor or self.actor
            assessment["assessed_on"] = assessed.assessed_on or known.today
            body["assessment"] = [assessment["id"], self.forms.assessment.encode(assessment)]
        return body

    def _changed(
        self, known: ReferenceLookup, each: Ready, decision: Decision, register: Recorded, day: date
    ) -> tuple[Body, str | None]:
        """A row that said something else before: a claim of its own, or a repair of ours."""
        assert decision.claim is not None  # noqa: S101 - it stands
        printed = each.given.figure.as_printed
        told = f"{each.row.file}, line {each.row.line} gives {printed}; an earlier file gave another figure."
        each.outcome = Outcome.changed
        if not decision.supersedes:
            self.repairs += 1
            each.claim = decision.claim
            changes = {
                name: value for name, value in each.draft.given.items() if name not in {"citations", "confidence"}
            }
            return {"fix": {"changes": changes, "reason": told}}, each.print
        restated = each.restated or _said_on(each.checked.state, max(day, each.checked.state["date"] or day))
        print_ = str(restated["fingerprint"])
        stood = register.same.get(print_)
        if stood is not None and stood.status in GONE:
            each.claim, each.outcome = stood.id, GONE[stood.status]
            return {}, None
        known_as = register.waiting.get(print_) or (stood.id if stood else None)
        if known_as is not None:
            each.claim, each.outcome = known_as, Outcome.unchanged
            return self._cited(known, each, register, print_), print_
        each.claim = str(uuid7())
        self.stage.relate(each.claim, "supersedes", decision.claim, told)
        return self._new(known, each, each.claim, restated), print_

    def _cited(self, known: ReferenceLookup, each: Ready, register: Recorded, print_: str) -> Body:
        """The citations that a claim, which stands or waits already, does not have yet."""
        cited = register.cited.setdefault(each.claim, set()) | self.stage.cited_in(print_)
        more = self._citations(known, each, each.claim, cited)
        register.cited[each.claim] |= {document for _, document, _ in more}
        return {"citations": more} if more else {}

    def _citations(self, known: ReferenceLookup, each: Ready, claim: str, but: Iterable[str]) -> list[list[Any]]:
        """The rows of the citations, with their ids and documents, except in the documents `but`."""
        made = []
        for cite, document in zip(each.given.citations, each.documents, strict=True):
            if document["id"] not in but:
                if (pending := self._pending.pop(document["id"], None)) is not None:
                    self.stage.add_document(document["id"], *pending)
                columns = build_citation_columns(known, cite, claim, each.given.source, document)
                id_ = str(uuid7())
                made.append([id_, document["id"], self.forms.citation.encode({**columns, "id": id_})])
        return made

    @staticmethod
    def _remember(
        each: Ready,
        said: list[Said],
        written: str,
        vintages: Vintages | None,
        day: date | None,
        today: date,
        body: Body,
    ) -> None:
        """Note what the row said and of which day, so that it is known again, unless that is remembered."""
        if each.draft.key is None or vintages is None:
            return
        before = next((one for one in said if one.print == each.print), None)
        moved = day is not None and before is not None and day > before.vintage
        if before is None or moved or each.outcome is Outcome.changed:
            vintage = (day or today).isoformat()
            body["said"] = [each.draft.key, each.print, written, vintage, before is not None]

    def _staged(self, each: Ready, print_: str | None, body: Body) -> Staged:
        state = each.checked.state
        return Staged(
            each.n,
            each.row.file,
            each.row.line,
            each.outcome,
            print_,
            each.claim,
            each.draft.key,
            self.stage.series(series_name(state), running=state["aggregation"] == Aggregation.cumulative),
            state["period_end"].isoformat() if state["period_end"] else None,
            state["magnitude"],
            body,
        )


def nameless(title: str | None, publisher: str | None) -> str:
    """What stands for the address of a document that has none."""
    return f"{title}\n{publisher or ''}"


def _said_on(state: State, day: date) -> dict[str, Any]:
    """The same, said on another day."""
    dated = {**state, "date": day, "date_edtf": day.isoformat()}
    return dated | {"fingerprint": compute_fingerprint(dated)}
