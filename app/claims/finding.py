"""Finding a page of claims: which rows it has, in which order, with a bounded number of rows looked at.

No database is trusted to guess well how many claims a filter lets through when only the first few are wanted. Three
ways are written out here, each of which reads rows in one known manner:

- **walk** the index that has the order which is asked for (within a source or a question where one is given), and look
  at no more than a given number of rows; most pages are full long before;
- **drive** from the index of the filter with the fewest claims: fetch them all, look at the other filters, sort;
- or refuse, as `query_too_broad`, with what to add.

The SQL of a question is put together once for each shape (which filters, how many values, which order, where the
cursor stands) and kept as text; a question then costs a look at its filters and the statement itself.
"""

# ruff: noqa: S608 - the statements are made of our own words; what is asked for are marks in them

import re
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, bindparam, literal_column, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import visitors

from app.budget import is_too_long
from app.changes.clock import EPOCH, View
from app.claims.filters import FILTERS, Asking, ClaimQuery, Sort, check_ranges, order_of, questions
from app.claims.search import counted
from app.claims.search import reaches as reach_words
from app.columns import BIG
from app.paging import DEFAULT_LIMIT, Order, read_cursor, write_cursor
from app.problems import QueryTooBroad
from app.reading import Reading
from app.tables import QUESTION, ClaimVersion, table_of
from app.vocabulary.terms import Status

SHORT_WALK = 5
"""The first walk looks at so many rows for each row that is wanted."""

LONG_WALK = 50_000
FEW, MANY = 25_600, 102_400
"""So many claims are driven from at once; so many where a long walk has not found enough either."""

ROUNDS = (100, 400, 1_600, 6_400, FEW, MANY)
"""How far the claims of a filter are counted, all filters a little further each time, until one has an end."""

FULL_TEXT_ROUNDS = (100, 6_400, FEW, MANY)
"""The rounds of a full-text index of PostgreSQL, which looks up all that it has each time."""

MOST_BRANCHES = 8
"""So many ranges of an index are walked side by side."""

SHAPES, TEXTS, COUNTS, COUNTS_KEPT = 1_000, 50, 20_000, 60.0
"""So many shapes, statements of each, and counts are remembered; counts, which only choose the way, for so long."""

SHOWN = "claim.until_seq IS NULL AND claim.status <> 'removed'"
REMOVED = (
    "SELECT claim.version FROM claim /*ix_claim_status*/ WHERE claim.status = 'removed'"
    " AND claim.until_seq IS NULL AND claim.status <> 'asserted'"
)
PAST = (
    "SELECT claim.version FROM claim /*ix_claim_past*/ WHERE claim.until_seq > :as_of AND claim.until_seq IS NOT NULL"
)

ORDERS: dict[Sort, Order] = {sort: order_of(sort) for sort in Sort}
WALKED = {
    "date": ("date", "ix_claim_date"),
    "recorded": ("seq", "ix_claim_recorded"),
    "value": ("magnitude", "ix_claim_magnitude"),
}
"""What each order walks: the column, and the index that holds it with the id behind."""

BY_DATE = {
    **dict.fromkeys(("source", "source_kind", "interest"), "source"),
    **{word: word for word in QUESTION},
}
"""Filters that name words which an index by date begins with, and the column of the words."""

SAID = ("date_from", "date_to", "known_on")
"""Filters that only bound the date: a walk by date begins and ends there."""

DAWN, UNDATED = date.min, date(9999, 12, 31)
"""Days of a cursor by source: before every claim of it, and behind all that have a date."""

DIALECTS = {"sqlite": SQLiteDialect_pysqlite(paramstyle="named"), "postgresql": PGDialect_psycopg()}  # type: ignore[no-untyped-call] # SQLAlchemy's own

Row = tuple[Any, ...]
"""Version, id, and the value that it is sorted by."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of claims: their versions (the primary keys) and ids in order, and where the next page begins."""

    versions: list[int]
    ids: list[str]
    next_cursor: str | None
    total: int | None


