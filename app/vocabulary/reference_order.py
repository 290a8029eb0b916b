"""The order in which records that refer to each other are recorded."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter


class CircularReferences(ValueError):
    """Records have circular references, so none of them can be recorded first."""

    def __init__(self, slugs: Collection[str]) -> None:
        super().__init__(f"these have circular references: {', '.join(slugs)}")
        self.slugs = list(slugs)
        """The records that cannot be ordered: those of the cycle, and those that refer to them."""


def sort_by_references(references: Mapping[str, Collection[str]]) -> list[str]:
    """Return the slugs so that each comes after those it refers to, otherwise in their given order.

    Args:
        references: Slug → slugs that it refers to. Others than the keys, and the slug itself, are ignored.

    Raises:
        CircularReferences: Some records have circular references.
    """
    position = {slug: index for index, slug in enumerate(references)}
    sorter = TopologicalSorter(
        {
            slug: [other for other in others if other in position and other != slug]
            for slug, others in references.items()
        }
    )
    with suppress(CycleError):  # order all records outside the cycle; the error names the rest
        sorter.prepare()
    ordered: list[str] = []
    while ready := sorted(sorter.get_ready(), key=position.__getitem__):
        ordered += ready
        sorter.done(*ready)
    if len(ordered) < len(position):
        done = set(ordered)
        raise CircularReferences([slug for slug in position if slug not in done])
    return ordered
