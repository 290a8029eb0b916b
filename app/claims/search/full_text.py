"""Full-text search over wording, note, quotes and names: every word of the question must be found somewhere.

A claim that is looked at anyhow is searched where it lies; the full-text index of each database is for finding those
that nothing else leads to. Names are looked up in memory: see `vocabulary/remembered.py`.
"""

# ruff: noqa: S608 - the statements are made of our own words; what is asked for are marks in them

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    String,
    Text,
    and_,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import array

from app.database.snapshot import Snapshot
from app.database.tables import CitationVersion, ClaimVersion, columns_of, table_of
from app.database.text_folding import search_words
from app.errors import invalid_field
from app.vocabulary.reference_data import SEARCHED_TABLES, ReferenceData

MAX_SEARCH_WORDS = 12

WordCounts = tuple[tuple[int, ...], ...]
"""For each word, how many sources, categories, subjects and places have it in their names."""


def resolve_search_words(question: str, known: ReferenceData) -> tuple[WordCounts, list[Any]]:
    """What a search comes to: for each word itself, and the slugs of what is called so."""
    words = search_words(question)
    if not words:
        raise invalid_field("q", "Expected at least one word.", location="query")
    if len(words) > MAX_SEARCH_WORDS:
        raise invalid_field("q", f"At most {MAX_SEARCH_WORDS} different words are searched for.", location="query")
    form, values = [], []
    for word in words:
        called = [known.find_slugs_by_word(kind, word) for kind in SEARCHED_TABLES]
        form.append(tuple(map(len, called)))
        values += [word, *(slug for slugs in called for slug in slugs)]
    return tuple(form), values


def group_by_word(form: WordCounts, marks: Sequence[Any]) -> list[tuple[Any, dict[str, list[Any]]]]:
    """The marks in the same order: each word, and kind → the slugs of what is called so."""
    found, at = [], 0
    for counts in form:
        word, slugs = marks[at], {}
        at += 1
        for kind, count in zip(SEARCHED_TABLES, counts, strict=True):
            slugs[kind] = list(marks[at : at + count])
            at += count
        found.append((word, slugs))
    return found


def build_words_condition(
    marks: Sequence[BindParameter[Any]], view: Snapshot, form: WordCounts, *, postgresql: bool
) -> ColumnElement[bool]:
    """The condition that a claim has every word in any of its texts or names."""
    claim, citation = columns_of(ClaimVersion), columns_of(CitationVersion)
    found = []
    for word, slugs in group_by_word(form, marks):
        said = _build_word_condition(citation.words, word, postgresql=postgresql)
        cited = build_exists(CitationVersion, citation.claim == claim.id, said, view.contains(CitationVersion))
        named = [claim[kind].in_(some) for kind, some in slugs.items() if some]
        found.append(or_(*named, _build_word_condition(claim.words, word, postgresql=postgresql), cited))
    return and_(*found)


def build_exists(table: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:  # noqa: ANN401 - a table or an alias
    """Whether there is such a row, looked for claim by claim.

    PostgreSQL would rather collect all of them first; an OFFSET keeps it from that.
    """
    source = table if isinstance(table, FromClause) else table_of(table)
    return exists(select(literal_column("1")).select_from(source).where(*conditions).offset(literal_column("0")))


def _build_word_condition(column: Any, word: BindParameter[Any], *, postgresql: bool) -> ColumnElement[bool]:  # noqa: ANN401 - words
    if postgresql:
        held: ColumnElement[bool] = column.bool_op("@>")(array([cast(word, Text())]))
        return held
    space: ColumnElement[str] = literal_column("' '", String())
    padded = space.concat(type_coerce(column, String())).concat(space)
    # Not LIKE, for which an underscore stands for any letter.
    found: ColumnElement[bool] = func.instr(padded, space.concat(type_coerce(word, String())).concat(space)) > 0
    return found


def build_word_lookups(names: Sequence[str], form: WordCounts, *, postgresql: bool) -> list[list[str]]:
    """For each word the statements that find all claims with it, in the words of `finding.py`."""
    found = []
    for word, slugs in group_by_word(form, names):
        if postgresql:
            own = f"SELECT claim.version FROM claim WHERE claim.words @> ARRAY[:{word}]::text[]"
            cited = build_joined_lookup("citation", f"citation.words @> ARRAY[:{word}]::text[]", "citation.claim")
        else:
            quoted = f"'\"' || :{word} || '\"'"
            own = f"SELECT rowid AS version FROM claim_words WHERE claim_words MATCH {quoted}"
            matching = f"citation_words MATCH {quoted} AND citation.version = citation_words.rowid"
            cited = build_joined_lookup("citation_words CROSS JOIN citation", matching, "citation.claim")
        found.append([own, cited, *(build_slug_lookup(kind, some) for kind, some in slugs.items() if some)])
    return found


CLAIM_JOIN_MARK = "/*=*/"
"""In a statement: here its claims are known, but not yet looked up."""


def build_joined_lookup(tables: str, condition: str, claim: str) -> str:
    """The statement that finds claims through rows of other tables that name them."""
    return (
        f"SELECT DISTINCT claim.version FROM {tables} CROSS JOIN claim"
        f" WHERE {condition} {CLAIM_JOIN_MARK} AND claim.id = {claim}"
    )


def build_countable_lookup(statement: str) -> str:
    """What of a statement has to be counted to know how much it looks at."""
    if CLAIM_JOIN_MARK not in statement:
        return statement
    told = statement.partition(CLAIM_JOIN_MARK)[0].replace(" CROSS JOIN claim ", " ", 1)
    return told.replace("SELECT DISTINCT claim.version", "SELECT 1 AS one", 1)


def build_slug_lookup(kind: str, names: Sequence[str]) -> str:
    """The statement that finds the claims with one of these slugs."""
    marks = ", ".join(f":{name}" for name in names)
    return (
        f"SELECT claim.version FROM claim /*ix_claim_{kind}_date*/"
        f" WHERE claim.{kind} IN ({marks}) AND claim.until_seq IS NULL AND claim.status <> 'removed'"
    )
