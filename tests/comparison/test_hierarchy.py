"""Descendants follow from components and parents, also if these contain cycles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.comparison.hierarchy import CategoryNode, Containment, Hierarchy, resolve_position_holders


def category(slug: str, components: tuple[str, ...] | None, parent: str | None = None) -> CategoryNode:
    return CategoryNode(slug, components, parent, non_decreasing=True, unit="persons")


def atom(slug: str, parent: str | None = None) -> CategoryNode:
    return category(slug, (slug,), parent)


LOSSES = [
    atom("killed"),
    atom("wounded"),
    atom("captured"),
    atom("missing"),
    atom("killed-named", "killed"),
    atom("killed-officers-named", "killed-named"),
    atom("irrevocably-wounded", "wounded"),
    category("casualties", ("killed", "wounded")),
    category("killed-and-wounded", ("wounded", "killed")),
    category("dead", ("killed",)),
    category("losses-all", ("casualties", "captured", "missing")),
    category("irrecoverable", ("killed", "irrevocably-wounded")),
    atom("bled", "casualties"),
    category("losses", None),
    category("losses-at-sea", None, "losses"),
    atom("losses-on-land", "losses"),
    category("losses-and-captured", ("losses", "captured")),
    category("losses-said", None, "casualties"),
    category("empty", ()),
    # Cycles.
    atom("hen", "egg"),
    atom("egg", "hen"),
    category("ouroboros", ("serpent",)),
    category("serpent", ("ouroboros",)),
    category("mixed-one", ("mixed-two", "killed")),
    category("mixed-two", ("mixed-one", "wounded")),
    atom("orphan", "nowhere"),
]
SCHEME = Hierarchy(
    categories={each.slug: each for each in LOSSES},
    subjects={
        "russian-forces": (),
        "wagner": ("russian-forces",),
        "wagner-prisoners": ("wagner", "prisoners"),
        "prisoners": (),
        "loop-a": ("loop-b",),
        "loop-b": ("loop-a",),
    },
    places={
        "kursk-oblast": ("russia", "russia-ukraine-war"),
        "sudzha": ("kursk-oblast",),
        "russia": (),
        "self": ("self",),
    },
)
SAME, INSIDE, APART, UNSTATED = Containment.SAME, Containment.INSIDE, Containment.DISJOINT, Containment.UNSTATED
MIRRORED = {INSIDE: Containment.CONTAINS, SAME: SAME, APART: APART, UNSTATED: UNSTATED}


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("killed", "killed", SAME),
        ("casualties", "killed-and-wounded", SAME),
        ("dead", "killed", SAME),
        ("killed", "casualties", INSIDE),
        ("killed-named", "killed", INSIDE),
        ("killed-named", "casualties", INSIDE),
        ("killed-officers-named", "losses-all", INSIDE),
        ("casualties", "losses-all", INSIDE),
        ("irrecoverable", "casualties", INSIDE),
        ("bled", "casualties", INSIDE),
        ("bled", "losses-all", INSIDE),
        ("bled", "killed-and-wounded", INSIDE),
        ("killed", "wounded", APART),
        ("irrecoverable", "killed", Containment.CONTAINS),
        ("irrecoverable", "wounded", APART),
        ("unheard-of", "unheard-of", SAME),
        ("unheard-of", "killed", APART),
        ("empty", "killed", APART),
        ("empty", "empty", SAME),
        ("losses", "losses", UNSTATED),
        ("losses", "casualties", UNSTATED),
        ("losses-and-captured", "captured", UNSTATED),
        ("losses-at-sea", "losses", INSIDE),
        ("losses-on-land", "losses", INSIDE),
        ("losses-said", "casualties", INSIDE),
        ("losses-said", "losses-all", UNSTATED),
        ("hen", "egg", SAME),
        ("hen", "killed", APART),
        ("ouroboros", "ouroboros", SAME),
        ("ouroboros", "serpent", SAME),
        ("ouroboros", "killed", APART),
        ("mixed-one", "mixed-two", SAME),
        ("killed", "mixed-two", INSIDE),
        ("orphan", "nowhere", INSIDE),
    ],
)
def test_categories_lie_as_their_components_say(a: str, b: str, relation: Containment) -> None:
    assert SCHEME.relate_categories(a, b) is relation
    mirrored = MIRRORED.get(relation, INSIDE)
    assert SCHEME.relate_categories(b, a) is mirrored


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("wagner", "wagner", SAME),
        ("wagner", "russian-forces", INSIDE),
        ("wagner-prisoners", "russian-forces", INSIDE),
        ("wagner-prisoners", "prisoners", INSIDE),
        ("prisoners", "wagner", APART),
        ("loop-a", "loop-b", SAME),
        ("unheard-of", "wagner", APART),
    ],
)
def test_subjects_lie_as_their_parents_say(a: str, b: str, relation: Containment) -> None:
    assert SCHEME.relate_subjects(a, b) is relation
    assert SCHEME.relate_subjects(b, a) is MIRRORED[relation]


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("sudzha", "russia", INSIDE),
        ("sudzha", "russia-ukraine-war", INSIDE),
        ("russia", "russia-ukraine-war", APART),
        ("self", "self", SAME),
    ],
)
def test_a_place_lies_in_each_of_its_parents(a: str, b: str, relation: Containment) -> None:
    assert SCHEME.relate_places(a, b) is relation
    assert SCHEME.relate_places(b, a) is MIRRORED[relation]


def test_narrower_is_everything_that_lies_within() -> None:
    assert SCHEME.narrower_categories("killed") == {"killed", "dead", "killed-named", "killed-officers-named"}
    assert SCHEME.narrower_categories("losses") == {"losses", "losses-at-sea", "losses-on-land"}
    assert SCHEME.narrower_categories("unheard-of") == {"unheard-of"}
    assert {"bled", "irrecoverable", "killed-and-wounded", "killed-named"} <= SCHEME.narrower_categories("casualties")
    assert SCHEME.narrower_subjects("russian-forces") == {"russian-forces", "wagner", "wagner-prisoners"}
    assert SCHEME.narrower_subjects("unheard-of") == {"unheard-of"}
    assert SCHEME.narrower_places("russia-ukraine-war") == {"russia-ukraine-war", "kursk-oblast", "sudzha"}
    assert SCHEME.narrower_places("self") == {"self"}


def test_only_a_known_category_promises_to_grow() -> None:
    assert SCHEME.is_non_decreasing("killed")
    assert not SCHEME.is_non_decreasing("unheard-of")


@pytest.mark.parametrize(
    ("slug", "atoms"),
    [
        ("killed", ("killed",)),
        ("dead", ("killed",)),
        ("casualties", ("killed", "wounded")),
        ("killed-and-wounded", ("killed", "wounded")),
        ("losses-all", ("captured", "killed", "missing", "wounded")),
        ("killed-named", ("killed-named",)),
        ("losses", ("losses",)),
        ("losses-and-captured", ("losses-and-captured",)),
        ("unheard-of", ("unheard-of",)),
        ("mixed-one", ("killed", "wounded")),
    ],
)
def test_the_components_of_a_category_are_its_atoms(slug: str, atoms: tuple[str, ...]) -> None:
    assert SCHEME.components_of(slug) == atoms


def test_what_can_only_grow_adds_up_and_other_categories_if_recorded_so() -> None:
    def additive(*, grows: bool, adds_up: bool) -> bool:
        node = CategoryNode("damage", ("damage",), None, grows, "USD", adds_up)
        return Hierarchy({"damage": node}, {}, {}).is_additive("damage")

    assert additive(grows=True, adds_up=False)
    assert additive(grows=False, adds_up=True)
    assert not additive(grows=False, adds_up=False)
    assert not SCHEME.is_additive("unheard-of")


SLUGS = st.sampled_from("abcdef")


@st.composite
def schemes(draw: st.DrawFn) -> Hierarchy:
    def any_category(slug: str) -> CategoryNode:
        kind = draw(st.sampled_from(["atom", "sum", "unstated"]))
        parts = {"atom": (slug,), "sum": tuple(draw(st.lists(SLUGS, max_size=3))), "unstated": None}[kind]
        return CategoryNode(slug, parts, draw(st.none() | SLUGS), draw(st.booleans()), "persons")

    parents = st.dictionaries(SLUGS, st.lists(SLUGS, max_size=3).map(tuple), max_size=6)
    return Hierarchy({slug: any_category(slug) for slug in "abcde"}, draw(parents), draw(parents))


@given(schemes(), SLUGS, SLUGS)
@settings(max_examples=120, deadline=None)
def test_relations_mirror_each_other_in_any_tangle(scheme: Hierarchy, a: str, b: str) -> None:
    mirror = MIRRORED | {Containment.CONTAINS: INSIDE}
    for relation in (scheme.relate_categories, scheme.relate_subjects, scheme.relate_places):
        assert relation(a, b) is mirror[relation(b, a)]
    assert (a in scheme.narrower_subjects(b)) == (scheme.relate_subjects(a, b) in {SAME, INSIDE})
    assert (a in scheme.narrower_places(b)) == (scheme.relate_places(a, b) in {SAME, INSIDE})


def test_a_source_holds_the_position_of_the_last_one_it_speaks_for() -> None:
    assert resolve_position_holders({}) == {}
    assert resolve_position_holders({"spokesman": "minister", "minister": "ministry"}) == {
        "spokesman": "ministry",
        "minister": "ministry",
    }
    # A circle ends where it began to repeat itself.
    assert resolve_position_holders({"a": "b", "b": "a"}) == {"a": "b", "b": "a"}
    assert resolve_position_holders({"a": "a"}) == {"a": "a"}
