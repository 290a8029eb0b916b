"""Writes a draft mapping for a profiled file. What cannot be detected is marked with ???."""

import re
from pathlib import Path

import orjson

from app.imports.mappings.fields import slugify
from app.imports.mappings.inspect import (
    EDTF_FORMAT,
    MAX_LABEL_VALUES,
    NON_FIGURE_NAME_PATTERN,
    ColumnProfile,
    FileProfile,
    find_first_day,
    profile_file,
)

BARE_KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
LINK_PATTERN = re.compile(r"https?://")
DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
START_NAME_PATTERN = re.compile(r"(.*[_ .])?(start|from|begin)([_ .].*)?", re.IGNORECASE)
END_NAME_PATTERN = re.compile(r"(.*[_ .])?(end|to|until|till)([_ .].*)?", re.IGNORECASE)
LOWER_NAME_PATTERN = re.compile(r"(.*[_ .])?(low|lower|min|lo|minimum)([_ .].*)?", re.IGNORECASE)
UPPER_NAME_PATTERN = re.compile(r"(.*[_ .])?(high|upper|max|hi|maximum)([_ .].*)?", re.IGNORECASE)
VALUE_NAME_PATTERN = re.compile(r"(.*[_ .])?(best|est|estimate|value|central|mean|median|mid)([_ .].*)?", re.IGNORECASE)
MAX_PROPOSED_CLAIMS = 40
"""Maximum number of columns that get a table; further ones are only named."""

MAX_KEY_COLUMNS = 4
"""Maximum number of columns of a row's key."""


