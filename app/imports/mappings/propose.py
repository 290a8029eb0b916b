"""Writes a draft mapping for a profiled file. What cannot be detected is marked with ???."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from app.comparison.written_dates import UnreadableDate, read_written_date, read_written_period
from app.imports.mappings.fields import slugify
from app.imports.mappings.inspect import (
    EDTF_FORMAT,
    MAX_LABEL_VALUES,
    MOMENT_FORMATS,
    NON_FIGURE_NAME_PATTERN,
    ColumnProfile,
    FileProfile,
    find_first_day,
    find_running_totals,
    profile_file,
    split_name,
)
from app.imports.mappings.roles import RecordFinder, find_roles
from app.imports.readers.options import FileOptions

BARE_KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TEMPLATE_NAME_PATTERN = re.compile(r"[^{}!:.\[\]]+")
"""A name of a column that a template can contain."""

START_NAME_PATTERN = re.compile(r"(.*[_ .])?(start|from|begin)([_ .].*)?", re.IGNORECASE)
END_NAME_PATTERN = re.compile(r"(.*[_ .])?(end|to|until|till)([_ .].*)?", re.IGNORECASE)
LOWER_WORDS = frozenset({"low", "lower", "min", "lo", "minimum", "lwr", "lcl"})
UPPER_WORDS = frozenset({"high", "upper", "max", "hi", "maximum", "upr", "ucl"})
VALUE_WORDS = frozenset({"best", "est", "estimate", "value", "central", "mean", "median", "mid", "point"})
BOUND_WORDS = re.compile(r"ci[0-9]*|bound|limit|interval|conf|confidence|[0-9]{2}")
"""Further words in the names of bounds."""

MAX_PROPOSED_CLAIMS = 40
"""Maximum number of columns that get a table; further ones are only named."""

MAX_KEY_COLUMNS = 4
"""Maximum number of columns of a row's key."""

MIN_ROWS_FOR_KEY = 30
"""Minimum number of rows that show which columns distinguish them."""

MAX_NAME_CHARACTERS = 60
"""Maximum length of the values of a column that can be part of a key: longer texts are descriptions."""

MAX_MAPPED_VALUES = 40
"""Maximum number of values that a proposed `map` lists."""

MAX_FILE_LINES_CHARACTERS = 500
KEYLESS_ROLES = frozenset({"figure", "qualifier", "note", "quote", "link", "archive", "unit", "title"})
"""Roles of columns that a newer file can change, so that they identify no row."""


def find_nothing(_kind: str, _text: str) -> str | None:
    """Find no record: there is no register."""
    return None


@dataclass(frozen=True, slots=True)
class _Table:
    """A profiled file, and what its columns stand for."""

    profile: FileProfile
    roles: dict[str, ColumnProfile]
    find_record: RecordFinder

    def find_role(self, column: ColumnProfile) -> str | None:
        """Return the role of a column."""
        return next((role for role, own in self.roles.items() if own is column), None)

    @property
    def dates(self) -> list[ColumnProfile]:
        """Return the columns with dates, those of statements last."""
        said = self.roles.get("said")
        columns = self.profile.columns_of_kind("date")
        return sorted(columns, key=lambda column: column is said)


def draft_mapping(
    path: Path, options: FileOptions | None = None, find_record: RecordFinder = find_nothing, name: str | None = None
) -> str:
    """Return a draft mapping with the profile of the file as comments. Raises `FileRefused`.

    Args:
        path: The file.
        options: How it is read, as the `[file]` table of a mapping says.
        find_record: Returns the slug of a record of the register by its name.
        name: The name that is shown for the file.
    """
    profile = profile_file(path, options)
    table = _Table(profile, find_roles(list(profile.columns.values()), find_record), find_record)
    how = " ".join(
        part for part in (profile.report.format.value, profile.report.encoding, profile.report.delimiter) if part
    )
    lines = [
        f"# {_one_line(name or path.name)}: {profile.row_count:,} rows inspected ({how}). "  # noqa: ISC004 - one line
        "Replace everything that is marked with ???.",
        *(f"#   {_describe_column(column)}" for column in profile.columns.values()),
        *_sheet_lines(profile),
        "",
        'title = "???"  # the content of the file, in a sentence',
        *_series_lines(table),
        *_derived_column_lines(table),
        *_day_check_lines(profile),
        *_shared_claim_lines(table),
        *_claim_lines(table),
        *_new_record_lines(table),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_FILE_LINES_CHARACTERS]


