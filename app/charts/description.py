"""The description of a chart: its texts, rows, marks, axes and brackets. SVG, PNG and Vega-Lite are drawn from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.charts.axis import Axis, Real, Scale, TimeAxis


class View(StrEnum):
    """The charts of a topic."""

    side_by_side = "side-by-side"
    timeline = "timeline"
    card = "card"
    """Not a chart: the question and its newest figures, for previews of links."""


class Theme(StrEnum):
    """The colours of a chart. `auto` follows the settings of the reader."""

    auto = "auto"
    light = "light"
    dark = "dark"


class MarkKind(StrEnum):
    """How a figure is drawn."""

    point = "point"
    approximate = "approximate"
    range = "range"
    lower_bound = "lower_bound"
    upper_bound = "upper_bound"
    words = "words"


class PointStatus(StrEnum):
    """What became of a figure on a timeline."""

    stated = "stated"
    restated = "restated"
    retracted = "retracted"


DEFAULT_WIDTH = 720
MIN_WIDTH = 320
MAX_WIDTH = 1_600


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartOptions:
    """What a chart looks like, and where its readers find the topic.

    With `is_inline` it has neither a visible title, nor a lead, a credit line or a style: it is part of a page that has
    them, and whose style sheet includes `style_of`.
    """

    width: int = DEFAULT_WIDTH
    theme: Theme = Theme.auto
    scale: Scale | None = None
    address: str = ""
    day: date | None = None
    """The day to which ages are counted."""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure on an axis, in the unit of the axis. A missing bound is unknown."""

    kind: MarkKind
    value: Real | None = None
    lower: Real | None = None
    upper: Real | None = None
    is_approximate: bool = False

    @property
    def numbers(self) -> list[Real]:
        """The numbers that the figure states."""
        return [number for number in (self.lower, self.value, self.upper) if number is not None]


@dataclass(frozen=True, slots=True)
class Row:
    """A position, or a claim in words: who says it, for which day, how old it is, and the figure."""

    claim: str
    source: str
    interest: str
    """In words, such as "a party"; empty if there is nothing to say."""
    day: str
    age: str
    """In words; empty unless the figure is older than the window."""
    figure: str
    as_printed: str
    mark: Mark
    is_current: bool

    @property
    def label(self) -> str:
        """The source, with its interest."""
        return f"{self.source}, {self.interest}" if self.interest else self.source

    @property
    def time(self) -> str:
        """The day and the age."""
        return f"{self.day}, {self.age} old" if self.age else self.day


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that count the same thing."""

    heading: str
    is_on_question: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Groups that follow each other and share an axis; None for claims in words."""

    axis: Axis | None
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Bracket:
    """Two rows that cannot both be true, by claim, with the number and the sentence that explain it."""

    number: int
    a: str
    b: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartDescription:
    """What the two charts have in common. `notes` stand below the marks, and the credit below them."""

    title: str
    lead: str
    state: str
    """As known on which day, and under which tolerance; empty without any."""
    notes: tuple[str, ...]
    credit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySideDescription(ChartDescription):
    """The positions of a topic in groups, as its brief has them."""

    panels: tuple[Panel, ...]
    brackets: tuple[Bracket, ...] = ()

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all groups."""
        return (row for panel in self.panels for group in panel.groups for row in group.rows)


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of a timeline. `start` is set where it covers a period of its own, and holds for that period alone."""

    claim: str
    start: date | None
    end: date
    figure: str
    when: str
    """The period in words, such as "up to 12 June 2025"."""
    notes: tuple[str, ...]
    """When it was said, unless `when` says so, and what became of it."""
    mark: Mark
    status: PointStatus = PointStatus.stated
    replaced_by: str | None = None

    @property
    def text(self) -> str:
        """The figure, its period, when it was said, and what became of it."""
        return ", ".join((self.figure, self.when, *self.notes))


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of a source in one panel, by day. `is_running` says that each holds until the next one."""

    source: str
    is_named: bool
    is_running: bool
    points: tuple[Point, ...]

    @property
    def standing(self) -> list[Point]:
        """The points that were neither restated nor retracted."""
        return [point for point in self.points if point.status is PointStatus.stated]


@dataclass(frozen=True, slots=True)
class TimelinePanel:
    """The series that count the same thing. Those with the newest figures come last, and are drawn above the others."""

    heading: str
    is_on_question: bool
    axis: Axis
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineDescription(ChartDescription):
    """The claims of a topic over time, by what they count and by source."""

    panels: tuple[TimelinePanel, ...]
    time_axis: TimeAxis | None
    known_on: date | None
