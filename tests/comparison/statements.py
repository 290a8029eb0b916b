"""A claim of each of two domains, from which the tests of the comparison rules derive theirs."""

from dataclasses import replace
from datetime import date
from typing import Any

from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.period import parse_period
from app.comparison.statement import Statement
from app.comparison.wording import parse_wording

STATEMENT = Statement(
    id="1",
    source="a",
    category="dead",
    subject="travellers",
    place="sea",
    unit="persons",
    proposition="quantity",
    modality="estimate",
    derivation="own",
    figure=PrintedFigure("12", value=12),
    period=parse_period("2023"),
    aggregation="within",
    date=date(2024, 1, 31),
)
WAR_STATEMENT = replace(
    STATEMENT,
    category="casualties",
    subject="russian-forces",
    place="russia-ukraine-war",
    period=parse_period("2022-02-24/2025-06-12"),
    aggregation="cumulative",
    date=date(2025, 8, 31),
)


def parse_figure(wording: str, **changes: Any) -> PrintedFigure:
    """Return the valid figure of a wording, with some fields changed."""
    figure = parse_wording(wording)
    assert figure is not None
    return validate_figure(replace(figure, **changes), "quantity")