def _sheet_lines(profile: FileProfile) -> list[str]:
    """Return the sheets of a workbook with several."""
    if len(profile.sheets) < 2:  # noqa: PLR2004 - the only one is read
        return []
    chosen = profile.options.sheet or profile.sheets[0]
    names = ", ".join(f"{name} (inspected)" if name == chosen else name for name in profile.sheets)
    return [_one_line(f"# Sheets: {names}. `sheet` in `[file]` chooses another; --inspect takes it from --mapping.")]


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


def _series_lines(table: _Table) -> list[str]:
    """Return the series, how the file is read, the key of its rows, and the date that the file's name contains."""
    profile = table.profile
    name = profile.path.name
    day = DAY_PATTERN.search(name)
    stem = name[: day.start()] if day else name.split(".")[0]
    stem = re.sub(r"[-_ ]*(as[-_]?of)?[-_ ]*$", "", stem)
    lines = [f"series = {_toml_string(slugify(stem) or 'series')}", *_file_option_lines(profile)]
    key = _choose_key(table)
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


def _file_option_lines(profile: FileProfile) -> list[str]:
    """Return the `[file]` table: the options that are not the defaults, and the query that makes columns rows."""
    given = profile.options.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    lines = [f"{name} = {value if isinstance(value, int) else _toml_string(value)}" for name, value in given.items()]
    if profile.unpivot is not None:
        lines.append(
            f"sql = {_toml_string(profile.unpivot.query)}"
            f"  # each {profile.unpivot.kind} is a column: each becomes a row"
        )
    return ["", "[file]", *lines] if lines else []


def _choose_key(table: _Table) -> list[str]:
    """Return the smallest set of columns that distinguishes the rows, without those that a newer file can change."""
    profile = table.profile
    unpivoted = [profile.columns[profile.unpivot.name]] if profile.unpivot else []
    for column in profile.columns_of_kind("label", "text", "number"):
        if (
            NON_FIGURE_NAME_PATTERN.fullmatch(column.name)
            and not column.is_year
            and table.find_role(column) not in KEYLESS_ROLES
            and _count_distinct_rows(profile, [column]) == len(profile.compared_rows)
            and _is_filled(profile, column)
        ):
            return [_pick_expression(column)]
    period, day = table.roles.get("period"), _file_day_expression(profile)
    if not table.dates and day is not None:
        return [day]
    dates = [column for column in table.dates if column not in unpivoted][:1]
    chosen = [*dates, *(column for column in unpivoted if column not in dates)]
    # The columns of a short sheet may distinguish its rows by chance.
    is_short = len(profile.compared_rows) < MIN_ROWS_FOR_KEY
    for role in ("source", "category", "subject", "place") if is_short else ():
        own = table.roles.get(role)
        if own is not None and len(own.values) > 1 and _is_filled(profile, own) and own not in chosen:
            chosen.append(own)
    if period is not None and period not in chosen and _is_filled(profile, period):
        chosen.append(period)
    others = [column for column in profile.columns_of_kind("label", "text") if _can_identify(table, column)]
    others += [column for column in profile.columns_of_kind("date") if column not in chosen]
    others += [
        column
        for column in profile.columns_of_kind("number")
        if not column.is_figure and all(example.isdigit() for example in column.examples)
    ]
    others.sort(key=lambda column: (column.kind == "number", not _is_filled(profile, column)))
    best = _count_distinct_rows(profile, chosen)
    for column in others:
        if best == len(profile.compared_rows) or len(chosen) >= max(MAX_KEY_COLUMNS, len(table.roles)):
            break
        if column not in chosen and (distinct := _count_distinct_rows(profile, [*chosen, column])) > best:
            chosen, best = [*chosen, column], distinct
    picks = [_key_expression(profile, column) for column in chosen]
    return picks if best == len(profile.compared_rows) and picks else [*picks, '"???"']


def _key_expression(profile: FileProfile, column: ColumnProfile) -> str:
    """Return the expression of a part of a key; an empty cell has a dash, because a row without a key is refused."""
    expression = _date_expression(column) if column.kind == "date" else _pick_expression(column)
    return expression if _is_filled(profile, column) else _extend(expression, 'otherwise = "-"')


def _is_filled(profile: FileProfile, column: ColumnProfile) -> bool:
    return all(column.name in row for row in profile.compared_rows)


