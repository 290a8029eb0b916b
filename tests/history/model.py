"""A register in memory, as simple as can be: what a reader should see after every write, and could see after each."""

from bisect import bisect_right
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

ModelState = dict[str, Any]


@dataclass
class ModelClaim:
    """One claim as a reader sees it, and what makes it that claim."""

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
    """Assessment → its level, and whether it was withdrawn; the newest comes last."""

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """What no other claim may share."""
        return self.category, self.source, self.date, self.value


@dataclass
class RegisterModel:
    """The register that stands, and every state that it had."""

    names: dict[str, str]
    claims: dict[str, ModelClaim] = field(default_factory=dict)
    relations: dict[str, tuple[str, str, str, bool]] = field(default_factory=dict)
    """Relation → type, from, to, and whether it was withdrawn."""
    removed_claims: dict[str, ModelClaim] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    states: list[ModelState] = field(default_factory=list)

    def current_claims(self, status: str | None = None) -> list[ModelClaim]:
        """The claims that were not taken down, the first recorded first."""
        return [claim for claim in self.claims.values() if status in (None, claim.status)]

    def fingerprints(self, but: ModelClaim | None = None) -> set[tuple[Any, ...]]:
        """What a new claim may not equal: a claim that stands, or one that was taken down."""
        return {each.fingerprint for each in [*self.claims.values(), *self.removed_claims.values()] if each is not but}

    def record_state(self, seq: int) -> None:
        """Keep the state that stands as the one since the last write, up to `seq`."""
        self.seqs.append(seq)
        self.states.append(self.state())

    def state(self) -> ModelState:
        """Claim → what its card should show."""
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
        """The state of the last write that ended at or before `seq`; what was taken down since is in none."""
        index = bisect_right(self.seqs, seq)
        return {} if index == 0 else self.states[index - 1]

    def take_down(self, claim: ModelClaim) -> None:
        """Forget a claim, from every state there was."""
        self.removed_claims[claim.id] = self.claims.pop(claim.id)
        mine = {id_ for id_, relation in self.relations.items() if relation[1] == claim.id}
        for id_ in mine:
            del self.relations[id_]
        for state in self.states:
            state.pop(claim.id, None)
            for card in state.values():
                card["relations"] = [relation for relation in card["relations"] if relation[0] not in mine]


def comparable_fields(card: dict[str, Any], relations: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of a served claim that the model knows."""
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