def draft_mapping(path: Path) -> str:
    """Return a draft mapping with the profile of the file as comments. Raises `FileRefused`."""
    profile = profile_file(path)
    how = " ".join(
        part for part in (profile.report.format.value, profile.report.encoding, profile.report.delimiter) if part
    )
    lines = [
        f"# {path.name}: {profile.row_count:,} rows inspected ({how}). Replace everything that is marked with ???.",
        *(f"#   {_describe_column(column)}" for column in profile.columns.values()),
        "",
        'title = "???"  # the content of the file, in a sentence',
        *_series_lines(profile),
        *_day_check_lines(profile),
        *_shared_claim_lines(profile),
        *_claim_lines(profile),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _describe_column(column: ColumnProfile) -> str:
    description = f"{column.name}: {column.filled_count:,} filled, {column.kind}"
    if len(column.date_formats) > 1 and column.date_format == "???":
        description += f" in {' or '.join(column.date_formats)}: both fit"
    if column.kind == "number":
        if column.smallest is not None and column.largest is not None and not column.decimal_comma_count:
            description += f", {_format_number(column.smallest)} to {_format_number(column.largest)}"
        description += f", {column.wording_count:,} in words" if column.wording_count else ""
        description += f", {column.decimal_comma_count:,} with a decimal comma" if column.decimal_comma_count else ""
    if column.kind == "label":
        description += ": " + ", ".join(
            f"{value} ({times:,})" for value, times in column.values.most_common(MAX_LABEL_VALUES)
        )
    elif column.examples:
        description += ", such as " + " · ".join(column.examples)
    return "".join(c if c.isprintable() else " " for c in description)[:300]


def _format_number(number: float) -> str:
    return f"{number:,.0f}" if number.is_integer() else f"{number:,g}"


def _series_lines(profile: FileProfile) -> list[str]:
    """Return the series, the key of its rows, and the date if the file's name contains one."""
    name = profile.path.name
    day = DAY_PATTERN.search(name)
    stem = name[: day.start()] if day else name.split(".")[0]
    stem = re.sub(r"[-_ ]*(as[-_]?of)?[-_ ]*$", "", stem)
    lines = [f"series = {_toml_string(slugify(stem) or 'series')}"]
    if profile.options.keyed or profile.options.rows:
        word, value = ("keyed", profile.options.keyed) if profile.options.keyed else ("rows", profile.options.rows)
        lines += ["", "[file]", f"{word} = {_toml_string(value or '')}"]
    key = _choose_key(profile)
    lines += ["", "[vintage]", f"key = [{', '.join(key)}]  # what identifies a row in newer files"]
    if day:
        before = name[: day.start()]
        last_word = re.search(r"[^_\- .]*[_\- .]*$", before)
        after = last_word[0] if last_word and before.index(last_word[0] or before) == last_word.start() else before
        cut = f", after = {_toml_string(after)}" if after else ""
        lines.append(
            f'date = {{ column = "_file"{cut}, before = {_toml_string(name[day.end()])} }}  # the day of the file'
        )
    lines.append(
        'on_change = "report"  # or "supersede" if the source revises its figures, or "fix" if the file corrects errors'
    )
    return lines


def _choose_key(profile: FileProfile) -> list[str]:
    """Return the smallest set of columns that distinguishes the rows."""
    for column in profile.columns_of_kind("label", "text", "number"):
        if NON_FIGURE_NAME_PATTERN.fullmatch(column.name) and _count_distinct_rows(profile, [column]) == len(
            profile.compared_rows
        ):
            return [_pick_expression(column)]
    dates = profile.columns_of_kind("date")[:1]
    others = [column for column in profile.columns_of_kind("label", "text") if len(column.values) > 1]
    # Short texts are names; long ones are descriptions.
    others.sort(key=lambda column: max(map(len, column.examples), default=0) > 60)  # noqa: PLR2004
    chosen = dates
    best = _count_distinct_rows(profile, chosen)
    for column in others:
        if best == len(profile.compared_rows) or len(chosen) == MAX_KEY_COLUMNS:
            break
        if (distinct := _count_distinct_rows(profile, [*chosen, column])) > best:
            chosen, best = [*chosen, column], distinct
    picks = [_date_expression(column) if column.kind == "date" else _pick_expression(column) for column in chosen]
    return picks if best == len(profile.compared_rows) and picks else [*picks, '"???"']


def _count_distinct_rows(profile: FileProfile, columns: list[ColumnProfile]) -> int:
    return len({tuple(row.get(column.name) for column in columns) for row in profile.compared_rows})


def _day_check_lines(profile: FileProfile) -> list[str]:
    """Return checks of labels and of columns that count days."""
    lines = []
    dates = [column for column in profile.columns_of_kind("date") if column.date_format == "%Y-%m-%d"]
    for column in profile.columns_of_kind("number"):
        if (
            dates
            and not column.is_figure
            and column.path is None
            and (first := find_first_day(profile, column.name, dates[0]))
        ):
            lines += ["", "[[days]]", f"column = {_toml_string(column.name)}", f"date = {_pick_expression(dates[0])}"]
            lines += [f'first = "{first}"']
    return lines


def _shared_claim_lines(profile: FileProfile) -> list[str]:
    labels = [column for column in profile.columns_of_kind("label") if len(column.values) > 1]
    claimant = f"  # or from a column: {_pick_expression(labels[0])}, with a `map` to slugs" if labels else ""
    dates = profile.columns_of_kind("date")
    expression, period = '"???"', ['on = "???"  # or `start` and `end`, or `edtf`, or `hours` before an `end`']
    named = "date"
    if dates:
        starts = [column for column in dates if START_NAME_PATTERN.fullmatch(column.name)]
        ends = [column for column in dates if END_NAME_PATTERN.fullmatch(column.name) and column not in starts]
        first = ends[0] if starts and ends else dates[0]
        expression = _date_expression(first)
        if starts and ends:
            period = [f"start = {_date_expression(starts[0])}", f"end = {expression}"]
        elif _gives_no_day(first):
            period = [f"edtf = {expression}"]
        else:
            period = [f"on = {expression}  # or `start` and `end`, or `edtf`, or `hours` before an `end`"]
        named = "date_edtf" if _gives_no_day(first) else "date"
    links = [
        c
        for c in profile.columns_of_kind("label", "text")
        if all(LINK_PATTERN.match(example) for example in c.examples)
    ]
    lines = [
        "",
        "[claim]",
        'subject = "???"  # the people or organisation counted',
        'place = "???"',
        f'source = "???"{claimant}',
        'modality = "estimate"  # count, estimate, forecast or allegation',
        'derivation = "unknown"  # own, derived or unknown',
        f"{named} = {expression}  # the day of the statement",
        "",
        "[claim.period]",
        *period,
        'aggregation = "within"  # cumulative, within, snapshot or rate',
        "",
        "[claim.citation.document]",
        'title = "???"',
        f"url = {_pick_expression(links[0])}" if links else 'url = "https://???"',
    ]
    numbers = [column for column in profile.columns.values() if column.kind == "number"]
    needs_comma = any(column.decimal_comma_count for column in numbers)
    needs_point = any(column.decimal_point_count for column in numbers)
    if needs_comma and not needs_point:
        lines += ["", "[claim.figure]", 'decimal = ","']
    elif needs_comma or any(column.ambiguous_count for column in numbers if column.is_figure):
        sign = '"."' if needs_point and not needs_comma else '"???"'
        lines += ["", "[claim.figure]", f"decimal = {sign}  # . or ,: some numbers can be read with both"]
    return [*lines, ""]


def _gives_no_day(column: ColumnProfile) -> bool:
    """Return whether a column has months or years, so that it has no days."""
    return column.date_format == EDTF_FORMAT or not any(sign in (column.date_format or "") for sign in ("d", "???"))


def _claim_lines(profile: FileProfile) -> list[str]:
    figures = [column for column in profile.columns.values() if column.is_figure]
    others = [column.name for column in profile.columns_of_kind("number") if not column.is_figure]
    lines = []
    bounds = [
        [column for column in figures if end.fullmatch(column.name)] for end in (LOWER_NAME_PATTERN, UPPER_NAME_PATTERN)
    ]
    values = [column for column in figures if VALUE_NAME_PATTERN.fullmatch(column.name)]
    if all(len(columns) == 1 for columns in bounds):
        parts = {"value": values[:1], "lower": bounds[0], "upper": bounds[1]}
        name = "figure" if all(column.name != "figure" for column in figures) else "the figure"
        lines += [f"[claims.{_toml_key(name)}]", 'category = "???"']
        lines += [f"figure.{name} = {_pick_expression(columns[0])}" for name, columns in parts.items() if columns]
        lines += ["# figure.coverage = 0.95, if the source states the probability of the range", ""]
        figures = [column for column in figures if all(column not in columns for columns in parts.values())]
    for column in figures[:MAX_PROPOSED_CLAIMS]:
        lines += [f"[claims.{_toml_key(column.name)}]", 'category = "???"  # what is counted']
        if column.list_path is not None:
            lines += [f"over = {_toml_string(column.list_path)}", f"figure.printed = {_pick_expression(column)}"]
        elif column.path is not None:
            lines.append(f"figure.printed = {_pick_expression(column)}")
        lines.append("")
    if more := [column.name for column in figures[MAX_PROPOSED_CLAIMS:]]:
        lines += [f"# And {len(more)} more columns of numbers: {_join_names(more)}.", ""]
    if others:
        lines += [f"# Numbers that are probably not figures: {_join_names(others)}.", ""]
    if not lines or lines[0].startswith("#"):
        lines = ["[claims.figure]", 'category = "???"  # what is counted', 'figure.printed = "???"', "", *lines]
    return lines


def _join_names(names: list[str]) -> str:
    return "".join(c if c.isprintable() else " " for c in ", ".join(names))[:500]


def _pick_expression(column: ColumnProfile) -> str:
    """Return the expression that selects a column."""
    if column.list_path is not None:
        return f"{{ column = {_toml_string((column.path and column.name.rpartition('[].')[2]) or column.name)} }}"
    if column.path is not None:
        return f"{{ path = {_toml_string(column.path)} }}"
    return f"{{ column = {_toml_string(column.name)} }}"


def _date_expression(column: ColumnProfile) -> str:
    if column.date_format in {"%Y-%m-%d", EDTF_FORMAT}:
        return _pick_expression(column)
    return _pick_expression(column).replace(" }", f', date = "{column.date_format}" }}')


def _toml_key(name: str) -> str:
    return name if BARE_KEY_PATTERN.fullmatch(name) else _toml_string(name)


def _toml_string(text: str) -> str:
    """Format `text` as a TOML string: a JSON string, with DEL escaped."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
