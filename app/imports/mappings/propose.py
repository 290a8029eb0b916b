"""A draft of a mapping for a file that was looked at: what can be seen is filled in, the rest is marked with ???."""

import re
from pathlib import Path

import orjson

from app.imports.mappings.fields import slugged
from app.imports.mappings.inspect import COUNTER, EDTF_FORMAT, MOST_VALUES, Look, Seen, day_one, look_at

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LINK = re.compile(r"https?://")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
START = re.compile(r"(.*[_ .])?(start|from|begin)([_ .].*)?", re.IGNORECASE)
END = re.compile(r"(.*[_ .])?(end|to|until|till)([_ .].*)?", re.IGNORECASE)
LOWER = re.compile(r"(.*[_ .])?(low|lower|min|lo|minimum)([_ .].*)?", re.IGNORECASE)
UPPER = re.compile(r"(.*[_ .])?(high|upper|max|hi|maximum)([_ .].*)?", re.IGNORECASE)
VALUE = re.compile(r"(.*[_ .])?(best|est|estimate|value|central|mean|median|mid)([_ .].*)?", re.IGNORECASE)
MOST_PROPOSED = 40
"""So many columns get a table of their own; the others are named."""

KEYS = 4
"""So many columns are put together, at most, to know a row again."""

DATES = 2
"""With two dates in a row, one can be the start and one the end."""


