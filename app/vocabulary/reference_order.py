"""The order in which records that refer to each other are recorded."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter


class CircularReferences(ValueError):
    """Records refer to each other in a circle, so none of them can be recorded first."""

    def __init__(self, slugs: Collection[str]) -> None:
        super().__init__(f"these refer to each other in a circle: {', '.join(slugs)}")
        self.slugs = list(slugs)
        """The records that cannot be ordered: those of the circle, and those that refer to them."""


def sort_by_references(references: Mapping[str, Collection[str]]) -> list[str]:
    """Return the slugs so that each comes after those it refers to, otherwise in their present order.

    Args:
        references: Slug → slugs that it refers to. Others than the keys, and the slug itself, are ignored.

    Raises:
        CircularReferences: Some records refer to each other in a circle.
    """
    position = {slug: index for index, slug in enumerate(references)}
    sorter = TopologicalSorter(
        {
            slug: [other for other in others if other in position and other != slug]
            for slug, others in references.items()
        }
    )
    with suppress(CycleError):  # what is outside the circle can be ordered nevertheless; the rest is named in the error
        sorter.prepare()
    ordered: list[str] = []
    while ready := sorted(sorter.get_ready(), key=position.__getitem__):
        ordered += ready
        sorter.done(*ready)
    if len(ordered) < len(position):
        done = set(ordered)
        raise CircularReferences([slug for slug in position if slug not in done])
    return ordered