def _can_identify(table: _Table, column: ColumnProfile) -> bool:
    """Return whether a column of texts can be part of a key: it is no figure, link or text that is edited."""
    return (
        len(column.values) > 1
        and table.find_role(column) not in KEYLESS_ROLES
        and max(map(len, column.examples), default=0) <= MAX_NAME_CHARACTERS
        and not any(example[:1].isdigit() and column.readable_count for example in column.examples)
        and column.readable_count * 2 < column.filled_count
        and not all(LEADING_NUMBER_PATTERN.match(example) for example in column.examples)
    )


LEADING_NUMBER_PATTERN = re.compile(r"[~≈<>]?\s*[0-9][0-9., ]*\s*[^0-9\s]{1,12}$")
"""A number with a unit: `12.5 ha`."""


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


def _derived_column_lines(table: _Table) -> list[str]:
    """Return the column with the last day of a period, if the day of the statement is derived from it."""
    end = _period_end(table)
    if end is None or end.date_format == "%Y-%m-%d":
        return []
    return ["", "[columns]", f'"last day" = {_date_expression(end)}']


def _period_end(table: _Table) -> ColumnProfile | None:
    """Return the column with the last days of periods, if nothing says when the figures were stated."""
    dates = table.dates
    if not dates or "said" in table.roles:
        return None
    unpivot = table.profile.unpivot
    if unpivot is not None and dates[0].name == unpivot.name:
        return dates[0] if dates[0].date_format != EDTF_FORMAT or not dates[0].dates_rows else None
    starts = [column for column in dates if START_NAME_PATTERN.fullmatch(column.name)]
    ends = [column for column in dates if END_NAME_PATTERN.fullmatch(column.name) and column not in starts]
    return ends[0] if starts and ends and not _gives_no_day(ends[0]) else None


def _shared_claim_lines(table: _Table) -> list[str]:
    document = table.roles.get("title")
    link, archive = table.roles.get("link"), table.roles.get("archive")
    lines = [
        "",
        "[claim]",
        f"subject = {_record_expression(table, 'subject')}  # the people or organisation counted",
        f"place = {_record_expression(table, 'place')}",
        f"source = {_record_expression(table, 'source')}{_claimant_hint(table)}",
        'modality = "estimate"  # count, estimate, forecast or allegation',
        'derivation = "unknown"  # own, derived or unknown',
        *_statement_lines(table),
    ]
    if "note" in table.roles:
        lines.append(f"note = {_pick_expression(table.roles['note'])}")
    lines += ["", "[claim.period]", *_period_lines(table)]
    if "quote" in table.roles:
        lines += ["", "[claim.citation]", f"quote = {_pick_expression(table.roles['quote'])}"]
    lines += [
        "",
        "[claim.citation.document]",
        f"title = {_pick_expression(document)}" if document is not None else 'title = "???"',
        f"url = {_pick_expression(link)}" if link is not None else 'url = "https://???"',
    ]
    if archive is not None:
        lines.append(f"archive_url = {_pick_expression(archive)}")
    if "publisher" in table.roles:
        lines.append(f"publisher = {_record_expression(table, 'publisher')}")
    return [*lines, *_decimal_lines(table.profile), ""]


def _claimant_hint(table: _Table) -> str:
    labels = [column for column in table.profile.columns_of_kind("label") if len(column.values) > 1]
    if "source" in table.roles or not labels:
        return ""
    return f"  # or from a column: {_pick_expression(labels[0])}, with a `map` to slugs"


def _record_expression(table: _Table, role: str) -> str:
    """Return the expression for a record: from its column, with the slugs of the values that the register knows."""
    column = table.roles.get(role)
    if column is None:
        return '"???"'
    kind = "source" if role == "publisher" else role
    slugs = {value: table.find_record(kind, value) for value in column.values}
    if role == "place" and not any(slugs.values()):
        expressions = [_extend(_pick_expression(place), "slug = true") for place in _place_columns(table)]
        return expressions[0] if len(expressions) == 1 else f"{{ first = [{', '.join(expressions)}] }}"
    if len(slugs) > MAX_MAPPED_VALUES:
        return _extend(_pick_expression(column), "slug = true")
    listed = ", ".join(f"{_toml_string(value)} = {_toml_string(slug or '???')}" for value, slug in slugs.items())
    return _extend(_pick_expression(column), f"map = {{ {listed} }}")


