"""Full-text search over wording, note, quotes and names: every word of the question must be found somewhere.

A claim that is looked at anyhow is searched where it lies; the full-text index of each database is for finding those
that nothing else leads to. Names are looked up in memory: see `app/vocabulary/reference_data.py`.
"""

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
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    table,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import array

from app.claims.search.index_lookup import (
    CLAIM,
    BoundParameters,
    Columns,
    IndexLookup,
    look_up_claims_by_id,
    look_up_slugs,
)
from app.database.snapshot import Snapshot
from app.database.sql import OrderedJoin
from app.database.tables import CitationVersion, columns_of, table_of
from app.database.text_folding import search_words
from app.errors import invalid_field
from app.vocabulary.reference_data import SEARCHED_TABLES, ReferenceData

MAX_SEARCH_WORDS = 12

CLAIM_WORDS, CITATION_WORDS = (table(name, column("rowid")) for name in ("claim_words", "citation_words"))
"""The full-text indices of SQLite."""

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
    columns: Columns, marks: BoundParameters, view: Snapshot, form: WordCounts, *, postgresql: bool
) -> ColumnElement[bool]:
    """The condition that a claim has every word in any of its texts or names."""
    citation = columns_of(CitationVersion)
    found = []
    for word, slugs in group_by_word(form, marks):
        said = _build_word_condition(citation.words, word, postgresql=postgresql)
        cited = build_exists(
            table_of(CitationVersion), citation.claim == columns.id, said, view.contains(CitationVersion)
        )
        named = [columns[kind].in_(some) for kind, some in slugs.items() if some]
        found.append(or_(*named, _build_word_condition(columns.words, word, postgresql=postgresql), cited))
    return and_(*found)


def build_exists(source: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is such a row, looked for claim by claim.

    PostgreSQL would rather collect all of them first; an OFFSET keeps it from that.
    """
    return exists(select(literal_column("1")).select_from(source).where(*conditions).offset(0))


def _build_word_condition(words: Any, word: BindParameter[Any], *, postgresql: bool) -> ColumnElement[bool]:  # noqa: ANN401 - a column of words
    if postgresql:
        held: ColumnElement[bool] = words.bool_op("@>")(array([cast(word, Text())]))
        return held
    # Not LIKE, for which an underscore stands for any letter.
    found: ColumnElement[bool] = func.instr(_quote(words, " "), _quote(word, " ")) > 0
    return found


def _quote(words: ColumnElement[Any], mark: str) -> ColumnElement[str]:
    quote = literal_column(f"'{mark}'", String())
    return quote.concat(type_coerce(words, String())).concat(quote)


def build_word_lookups(marks: BoundParameters, form: WordCounts, *, postgresql: bool) -> list[list[IndexLookup]]:
    """For each word how all claims with it are found."""
    citation = table_of(CitationVersion)
    found = []
    for word, slugs in group_by_word(form, marks):
        if postgresql:
            versions = select(CLAIM.c.version).where(_build_word_condition(CLAIM.c.words, word, postgresql=True))
            said = _build_word_condition(citation.c.words, word, postgresql=True)
            cited = look_up_claims_by_id(citation, citation.c.claim, said)
        else:
            quoted = _quote(word, '"')
            versions = select(CLAIM_WORDS.c.rowid.label("version")).where(
                literal_column("claim_words").bool_op("MATCH")(quoted)
            )
            joined = OrderedJoin(CITATION_WORDS, citation, citation.c.version == CITATION_WORDS.c.rowid)
            said = literal_column("citation_words").bool_op("MATCH")(quoted)
            cited = look_up_claims_by_id(joined, citation.c.claim, said)
        named = [look_up_slugs(kind, some) for kind, some in slugs.items() if some]
        found.append([IndexLookup(versions, versions), cited, *named])
    return found
