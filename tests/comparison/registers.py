"""Random registers of claims for the tests of the comparison rules."""

from datetime import date, datetime
from random import Random
from typing import Any

from hypothesis import strategies as st

from app.comparison.figure import PrintedFigure, validate_figure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.period import parse_period
from app.comparison.statement import Statement


def _category(
    slug: str, *components: str, unit: str = "persons", grows: bool = True, additive: bool = False, parent: str = ""
) -> CategoryNode:
    return CategoryNode(slug, components or (slug,), parent or None, grows, unit, additive)


HIERARCHY = Hierarchy(
    {
        each.slug: each
        for each in (
            _category("dead"),
            _category("missing"),
            _category("dead-and-missing", "dead", "missing"),
            _category("dead-named", parent="dead"),
            _category("crowd", grows=False),
            _category("damage", unit="currency", grows=False, additive=True),
            _category("burnt", unit="area"),
            _category("unemployed", unit="percent", grows=False),
            CategoryNode("losses", None, None, non_decreasing=True, unit="persons"),
        )
    },
    subjects={"children": ("travellers",)},
    places={"west": ("sea",), "central": ("sea",)},
)

_UNITS = {
    "damage": ("EUR", "EUR", "USD"),
    "burnt": ("hectares", "hectares", "acres", "square-kilometers"),
    "unemployed": ("percent",),
}
_NUMBERS = (0, 19, 20, 21, 34, 90, 100, 110, 262, 3140, 5000, 5096, 5100, 45_000, 45_280, 950_000, 1_000_000, 1_040_000)
_FORMS = (
    *("plain", "plain", "plain", "about", "about", "over", "at least", "up to", "under", "range", "range", "best"),
    *("coverage", "nearly", "just over", "about range"),
)
_PERIODS = (
    *("2023", "2023", "2023-01/2023-06", "2023-01-01/2023-06-12", "2023-01-01/2023-06-12", "2023-01-01/2023-06-10"),
    *("2023-01-01/2023-06", "2023-01/2023-06-12", "2023-06-12", "2023-06", "2023-01-01/..", "../2023-06-12"),
    *("2023-01-01/2023-06-12~", "2022-01-01/2023-06-12", "2023-XX"),
)
_SAID = ("2023-06-12", "2023-06-13", "2024-01-31", "2024-02-01", None)
_MOMENTS = ("2023-06-12T10:00:00+02:00", "2023-06-12T22:00:00Z", "2023-06-13T00:30:00+03:00", "2023-06-13T18:00:00Z")


def draw_figure(random: Random) -> PrintedFigure:
    """Return a random figure whose wording fits its numbers."""
    number, form = random.choice(_NUMBERS), random.choice(_FORMS)
    upper = number + random.choice((0, 1, 10, 100, 5000, 90_000))
    fields_by_form: dict[str, dict[str, Any]] = {
        "plain": {"value": number},
        "about": {"value": number, "approximate": True},
        "over": {"lower": number, "lower_inclusive": False},
        "at least": {"lower": number},
        "up to": {"upper": number},
        "under": {"upper": number, "upper_inclusive": False},
        "range": {"lower": number, "upper": upper},
        "best": {"lower": number, "upper": upper, "value": upper},
        "coverage": {"lower": number, "upper": upper, "coverage": 0.95},
        "nearly": {"upper": number, "upper_inclusive": False, "approximate": True},
        "just over": {"lower": number, "lower_inclusive": False, "approximate": True},
        "about range": {"lower": number, "upper": upper, "approximate": True},
    }
    wording = f"{number:,}" if form == "plain" else f"{form} {number:,}-{upper:,}"
    return validate_figure(PrintedFigure(wording, **fields_by_form[form]), "quantity")


def draw_statement(random: Random, id_: str, sources: int = 4) -> Statement:
    """Return a random claim: most often of one category, subject, place and period, so that many can be compared."""

    def choose(usual: Any, *others: Any) -> Any:
        return usual if random.random() < 0.7 else random.choice(others)

    category = choose("dead", "missing", "dead-and-missing", "dead-named", "crowd", "damage", "burnt", "losses")
    aggregation = choose(random.choice(("cumulative", "within")), "snapshot", "rate")
    proposition = choose("quantity", "quantity", "quantity", "ratio", "change")
    figure = draw_figure(random)
    if proposition == "ratio":
        figure = PrintedFigure("x in y", value=random.choice((1, 2)), out_of=random.choice((1, 5, 10)))
    said, moment = random.choice(_SAID), choose(None, *_MOMENTS)
    said_at = None if moment is None else datetime.fromisoformat(moment)
    day = said_at.date() if said_at else None if said is None else date.fromisoformat(said)
    return Statement(
        id=id_,
        source=f"source-{random.randrange(sources)}",
        category=category,
        subject=choose("travellers", "children"),
        place=choose("sea", "west", "central"),
        unit=random.choice(_UNITS.get(category, ("persons",))),
        proposition=proposition,
        modality=choose("estimate", "count", "forecast"),
        derivation="own",
        figure=figure,
        period=parse_period(random.choice(_PERIODS)),
        aggregation=aggregation,
        date=day,
        includes=choose(frozenset(), frozenset({"crew"})),
        excludes=choose(frozenset(), frozenset({"crew"})),
        date_edtf=None if said_at or day is None else choose(None, day.isoformat(), f"{day:%Y-%m}"),
        said_at=said_at,
        per=choose("day", "month", None) if aggregation == "rate" else None,
        base=choose(None, "2022"),
        fingerprint=f"{random.randrange(10**9):09}",
    )


def draw_register(random: Random, size: int, sources: int = 4) -> list[Statement]:
    """Return random claims with the ids `c0`, `c1` and so on."""
    return [draw_statement(random, f"c{number}", sources) for number in range(size)]


RANDOMS = st.integers(0, 2**32 - 1).map(Random)
"""Random generators. A failing test names the seed."""


def registers(max_size: int = 14, sources: int = 4) -> st.SearchStrategy[list[Statement]]:
    """Return the strategy of random registers."""
    return st.builds(draw_register, RANDOMS, st.integers(0, max_size), st.just(sources))
