"""Origins of claims: follows the relations `based_on` and `repeats`, and counts independent origins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OriginEdge:
    """A relation `based_on` or `repeats` from a claim to another claim, or to a source whose claim is not known."""

    from_claim: str
    to_claim: str | None = None
    to_source: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimNode:
    """A claim in the graph of origins. `derivation` is `own`, `derived` or `unknown`."""

    id: str
    source: str
    derivation: str


@dataclass(frozen=True, slots=True)
class OriginRoot:
    """The end of a chain of relations. `claim` is None if only the source is known. `path` lists claim ids."""

    source: str
    claim: str | None
    derivation: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subgraph:
    """The subgraph reachable from one claim.

    `predecessors` maps each claim to its predecessor on the shortest path, in the order of a breadth-first search.
    """

    predecessors: Mapping[str, str | None]
    claim_edges: Mapping[str, frozenset[str]]
    source_edges: Mapping[str, frozenset[str]]
    dangling_claims: frozenset[str]

    def path(self, claim: str) -> tuple[str, ...]:
        """Return the shortest path from the start to the claim."""
        steps = [claim]
        while (predecessor := self.predecessors[steps[-1]]) is not None:
            steps.append(predecessor)
        return tuple(reversed(steps))

    def is_leaf(self, claim: str) -> bool:
        """Return whether the claim has no outgoing relation."""
        return not (self.claim_edges[claim] or self.source_edges[claim] or claim in self.dangling_claims)


def find_roots(start_id: str, nodes: Mapping[str, ClaimNode], edges: Iterable[OriginEdge]) -> tuple[OriginRoot, ...]:
    """Return the roots of a claim, ordered by source, claim and path.

    A claim without outgoing edges is a root with its own derivation. A source whose claim is not known is a root of
    unknown derivation, and so is a claim with an edge to a claim that is not among the nodes: a missing basis does not
    make a claim independent. The roots of a cycle without exit are its members of derivation `own`, or else one
    unknown root, its smallest member by source and id. Paths are the shortest, then the alphabetically first. The
    order of the edges does not matter. Raises `KeyError` if the start is not among the nodes.
    """
    return find_all_roots([start_id], nodes, edges)[start_id]


def find_all_roots(
    starts: Iterable[str], nodes: Mapping[str, ClaimNode], edges: Iterable[OriginEdge]
) -> dict[str, tuple[OriginRoot, ...]]:
    """Return the roots of many claims, as `find_roots` does for one."""
    graph = _build_graph(nodes, edges)
    return {
        start: _collect_roots(_extract_subgraph(start, graph), nodes)
        if start in graph.claims_with_basis
        else (_root_of_node(nodes[start]),)
        for start in starts
    }


def _root_of_node(node: ClaimNode) -> OriginRoot:
    """Return the root of a claim without outgoing edges: the claim itself."""
    return OriginRoot(node.source, node.id, node.derivation, (node.id,))


def _collect_roots(graph: "_Subgraph", nodes: Mapping[str, ClaimNode]) -> tuple[OriginRoot, ...]:
    claim_roots: list[OriginRoot] = []
    source_roots: dict[str, OriginRoot] = {}
    for claim in graph.predecessors:
        if graph.is_leaf(claim):
            claim_roots.append(_make_root(claim, nodes[claim].derivation, nodes, graph))
        elif claim in graph.dangling_claims:
            claim_roots.append(_make_root(claim, "unknown", nodes, graph))
        for source in graph.source_edges[claim]:
            if source not in source_roots:
                source_roots[source] = OriginRoot(source, None, "unknown", (*graph.path(claim), f"source:{source}"))
    for cycle in _find_closed_cycles(graph):
        own_claims = [claim for claim in cycle if nodes[claim].derivation == "own"]
        smallest = min(cycle, key=lambda claim: (nodes[claim].source, claim))
        claim_roots += [_make_root(claim, "own", nodes, graph) for claim in own_claims] or [
            _make_root(smallest, "unknown", nodes, graph)
        ]
    return tuple(
        sorted([*claim_roots, *source_roots.values()], key=lambda root: (root.source, root.claim or "", root.path))
    )


def count_independent_origins(all_roots: Iterable[OriginRoot]) -> tuple[int, int]:
    """Return the minimum and maximum number of independent origins: sources with derivation `own`, and all sources.

    A root with derivation `derived` has a basis that no relation names, so it counts as unknown.
    """
    roots = list(all_roots)
    return len({root.source for root in roots if root.derivation == "own"}), len({root.source for root in roots})


def _make_root(claim: str, derivation: str, nodes: Mapping[str, ClaimNode], graph: _Subgraph) -> OriginRoot:
    return OriginRoot(nodes[claim].source, claim, derivation, graph.path(claim))


@dataclass(frozen=True, slots=True)
class _Graph:
    """The edges of each claim to claims and sources, and the claims with an edge to an unknown claim."""

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
        {claim: frozenset(targets) for claim, targets in to_claims.items()},
        {claim: frozenset(targets) for claim, targets in to_sources.items()},
        frozenset(dangling),
        frozenset(to_claims.keys() | to_sources.keys() | dangling),
    )


_EMPTY: frozenset[str] = frozenset()


def _extract_subgraph(start: str, graph: _Graph) -> _Subgraph:
    """Return the part of the graph that a breadth-first search from `start` reaches."""
    predecessors: dict[str, str | None] = {start: None}
    level = [start]
    while level:
        next_level: list[str] = []
        for claim in level:
            for target in sorted(graph.claim_edges.get(claim, _EMPTY)):
                if target not in predecessors:
                    predecessors[target] = claim
                    next_level.append(target)
        level = next_level
    return _Subgraph(
        predecessors,
        {claim: graph.claim_edges.get(claim, _EMPTY) for claim in predecessors},
        {claim: graph.source_edges.get(claim, _EMPTY) for claim in predecessors},
        frozenset(claim for claim in predecessors if claim in graph.dangling_claims),
    )


def _find_closed_cycles(graph: _Subgraph) -> Iterable[set[str]]:
    """Yield the cycles without exit: the sets of claims that reach each other and nothing else."""
    reverse_edges: dict[str, set[str]] = {}
    for claim, targets in graph.claim_edges.items():
        for target in targets:
            reverse_edges.setdefault(target, set()).add(claim)
    # A claim that reaches an end of a chain is in no closed cycle.
    ends = {
        claim
        for claim in graph.claim_edges
        if not graph.claim_edges[claim] or graph.source_edges[claim] or claim in graph.dangling_claims
    }
    candidates = graph.claim_edges.keys() - _reachable(ends, reverse_edges)
    while candidates:
        claim = min(candidates)
        while True:
            descendants = _reachable({claim}, graph.claim_edges)
            ancestors = _reachable({claim}, reverse_edges)
            if not (outside := descendants - ancestors):
                break
            claim = min(outside)
        yield descendants
        # A claim that leads to this cycle may lead to another one too, but is a member of none.
        candidates -= ancestors


def _reachable(starts: set[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all claims reachable from the starts, including the starts."""
    visited = set(starts)
    pending = list(starts)
    while pending:
        new = [claim for claim in edges.get(pending.pop(), ()) if claim not in visited]
        visited.update(new)
        pending.extend(new)
    return visited