def _place_columns(table: _Table) -> list[ColumnProfile]:
    """Return the column of places, and that of the wider places if the first is not always filled."""
    columns = [table.roles[role] for role in ("place", "wider place") if role in table.roles]
    return columns[:1] if columns and _is_filled(table.profile, columns[0]) else columns


def _new_record_lines(table: _Table) -> list[str]:
    """Return the tables that record the places of the columns, if the register has none of them."""
    columns = _place_columns(table)
    if not columns or "slug = true" not in _record_expression(table, "place"):
        return []
    lines = ["# The places that the register lacks."]
    for number, column in reversed(list(enumerate(columns))):
        name = f'"{{{column.name}}}"' if TEMPLATE_NAME_PATTERN.fullmatch(column.name) else _pick_expression(column)
        slug = _extend(_pick_expression(column), "slug = true")
        wider = columns[number + 1 : number + 2]
        parents = f", parents = [{_extend(_pick_expression(wider[0]), 'slug = true')}]" if wider else ""
        lines += ["[[new]]", 'kind = "place"', f"slug = {slug}", f"fields = {{ name = {name}{parents} }}", ""]
    return lines


def _statement_lines(table: _Table) -> list[str]:
    """Return when the figures were stated."""
    profile, said, dates = table.profile, table.roles.get("said"), table.dates
    moments = said if said is not None else next(iter(dates), None)
    if moments is not None and moments.date_format in MOMENT_FORMATS:
        return [f"said_at = {_pick_expression(moments)}  # the moment of the statement"]
    if said is not None:
        expression = _date_expression(said)
        is_day = said.kind == "date" and not _gives_no_day(said)
        if not is_day:
            is_day = said.kind != "date" and all(_is_written_day(value) for value in said.values)
        return [f"{'date' if is_day else 'date_edtf'} = {expression}  # the day of the statement"]
    if (end := _period_end(table)) is not None:
        last = "last day" if end.date_format != "%Y-%m-%d" else end.name
        until = "{_vintage}" if DAY_PATTERN.search(profile.path.name) else ".."
        if TEMPLATE_NAME_PATTERN.fullmatch(last):
            return [f'date_edtf = "{{{last}}}/{until}"  # not before the last day that the figure covers']
    if not dates:
        day = _file_day_expression(profile)
        return [f"date = {day or _toml_string('???')}  # the day of the statement"]
    if dates[0].dates_rows and TEMPLATE_NAME_PATTERN.fullmatch(dates[0].name):
        until = "{_vintage}" if DAY_PATTERN.search(profile.path.name) else ".."
        return [f'date_edtf = "{{{dates[0].name}}}-12-31/{until}"  # not before the end of the year']
    expression = _date_expression(dates[0])
    starts = [column for column in dates if START_NAME_PATTERN.fullmatch(column.name)]
    ends = [column for column in dates if END_NAME_PATTERN.fullmatch(column.name) and column not in starts]
    if starts and ends:
        expression = _date_expression(ends[0])
    return [f"{'date_edtf' if _gives_no_day(dates[0]) else 'date'} = {expression}  # the day of the statement"]


def _is_written_day(text: str) -> bool:
    try:
        return len(read_written_date(text)) == len("2022-02-24")
    except UnreadableDate:
        return False


def _is_written_period(text: str) -> bool:
    try:
        return bool(read_written_period(text))
    except UnreadableDate:
        return False


def _file_day_expression(profile: FileProfile) -> str | None:
    """Return the expression of the day in the names of the files of a folder, if all have one at the same place."""
    around = set()
    for name in profile.file_names if len(profile.file_names) > 1 else ():
        folder, separator, file = name.partition("/")
        day = DAY_PATTERN.search(file)
        if day is None or not separator:
            return None
        around.add((f"{folder}/{file[: day.start()]}", file[day.end() :][:1]))
    if len(around) != 1:
        return None
    after, before = around.pop()
    after = after if after.rstrip("/") != after or "/" in after else "/"
    after = after.partition("/")[2] or "/"
    return f'{{ column = "_file", after = {_toml_string(after)}, before = {_toml_string(before or ".")} }}'