def find_page(reading: Reading, query: ClaimQuery, view: View) -> Page:
    """The claims that match every filter. Raises a problem for slugs that do not exist, or `QueryTooBroad`."""
    check_ranges(query)
    if view.as_of is not None and view.as_of == view.head:
        view = replace(view, as_of=None)  # the present: a file is read as of its first page
    order = ORDERS[query.sort]
    question = _Question(reading, query, view, order)
    try:
        total = question.count() if query.total else None
        rows = question.rows()
    except DBAPIError as error:
        if is_too_long(error):
            raise too_broad(query) from error
        raise
    page = rows[: question.limit]
    more = len(rows) > len(page)
    cursor = write_cursor(order, page[-1][2], page[-1][1]) if more else None
    return Page([row[0] for row in page], [row[1] for row in page], cursor, total)


def too_broad(query: ClaimQuery) -> QueryTooBroad:
    """The refusal of a question that would have to look at too many claims, with what to add."""
    given = {name for name in FILTERS if getattr(query, name) not in (None, [])}
    missing = [f"`{name}`" for name in ("source", "topic", "category") if name not in given]
    dates = [] if {"date_from", "date_to"} <= given else ["a short `date_from`–`date_to`"]
    sort = [] if query.sort in (Sort.newest, Sort.oldest) else ["`sort=-date`"]
    return QueryTooBroad(
        "Too many claims would have to be looked at to answer this.",
        hint=f"add {' or '.join([*missing, *dates, *sort]) or 'another filter'}",
    )