def draft_mapping(path: Path) -> str:
    """A draft of a mapping for the file, with what was seen as comments. Raises `FileRefused`."""
    look = look_at(path)
    how = " ".join(part for part in (look.report.format.value, look.report.encoding, look.report.delimiter) if part)
    lines = [
        f"# {path.name}: {look.rows:,} rows looked at ({how}). Everything marked with ??? is yours to decide.",
        *(f"#   {_described(column)}" for column in look.columns.values()),
        "",
        'title = "???"  # what the file is, in a sentence',
        *_series(look),
        *_checks(look),
        *_shared(look),
        *_claims(look),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _described(column: Seen) -> str:
    told = f"{column.name}: {column.filled:,} filled, {column.kind}"
    if len(column.formats) > 1 and column.date_format == "???":
        told += f" in {' or '.join(column.formats)}: both fit"
    if column.kind == "number":
        if column.smallest is not None and column.largest is not None and not column.commas:
            told += f", {_shown(column.smallest)} to {_shown(column.largest)}"
        told += f", {column.worded:,} in words" if column.worded else ""
        told += f", {column.commas:,} with a decimal comma" if column.commas else ""
    if column.kind == "label":
        told += ": " + ", ".join(f"{value} ({times:,})" for value, times in column.values.most_common(MOST_VALUES))
    elif column.examples:
        told += ", such as " + " · ".join(column.examples)
    return "".join(c if c.isprintable() else " " for c in told)[:300]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number.is_integer() else f"{number:,g}"


def _series(look: Look) -> list[str]:
    """The series, how its rows are known again, and where the file's name says a day, that."""
    name = look.path.name
    day = DAY.search(name)
    stem = name[: day.start()] if day else name.split(".")[0]
    stem = re.sub(r"[-_ ]*(as[-_]?of)?[-_ ]*$", "", stem)
    lines = [f"series = {_quoted(slugged(stem) or 'series')}"]
    if look.options.keyed or look.options.rows:
        word, value = ("keyed", look.options.keyed) if look.options.keyed else ("rows", look.options.rows)
        lines += ["", "[file]", f"{word} = {_quoted(value or '')}"]
    key = _key(look)
    lines += ["", "[vintage]", f"key = [{', '.join(key)}]  # what a row is known again by"]
    if day:
        before = name[: day.start()]
        last_word = re.search(r"[^_\- .]*[_\- .]*$", before)
        after = last_word[0] if last_word and before.index(last_word[0] or before) == last_word.start() else before
        cut = f", after = {_quoted(after)}" if after else ""
        lines.append(f'date = {{ column = "_file"{cut}, before = {_quoted(name[day.end()])} }}  # the day of the file')
    lines.append('on_change = "report"  # or "supersede", where the source says something else now, or "fix"')
    return lines


def _key(look: Look) -> list[str]:
    """The columns that tell the rows apart, as few as are needed."""
    for column in look.of_kind("label", "text", "number"):
        if COUNTER.fullmatch(column.name) and _apart(look, [column]) == len(look.compared):
            return [_pick(column)]
    dates = look.of_kind("date")[:1]
    others = [column for column in look.of_kind("label", "text") if len(column.values) > 1]
    # A short word names a thing; a long text describes it.
    others.sort(key=lambda column: max(map(len, column.examples), default=0) > 60)  # noqa: PLR2004
    chosen = dates
    best = _apart(look, chosen)
    for column in others:
        if best == len(look.compared) or len(chosen) == KEYS:
            break
        if (told := _apart(look, [*chosen, column])) > best:
            chosen, best = [*chosen, column], told
    picks = [_dated(column) if column.kind == "date" else _pick(column) for column in chosen]
    return picks if best == len(look.compared) and picks else [*picks, '"???"']


def _apart(look: Look, columns: list[Seen]) -> int:
    return len({tuple(row.get(column.name) for column in columns) for row in look.compared})


def _checks(look: Look) -> list[str]:
    """Checks of labels, and of columns that count days."""
    lines = []
    dates = [column for column in look.of_kind("date") if column.date_format == "%Y-%m-%d"]
    for column in look.of_kind("number"):
        if dates and not column.is_figure and column.path is None and (first := day_one(look, column.name, dates[0])):
            lines += ["", "[[days]]", f"column = {_quoted(column.name)}", f"date = {_pick(dates[0])}"]
            lines += [f'first = "{first}"']
    return lines


def _shared(look: Look) -> list[str]:
    labels = [column for column in look.of_kind("label") if len(column.values) > 1]
    claimant = f"  # or from a column: {_pick(labels[0])}, with a `map` to slugs" if labels else ""
    dates = look.of_kind("date")
    said, period = '"???"', ['on = "???"  # or `start` and `end`, or `edtf`, or `hours` before an `end`']
    named = "date"
    if dates:
        starts = [column for column in dates if START.fullmatch(column.name)]
        ends = [column for column in dates if END.fullmatch(column.name) and column not in starts]
        first = ends[0] if starts and ends else dates[0]
        said = _dated(first)
        if starts and ends:
            period = [f"start = {_dated(starts[0])}", f"end = {said}"]
        elif _is_edtf(first):
            period = [f"edtf = {said}"]
        else:
            period = [f"on = {said}  # or `start` and `end`, or `edtf`, or `hours` before an `end`"]
        named = "date_edtf" if _is_edtf(first) else "date"
    links = [c for c in look.of_kind("label", "text") if all(LINK.match(example) for example in c.examples)]
    lines = [
        "",
        "[claim]",
        'subject = "???"  # whose',
        'place = "???"',
        f'source = "???"{claimant}',
        'modality = "estimate"  # count, estimate, forecast or allegation',
        'derivation = "unknown"  # own, derived or unknown',
        f"{named} = {said}  # the day on which it was said",
        "",
        "[claim.period]",
        *period,
        'aggregation = "within"  # cumulative, within, snapshot or rate',
        "",
        "[claim.citation.document]",
        'title = "???"',
        f"url = {_pick(links[0])}" if links else 'url = "https://???"',
    ]
    if any(column.commas for column in look.columns.values() if column.kind == "number"):
        lines += ["", "[claim.figure]", 'decimal = ","']
    return [*lines, ""]


def _is_edtf(column: Seen) -> bool:
    """Whether it holds months or years, so that it gives no day."""
    return column.date_format == EDTF_FORMAT or not any(sign in (column.date_format or "") for sign in ("d", "???"))


def _claims(look: Look) -> list[str]:
    figures = [column for column in look.columns.values() if column.is_figure]
    others = [column.name for column in look.of_kind("number") if not column.is_figure]
    lines = []
    bounds = [[column for column in figures if end.fullmatch(column.name)] for end in (LOWER, UPPER)]
    values = [column for column in figures if VALUE.fullmatch(column.name)]
    if all(len(found) == 1 for found in bounds):
        parts = {"value": values[:1], "lower": bounds[0], "upper": bounds[1]}
        name = "figure" if all(column.name != "figure" for column in figures) else "the figure"
        lines += [f"[claims.{_bare(name)}]", 'category = "???"']
        lines += [f"figure.{name} = {_pick(found[0])}" for name, found in parts.items() if found]
        lines += ["# figure.coverage = 0.95, if the bounds are said to hold so often", ""]
        figures = [column for column in figures if all(column not in found for found in parts.values())]
    for column in figures[:MOST_PROPOSED]:
        lines += [f"[claims.{_bare(column.name)}]", 'category = "???"  # what is counted']
        if column.over is not None:
            lines += [f"over = {_quoted(column.over)}", f"figure.printed = {_pick(column)}"]
        elif column.path is not None:
            lines.append(f"figure.printed = {_pick(column)}")
        lines.append("")
    if more := [column.name for column in figures[MOST_PROPOSED:]]:
        lines += [f"# And {len(more)} more columns of numbers: {_listed(more)}.", ""]
    if others:
        lines += [f"# Numbers that look like no figures: {_listed(others)}.", ""]
    if not lines or lines[0].startswith("#"):
        lines = ["[claims.figure]", 'category = "???"  # what is counted', 'figure.printed = "???"', "", *lines]
    return lines


def _listed(names: list[str]) -> str:
    return "".join(c if c.isprintable() else " " for c in ", ".join(names))[:500]


def _pick(column: Seen) -> str:
    """How a mapping names it."""
    if column.over is not None:
        return f"{{ column = {_quoted((column.path and column.name.rpartition('[].')[2]) or column.name)} }}"
    if column.path is not None:
        return f"{{ path = {_quoted(column.path)} }}"
    return f"{{ column = {_quoted(column.name)} }}"


def _dated(column: Seen) -> str:
    if column.date_format in {"%Y-%m-%d", EDTF_FORMAT}:
        return _pick(column)
    return _pick(column).replace(" }", f', date = "{column.date_format}" }}')


def _bare(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """`text` as a TOML string: JSON's form is one, but for DEL, which TOML wants escaped."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