def _period_lines(table: _Table) -> list[str]:
    """Return the period of the figures."""
    profile, dates = table.profile, [column for column in table.dates if column is not table.roles.get("said")]
    covers = table.roles.get("period")
    within = 'aggregation = "within"  # cumulative, within, snapshot or rate'
    if covers is not None:
        is_plain = covers.kind == "date" and covers.date_format in {"%Y-%m-%d", EDTF_FORMAT}
        expression = _pick_expression(covers) if is_plain else _written_expression(covers, "period")
        unread = sum(not _is_written_period(value) for value in covers.values)
        hint = f"  # {unread} of its values are not read: give them a `map` to EDTF" if unread and not is_plain else ""
        return [f"edtf = {expression}{hint}", within]
    if not dates:
        if "said" in table.roles:
            return ['edtf = "???"  # what the figures cover', within]
        if (day := _file_day_expression(profile)) is not None:
            return [f"on = {day}", within]
        return ['on = "???"  # or `start` and `end`, or `edtf`, or `hours` before an `end`', within]
    starts = [column for column in dates if START_NAME_PATTERN.fullmatch(column.name)]
    ends = [column for column in dates if END_NAME_PATTERN.fullmatch(column.name) and column not in starts]
    if starts and ends:
        return [
            f"start = {_date_expression(starts[0])}",
            f"end = {_date_expression(ends[0])}",
            within,
        ]
    if _gives_no_day(dates[0]):
        return [f"edtf = {_date_expression(dates[0])}", within]
    on = _date_expression(dates[0])
    figures = [column for column in profile.columns.values() if column.is_figure]
    if figures and all(column.name in _running_totals(table) for column in figures):
        return [
            'start = "???"  # the first day of the running total',
            f"end = {on}",
            'aggregation = "cumulative"  # the figures never fall: running totals',
        ]
    return [f"on = {on}  # or `start` and `end`, or `edtf`, or `hours` before an `end`", within]


def _running_totals(table: _Table) -> set[str]:
    dates = [column for column in table.dates if column is not table.roles.get("said")]
    if not dates:
        return set()
    labels = [column for column in table.profile.columns_of_kind("label", "text") if _can_identify(table, column)]
    return find_running_totals(table.profile, dates[0], labels)


def _decimal_lines(profile: FileProfile) -> list[str]:
    numbers = [column for column in profile.columns.values() if column.kind == "number"]
    needs_comma = any(column.decimal_comma_count for column in numbers)
    needs_point = any(column.decimal_point_count for column in numbers)
    if needs_comma and not needs_point:
        return ["", "[claim.figure]", 'decimal = ","']
    if needs_comma or any(column.ambiguous_count for column in numbers if column.is_figure):
        sign = '"."' if needs_point and not needs_comma else '"???"'
        return ["", "[claim.figure]", f"decimal = {sign}  # . or ,: some numbers can be read with both"]
    return []


def _gives_no_day(column: ColumnProfile) -> bool:
    """Return whether a column has months or years, so that it has no days."""
    return column.date_format == EDTF_FORMAT or not any(sign in (column.date_format or "") for sign in ("d", "???"))


def _claim_lines(table: _Table) -> list[str]:  # noqa: C901 - one line for each field
    profile = table.profile
    figures = [column for column in profile.columns.values() if column.is_figure]
    others = [column.name for column in profile.columns_of_kind("number") if not column.is_figure]
    typed = table.roles.get("figure")
    if typed is not None and not figures:
        figures = [typed]  # figures in words, of which some are not read
    category = _category_expression(table)
    lines = []
    for name, parts in _pair_bounds(figures):
        unused = name if all(column.name != name for column in figures) else f"the {name}"
        lines += [f"[claims.{_toml_key(unused)}]", f"category = {category}"]
        lines += [f"figure.{part} = {_pick_expression(column)}" for part, column in parts.items()]
        lines += ["# figure.coverage = 0.95, if the source states the probability of the range", ""]
        paired = {column.name for column in parts.values()}
        figures = [column for column in figures if column.name not in paired]
    totals = _running_totals(table) if "period" not in table.roles else set()
    are_all_totals = bool(figures) and all(column.name in totals for column in figures)
    for column in figures[:MAX_PROPOSED_CLAIMS]:
        lines += [f"[claims.{_toml_key(column.name)}]", f"category = {category}  # what is counted"]
        if column.list_path is not None:
            lines += [f"over = {_toml_string(column.list_path)}", f"figure.printed = {_pick_expression(column)}"]
        elif column.path is not None:
            lines.append(f"figure.printed = {_pick_expression(column)}")
        if "qualifier" in table.roles:
            lines.append(f"figure.qualifier = {_qualifier_expression(table.roles['qualifier'])}")
        if "unit" in table.roles:
            lines.append(f"figure.unit = {_pick_expression(table.roles['unit'])}")
        if column.name in totals and not are_all_totals and not _gives_no_day(table.dates[0]):
            end = _date_expression(table.dates[0])
            lines.append(f'period = {{ start = "???", end = {end}, aggregation = "cumulative" }}  # it never falls')
        lines.append("")
    if more := [column.name for column in figures[MAX_PROPOSED_CLAIMS:]]:
        lines += [f"# And {len(more)} more columns of numbers: {_join_names(more)}.", ""]
    if others:
        lines += [f"# Numbers that are probably not figures: {_join_names(others)}.", ""]
    if not lines or lines[0].startswith("#"):
        lines = ["[claims.figure]", f"category = {category}  # what is counted", 'figure.printed = "???"', "", *lines]
    return lines


