"""Units of figures: their dimension, and exact conversion of areas, lengths and masses.

A unit is a plain word (`hectares`), a CLDR unit name (`square-kilometer`), a usual symbol (`km²`) or an ISO 4217 code
(`USD`). Any other text is a unit without a dimension, such as `persons`.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal

Dimension = Literal["currency", "area", "length", "mass"]

DIMENSIONS: Final[tuple[Dimension, ...]] = ("currency", "area", "length", "mass")
"""The dimensions that a category can have instead of a unit."""

PERCENT: Final = "percent"
"""The unit of a relative change."""

PERCENTAGE_POINTS: Final = "percentage-points"
"""The unit of an absolute change of what is itself in percent: unemployment rose from 5% to 6%, by one point."""

RELATIVE_CHANGE_UNITS: Final = frozenset({PERCENT, PERCENTAGE_POINTS})
"""The units of a change that a wording can name besides the unit of the category."""

TIMES: Final = "times"
"""The unit of a ratio that is one number: "four times the average"."""


class NotConvertible(ValueError):
    """A unit that cannot be converted: a currency, or a unit without a dimension."""

    def __init__(self, unit: str) -> None:
        super().__init__(f"{unit!r} is not a unit of area, length or mass.")
        self.unit = unit


_FOOT: Final = Fraction("0.3048")
_POUND: Final = Fraction("0.45359237")
_SQUARE_METERS_PER_HECTARE: Final = 10_000


def _square(length: Fraction) -> Fraction:
    """Return the area of a square in hectares, from its side in meters."""
    return length * length / _SQUARE_METERS_PER_HECTARE


# The yard and the pound are exact by the agreement of 1959, and with them all that is derived from them.
_LENGTHS: Final[dict[str, tuple[Fraction, str]]] = {
    "nanometer": (Fraction(1, 10**9), "nanometers nanometre nanometres"),
    "micrometer": (Fraction(1, 10**6), "micrometers micrometre micrometres micron microns µm μm"),
    "millimeter": (Fraction(1, 1000), "millimeters millimetre millimetres mm"),
    "centimeter": (Fraction(1, 100), "centimeters centimetre centimetres cm"),
    "decimeter": (Fraction(1, 10), "decimeters decimetre decimetres dm"),
    "meter": (Fraction(1), "meters metre metres m"),
    "kilometer": (Fraction(1000), "kilometers kilometre kilometres km"),
    "inch": (_FOOT / 12, "inches"),
    "foot": (_FOOT, "feet ft"),
    "yard": (_FOOT * 3, "yards yd"),
    "fathom": (_FOOT * 6, "fathoms"),
    "mile": (_FOOT * 5280, "miles mi statute-mile statute-miles"),
    "nautical-mile": (Fraction(1852), "nautical-miles nmi"),
}
_AREAS: Final[dict[str, tuple[Fraction, str]]] = {
    "square-millimeter": (
        _square(Fraction(1, 1000)),
        "square-millimeters square-millimetre square-millimetres mm2 mm²",
    ),
    "square-centimeter": (_square(Fraction(1, 100)), "square-centimeters square-centimetre square-centimetres cm2 cm²"),
    "square-meter": (_square(Fraction(1)), "square-meters square-metre square-metres sq-m m2 m²"),
    "square-kilometer": (_square(Fraction(1000)), "square-kilometers square-kilometre square-kilometres sq-km km2 km²"),
    "are": (Fraction(1, 100), "ares"),
    "dunam": (Fraction(1, 10), "dunams dunum dunums"),
    "hectare": (Fraction(1), "hectares ha"),
    "square-inch": (_square(_FOOT / 12), "square-inches sq-in"),
    "square-foot": (_square(_FOOT), "square-feet sq-ft ft2 ft²"),
    "square-yard": (_square(_FOOT * 3), "square-yards sq-yd"),
    "acre": (_square(_FOOT * 66) * 10, "acres ac"),
    "square-mile": (_square(_FOOT * 5280), "square-miles sq-mi mi2 mi²"),
}
_MASSES: Final[dict[str, tuple[Fraction, str]]] = {
    "microgram": (Fraction(1, 10**9), "micrograms microgramme microgrammes µg μg"),
    "milligram": (Fraction(1, 10**6), "milligrams milligramme milligrammes mg"),
    "gram": (Fraction(1, 1000), "grams gramme grammes g"),
    "kilogram": (Fraction(1), "kilograms kilogramme kilogrammes kilo kilos kg"),
    "quintal": (Fraction(100), "quintals"),
    "tonne": (Fraction(1000), "tonnes metric-ton metric-tons t"),
    "kilotonne": (Fraction(10**6), "kilotonnes"),
    "megatonne": (Fraction(10**9), "megatonnes"),
    "gigatonne": (Fraction(10**12), "gigatonnes"),
    "ounce": (_POUND / 16, "ounces oz"),
    "ounce-troy": (Fraction("0.0311034768"), "troy-ounce troy-ounces ounces-troy oz-t"),
    "pound": (_POUND, "pounds lb lbs"),
    "stone": (_POUND * 14, "stones"),
    "short-ton": (_POUND * 2000, "short-tons us-ton us-tons"),
    "long-ton": (_POUND * 2240, "long-tons imperial-ton imperial-tons"),
}
_TABLES: Final[tuple[tuple[Dimension, dict[str, tuple[Fraction, str]]], ...]] = (
    ("area", _AREAS),
    ("length", _LENGTHS),
    ("mass", _MASSES),
)

_CANONICAL_NAMES: Final = {
    spelling: name
    for _, table in _TABLES
    for name, (_, spellings) in table.items()
    for spelling in (name, *spellings.split())
}
_FACTORS: Final[dict[str, tuple[Dimension, Fraction]]] = {
    name: (dimension, factor) for dimension, table in _TABLES for name, (factor, _) in table.items()
}

_CURRENT_CODES: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VED VES VND VUV WST XAF XCD XCG XDR XOF XPF YER ZAR ZMW ZWG"
)
"""The codes in use, without those of metals, funds and tests."""

_WITHDRAWN_CODES: Final = (
    "ANG ATS AZM BEF BGL BYB BYR CSD CSK CUC CYP DDM DEM EEK ESP FIM FRF GHC GRD GWP HRK IEP ITL LTL LUF LVL MGF MRO "
    "MTL MXP MZM NLG PLZ PTE ROL RUR SDD SIT SKK SLL SRG STD SUR TMM TPE TRL UAK UYP VEB VEF XEU YUD YUM ZAL ZMK ZRN "
    "ZWD ZWL"
)
"""Codes of former currencies, in which older figures were printed."""

CURRENCIES: Final = frozenset(f"{_CURRENT_CODES} {_WITHDRAWN_CODES}".split())
"""The codes of ISO 4217."""

_AMBIGUOUS_UNITS: Final = {"ton": "tonnes, short-tons or long-tons", "tons": "tonnes, short-tons or long-tons"}
_EXAMPLES: Final[dict[Dimension, str]] = {
    "currency": "a code of ISO 4217 such as USD or EUR",
    "area": "a unit such as hectares, acres or square-kilometers",
    "length": "a unit such as meters, millimeters or miles",
    "mass": "a unit such as kilograms, tonnes or pounds",
}


OTHER_MEASURES: Final[dict[str, str]] = {
    spelling: name
    for name, spellings in {
        "temperature-celsius": "celsius degree-celsius degrees-celsius °c ℃",
        "temperature-fahrenheit": "fahrenheit degree-fahrenheit degrees-fahrenheit °f ℉",
        "temperature-kelvin": "kelvin kelvins",
        "angle-degree": "degree degrees °",
        "duration-minute": "minute minutes min",
        "duration-hour": "hour hours hr hrs",
        "duration-day": "day days",
        "duration-week": "week weeks",
        "duration-month": "month months",
        "duration-year": "year years",
        "volume-cubic-meter": "cubic-meter cubic-meters cubic-metre cubic-metres m3 m³ cu-m",
        "volume-cubic-kilometer": "cubic-kilometer cubic-kilometers cubic-kilometre cubic-kilometres cubic-km km3 km³",
        "volume-cubic-foot": "cubic-foot cubic-feet ft3 ft³",
        "volume-acre-foot": "acre-foot acre-feet",
        "volume-liter": "liter liters litre litres",
        "volume-megaliter": "megaliter megaliters megalitre megalitres",
        "volume-milliliter": "milliliter milliliters millilitre millilitres ml",
        "volume-gallon": "gallon gallons",
        "volume-barrel": "barrel barrels bbl",
        "volume-bushel": "bushel bushels",
        "energy-kilowatt-hour": "kilowatt-hour kilowatt-hours kwh",
        "energy-megawatt-hour": "megawatt-hour megawatt-hours mwh",
        "energy-gigawatt-hour": "gigawatt-hour gigawatt-hours gwh",
        "energy-terawatt-hour": "terawatt-hour terawatt-hours twh",
        "energy-joule": "joule joules",
        "power-kilowatt": "kilowatt kilowatts kw",
        "power-megawatt": "megawatt megawatts mw",
        "power-gigawatt": "gigawatt gigawatts gw",
        "speed-kilometer-per-hour": "kilometer-per-hour kilometers-per-hour kilometre-per-hour kilometres-per-hour "
        "km/h",
        "speed-meter-per-second": "meter-per-second meters-per-second metre-per-second metres-per-second m/s",
        "speed-mile-per-hour": "mile-per-hour miles-per-hour mph",
        "speed-knot": "knot knots",
        "pressure-hectopascal": "hectopascal hectopascals hpa",
        "concentr-part-per-1e6": "part-per-million parts-per-million ppm",
        "concentr-permille": "permille per-mille ‰",
    }.items()
    for spelling in spellings.split()
}
"""Spellings of measures without a dimension of their own → their CLDR name."""

_OTHER_MEASURES: Final = frozenset(
    # Unit identifiers of CLDR and their plain words, apart from lengths, areas, masses and currencies.
    {
        "celsius",
        "degree-celsius",
        "degrees-celsius",
        "fahrenheit",
        "degrees-fahrenheit",
        "kelvin",
        "kelvins",
        "°c",
        "°f",
    }
    | {"degree", "degrees", "radian", "radians", "permille", "percentage-points", "percentage-point", "ratio", "index"}
    | {"second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months"}
    | {"year", "years", "decade", "decades", "millisecond", "milliseconds"}
    | {
        "liter",
        "liters",
        "litre",
        "litres",
        "milliliter",
        "milliliters",
        "hectoliter",
        "hectoliters",
        "gallon",
        "gallons",
    }
    | {"cubic-meter", "cubic-meters", "cubic-metre", "cubic-metres", "cubic-kilometer", "cubic-kilometers", "m³", "km³"}
    | {"barrel", "barrels", "bushel", "bushels", "acre-foot", "acre-feet", "cubic-foot", "cubic-feet"}
    | {"watt", "watts", "kilowatt", "kilowatts", "megawatt", "megawatts", "gigawatt", "gigawatts", "mw", "gw", "kw"}
    | {"kilowatt-hour", "kilowatt-hours", "megawatt-hour", "megawatt-hours", "gigawatt-hour", "gigawatt-hours", "kwh"}
    | {
        "terawatt-hour",
        "terawatt-hours",
        "mwh",
        "gwh",
        "twh",
        "joule",
        "joules",
        "gigajoules",
        "petajoules",
        "exajoules",
    }
    | {"calorie", "calories", "kilocalories", "volt", "volts", "ampere", "amperes", "hertz", "pascal", "pascals"}
    | {"hectopascal", "hectopascals", "millibar", "millibars", "bar", "decibel", "decibels", "sievert", "sieverts"}
    | {"millisieverts", "becquerel", "becquerels", "kilometer-per-hour", "kilometers-per-hour", "kilometres-per-hour"}
    | {"km/h", "meter-per-second", "meters-per-second", "metres-per-second", "m/s", "mile-per-hour", "miles-per-hour"}
    | {"knot", "knots", "part-per-million", "parts-per-million", "ppm", "ppb", "bit", "bits", "megabyte", "megabytes"}
    | {"gigabyte", "gigabytes", "terabyte", "terabytes", "per-100000", "rate", "score", "magnitude"}
)


@lru_cache(maxsize=256)
def has_fractions(unit: str) -> bool:
    """Return whether a unit is a measure, which has fractions. All others, such as `persons`, are counted whole."""
    if unit in {PERCENT, TIMES} or unit in DIMENSIONS or dimension_of(unit) is not None:
        return True
    return unit.casefold().replace(" ", "-").replace("_", "-") in _OTHER_MEASURES


def as_dimension(category_unit: str) -> Dimension | None:
    """Return the unit of a category if it is a dimension, so that each claim names its own unit; else None."""
    return next((dimension for dimension in DIMENSIONS if dimension == category_unit), None)


def canonical_unit(unit: str) -> str:
    """Return the name that all spellings of a unit share: `km²` and `square kilometres` are `square-kilometer`.

    Letter case matters for currencies only: `USD` is one, `usd` is not. Other units are returned with spaces folded.
    """
    folded = " ".join(unit.split())
    if folded in CURRENCIES:
        return folded
    return _CANONICAL_NAMES.get(folded.casefold().replace(" ", "-").replace("_", "-"), folded)


@lru_cache(maxsize=256)
def spellings_of(unit: str) -> frozenset[str]:
    """Return all spellings of a measure, the given one among them: `km³` and `cubic kilometres`."""
    folded = unit.casefold().replace(" ", "-").replace("_", "-")
    for names in (_CANONICAL_NAMES, OTHER_MEASURES):
        if (name := names.get(folded)) is not None:
            return frozenset({unit, *(spelling for spelling, other in names.items() if other == name)})
    return frozenset({unit})


def is_same_unit(one: str, other: str) -> bool:
    """Return whether two units are spellings of one unit: `cubic-meters` and `m³`."""
    return canonical_unit(one) == canonical_unit(other) or one.casefold() in spellings_of(other)


def dimension_of(unit: str) -> Dimension | None:
    """Return the dimension of a unit; None for a unit without one, such as `persons`, and for a dimension itself."""
    canonical = canonical_unit(unit)
    if canonical in CURRENCIES:
        return "currency"
    entry = _FACTORS.get(canonical)
    return None if entry is None else entry[0]


def conversion_factor(unit: str) -> Fraction:
    """Return the exact size of a unit of area, length or mass in the base unit of its dimension.

    Raises `NotConvertible` for all other units: amounts in two currencies are never converted.
    """
    entry = _FACTORS.get(canonical_unit(unit))
    if entry is None:
        raise NotConvertible(unit)
    return entry[1]


def suggest_unit(dimension: Dimension, unit: str | None = None) -> str:
    """Return a hint for a unit that does not belong to `dimension`, or for a missing one."""
    if unit is not None:
        if dimension == "currency" and unit.strip().upper() in CURRENCIES:
            return f"did you mean `{unit.strip().upper()}`?"
        if dimension == "mass" and (choices := _AMBIGUOUS_UNITS.get(unit.strip().casefold())):
            return f"more than one unit has this name: write {choices}"
    return f"give {_EXAMPLES[dimension]}"
