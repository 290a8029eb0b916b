"""Where claims come from: the roots that `based_on` and `repeats` lead to, and how many independent ones there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """One `based_on` or `repeats` relation: from a claim to a claim, or to a source whose claim is not known."""

    from_claim: str
    to_claim: str | None = None
    to_source: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimNode:
    """A claim as far as its origin goes; `derivation` is `own`, `derived` or `unknown`."""

    id: str
    source: str
    derivation: str


@dataclass(frozen=True, slots=True)
class Root:
    """Where a chain ends. `claim` is None where only a source is named; `path` leads there by claim ids."""

    source: str
    claim: str | None
    derivation: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Web:
    """The part of the relations that can be reached from one claim, and who was reached from whom.

    `reached_from` is in the order of the walk: by length of path, then alphabetically.
    """

    reached_from: Mapping[str, str | None]
    claims: Mapping[str, frozenset[str]]
    sources: Mapping[str, frozenset[str]]
    dangling: frozenset[str]

    def path(self, claim: str) -> tuple[str, ...]:
        """The shortest way from the start to the claim."""
        steps = [claim]
        while (before := self.reached_from[steps[-1]]) is not None:
            steps.append(before)
        return tuple(reversed(steps))

    def is_leaf(self, claim: str) -> bool:
        """Whether the claim rests on nothing that anybody named."""
        return not (self.claims[claim] or self.sources[claim] or claim in self.dangling)


def roots(start_id: str, nodes: Mapping[str, ClaimNode], edges: Iterable[Edge]) -> tuple[Root, ...]:
    """Follow the edges from a claim to its roots, ordered by source, claim and path.

    A claim that rests on nothing is a root with its own derivation. A source whose claim is not known is a root of
    unknown derivation, and so is a claim that rests on one that is not among the nodes: a missing basis makes nobody
    independent. A circle without exit is rooted in its members of derivation `own`, or if there are none, in one
    unknown root, the smallest of its members by source and id. Paths are the shortest, then the alphabetically first.
    The order of the edges never matters. Raises `KeyError` where the start is not among the nodes.
    """
    return all_roots([start_id], nodes, edges)[start_id]


def all_roots(
    starts: Iterable[str], nodes: Mapping[str, ClaimNode], edges: Iterable[Edge]
) -> dict[str, tuple[Root, ...]]:
    """The same for many claims at once: each with its roots."""
    ways = _ways(nodes, edges)
    return {
        start: _roots(_reach(start, ways), nodes) if start in ways.lead_on else (_own_root(nodes[start]),)
        for start in starts
    }


def _own_root(node: ClaimNode) -> Root:
    """The root of a claim that rests on nothing that anybody named."""
    return Root(node.source, node.id, node.derivation, (node.id,))


def _roots(web: "_Web", nodes: Mapping[str, ClaimNode]) -> tuple[Root, ...]:
    found: list[Root] = []
    named: dict[str, Root] = {}
    for claim in web.reached_from:
        if web.is_leaf(claim):
            found.append(_root(claim, nodes[claim].derivation, nodes, web))
        elif claim in web.dangling:
            found.append(_root(claim, "unknown", nodes, web))
        for source in web.sources[claim]:
            if source not in named:
                named[source] = Root(source, None, "unknown", (*web.path(claim), f"source:{source}"))
    for circle in _closed_circles(web):
        own = [claim for claim in circle if nodes[claim].derivation == "own"]
        smallest = min(circle, key=lambda claim: (nodes[claim].source, claim))
        found += [_root(claim, "own", nodes, web) for claim in own] or [_root(smallest, "unknown", nodes, web)]
    return tuple(sorted([*found, *named.values()], key=lambda root: (root.source, root.claim or "", root.path)))


def independent_origins(all_roots: Iterable[Root]) -> tuple[int, int]:
    """Count the distinct sources behind the roots: at least those of derivation `own`, at most all of them.

    A root that is `derived` rests on something that nobody named, so it counts among the unknown.
    """
    known = list(all_roots)
    return len({root.source for root in known if root.derivation == "own"}), len({root.source for root in known})


def _root(claim: str, derivation: str, nodes: Mapping[str, ClaimNode], web: _Web) -> Root:
    return Root(nodes[claim].source, claim, derivation, web.path(claim))


@dataclass(frozen=True, slots=True)
class _Ways:
    """Where the edges lead from each claim, and the claims that rest on one that is not there."""

    claims: Mapping[str, frozenset[str]]
    sources: Mapping[str, frozenset[str]]
    dangling: frozenset[str]
    lead_on: frozenset[str]


def _ways(nodes: Mapping[str, ClaimNode], edges: Iterable[Edge]) -> _Ways:
    to_claims: dict[str, set[str]] = {}
    to_sources: dict[str, set[str]] = {}
    dangling: set[str] = set()
    for edge in edges:
        if edge.to_claim is None:
            if edge.to_source is not None:
                to_sources.setdefault(edge.from_claim, set()).add(edge.to_source)
        elif edge.to_claim in nodes:
            to_claims.setdefault(edge.from_claim, set()).add(edge.to_claim)
        else:
            dangling.add(edge.from_claim)
    return _Ways(
        {claim: frozenset(following) for claim, following in to_claims.items()},
        {claim: frozenset(following) for claim, following in to_sources.items()},
        frozenset(dangling),
        frozenset(to_claims.keys() | to_sources.keys() | dangling),
    )


_NOTHING: frozenset[str] = frozenset()


def _reach(start: str, ways: _Ways) -> _Web:
    reached_from: dict[str, str | None] = {start: None}
    level = [start]
    while level:
        ahead: list[str] = []
        for claim in level:
            for following in sorted(ways.claims.get(claim, _NOTHING)):
                if following not in reached_from:
                    reached_from[following] = claim
                    ahead.append(following)
        level = ahead
    return _Web(
        reached_from,
        {claim: ways.claims.get(claim, _NOTHING) for claim in reached_from},
        {claim: ways.sources.get(claim, _NOTHING) for claim in reached_from},
        frozenset(claim for claim in reached_from if claim in ways.dangling),
    )


def _closed_circles(web: _Web) -> Iterable[set[str]]:
    """The circles that no path leaves: all that their claims can reach can reach them back."""
    before: dict[str, set[str]] = {}
    for claim, following in web.claims.items():
        for each in following:
            before.setdefault(each, set()).add(claim)
    # Whoever can still reach an end is in no closed circle.
    ends = {claim for claim in web.claims if not web.claims[claim] or web.sources[claim] or claim in web.dangling}
    trapped = web.claims.keys() - _flood(ends, before)
    while trapped:
        claim = min(trapped)
        while beyond := (ahead := _flood({claim}, web.claims)) - (behind := _flood({claim}, before)):
            claim = min(beyond)
        yield ahead
        # Whoever leads here may lead to another circle too, but is a member of none.
        trapped -= behind


def _flood(starts: set[str], onward: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that can be reached from the starts, which are included."""
    found = set(starts)
    pending = list(starts)
    while pending:
        new = [each for each in onward.get(pending.pop(), ()) if each not in found]
        found.update(new)
        pending.extend(new)
    return found