def _category_expression(table: _Table) -> str:
    """Return the expression for the category: from its column, or from the names of columns that are groups."""
    unpivot = table.profile.unpivot
    if "category" in table.roles or unpivot is None or unpivot.kind != "group":
        return _record_expression(table, "category")
    column = table.profile.columns[unpivot.name]
    listed = ", ".join(f'{_toml_string(value)} = "???"' for value in column.values)
    return _extend(_pick_expression(column), f"map = {{ {listed} }}")


def _qualifier_expression(column: ColumnProfile) -> str:
    listed = ", ".join(f"{_toml_string(value)} = {_toml_string(value + ' {}')}" for value in column.values)
    return _extend(_pick_expression(column), f"map = {{ {listed} }}")


def _pair_bounds(figures: Sequence[ColumnProfile]) -> list[tuple[str, dict[str, ColumnProfile]]]:
    """Return the columns that are the bounds of one figure, and its best estimate, with a name for each figure."""
    lowers: dict[tuple[str, ...], list[ColumnProfile]] = {}
    uppers: dict[tuple[str, ...], list[ColumnProfile]] = {}
    for column in figures:
        words = split_name(column.name)
        for ends, found in ((LOWER_WORDS, lowers), (UPPER_WORDS, uppers)):
            if any(word in ends for word in words):
                found.setdefault(_stem(words), []).append(column)
    pairs = []
    for stem, lower in lowers.items():
        upper = uppers.get(stem, [])
        if len(lower) == len(upper) == 1 and lower[0] is not upper[0]:
            bounds = {lower[0].name, upper[0].name}
            values = [c for c in figures if c.name not in bounds and _stem(split_name(c.name)) == stem]
            parts = {"value": values[0]} if values else {}
            pairs.append((" ".join(stem) or "figure", {**parts, "lower": lower[0], "upper": upper[0]}))
    return pairs


def _stem(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a name without those that tell a bound or an estimate."""
    kept = tuple(word for word in words if word not in LOWER_WORDS | UPPER_WORDS and not BOUND_WORDS.fullmatch(word))
    return tuple(word for word in kept if word not in VALUE_WORDS)


def _join_names(names: list[str]) -> str:
    return "".join(c if c.isprintable() else " " for c in ", ".join(names))[:500]


def _pick_expression(column: ColumnProfile) -> str:
    """Return the expression that selects a column."""
    if column.list_path is not None:
        return f"{{ column = {_toml_string((column.path and column.name.rpartition('[].')[2]) or column.name)} }}"
    if column.path is not None:
        return f"{{ path = {_toml_string(column.path)} }}"
    return f"{{ column = {_toml_string(column.name)} }}"


def _extend(expression: str, option: str) -> str:
    """Return the expression of a column with one more option."""
    return f"{expression.removesuffix(' }')}, {option} }}"


def _date_expression(column: ColumnProfile) -> str:
    pick = _pick_expression(column)
    if column.kind != "date":
        return _written_expression(column, "date")
    if column.date_format in {"%Y-%m-%d", EDTF_FORMAT}:
        return pick
    return _extend(pick, f'date = "{column.date_format}"')


def _written_expression(column: ColumnProfile, kind: str) -> str:
    return _extend(_pick_expression(column), f'written = "{kind}"')


def _toml_key(name: str) -> str:
    return name if BARE_KEY_PATTERN.fullmatch(name) else _toml_string(name)


def _toml_string(text: str) -> str:
    """Format `text` as a TOML string: a JSON string, with DEL escaped."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
