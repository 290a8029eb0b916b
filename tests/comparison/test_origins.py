"""Reports of one number have one origin, and an unknown basis never counts as independent."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.origins import ClaimNode, OriginEdge, OriginRoot, count_independent_origins, find_roots


def make_nodes(*claims: tuple[str, str, str]) -> dict[str, ClaimNode]:
    return {each[0]: ClaimNode(*each) for each in claims}


def edge_to_claim(from_claim: str, to_claim: str) -> OriginEdge:
    return OriginEdge(from_claim, to_claim=to_claim)


def edge_to_source(from_claim: str, to_source: str) -> OriginEdge:
    return OriginEdge(from_claim, to_source=to_source)


def test_a_claim_that_rests_on_nothing_is_its_own_root() -> None:
    for derivation in ("own", "derived", "unknown"):
        claims = make_nodes(("a", "kyiv", derivation))
        assert find_roots("a", claims, []) == (OriginRoot("kyiv", "a", derivation, ("a",)),)


def test_ten_outlets_repeating_one_number_have_one_origin() -> None:
    claims = make_nodes(("k", "kyiv", "own"), *((f"o{each}", f"outlet-{each}", "unknown") for each in range(10)))
    edges = [edge_to_claim(f"o{each}", "k") for each in range(10)]
    found = [root for each in range(10) for root in find_roots(f"o{each}", claims, edges)]
    assert {root.claim for root in found} == {"k"}
    assert count_independent_origins(found) == (1, 1)


def test_the_british_rest_on_kyiv_and_csis_on_both() -> None:
    claims = make_nodes(("csis", "csis", "derived"), ("uk", "uk-mod", "derived"), ("kyiv", "ua-general-staff", "own"))
    edges = [edge_to_claim("csis", "uk"), edge_to_source("csis", "us-officials"), edge_to_claim("uk", "kyiv")]
    kyiv = OriginRoot("ua-general-staff", "kyiv", "own", ("csis", "uk", "kyiv"))
    american = OriginRoot("us-officials", None, "unknown", ("csis", "source:us-officials"))
    assert find_roots("csis", claims, edges) == (kyiv, american)
    assert find_roots("uk", claims, edges) == (OriginRoot("ua-general-staff", "kyiv", "own", ("uk", "kyiv")),)
    assert count_independent_origins([kyiv, american]) == (1, 2)


def test_the_shortest_path_is_told_and_then_the_first() -> None:
    claims = make_nodes(*((slug, slug, "own") for slug in "abcdez"))
    edges = [
        edge_to_claim("a", "z"),
        edge_to_claim("z", "e"),
        edge_to_claim("a", "c"),
        edge_to_claim("c", "d"),
        edge_to_claim("d", "e"),
        edge_to_claim("a", "b"),
        edge_to_claim("b", "e"),
    ]
    edges += [edge_to_source("z", "s"), edge_to_source("c", "s")]
    assert find_roots("a", claims, edges) == (
        OriginRoot("e", "e", "own", ("a", "b", "e")),
        OriginRoot("s", None, "unknown", ("a", "c", "source:s")),
    )


@pytest.mark.parametrize(
    ("derivations", "expected"),
    [
        (("derived", "derived"), [OriginRoot("s-a", "a", "unknown", ("start", "b", "a"))]),
        (("unknown", "own"), [OriginRoot("s-b", "b", "own", ("start", "b"))]),
        (
            ("own", "own"),
            [OriginRoot("s-a", "a", "own", ("start", "b", "a")), OriginRoot("s-b", "b", "own", ("start", "b"))],
        ),
    ],
)
def test_a_closed_circle_ends_the_walk(derivations: tuple[str, str], expected: list[OriginRoot]) -> None:
    claims = make_nodes(("start", "s", "derived"), ("a", "s-a", derivations[0]), ("b", "s-b", derivations[1]))
    assert (
        list(
            find_roots("start", claims, [edge_to_claim("start", "b"), edge_to_claim("a", "b"), edge_to_claim("b", "a")])
        )
        == expected
    )


def test_who_leads_into_a_circle_is_no_member_of_it() -> None:
    claims = make_nodes(("0", "s", "own"), ("1", "t", "own"), ("a", "s-a", "own"), ("b", "s-b", "own"))
    found = find_roots(
        "0",
        claims,
        [edge_to_claim("0", "1"), edge_to_claim("1", "a"), edge_to_claim("a", "b"), edge_to_claim("b", "a")],
    )
    assert [root.claim for root in found] == ["a", "b"]


@pytest.mark.parametrize(("derivation", "told"), [("own", "own"), ("derived", "unknown"), ("unknown", "unknown")])
def test_a_claim_that_rests_on_itself_is_a_circle(derivation: str, told: str) -> None:
    claims = make_nodes(("a", "s", derivation))
    assert find_roots("a", claims, [edge_to_claim("a", "a")]) == (OriginRoot("s", "a", told, ("a",)),)


def test_a_circle_with_an_exit_is_left_by_it() -> None:
    claims = make_nodes(("a", "s-a", "own"), ("b", "s-b", "own"), ("c", "s-c", "own"))
    circle = [edge_to_claim("a", "b"), edge_to_claim("b", "a"), edge_to_claim("a", "a")]
    assert find_roots("a", claims, [*circle, edge_to_claim("b", "c")]) == (
        OriginRoot("s-c", "c", "own", ("a", "b", "c")),
    )
    by_source = find_roots("a", claims, [*circle, edge_to_source("b", "x")])
    assert by_source == (OriginRoot("x", None, "unknown", ("a", "b", "source:x")),)


def test_each_closed_circle_is_found() -> None:
    claims = make_nodes(*((slug, f"s-{slug}", "own") for slug in ("start", "a", "b", "c", "d", "leaf")))
    edges = [
        edge_to_claim("start", "a"),
        edge_to_claim("a", "b"),
        edge_to_claim("b", "a"),
        edge_to_claim("start", "c"),
        edge_to_claim("c", "d"),
        edge_to_claim("d", "c"),
    ]
    assert [root.claim for root in find_roots("start", claims, edges)] == ["a", "b", "c", "d"]
    assert [root.claim for root in find_roots("start", claims, [*edges, edge_to_claim("start", "leaf")])] == [
        "a",
        "b",
        "c",
        "d",
        "leaf",
    ]


def test_a_basis_that_is_not_there_makes_nobody_independent() -> None:
    claims = make_nodes(("a", "s", "own"), ("b", "t", "own"))
    assert find_roots("a", claims, [edge_to_claim("a", "gone")]) == (OriginRoot("s", "a", "unknown", ("a",)),)
    assert find_roots("a", claims, [edge_to_claim("a", "gone"), edge_to_claim("a", "b")]) == (
        OriginRoot("s", "a", "unknown", ("a",)),
        OriginRoot("t", "b", "own", ("a", "b")),
    )


def test_an_edge_to_nowhere_says_nothing() -> None:
    assert find_roots("a", make_nodes(("a", "s", "own")), [OriginEdge("a")]) == (OriginRoot("s", "a", "own", ("a",)),)


def test_an_unknown_start_is_an_error() -> None:
    with pytest.raises(KeyError):
        find_roots("a", {}, [])


def test_a_derived_root_counts_as_unknown() -> None:
    known = [
        OriginRoot("s", "a", "own", ("a",)),
        OriginRoot("t", "b", "derived", ("b",)),
        OriginRoot("s", "c", "unknown", ("c",)),
    ]
    assert count_independent_origins(known) == (1, 2)
    assert count_independent_origins([]) == (0, 0)


def test_a_long_chain_is_followed_to_its_end() -> None:
    claims = make_nodes(*((f"{each:05}", "s", "own") for each in range(20_000)))
    edges = [edge_to_claim(f"{each:05}", f"{each + 1:05}") for each in range(19_999)]
    (root,) = find_roots("00000", claims, edges)
    assert (root.claim, len(root.path)) == ("19999", 20_000)


IDS = st.sampled_from("abcdef")
EDGES = st.lists(
    st.one_of(
        st.builds(edge_to_claim, IDS, st.sampled_from("abcdefx")), st.builds(edge_to_source, IDS, st.sampled_from("st"))
    ),
    max_size=12,
)


@given(EDGES, st.lists(st.sampled_from(["own", "derived", "unknown"]), min_size=6, max_size=6), st.data())
@settings(max_examples=150, deadline=None)
def test_the_order_of_relations_never_matters(
    edges: list[OriginEdge], derivations: list[str], data: st.DataObject
) -> None:
    claims = make_nodes(
        *((slug, f"s-{slug}", derivation) for slug, derivation in zip("abcdef", derivations, strict=True))
    )
    found = find_roots("a", claims, edges)
    assert find_roots("a", claims, data.draw(st.permutations(edges))) == found
    assert find_roots("a", dict(reversed(claims.items())), edges) == found
    # Every origin has a path along the edges, and no origin occurs twice.
    assert found
    assert len({(root.source, root.claim) for root in found}) == len(found)
    links = {(edge.from_claim, edge.to_claim or f"source:{edge.to_source}") for edge in edges}
    for root in found:
        assert root.path[0] == "a"
        assert set(pairwise(root.path)) <= links
        assert root.path[-1] == (root.claim or f"source:{root.source}")


def test_a_source_named_without_a_claim_comes_before_its_claims() -> None:
    claims = make_nodes(("x", "outlet", "derived"), ("k", "kyiv", "own"), ("j", "kyiv", "own"))
    found = find_roots("x", claims, [edge_to_claim("x", "k"), edge_to_claim("x", "j"), edge_to_source("x", "kyiv")])
    assert [(root.source, root.claim) for root in found] == [("kyiv", None), ("kyiv", "j"), ("kyiv", "k")]
