"""A simple in-memory model of a register: the expected current state and all past states."""

from bisect import bisect_right
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

ModelState = dict[str, Any]


@dataclass
class ModelClaim:
    """A claim of the model, with its visible fields and its identity."""

    id: str
    marker: str
    category: str
    source: str
    date: str | None
    value: int
    note: str
    citations: list[dict[str, Any]]
    revision: int = 1
    status: str = "asserted"
    retracted_on: str | None = None
    assessments: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Assessment → its level, and whether it was withdrawn; newest last."""

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """The fields that are unique among the claims."""
        return self.category, self.source, self.date, self.value


@dataclass
class RegisterModel:
    """The current state of the register, and all its past states."""

    names: dict[str, str]
    claims: dict[str, ModelClaim] = field(default_factory=dict)
    relations: dict[str, tuple[str, str, str, bool]] = field(default_factory=dict)
    """Relation → type, from, to, and whether it was withdrawn."""
    removed_claims: dict[str, ModelClaim] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    states: list[ModelState] = field(default_factory=list)

    def current_claims(self, status: str | None = None) -> list[ModelClaim]:
        """Return the claims that were not taken down, in the order of recording."""
        return [claim for claim in self.claims.values() if status in (None, claim.status)]

    def fingerprints(self, but: ModelClaim | None = None) -> set[tuple[Any, ...]]:
        """Return the identities of all claims, including those that were taken down."""
        return {each.fingerprint for each in [*self.claims.values(), *self.removed_claims.values()] if each is not but}

    def record_state(self, seq: int) -> None:
        """Store the current state as the state up to `seq`."""
        self.seqs.append(seq)
        self.states.append(self.state())

    def state(self) -> ModelState:
        """Return claim → expected fields of the response."""
        return {
            claim.id: {
                "revision": claim.revision,
                "status": claim.status,
                "retracted_on": claim.retracted_on,
                "category": claim.category,
                "source": self.names[claim.source],
                "date": claim.date,
                "value": claim.value,
                "note": claim.note,
                "level": next(
                    (level for level, withdrawn in reversed(claim.assessments.values()) if not withdrawn), None
                ),
                "citations": [(each["url"], each["quote"], self.names["paper"]) for each in deepcopy(claim.citations)],
                "relations": sorted(
                    (id_, *relation) for id_, relation in self.relations.items() if claim.id in relation[1:3]
                ),
            }
            for claim in self.claims.values()
        }

    def state_at(self, seq: int) -> ModelState:
        """Return the state at `seq`, without claims that were taken down since."""
        index = bisect_right(self.seqs, seq)
        return {} if index == 0 else self.states[index - 1]

    def take_down(self, claim: ModelClaim) -> None:
        """Remove a claim from all states."""
        self.removed_claims[claim.id] = self.claims.pop(claim.id)
        mine = {id_ for id_, relation in self.relations.items() if relation[1] == claim.id}
        for id_ in mine:
            del self.relations[id_]
        for state in self.states:
            state.pop(claim.id, None)
            for card in state.values():
                card["relations"] = [relation for relation in card["relations"] if relation[0] not in mine]


def comparable_fields(card: dict[str, Any], relations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a served claim that the model has."""
    return {
        **{name: card[name] for name in ("revision", "status", "retracted_on", "category", "date", "note")},
        "source": card["source"]["name"],
        "value": card["figure"]["value"],
        "level": card["confidence"] and card["confidence"]["level"],
        "citations": [
            (each["document"]["url"], each["quote"], each["document"]["publisher_name"]) for each in card["citations"]
        ],
        "relations": sorted(
            (each["id"], each["type"], each["claim"], each["to_claim"], each["withdrawn"]) for each in relations
        ),
    }