class _Shape:
    """What all questions with the same filters and order have in common: their SQL, written when it is first needed."""

    def __init__(self, dialect: str, sort: Sort, forms: Sequence[tuple[str, Hashable, int]], *, past: bool) -> None:
        """`forms` has for each filter that is set its name, its form and how many values it has."""
        self.dialect = dialect
        self.past = past
        self.descending = sort.value.startswith("-")
        self.named = sort.value.removeprefix("-")
        names = {name: [f"{name}_{i}" for i in range(count)] for name, _, count in forms}
        asked = {name: form for name, form, _ in forms}
        view = View(0, EPOCH, as_of=bindparam("as_of", type_=BIG) if past else None)  # type: ignore[arg-type] # a mark
        self.clauses = {
            name: self._compiled(FILTERS[name].clause([bindparam(each) for each in names[name]], view, form))
            for name, form in asked.items()
        }
        reached = {name: FILTERS[name].reach(names[name], form) for name, form in asked.items()}
        self.reaches = {
            name: list(found)
            for name, found in reached.items()
            if found is not None and not (past and name in ("confidence", "reliability", "credibility"))
        }
        self.is_empty = [] in self.reaches.values()
        """Whether a filter names nothing that there is."""
        if "q" in self.reaches:
            form: Any = asked["q"]
            by_word = reach_words(names["q"], form[1], postgresql=form[0])
            del self.reaches["q"]
            self.reaches |= {f"q {i}": each for i, each in enumerate(by_word)}
        if any(name in asked for name in SAID):
            bounds = [f"claim.date >= :{names['date_from'][0]}"] if "date_from" in asked else []
            bounds += ["claim.date <= :said_by"] if "date_to" in asked or "known_on" in asked else []
            within = " AND ".join(bounds)
            self.reaches["said"] = [f"SELECT claim.version FROM claim /*ix_claim_date*/ WHERE {within} AND {SHOWN}"]
        if past:
            self.reaches["recorded_as_of"] = [
                f"SELECT claim.version FROM claim /*ix_claim_recorded*/ WHERE claim.seq <= :as_of AND {SHOWN}"
            ]
        hidden = "status" not in asked
        self.extras = [PAST] if past else []
        if not hidden and Status.removed.value in asked["status"][0]:  # type: ignore[index] # the form of `status`
            self.extras.append(REMOVED)
        self.is_plain = not self.extras and not any("SELECT" in text for text, _ in self.clauses.values())
        self._always = [self._compiled(view.holds(ClaimVersion))[0]] + ["claim.status <> 'removed'"] * hidden
        self.by_date = self._ways_by_date(asked, names)
        self.bounded = [name for name in SAID if name in asked]
        self.id = "id::text" if dialect == "postgresql" else "id"
        day = "claim.date::text" if dialect == "postgresql" else "claim.date"
        by_source = f"claim.source || ' ' || COALESCE({day}, '9999-12-31')"
        self.value = by_source if self.named == "source" else f"claim.{WALKED[self.named][0]}"
        self._texts: dict[Hashable, str] = {}

    def _ways_by_date(self, asked: dict[str, Any], names: dict[str, list[str]]) -> "list[_Way]":
        """The indices by date that begin with what some of the filters name."""
        questions = self._questions(asked, names)
        found = [] if questions is None else [questions]
        for name, column in BY_DATE.items():
            few = name in asked and 0 < len(names[name]) <= MOST_BRANCHES
            if few and not (questions and column in QUESTION):
                branches = [f"claim.{column} = :{each}" for each in names[name]]
                found.append(_Way(f"ix_claim_{column}_date", (name,), (name,), tuple(branches)))
        return found

    def _questions(self, asked: dict[str, Any], names: dict[str, list[str]]) -> "_Way | None":
        """The filters that together name few questions."""
        if "topic" in asked and len(asked["topic"]) == 1:
            found = questions(names["topic"], asked["topic"])
            of: tuple[str, ...] = ("topic",)
            holding = () if any(asked["topic"][0][1:]) else of
        elif all(part in asked for part in QUESTION):
            found = [dict(zip(QUESTION, some, strict=True)) for some in product(*(names[part] for part in QUESTION))]
            of = holding = QUESTION
        else:
            return None
        if len(found) > MOST_BRANCHES:
            return None
        return _Way("ix_claim_topic_date", of, holding, tuple(_equal(each) for each in found))

    def _compiled(self, clause: ColumnElement[bool]) -> tuple[str, frozenset[str]]:
        """A condition as text, and the columns of the claim in it."""
        table = table_of(ClaimVersion)
        written = select(literal_column("1")).select_from(table).where(clause).compile(dialect=DIALECTS[self.dialect])
        text = str(written)
        for name, value in written.params.items():
            if isinstance(value, int):  # SQLAlchemy says LIMIT 1 OFFSET 0 on SQLite
                text = re.sub(rf":{name}\b|%\({name}\)s", str(value), text)
            elif value is not None:
                raise AssertionError(f"a value, not a mark, in {text}")
        columns = {
            element.name
            for element in visitors.iterate(clause)
            if isinstance(element, Column) and element.table is table
        }
        return f"({text.split('WHERE ', 1)[1]})", frozenset(columns)

    def _said(self, text: str) -> str:
        """Our own words in those of the driver."""
        if self.dialect == "sqlite":
            return re.sub(r"/\*(\w+)\*/", r"INDEXED BY \1", text)
        return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", text)

    def text(self, most: int, width: int, write: Any, *arguments: Any) -> str:  # noqa: ANN401 - what writes it
        """A statement of this shape, written once. How many rows it wants is said in it: PostgreSQL plans by that."""
        key = (most, width, write.__name__, *arguments)
        found = self._texts.get(key)
        if found is None:
            if len(self._texts) >= TEXTS:
                self._texts.clear()
            written = write(*arguments).replace(":most", str(most)).replace(":width", str(width))
            found = self._texts[key] = self._said(written)
        return found

    # A walk -----------------------------------------------------------------------------------------------------

    def walk(self, walk: "_Walk") -> str:
        """The first claims of some branches of an index; with marks where a branch was not looked at any further."""
        column, index = walk.column, walk.name
        direction = "DESC" if self.descending else "ASC"
        conditions, order = self._range(walk), self._order(walk)
        left = [text for name, (text, _) in self.clauses.items() if name not in walk.absorbed]
        used = {"version", "id", column, *(("source", "date") if self.named == "source" else ())}
        for name, (_, columns) in self.clauses.items():
            used |= columns if name not in walk.absorbed else set()
        if self.past:
            left.append("claim.seq <= :as_of")
            used.add("seq")
        taken = ", ".join(f"claim.{each}" for each in sorted(used))
        several = len(walk.prefixes) > 1 or bool(self.extras)
        written = []
        for prefix in walk.prefixes:
            where = " AND ".join([prefix, *conditions] if prefix else conditions)
            inside = f"SELECT {taken} FROM claim /*{index}*/ WHERE {where} ORDER BY {order} LIMIT "
            shown = self._columns(raw=several)
            if left:
                written.append(f"SELECT {shown} FROM ({inside}:width) AS claim WHERE {' AND '.join(left)} LIMIT :most")
            else:
                written.append(f"SELECT {shown} FROM ({inside}:most) AS claim")
            if left and several:
                mark = self._columns(raw=True, version="CAST(NULL AS BIGINT)")
                written.append(f"SELECT {mark} FROM ({inside}1 OFFSET :width) AS claim")
        if not several:
            return written[0]
        if self.extras:
            written.append(self._extra(walk))
        union = " UNION ALL ".join(f"SELECT * FROM ({each}) AS branch" for each in written)
        outside = f"value {direction}, id {direction}" if walk.known else f"id {direction}"
        return f"SELECT version, {self.id}, value FROM ({union}) AS found ORDER BY {outside} LIMIT :most"

    def cut(self, walk: "_Walk") -> str:
        """Whether a walk of one branch has more rows than were looked at."""
        where = " AND ".join([*filter(None, walk.prefixes), *self._range(walk)])
        inside = f"SELECT claim.id FROM claim /*{walk.name}*/ WHERE {where} ORDER BY {self._order(walk)}"
        return f"{inside} LIMIT 1 OFFSET :width"

    def _order(self, walk: "_Walk") -> str:
        direction = "DESC" if self.descending else "ASC"
        first = f"claim.{walk.column} {direction}, " if walk.known else ""
        return f"{first}claim.id {direction}"

    def _range(self, walk: "_Walk") -> list[str]:
        """The conditions that the index of the walk answers, beside the beginning of a branch."""
        sign, end = ("<", ">=") if self.descending else (">", "<=")
        column = f"claim.{walk.column}"
        if not walk.known:
            behind = [f"claim.id {sign} :cursor_id"] if walk.start else []
            return [SHOWN, f"{column} IS NULL", *behind]
        found = [SHOWN, f"{column} IS NOT NULL"]
        if walk.start == "cursor":
            found.append(f"({column}, claim.id) {sign} (:cursor_value, :cursor_id)")
        elif walk.start == "bound":
            found.append(f"{column} {sign}= :start")
        if walk.end:
            found.append(f"{column} {end} :end")
        return found

    def _columns(self, *, raw: bool, version: str = "claim.version") -> str:
        return f"{version} AS version, claim.{'id' if raw else self.id} AS id, {self.value} AS value"

    def _extra(self, walk: "_Walk") -> str:
        """The claims that the index of the walk does not hold, looked at one by one."""
        known = "IS NOT NULL" if walk.known else "IS NULL"
        where = [*self._all(), f"claim.{walk.column} {known}"]
        if len(walk.prefixes) == 1 and walk.prefixes[0]:
            where.append(walk.prefixes[0])
        if walk.start == "cursor":
            where.append(self._behind(walk.column, known=walk.known))
        direction = "DESC" if self.descending else "ASC"
        order = f"value {direction}, id {direction}" if walk.known else f"id {direction}"
        looked_up = self._looked_up(self.extras, self._columns(raw=True))
        return f"{looked_up} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :most"

    def _all(self) -> list[str]:
        return [*self._always, *(text for text, _ in self.clauses.values())]

    def _behind(self, column: str, *, known: bool) -> str:
        sign = "<" if self.descending else ">"
        if not known:
            return f"claim.{column} IS NULL AND claim.id {sign} :cursor_id"
        return f"(claim.{column}, claim.id) {sign} (:cursor_value, :cursor_id)"

    # A drive, and counts ----------------------------------------------------------------------------------------

    def drive(self, name: str, cursor: str) -> str:
        """All claims of one filter, the other filters, and the first of what is left; `cursor` is where it stands."""
        sign, direction = ("<", "DESC") if self.descending else (">", "ASC")
        where = self._all()
        if cursor == "known":
            behind = (
                f"{self.value} {sign} :cursor_value OR ({self.value} = :cursor_value AND claim.id {sign} :cursor_id)"
            )
            where.append(f"({behind} OR {self.value} IS NULL)")
        elif cursor == "unknown":
            where.append(f"({self.value} IS NULL AND claim.id {sign} :cursor_id)")
        order = f"ORDER BY {self.value} IS NULL, {self.value} {direction}, claim.id {direction} LIMIT :most"
        return f"{self._driven(name, self._columns(raw=False))} WHERE {' AND '.join(where)} {order}"

    def count_driven(self, name: str) -> str:
        """How many claims match, if those of one filter are looked at."""
        return f"{self._driven(name, 'count(*)')} WHERE {' AND '.join(self._all())}"

    def count_all(self) -> str:
        """How many claims match, however many have to be looked at."""
        only = "" if self.clauses or self.past else "/*ix_claim_recorded*/ "
        return f"SELECT count(*) FROM claim {only}WHERE {' AND '.join(self._all())}"

    def reached(self, name: str) -> str:
        """How many claims the index of a filter leads to, counted to `:most`."""
        counts = " UNION ALL ".join(f"SELECT 1 AS one FROM ({counted(each)}) AS way" for each in self.reaches[name])
        return f"SELECT count(*) FROM (SELECT one FROM ({counts}) AS ways LIMIT :most) AS counted"

    def _driven(self, name: str, columns: str) -> str:
        return self._looked_up([*self.reaches[name], *self.extras], columns)

    def _looked_up(self, statements: Sequence[str], columns: str) -> str:
        """Claims whose versions are known, one by one and by nothing but their primary key."""
        found = " UNION ".join(statements)
        if self.dialect == "sqlite":
            return f"SELECT {columns} FROM ({found}) AS driven CROSS JOIN claim ON claim.version = driven.version"
        # OFFSET is a fence: PostgreSQL would look for another way to the same claims.
        claim = "LATERAL (SELECT * FROM claim WHERE claim.version = driven.version OFFSET 0) AS claim"
        return f"WITH driven AS MATERIALIZED ({found}) SELECT {columns} FROM driven CROSS JOIN {claim}"


