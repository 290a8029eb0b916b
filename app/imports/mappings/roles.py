"""Recognizes what the columns of a table stand for: source, category, place, day, period, link and so on."""

import re
from collections.abc import Callable, Sequence

from app.imports.mappings.inspect import ColumnProfile, split_name

RecordFinder = Callable[[str, str], str | None]
"""Returns the slug of the record of a kind that a text names, if exactly one does."""

ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "said": ("when said", "said on", "date said", "said", "stated on", "date of statement", "reported on", "as of"),
    "period": ("covers", "period", "timeframe", "time span", "timespan", "period covered", "zeitraum"),
    "source": ("who", "source", "claimant", "said by", "reported by", "according to", "speaker", "wer", "quelle"),
    "category": ("what", "category", "measure", "metric", "indicator", "outcome", "variable", "kind", "type", "was"),
    "subject": ("whose", "subject", "side", "party", "forces", "army"),
    "place": (
        "where",
        "place",
        "location",
        "city",
        "town",
        "district",
        "county",
        "province",
        "oblast",
        "governorate",
        "state",
        "region",
        "area",
        "country",
        "territory",
        "wo",
        "ort",
        "gebiet",
        "land",
    ),
    "wider place": ("country", "region", "state", "province"),
    "figure": ("number", "figure", "how many", "count", "as printed", "amount", "value", "number in words", "zahl"),
    "title": ("title", "headline", "document"),
    "quote": ("quote", "quotation", "wording", "passage"),
    "note": ("notes", "note", "comment", "comments", "remark", "remarks", "caveat"),
    "qualifier": ("qualifier", "modifier", "precision", "approximation"),
    "unit": ("unit", "currency"),
    "publisher": ("publisher", "outlet", "publication", "seen in"),
    "archive": ("archive", "archive url", "archived copy", "archive link"),
    "link": ("link", "url", "address", "page", "web page", "source url"),
}
"""Role → names of columns, in words; the whole name is compared first, then its words."""

RECORD_ROLES = ("source", "category", "subject", "place")
MIN_NAMED_SHARE = 0.5
"""Minimum share of values that name records of a kind for a column to have that role without a name that says it."""

MIN_WORD_CHARACTERS = 5
"""Minimum length of a word that says a role inside a longer name."""

END_WORDS = frozenset({"start", "end", "from", "to", "begin", "until"})
"""Words in the names of columns with one end of a period."""

LINK_PATTERN = re.compile(r"https?://")


def find_roles(columns: Sequence[ColumnProfile], find_record: RecordFinder) -> dict[str, ColumnProfile]:
    """Return the column of each role: by its links, by its name, and by the records that its values name."""
    roles: dict[str, ColumnProfile] = {}
    plain = [column for column in columns if column.list_path is None and not column.is_list and column.filled_count]
    for column in plain:
        if column.examples and all(LINK_PATTERN.match(example) for example in column.examples):
            is_archive = "archive" in column.name.lower() or "web.archive.org" in column.examples[0]
            roles.setdefault("archive" if is_archive else "link", column)
    for is_whole in (True, False):
        for role in ROLE_WORDS:
            if role not in roles and (named := _find_named(role, plain, roles, is_whole=is_whole)) is not None:
                roles[role] = named
    for role in RECORD_ROLES:
        for column in plain:
            if (
                role not in roles
                and all(column is not other for other in roles.values())
                and column.kind in {"label", "text"}
            ):
                found = [value for value in column.values if find_record(role, value)]
                if found and len(found) >= MIN_NAMED_SHARE * len(column.values):
                    roles[role] = column
    return roles


def _find_named(
    role: str, columns: Sequence[ColumnProfile], roles: dict[str, ColumnProfile], *, is_whole: bool
) -> ColumnProfile | None:
    """Return the column whose whole name says the role, or one word of it."""
    for name in ROLE_WORDS[role]:
        if not is_whole and len(name) < MIN_WORD_CHARACTERS:
            continue  # `claimant_kind` is no category
        for column in columns:
            words = split_name(column.name)
            is_named = words == name.split() if is_whole else name in words
            if is_named and all(column is not other for other in roles.values()) and _fits(role, column):
                return column
    return None


def _fits(role: str, column: ColumnProfile) -> bool:
    """Return whether the values of a column can have a role."""
    if role == "figure":
        return column.kind == "number" or column.readable_count > 0
    if role in {"said", "period"}:
        return not END_WORDS.intersection(split_name(column.name)) and column.kind in {"date", "label", "text"}
    return column.kind in {"label", "text"}
