"""Random registers of claims for the tests of the comparison rules."""

from dataclasses import replace
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


def draw_figure(random: Random, near: int | None = None) -> PrintedFigure:
    """Return a random figure whose wording fits its numbers; its number is `near`, if given."""
    number, form = random.choice(_NUMBERS) if near is None else near, random.choice(_FORMS)
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


_OTHER_FIELDS: tuple[tuple[str, ...], ...] = (
    *(
        ("category", "unit"),
        ("subject",),
        ("place",),
        ("modality",),
        ("period",),
        ("period",),
        ("includes", "excludes"),
    ),
    *(("aggregation", "per"), ("base",), ("proposition", "figure")),
)
_STEPS = (0, 0, 1, 10, 90, 100, 5000)
_USUAL_FIELDS: dict[str, Any] = {
    "category": "dead",
    "unit": "persons",
    "subject": "travellers",
    "place": "sea",
    "proposition": "quantity",
    "modality": "estimate",
    "period": parse_period("2023-01-01/2023-06-12"),
    "aggregation": "cumulative",
    "includes": frozenset(),
    "excludes": frozenset(),
    "per": None,
    "base": None,
}


def draw_near_figure(random: Random, figure: PrintedFigure) -> PrintedFigure:
    """Return a random figure with a number on or near one of another figure."""
    stated = [number for number in (figure.value, figure.lower, figure.upper) if number is not None] or [0]
    return draw_figure(random, max(0, int(random.choice(stated)) + random.choice((1, -1)) * random.choice(_STEPS)))


def draw_rival(random: Random, id_: str, other: Statement, sources: int = 4) -> Statement:
    """Return a random claim that says something else about the same: half of them differ in one more field."""
    fresh = draw_statement(random, id_, sources)
    changed = random.choice(_OTHER_FIELDS) if random.random() < 0.5 else ()
    if random.random() < 0.5:
        changed += ("date", "date_edtf", "said_at")
    figure = other.figure if other.proposition == "ratio" else draw_near_figure(random, other.figure)
    fields: dict[str, Any] = {"id": id_, "source": fresh.source, "fingerprint": fresh.fingerprint, "figure": figure}
    return replace(other, **fields | {name: getattr(fresh, name) for name in changed})


def draw_question(random: Random) -> Statement:
    """Return a random claim with usual fields in most dimensions, to which rivals are drawn."""
    fresh = draw_statement(random, "first")
    usual = dict(random.sample(sorted(_USUAL_FIELDS.items()), len(_USUAL_FIELDS) - random.choice((0, 0, 1, 3))))
    if "unit" not in usual or "category" not in usual:
        usual |= {"category": fresh.category, "unit": fresh.unit}
    if "proposition" not in usual:
        usual["figure"] = fresh.figure
    elif fresh.proposition == "ratio":
        usual["figure"] = draw_figure(random)
    if "aggregation" not in usual or "per" not in usual:
        usual |= {"aggregation": fresh.aggregation, "per": fresh.per}
    return replace(fresh, **usual)


def draw_rivals(random: Random, size: int, sources: int = 4) -> list[Statement]:
    """Return random claims about nearly the same, with the ids `c0`, `c1` and so on."""
    question = draw_question(random)
    return [draw_rival(random, f"c{number}", question, sources) for number in range(size)]


RANDOMS = st.integers(0, 2**32 - 1).map(Random)
"""Random generators. A failing test names the seed."""


def registers(max_size: int = 14, sources: int = 4) -> st.SearchStrategy[list[Statement]]:
    """Return the strategy of random registers: of any claims, and more often of claims about nearly the same."""
    sizes = st.integers(0, max_size)
    wild, close = (st.builds(draw, RANDOMS, sizes, st.just(sources)) for draw in (draw_register, draw_rivals))
    return st.one_of(wild, close, close)