def _equal(asked: dict[str, str]) -> str:
    return " AND ".join(f"claim.{column} = :{name}" for column, name in asked.items())


class _Way(NamedTuple):
    """An index whose first columns are what some filters name."""

    name: str
    of: tuple[str, ...]
    """The filters."""
    absorbed: tuple[str, ...]
    """Those of them that hold for every claim in its branches."""
    branches: tuple[str, ...]


class _Walk(NamedTuple):
    """One way through an index. Equal ones have equal statements."""

    name: str
    column: str
    prefixes: tuple[str, ...]
    absorbed: tuple[str, ...]
    """Filters that the ranges of the walk fulfil."""
    known: bool
    """Whether through the claims with a value, or through those without."""
    start: str | None
    end: bool


class _Incomplete(Exception):
    """A walk ended before the page was full."""


class _Question:
    """One query on its way to its page."""

    def __init__(self, reading: Reading, query: ClaimQuery, view: View, order: Order) -> None:
        self.reading = reading
        self.query = query
        self.view = view
        self.limit = query.limit or DEFAULT_LIMIT
        self.sort = query.sort
        self.sqlite = reading.dialect == "sqlite"
        asking = Asking(reading, view, narrower=query.narrower)
        forms: list[tuple[str, Hashable, int]] = []
        self.values: dict[str, Sequence[Any]] = {}
        self.parameters: dict[str, Any] = {}
        given = query.__dict__
        for name, where in FILTERS.items():
            value = given[name]
            if value is None or value == []:
                continue
            form, values = where.ask(asking, value)
            values = [self._plain(each) for each in values]
            forms.append((name, form, len(values)))
            self.values[name] = values
            for i, each in enumerate(values):
                self.parameters[f"{name}_{i}"] = each
        if view.as_of is not None:
            self.parameters["as_of"] = view.as_of
        by = [day for day in (query.date_to, query.known_on) if day is not None]
        self.said_by = min(by) if by else None
        if by or query.date_from:
            self.parameters["said_by"] = self._plain(self.said_by)
            self.values["said"] = (query.date_from, self.said_by)
        self.asking = asking
        self.shape = _shape(reading.dialect, self.sort, tuple(forms), past=view.as_of is not None)
        self.known, self.value, self.key = read_cursor(order, query.cursor)
        if self.key is not None:
            self.parameters |= {"cursor_value": self._plain(self.value), "cursor_id": self.key}

    def _plain(self, value: Any) -> Any:  # noqa: ANN401 - whatever a filter takes
        """A value as the driver takes it."""
        if isinstance(value, Enum):
            return value.value
        if self.sqlite and isinstance(value, date):
            if isinstance(value, datetime):
                return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            return value.isoformat()
        return value

    def rows(self) -> list[Row]:
        """The rows of the page, and one more if there is a next one."""
        if self.shape.is_empty:
            return []
        short = SHORT_WALK * (self.limit + 1)
        reaches = self.shape.reaches
        if self.sort is Sort.by_source:
            few = self._fewest(FEW) if reaches else None
            return self._walk_sources(LONG_WALK) if few is None else self._drive(few)
        for name in reaches:
            if (number := self._counted(name)) is not None and number < 2 * short:
                return self._drive(name)
        walks = self._walks()
        counts, now, key = _counts(self.reading), time.monotonic(), self._walk_key()
        if key not in counts or counts[key][2] < now:
            try:
                return self._walk(walks, short)
            except _Incomplete:
                counts[key] = (0, 0, now + COUNTS_KEPT)  # the next page need not try
        few = self._fewest(FEW)
        # A claim in fifty is found sooner by a walk that is as long again than by looking at all that there are.
        width = LONG_WALK if few is None else _rounded((self._counted(few) or 0) // 2)
        if few is not None and width < 2 * short:
            return self._drive(few)
        try:
            return self._walk(walks, width)
        except _Incomplete:
            if few is not None or (few := self._fewest(MANY)) is not None:
                return self._drive(few)
            raise too_broad(self.query) from None

    def count(self) -> int:
        """How many claims match."""
        if self.shape.is_empty:
            return 0
        few = self._fewest(FEW)
        if few is None:
            text = self.shape.text(0, 0, self.shape.count_all)
        else:
            text = self.shape.text(0, 0, self.shape.count_driven, few)
        found: int = self.reading.rows(text, self.parameters, planned=True)[0][0]
        return found

    # Which way --------------------------------------------------------------------------------------------------

    def _counted(self, name: str) -> int | None:
        """How many claims a filter leads to, if that was counted to its end a short while ago."""
        found = _counts(self.reading).get(self._count_key(name))
        return found[0] if found is not None and found[0] < found[1] and found[2] > time.monotonic() else None

    def _count_key(self, name: str) -> Hashable:
        return name, *self.values.get(name.partition(" ")[0], ()), self.view.as_of

    def _walk_key(self) -> Hashable:
        return "walk", self.sort, *((name, *values) for name, values in self.values.items()), self.view.as_of

    def _fewest(self, most: int) -> str | None:
        """The filter that leads to the fewest claims; none where each leads to more than `most`."""
        counts, now = _counts(self.reading), time.monotonic()
        for end in ROUNDS:
            if end > most:
                break
            best: tuple[int, str] | None = None
            for name in sorted(self.shape.reaches, key=self._is_costly):
                if self._is_costly(name) and (best is not None or end not in FULL_TEXT_ROUNDS):
                    continue
                key = self._count_key(name)
                found = counts.get(key)
                if found is None or found[2] < now or found[1] <= min(found[0], end - 1):
                    text = self.shape.text(end, 0, self.shape.reached, name)
                    number = self.reading.rows(text, self.parameters, planned=True)[0][0]
                    found = counts[key] = (number, end, now + COUNTS_KEPT)
                if found[0] < min(found[1], end) and (best is None or found[0] < best[0]):
                    best = found[0], name
            if best is not None:
                return best[1]
        return None

    def _is_costly(self, name: str) -> bool:
        """Whether counting costs the same however far: a full-text index of PostgreSQL gives all that it has."""
        return name.startswith("q ") and not self.sqlite

    def _walks(self) -> list[_Walk]:
        """The walks of the order that is asked for: through claims with a value, and then through those without."""
        shape = self.shape
        column, index = WALKED[shape.named]
        prefixes: tuple[str, ...] = ("",)
        absorbed: tuple[str, ...] = ()
        if column == "date":
            index, prefixes, absorbed = self._branches()
        lower, upper = self._bounds(column)
        first, last = (upper, lower) if shape.descending else (lower, upper)
        found = []
        start: str | None = None
        if self.known:
            if self.key is not None and (first is None or self._is_inside(first)):
                start = "cursor"
            elif first is not None:
                start = "bound"
                self.parameters["start"] = self._plain(first)
            if last is not None:
                self.parameters["end"] = self._plain(last)
            bounded = tuple(shape.bounded) if column == "date" else ()
            found.append(_Walk(index, column, prefixes, absorbed + bounded, True, start, last is not None))
        if not (column == "date" and shape.bounded):
            behind = "cursor" if self.key is not None and not self.known else None
            found.append(_Walk(index, column, prefixes, absorbed, False, behind, False))
        return found

    def _is_inside(self, first: Any) -> bool:  # noqa: ANN401 - a bound of the sorted column
        """Whether the cursor lies behind where the walk would begin."""
        return bool(self.value <= first if self.shape.descending else self.value >= first)

    def _bounds(self, column: str) -> tuple[Any, Any]:
        """Between which values the walk can stay."""
        query, view = self.query, self.view
        if column == "seq":
            return None, view.as_of
        if column != "date":
            return None, None
        days = [] if self.said_by is None else [self.said_by]
        if view.as_of is not None:
            days.append(view.at.date())  # nothing is recorded before it was said
        return query.date_from, min(days) if days else None

    def _branches(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The index that a walk by date takes, the beginnings of its ranges, and the filters that they fulfil."""
        ways = self.shape.by_date
        if not ways:
            return "ix_claim_date", ("",), ()
        best = ways[0]
        if len(ways) > 1:
            few = self._fewest(FEW)
            best = next((way for way in ways if few in way.of), best)
        return best.name, best.branches, best.absorbed

    # The ways ---------------------------------------------------------------------------------------------------

    def _drive(self, name: str) -> list[Row]:
        cursor = "" if self.key is None else "known" if self.known else "unknown"
        return self._run(0, self.shape.drive, name, cursor)

    def _walk(self, walks: list[_Walk], width: int) -> list[Row]:
        """The rows of the walks, one after the other. Raises `_Incomplete`."""
        rows: list[Row] = []
        for walk in walks:
            rows += self._step(walk, width, self.limit + 1 - len(rows))
            if len(rows) > self.limit:
                break
        return rows

    def _step(self, walk: _Walk, width: int, most: int) -> list[Row]:
        rows = self._run(width, self.shape.walk, walk)[:most]
        if any(row[0] is None for row in rows):
            raise _Incomplete
        if len(rows) < most and len(walk.prefixes) == 1 and not self.shape.extras and self._is_cut(walk, width):
            raise _Incomplete
        return rows

    def _is_cut(self, walk: _Walk, width: int) -> bool:
        """Whether a walk of one branch that found too little was ended by its width."""
        if not self.shape.clauses.keys() - set(walk.absorbed):
            return False
        return bool(self._run(width, self.shape.cut, walk))

    def _walk_sources(self, width: int) -> list[Row]:
        """The claims source by source, the undated ones of each at its end."""
        begin, day = self._stands()
        asked = {"", *self.asking.known.sources}
        for name in ("source", "source_kind", "interest"):
            if name in self.values:
                asked &= set(self.values[name])
        rows: list[Row] = []
        for source in sorted(each for each in asked if each > begin or (each == begin and day is not None)):
            self.parameters["walked_source"] = source
            for walk in self._walks_of_source(day if source == begin else None):
                try:
                    rows += self._step(walk, width, self.limit + 1 - len(rows))
                except _Incomplete:
                    raise too_broad(self.query) from None
                if len(rows) > self.limit:
                    return rows
        return rows

    def _stands(self) -> tuple[str, date | None]:
        """The source and the day that the cursor stands at; no day where it stands behind a source."""
        if self.key is None:
            return "", DAWN
        source, _, day = str(self.value).rpartition(" ")
        try:
            return source, date.fromisoformat(day)
        except ValueError:
            return str(self.value), None

    def _walks_of_source(self, day: date | None) -> list[_Walk]:
        """The walks through the claims of one source, from the cursor on if that stands at a `day` of it."""
        walk = _Walk("ix_claim_source_date", "date", ("claim.source = :walked_source",), (), False, None, False)
        day = None if day == DAWN else day
        bounded = tuple(self.shape.bounded)
        lower, upper = self._bounds("date")
        found = []
        if day != UNDATED:
            start = None
            if day is not None and (lower is None or day >= lower):
                start = "cursor"
                self.parameters["cursor_value"] = self._plain(day)
            elif lower is not None:
                start = "bound"
                self.parameters["start"] = self._plain(lower)
            if upper is not None:
                self.parameters["end"] = self._plain(upper)
            found.append(walk._replace(absorbed=bounded, known=True, start=start, end=upper is not None))
        if not bounded:
            found.append(walk._replace(start="cursor" if day == UNDATED else None))
        return found

    def _run(self, width: int, write: Any, *arguments: Any) -> list[Row]:  # noqa: ANN401 - a method of the shape
        # A walk that compares columns is the same whatever is asked for; what looks elsewhere is not.
        planned = not width or not self.shape.is_plain
        text = self.shape.text(self.limit + 1, width, write, *arguments)
        return self.reading.rows(text, self.parameters, planned=planned)


def _rounded(number: int) -> int:
    """A little less, so that there are few different ones."""
    step = 1 << max(0, number.bit_length() - 3)
    return number // step * step


_shapes: dict[Hashable, _Shape] = {}


def _shape(dialect: str, sort: Sort, forms: tuple[tuple[str, Hashable, int], ...], *, past: bool) -> _Shape:
    key = (dialect, sort, forms, past)
    found = _shapes.get(key)
    if found is None:
        if len(_shapes) >= SHAPES:
            _shapes.clear()
        found = _shapes[key] = _Shape(dialect, sort, forms, past=past)
    return found


Counts = dict[Hashable, tuple[int, int, float]]
"""Filter and values → how many claims, counted to how many at most, and until when that is believed.

Also of whole questions, whose first walk was too short.
"""


def _counts(reading: Reading) -> Counts:
    found: Counts = reading.database.beside.setdefault("counts", {})
    if len(found) > COUNTS:
        found.clear()
    return found
