"""Where claims come from: the roots that `based_on` and `repeats` lead to, and how many independent ones there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OriginEdge:
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
class OriginRoot:
    """Where a chain ends. `claim` is None where only a source is named; `path` leads there by claim ids."""

    source: str
    claim: str | None
    derivation: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subgraph:
    """The part of the relations that can be reached from one claim, and who was reached from whom.

    `reached_from` is in the order of the walk: by length of path, then alphabetically.
    """

    predecessors: Mapping[str, str | None]
    claim_edges: Mapping[str, frozenset[str]]
    source_edges: Mapping[str, frozenset[str]]
    dangling_claims: frozenset[str]

    def path(self, claim: str) -> tuple[str, ...]:
        """The shortest way from the start to the claim."""
        steps = [claim]
        while (before := self.predecessors[steps[-1]]) is not None:
            steps.append(before)
        return tuple(reversed(steps))

    def is_leaf(self, claim: str) -> bool:
        """Whether the claim rests on nothing that anybody named."""
        return not (self.claim_edges[claim] or self.source_edges[claim] or claim in self.dangling_claims)


def find_roots(start_id: str, nodes: Mapping[str, ClaimNode], edges: Iterable[OriginEdge]) -> tuple[OriginRoot, ...]:
    """Follow the edges from a claim to its roots, ordered by source, claim and path.

    A claim that rests on nothing is a root with its own derivation. A source whose claim is not known is a root of
    unknown derivation, and so is a claim that rests on one that is not among the nodes: a missing basis makes nobody
    independent. A circle without exit is rooted in its members of derivation `own`, or if there are none, in one
    unknown root, the smallest of its members by source and id. Paths are the shortest, then the alphabetically first.
    The order of the edges never matters. Raises `KeyError` where the start is not among the nodes.
    """
    return find_all_roots([start_id], nodes, edges)[start_id]


def find_all_roots(
    starts: Iterable[str], nodes: Mapping[str, ClaimNode], edges: Iterable[OriginEdge]
) -> dict[str, tuple[OriginRoot, ...]]:
    """The same for many claims at once: each with its roots."""
    ways = _build_graph(nodes, edges)
    return {
        start: _collect_roots(_extract_subgraph(start, ways), nodes)
        if start in ways.claims_with_basis
        else (_root_of_node(nodes[start]),)
        for start in starts
    }


def _root_of_node(node: ClaimNode) -> OriginRoot:
    """The root of a claim that rests on nothing that anybody named."""
    return OriginRoot(node.source, node.id, node.derivation, (node.id,))


def _collect_roots(web: "_Subgraph", nodes: Mapping[str, ClaimNode]) -> tuple[OriginRoot, ...]:
    found: list[OriginRoot] = []
    named: dict[str, OriginRoot] = {}
    for claim in web.predecessors:
        if web.is_leaf(claim):
            found.append(_make_root(claim, nodes[claim].derivation, nodes, web))
        elif claim in web.dangling_claims:
            found.append(_make_root(claim, "unknown", nodes, web))
        for source in web.source_edges[claim]:
            if source not in named:
                named[source] = OriginRoot(source, None, "unknown", (*web.path(claim), f"source:{source}"))
    for circle in _find_closed_cycles(web):
        own = [claim for claim in circle if nodes[claim].derivation == "own"]
        smallest = min(circle, key=lambda claim: (nodes[claim].source, claim))
        found += [_make_root(claim, "own", nodes, web) for claim in own] or [
            _make_root(smallest, "unknown", nodes, web)
        ]
    return tuple(sorted([*found, *named.values()], key=lambda root: (root.source, root.claim or "", root.path)))


def count_independent_origins(all_roots: Iterable[OriginRoot]) -> tuple[int, int]:
    """Count the distinct sources behind the roots: at least those of derivation `own`, at most all of them.

    A root that is `derived` rests on something that nobody named, so it counts among the unknown.
    """
    known = list(all_roots)
    return len({root.source for root in known if root.derivation == "own"}), len({root.source for root in known})


def _make_root(claim: str, derivation: str, nodes: Mapping[str, ClaimNode], web: _Subgraph) -> OriginRoot:
    return OriginRoot(nodes[claim].source, claim, derivation, web.path(claim))


@dataclass(frozen=True, slots=True)
class _Graph:
    """Where the edges lead from each claim, and the claims that rest on one that is not there."""

    claim_edges: Mapping[str, frozenset[str]]
    source_edges: Mapping[str, frozenset[str]]
    dangling_claims: frozenset[str]
    claims_with_basis: frozenset[str]


def _build_graph(nodes: Mapping[str, ClaimNode], edges: Iterable[OriginEdge]) -> _Graph:
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
    return _Graph(
        {claim: frozenset(following) for claim, following in to_claims.items()},
        {claim: frozenset(following) for claim, following in to_sources.items()},
        frozenset(dangling),
        frozenset(to_claims.keys() | to_sources.keys() | dangling),
    )


_EMPTY: frozenset[str] = frozenset()


def _extract_subgraph(start: str, ways: _Graph) -> _Subgraph:
    reached_from: dict[str, str | None] = {start: None}
    level = [start]
    while level:
        ahead: list[str] = []
        for claim in level:
            for following in sorted(ways.claim_edges.get(claim, _EMPTY)):
                if following not in reached_from:
                    reached_from[following] = claim
                    ahead.append(following)
        level = ahead
    return _Subgraph(
        reached_from,
        {claim: ways.claim_edges.get(claim, _EMPTY) for claim in reached_from},
        {claim: ways.source_edges.get(claim, _EMPTY) for claim in reached_from},
        frozenset(claim for claim in reached_from if claim in ways.dangling_claims),
    )


def _find_closed_cycles(web: _Subgraph) -> Iterable[set[str]]:
    """The circles that no path leaves: all that their claims can reach can reach them back."""
    before: dict[str, set[str]] = {}
    for claim, following in web.claim_edges.items():
        for each in following:
            before.setdefault(each, set()).add(claim)
    # Whoever can still reach an end is in no closed circle.
    ends = {
        claim
        for claim in web.claim_edges
        if not web.claim_edges[claim] or web.source_edges[claim] or claim in web.dangling_claims
    }
    trapped = web.claim_edges.keys() - _reachable(ends, before)
    while trapped:
        claim = min(trapped)
        while beyond := (ahead := _reachable({claim}, web.claim_edges)) - (behind := _reachable({claim}, before)):
            claim = min(beyond)
        yield ahead
        # Whoever leads here may lead to another circle too, but is a member of none.
        trapped -= behind


def _reachable(starts: set[str], onward: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that can be reached from the starts, which are included."""
    found = set(starts)
    pending = list(starts)
    while pending:
        new = [each for each in onward.get(pending.pop(), ()) if each not in found]
        found.update(new)
        pending.extend(new)
    return found
