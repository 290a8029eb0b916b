"""Part-whole relations of categories (by components and parents), and of subjects and places (by parents)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Parents = Mapping[str, tuple[str, ...]]

MAX_CACHED_RELATIONS = 20_000
"""Maximum number of relations that a hierarchy remembers."""


class Containment(StrEnum):
    """The part-whole relation of a first item to a second."""

    SAME = "same"
    INSIDE = "inside"
    CONTAINS = "around"
    DISJOINT = "apart"
    UNSTATED = "unstated"
    """The components of one item are not stated."""


@dataclass(frozen=True, slots=True)
class CategoryNode:
    """A category in the hierarchy.

    An atomic category has itself as its only component. `components` is None if no source states them.
    `non_decreasing` means that a running total can only grow, and `additive` that parts add up to the whole.
    """

    slug: str
    components: tuple[str, ...] | None
    parent: str | None
    non_decreasing: bool
    unit: str
    additive: bool = False


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The hierarchies of categories, subjects and places. They may have cycles. An unknown slug has no relatives."""

    categories: Mapping[str, CategoryNode]
    subjects: Parents
    places: Parents
    _relations: dict[tuple[str, str, str], Containment] = field(default_factory=dict, compare=False, repr=False)
    """Relations that were computed before, by kind and slugs."""
    _atoms: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """Atomic components that were computed before, by category."""

    def relate_categories(self, a: str, b: str) -> Containment:
        """Return how category `a` relates to category `b`.

        They are the same if they have the same slug or the same atomic components. `a` is inside `b` if each of its
        atomic components is one of `b` or a descendant of a component of `b`. If components are unstated, the result
        is `UNSTATED`, even for a category and itself ("losses" of two sources may add up different things), unless one
        category is a descendant of the other.
        """
        return self._remember("category", a, b, self._compute_category_relation)

    def _compute_category_relation(self, a: str, b: str) -> Containment:
        if (
            a != b
            and (by_parents := _containment(self._is_descendant(a, b), self._is_descendant(b, a)))
            is not Containment.DISJOINT
        ):
            return by_parents
        if not (self._has_known_components(a) and self._has_known_components(b)):
            return Containment.UNSTATED
        return _containment(self._is_part_of(a, b), self._is_part_of(b, a))

    def relate_subjects(self, a: str, b: str) -> Containment:
        """Return how subject `a` relates to subject `b`."""
        return self._remember("subject", a, b, lambda a, b: _relate_by_parents(a, b, self.subjects))

    def relate_places(self, a: str, b: str) -> Containment:
        """Return how place `a` relates to place `b`."""
        return self._remember("place", a, b, lambda a, b: _relate_by_parents(a, b, self.places))

    def _remember(self, kind: str, a: str, b: str, compute: Callable[[str, str], Containment]) -> Containment:
        relation = self._relations.get((kind, a, b))
        if relation is None:
            if len(self._relations) >= MAX_CACHED_RELATIONS:
                self._relations.clear()
            relation = self._relations[kind, a, b] = compute(a, b)
        return relation

    def narrower_categories(self, slug: str) -> frozenset[str]:
        """Return the categories within this one, including itself and those with the same atomic components."""
        narrower = {Containment.SAME, Containment.INSIDE}
        return frozenset(
            {slug} | {other for other in self.categories if self.relate_categories(other, slug) in narrower}
        )

    def narrower_subjects(self, slug: str) -> frozenset[str]:
        """Return the subject and its descendants."""
        return _descendants(slug, self.subjects)

    def narrower_places(self, slug: str) -> frozenset[str]:
        """Return the place and its descendants."""
        return _descendants(slug, self.places)

    def is_non_decreasing(self, slug: str) -> bool:
        """Return whether a running total of this category can never fall; False for an unknown category."""
        category = self.categories.get(slug)
        return category is not None and category.non_decreasing

    def is_additive(self, slug: str) -> bool:
        """Return whether the parts of this category add up to the whole; implied if it can only grow."""
        category = self.categories.get(slug)
        return category is not None and (category.additive or category.non_decreasing)

    def components_of(self, slug: str) -> tuple[str, ...]:
        """Return the atomic components of a category, sorted; the category itself if it does not state them."""
        atoms = self._atoms.get(slug)
        if atoms is None:
            atoms = self._atoms[slug] = self._find_atoms(slug)
        return atoms

    def _find_atoms(self, slug: str) -> tuple[str, ...]:
        if not self._has_known_components(slug):
            return (slug,)
        return tuple(sorted(each for each in self._all_components(slug) if self._components(each) == (each,)))

    def _components(self, slug: str) -> tuple[str, ...] | None:
        category = self.categories.get(slug)
        return (slug,) if category is None else category.components

    def _parents(self, slug: str) -> tuple[str, ...]:
        category = self.categories.get(slug)
        return () if category is None or category.parent is None else (category.parent,)

    def _all_components(self, slug: str) -> frozenset[str]:
        """Return the category and its components at every depth."""
        return _reachable(slug, lambda component: self._components(component) or ())

    def _has_known_components(self, slug: str) -> bool:
        """Return whether the components are known at every depth."""
        return all(self._components(component) is not None for component in self._all_components(slug))

    def _is_descendant(self, a: str, b: str) -> bool:
        return b in _reachable(a, self._parents)

    def _is_part_of(self, a: str, b: str) -> bool:
        """Return whether `b` counts all of `a`: through a parent of `a`, or through all of its components."""
        results: dict[str, bool] = dict.fromkeys(self._all_components(b), True)

        def is_part(slug: str) -> bool:
            if slug not in results:
                results[slug] = False  # ends the recursion in a cycle
                parts = self._components(slug)
                results[slug] = any(is_part(parent) for parent in self._parents(slug)) or (
                    parts is not None and parts != (slug,) and len(parts) > 0 and all(is_part(part) for part in parts)
                )
            return results[slug]

        return is_part(a)


def _containment(a_in_b: bool, b_in_a: bool) -> Containment:  # noqa: FBT001 - two symmetric conditions
    if a_in_b and b_in_a:
        return Containment.SAME
    if a_in_b:
        return Containment.INSIDE
    return Containment.CONTAINS if b_in_a else Containment.DISJOINT


def _relate_by_parents(a: str, b: str, parents: Parents) -> Containment:
    return _containment(b in _ancestors(a, parents), a in _ancestors(b, parents))


def _ancestors(slug: str, parents: Parents) -> frozenset[str]:
    return _reachable(slug, lambda item: parents.get(item, ()))


def _descendants(slug: str, parents: Parents) -> frozenset[str]:
    children: dict[str, list[str]] = {}
    for child, child_parents in parents.items():
        for parent in child_parents:
            children.setdefault(parent, []).append(child)
    return _reachable(slug, lambda item: children.get(item, ()))


def _reachable(start: str, successors: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """Return all items reachable from the start, including the start. Cycles are allowed."""
    visited = {start}
    pending = [start]
    while pending:
        new = [item for item in successors(pending.pop()) if item not in visited]
        visited.update(new)
        pending.extend(new)
    return frozenset(visited)


def resolve_position_holders(speaks_for: Mapping[str, str]) -> dict[str, str]:
    """Return, by source, the source whose position it holds: the end of its chain of `speaks_for`."""
    holders = {}
    for slug in speaks_for:
        holder, visited = slug, {slug}
        while (target := speaks_for.get(holder)) is not None and target not in visited:
            holder = target
            visited.add(holder)
        holders[slug] = holder
    return holders
