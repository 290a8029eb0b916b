"""The keys by which counts of claims are stored, and the choice of the stored counts that answer a question.

A key is the values of a few fields of a claim, joined by spaces. Counts are stored for each key and for pairs of keys,
so that they can be filtered by the fields of one or two keys, and grouped by any of these fields.
"""

from functools import cache
from typing import Final

UNKNOWN: Final = "-"
"""The value of a field that is unknown, in keys. No slug and no member of an enumeration is equal to it."""

UNASSESSED: Final = "unassessed"
"""The level of a claim without an assessment, in keys. `UNKNOWN` is that of an assessment without a level."""

KEY_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "c": ("category",),
    "u": ("subject",),
    "p": ("place",),
    "s": ("source",),
    "y": ("year",),
    "k": ("proposition", "modality", "aggregation", "kind"),
    "r": ("status", "level", "reliability", "credibility"),
    "m": ("month",),
    "q": ("category", "subject", "place", "aggregation"),
}
"""The code of each key → the fields in it. A month also tells the year."""

PAIRS: Final = (
    *("cu", "cp", "up", "cs", "us", "ps", "cy", "uy", "py", "sy", "ck", "uk", "pk", "sk", "yk"),
    *("cr", "ur", "pr", "sr", "yr", "kr"),
    # Only to filter by the first key: by months of the date, and by the questions of a topic.
    *("mc", "mu", "mp", "ms", "mk", "mr", "qs", "qy", "qk", "qr"),
)
"""The pairs of keys whose counts are stored. Those with few rows come first, because the first that fits is read."""

STORED: Final = (*KEY_FIELDS, *PAIRS)


def read_field(code: str, key: str, field: str) -> str:
    """Return the value of a field in a key."""
    if field == "year" and code == "m":
        return key[:4] if key != UNKNOWN else UNKNOWN
    fields = KEY_FIELDS[code]
    return key if len(fields) == 1 else key.split(" ")[fields.index(field)]


def has_field(code: str, field: str) -> bool:
    """Return whether a key tells the value of a field."""
    return field in KEY_FIELDS[code] or (code == "m" and field == "year")


@cache
def choose_stored(fields: frozenset[str]) -> str | None:
    """Return the key or pair of keys that tells all of these fields; None if none does."""
    return next((code for code in STORED if all(any(has_field(key, name) for key in code) for name in fields)), None)
