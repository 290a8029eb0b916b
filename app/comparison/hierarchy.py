"""What lies within what: categories by their components and parents, subjects and places by their parents."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Parents = Mapping[str, tuple[str, ...]]


class Containment(StrEnum):
    """How two things lie to each other, the first named first."""

    SAME = "same"
    INSIDE = "inside"
    CONTAINS = "around"
    DISJOINT = "apart"
    UNSTATED = "unstated"
    """Nobody said what one of them consists of."""


@dataclass(frozen=True, slots=True)
class CategoryNode:
    """What is counted. An atom has itself as its only component; `components` is None where no source says them.

    `non_decreasing` says that a running total can only grow.
    """

    slug: str
    components: tuple[str, ...] | None
    parent: str | None
    non_decreasing: bool
    unit: str


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The hierarchies that claims are compared in. Circles in them are borne; a slug not named stands alone."""

    categories: Mapping[str, CategoryNode]
    subjects: Parents
    places: Parents

    def relate_categories(self, a: str, b: str) -> Containment:
        """Tell how category `a` lies to category `b`.

        They are the same when they have one slug or the same atoms. A lies inside B when each of its atoms is one of
        B's or lies below a component of B. Unstated components are `UNSTATED`, even beside themselves ("losses" and
        "losses" may add up different things), unless a parent places one category within the other.
        """
        if (
            a != b
            and (below := _containment(self._is_descendant(a, b), self._is_descendant(b, a)))
            is not Containment.DISJOINT
        ):
            return below
        if not (self._has_known_components(a) and self._has_known_components(b)):
            return Containment.UNSTATED
        return _containment(self._is_part_of(a, b), self._is_part_of(b, a))

    def relate_subjects(self, a: str, b: str) -> Containment:
        """Tell how subject `a` lies to subject `b`."""
        return _containment(b in _ancestors(a, self.subjects), a in _ancestors(b, self.subjects))

    def relate_places(self, a: str, b: str) -> Containment:
        """Tell how place `a` lies to place `b`."""
        return _containment(b in _ancestors(a, self.places), a in _ancestors(b, self.places))

    def narrower_categories(self, slug: str) -> frozenset[str]:
        """Every category that lies within this one, itself and those of the same atoms included."""
        inside = {Containment.SAME, Containment.INSIDE}
        return frozenset({slug} | {each for each in self.categories if self.relate_categories(each, slug) in inside})

    def narrower_subjects(self, slug: str) -> frozenset[str]:
        """Every subject that lies below this one, itself included."""
        return _descendants(slug, self.subjects)

    def narrower_places(self, slug: str) -> frozenset[str]:
        """Every place that lies below this one, itself included."""
        return _descendants(slug, self.places)

    def is_non_decreasing(self, slug: str) -> bool:
        """Whether a running total of this category can never fall; an unknown category promises nothing."""
        category = self.categories.get(slug)
        return category is not None and category.non_decreasing

    def _components(self, slug: str) -> tuple[str, ...] | None:
        category = self.categories.get(slug)
        return (slug,) if category is None else category.components

    def _parents(self, slug: str) -> tuple[str, ...]:
        category = self.categories.get(slug)
        return () if category is None or category.parent is None else (category.parent,)

    def _all_components(self, slug: str) -> frozenset[str]:
        """The category with all its components, at every depth."""
        return _reachable(slug, lambda each: self._components(each) or ())

    def _has_known_components(self, slug: str) -> bool:
        """Whether its components are known at every depth."""
        return all(self._components(each) is not None for each in self._all_components(slug))

    def _is_descendant(self, a: str, b: str) -> bool:
        return b in _reachable(a, self._parents)

    def _is_part_of(self, a: str, b: str) -> bool:
        """Whether all of `a` is counted in `b`: by its parents, or component for component."""
        whole = self._all_components(b)
        known: dict[str, bool] = dict.fromkeys(whole, True)

        def lies(slug: str) -> bool:
            if slug not in known:
                known[slug] = False  # While it is being asked: a circle proves nothing.
                parts = self._components(slug)
                known[slug] = any(lies(parent) for parent in self._parents(slug)) or (
                    parts is not None and parts != (slug,) and len(parts) > 0 and all(lies(part) for part in parts)
                )
            return known[slug]

        return lies(a)


def _containment(a_in_b: bool, b_in_a: bool) -> Containment:  # noqa: FBT001 - the two answers are the whole question
    if a_in_b and b_in_a:
        return Containment.SAME
    if a_in_b:
        return Containment.INSIDE
    return Containment.CONTAINS if b_in_a else Containment.DISJOINT


def _ancestors(slug: str, parents: Parents) -> frozenset[str]:
    return _reachable(slug, lambda each: parents.get(each, ()))


def _descendants(slug: str, parents: Parents) -> frozenset[str]:
    children: dict[str, list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    return _reachable(slug, lambda each: children.get(each, ()))


def _reachable(start: str, onward: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """Everything that can be reached from the start, which is included; circles end."""
    found = {start}
    pending = [start]
    while pending:
        new = [each for each in onward(pending.pop()) if each not in found]
        found.update(new)
        pending.extend(new)
    return frozenset(found)


def resolve_position_holders(speaks_for: Mapping[str, str]) -> dict[str, str]:
    """The same, where it is known which source each speaks for."""
    found = {}
    for slug in speaks_for:
        holder, passed = slug, {slug}
        while (other := speaks_for.get(holder)) is not None and other not in passed:
            holder = other
            passed.add(holder)
        found[slug] = holder
    return found
