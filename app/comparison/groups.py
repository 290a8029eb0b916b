"""Groups of positions: those that count the same thing from the same start, regardless of their ends."""

from dataclasses import dataclass

from app.comparison.effective_period import TOTALS, Ordinals, aggregation_class
from app.comparison.hierarchy import Hierarchy
from app.comparison.statement import Statement
from app.comparison.verdicts import compare_statements
from app.enums import Verdict


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the positions of a group have in common.

    `whole` is `out_of`, except for ratios, which are compared as shares. `first_days` are the possible first days of
    totals, and `last_days` the possible last days of all that is no running total. `components` are the atoms of the
    category. `only` is the id of a position that cannot be compared even with others like it, and is None else.
    """

    proposition: str
    dimension: str
    base: str | None
    whole: str | None
    is_forecast: bool
    aggregation_class: str
    per: str | None
    first_days: Ordinals | None
    last_days: Ordinals | None
    components: tuple[str, ...]
    subject: str
    place: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    only: str | None

    @property
    def has_stated_scope(self) -> bool:
        """Whether the sources of the group state which subjects they include or exclude."""
        return bool(self.includes or self.excludes)

    @property
    def sort_key(self) -> tuple[bool, str]:
        """The order of groups that tie: unstated scope last, then by all fields."""
        fields = (getattr(self, name) for name in self.__slots__)
        return not self.has_stated_scope, "\0".join("" if each is None else str(each) for each in fields)


def group_key_of(statement: Statement, hierarchy: Hierarchy) -> GroupKey:
    """Return the key of the group of a position."""
    figure, effective = statement.figure, statement.effective
    is_share = statement.proposition == "ratio"
    whole = None if figure.out_of is None else "share" if is_share else str(figure.out_of)
    return GroupKey(
        proposition=statement.proposition,
        dimension=statement.dimension,
        base=statement.base,
        whole=whole,
        is_forecast=statement.is_forecast,
        aggregation_class=aggregation_class(statement.aggregation),
        per=statement.per,
        first_days=effective.start if statement.aggregation in TOTALS else None,
        last_days=None if statement.aggregation == "cumulative" else effective.end,
        components=hierarchy.components_of(statement.category),
        subject=statement.subject,
        place=statement.place,
        includes=tuple(sorted(statement.includes)),
        excludes=tuple(sorted(statement.excludes)),
        only=None if _is_comparable(statement, hierarchy) else statement.id,
    )


def _is_comparable(statement: Statement, hierarchy: Hierarchy) -> bool:
    """Return whether a position can be compared with others like it: with a copy of itself by another source."""
    return compare_statements(statement, statement, hierarchy).verdict is not Verdict.not_comparable
