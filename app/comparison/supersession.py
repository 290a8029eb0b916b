"""Supersession: which later claim of the same source replaced a claim, as known on a day or at a moment.

A relation `supersedes` counts if both claims are of one source (through `speaks_for`), category, subject, place,
proposition, aggregation class and period, and from the date of the superseding claim on. The functions read no
database, and their result does not depend on the order of their input.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.comparison.effective_period import aggregation_class


@dataclass(frozen=True, slots=True)
class KnowledgeLimit:
    """The limit that `known_on` sets: a day, or a moment.

    `day` is the last day whose statements are all known: the day itself, or the day before a moment (UTC).
    """

    day: dt.date
    moment: dt.datetime | None = None

    @classmethod
    def at(cls, known_on: dt.date | dt.datetime) -> "KnowledgeLimit":
        """Return the limit of a day or a moment."""
        if not isinstance(known_on, dt.datetime):
            return cls(known_on)
        moment = known_on.astimezone(dt.UTC)
        # There is no day before the first one; no claim is that old.
        return cls(dt.date.fromordinal(max(1, moment.date().toordinal() - 1)), moment)

    def includes(self, day: dt.date | None, said_at: dt.datetime | None = None) -> bool:
        """Return whether something said on `day`, or at `said_at` if that is known, was known by then.

        With a limit at a moment, what has no moment of its own is known from the next day (UTC) on. What has no date
        is not known.
        """
        if self.moment is not None and said_at is not None:
            return said_at <= self.moment
        return day is not None and day <= self.day


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersessionClaim:
    """What supersession depends on of a claim.

    `source` is the source that holds the position: the one that the claimant speaks for, if any. A claim that was taken
    down (`removed`) has only its `id`, `status`, category, subject and place; the other values are not read.
    """

    id: str
    status: str = "asserted"
    source: str = ""
    category: str = ""
    subject: str = ""
    place: str = ""
    proposition: str = "quantity"
    aggregation: str = "within"
    period_start: dt.date | None = None
    period_end: dt.date | None = None
    date: dt.date | None = None
    said_at: dt.datetime | None = None
    retracted_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Successor:
    """The claim that replaced another one: the newest standing claim of a chain of replacements.

    `status` is `asserted`; `retracted` if every replacement was retracted; `removed` if the only ones that are left
    were taken down. `superseded_on` is the date of `claim`, None if it is unknown.
    """

    claim: str
    superseded_on: dt.date | None
    status: str


_STATUS_RANKS: Final = {"removed": 0, "retracted": 1, "asserted": 2}


def find_mismatches(claim: SupersessionClaim, superseded: SupersessionClaim) -> tuple[str, ...]:
    """Return the dimensions in which a claim differs from one that it is to supersede; empty if it can supersede it.

    The dimensions are `source`, `category`, `subject`, `place`, `proposition`, `aggregation` and `period`. Of a claim
    that was taken down, only the category, subject and place are compared.
    """
    names = ["category", "subject", "place"]
    is_erased = "removed" in {claim.status, superseded.status}
    names += [] if is_erased else ["source", "proposition"]
    mismatches = [name for name in names if getattr(claim, name) != getattr(superseded, name)]
    if is_erased:
        return tuple(mismatches)
    if aggregation_class(claim.aggregation) != aggregation_class(superseded.aggregation):
        mismatches.append("aggregation")
    if (claim.period_start, claim.period_end) != (superseded.period_start, superseded.period_end):
        mismatches.append("period")
    return tuple(mismatches)


def find_successors(
    relations: Iterable[tuple[str, str]], claims: Mapping[str, SupersessionClaim], limit: KnowledgeLimit | None
) -> dict[str, Successor]:
    """Return the successor of each superseded claim.

    Args:
        relations: The relations `supersedes` that were not withdrawn, as (id of the superseding claim, id of the
            superseded claim).
        claims: The claims by id. A relation of a claim that is not among them does not count.
        limit: `known_on`. An undated claim supersedes nothing under a limit.

    Returns:
        The successors by the id of the superseded claim. Relations that form a circle do not count.
    """
    superseding: dict[str, set[str]] = {}
    for claim, superseded in relations:
        if claim in claims and superseded in claims and _counts(claims[claim], claims[superseded], limit):
            superseding.setdefault(superseded, set()).add(claim)
    successors: dict[str, Successor] = {}
    # Components come in the order in which each follows all that it depends on: the newest claims first.
    for component in _strongly_connected_components(superseding):
        for superseded in component:
            options = [
                _newer_of(_describe(claims[claim], limit), successors.get(claim))
                for claim in superseding.get(superseded, set()) - component
            ]
            if options:
                successors[superseded] = max(options, key=lambda option: _rank(option, claims))
    return successors


def replaces(
    claim: str,
    superseded: str,
    relations: Iterable[tuple[str, str]],
    claims: Mapping[str, SupersessionClaim],
    limit: KnowledgeLimit | None,
) -> bool:
    """Return whether a claim replaced another one, directly or through others, by the rules of `find_successors`."""
    valid = [
        (newer, older)
        for newer, older in relations
        if newer in claims and older in claims and _counts(claims[newer], claims[older], limit)
    ]
    return would_form_circle(superseded, claim, valid)


def would_form_circle(claim: str, superseded: str, relations: Iterable[tuple[str, str]]) -> bool:
    """Return whether a relation from `claim` to `superseded` would close a circle of supersessions."""
    superseding: dict[str, set[str]] = {}
    for newer, older in relations:
        superseding.setdefault(older, set()).add(newer)
    pending, visited = [claim], {claim}
    while pending:
        reached = superseding.get(pending.pop(), set()) - visited
        visited |= reached
        pending += reached
    return superseded in visited


def _counts(claim: SupersessionClaim, superseded: SupersessionClaim, limit: KnowledgeLimit | None) -> bool:
    is_known = limit is None or limit.includes(claim.date, claim.said_at)
    return is_known and claim.id != superseded.id and not find_mismatches(claim, superseded)


def status_of(claim: SupersessionClaim, limit: KnowledgeLimit | None) -> str:
    """Return the status of a claim as known under `limit`: a retraction counts from its day on."""
    is_retracted = claim.status == "retracted" and (limit is None or limit.includes(claim.retracted_on))
    return "retracted" if is_retracted else "removed" if claim.status == "removed" else "asserted"


def _describe(claim: SupersessionClaim, limit: KnowledgeLimit | None) -> Successor:
    """Return a claim as a successor, with its status under `limit`."""
    status = status_of(claim, limit)
    return Successor(claim.id, None if status == "removed" else claim.date, status)


def _newer_of(claim: Successor, successor: Successor | None) -> Successor:
    """Return the successor of a claim, unless only the claim itself still stands."""
    if successor is None or _STATUS_RANKS[successor.status] < _STATUS_RANKS[claim.status]:
        return claim
    return successor


def _rank(successor: Successor, claims: Mapping[str, SupersessionClaim]) -> tuple[int, int, float, str]:
    """Return the order of several successors: standing before others, then by date, moment and id."""
    day, said_at = successor.superseded_on, claims[successor.claim].said_at
    moment = said_at.timestamp() if said_at is not None and successor.status != "removed" else float("-inf")
    return _STATUS_RANKS[successor.status], day.toordinal() if day else 0, moment, successor.claim


def _strongly_connected_components(edges: Mapping[str, set[str]]) -> list[frozenset[str]]:
    """Return the components of a graph, each after all that its edges lead to (Tarjan, without recursion)."""
    indices: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    components: list[frozenset[str]] = []
    for start in edges:
        if start in indices:
            continue
        work = [(start, iter(edges[start]))]
        indices[start] = low[start] = len(indices)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in indices:
                    indices[target] = low[target] = len(indices)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges.get(target, ()))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], indices[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == indices[node]:
                    component = {stack.pop()}
                    while node not in component:
                        component.add(stack.pop())
                    on_stack -= component
                    components.append(frozenset(component))
    return components
