"""The fields of a claim that a comparison needs."""

from dataclasses import dataclass, field
from datetime import date, datetime

from app.comparison.effective_period import EffectivePeriod, resolve_period
from app.comparison.figure import PrintedFigure
from app.comparison.measure import Measure, compared_unit, measure_figure
from app.comparison.period import EdtfPeriod


@dataclass(frozen=True, slots=True)
class Statement:
    """The fields of a claim that a comparison needs.

    `source` is the holder of the position (through `speaks_for`). `base` is the normalized `relative_to` of the figure,
    and `fingerprint` breaks ties. `effective`, `dimension` and `stated` (the numbers) are derived from the others.
    """

    id: str
    source: str
    category: str
    subject: str
    place: str
    unit: str
    proposition: str
    modality: str
    derivation: str
    figure: PrintedFigure
    period: EdtfPeriod
    aggregation: str
    date: date | None
    includes: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()
    date_edtf: str | None = None
    said_at: datetime | None = None
    per: str | None = None
    base: str | None = None
    fingerprint: str = ""
    effective: EffectivePeriod = field(init=False, compare=False, repr=False)
    dimension: str = field(init=False, compare=False, repr=False)
    stated: Measure | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Derive the effective period, the dimension of the unit, and the numbers."""
        effective = resolve_period(
            self.period, self.aggregation, self.date, self.date_edtf, self.said_at, is_forecast=self.is_forecast
        )
        object.__setattr__(self, "effective", effective)
        object.__setattr__(self, "dimension", compared_unit(self.unit))
        object.__setattr__(self, "stated", measure_figure(self.figure, self.unit, self.proposition))

    @property
    def has_stated_scope(self) -> bool:
        """Whether the source states which groups it includes or excludes."""
        return bool(self.includes or self.excludes)

    @property
    def is_forecast(self) -> bool:
        """Whether this is a forecast, which is only compared with other forecasts."""
        return self.modality == "forecast"
