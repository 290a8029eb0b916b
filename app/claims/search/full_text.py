"""Full-text search over wording, note, quotes and names: every word of the query must occur in one of them.

The condition compares words in the columns of a claim; the index lookups use the full-text index of each database.
Names are looked up in memory: see `app/vocabulary/reference_data.py`.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
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
"""The full-text indexes of SQLite."""

WordCounts = tuple[tuple[int, ...], ...]
"""For each word, the number of sources, categories, subjects and places with the word in their names."""


def resolve_search_words(query: str, reference_data: ReferenceData) -> tuple[WordCounts, list[Any]]:
    """Return the counts of slugs by word, and the values: each word, then the slugs with the word in their name."""
    words = search_words(query)
    if not words:
        raise invalid_field("q", "Expected at least one word.", location="query")
    if len(words) > MAX_SEARCH_WORDS:
        raise invalid_field("q", f"At most {MAX_SEARCH_WORDS} different words are searched for.", location="query")
    counts, values = [], []
    for word in words:
        slugs_by_kind = [reference_data.find_slugs_by_word(kind, word) for kind in SEARCHED_TABLES]
        counts.append(tuple(map(len, slugs_by_kind)))
        values += [word, *(slug for slugs in slugs_by_kind for slug in slugs)]
    return tuple(counts), values


def group_by_word(word_counts: WordCounts, parameters: Sequence[Any]) -> list[tuple[Any, dict[str, list[Any]]]]:
    """Return for each word its parameter, and kind → the parameters of the slugs with the word in their name."""
    groups, position = [], 0
    for counts in word_counts:
        word, slugs = parameters[position], {}
        position += 1
        for kind, count in zip(SEARCHED_TABLES, counts, strict=True):
            slugs[kind] = list(parameters[position : position + count])
            position += count
        groups.append((word, slugs))
    return groups


def build_words_condition(
    columns: Columns, parameters: BoundParameters, snapshot: Snapshot, word_counts: WordCounts, *, postgresql: bool
) -> ColumnElement[bool]:
    """Return the condition that each word occurs in a text of the claim or in a name that it refers to."""
    citation = columns_of(CitationVersion)
    conditions = []
    for word, slugs in group_by_word(word_counts, parameters):
        in_words = _build_word_condition(citation.words, word, postgresql=postgresql)
        in_citation = build_exists(
            table_of(CitationVersion), citation.claim == columns.id, in_words, snapshot.contains(CitationVersion)
        )
        in_names = [columns[kind].in_(values) for kind, values in slugs.items() if values]
        conditions.append(
            or_(*in_names, _build_word_condition(columns.words, word, postgresql=postgresql), in_citation)
        )
    return and_(*conditions)


def build_exists(source: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that such a row exists, evaluated for each claim.

    OFFSET is an optimization fence: without it PostgreSQL rewrites the subquery as a join and reads all such rows.
    """
    rows: Select[Any] = select(literal_column("1")).select_from(source).where(*conditions).offset(0)
    return exists(rows.correlate_except(source))


def _build_word_condition(words: Any, word: BindParameter[Any], *, postgresql: bool) -> ColumnElement[bool]:  # noqa: ANN401 - a column of words
    if postgresql:
        has_element: ColumnElement[bool] = words.bool_op("@>")(array([cast(word, Text())]))
        return has_element
    # Not LIKE, in which an underscore matches any character.
    has_word: ColumnElement[bool] = func.instr(_quote(words, " "), _quote(word, " ")) > 0
    return has_word


def _quote(words: ColumnElement[Any], delimiter: str) -> ColumnElement[str]:
    quote = literal_column(f"'{delimiter}'", String())
    return quote.concat(type_coerce(words, String())).concat(quote)


def build_word_lookups(
    parameters: BoundParameters, word_counts: WordCounts, *, postgresql: bool
) -> list[list[IndexLookup]]:
    """Return for each word the index lookups of all claims with it."""
    citation = table_of(CitationVersion)
    lookups = []
    for word, slugs in group_by_word(word_counts, parameters):
        if postgresql:
            versions = select(CLAIM.c.version).where(_build_word_condition(CLAIM.c.words, word, postgresql=True))
            in_words = _build_word_condition(citation.c.words, word, postgresql=True)
            by_citation = look_up_claims_by_id(citation, citation.c.claim, in_words)
        else:
            quoted = _quote(word, '"')
            versions = select(CLAIM_WORDS.c.rowid.label("version")).where(
                literal_column("claim_words").bool_op("MATCH")(quoted)
            )
            joined = OrderedJoin(CITATION_WORDS, citation, citation.c.version == CITATION_WORDS.c.rowid)
            in_words = literal_column("citation_words").bool_op("MATCH")(quoted)
            by_citation = look_up_claims_by_id(joined, citation.c.claim, in_words)
        by_name = [look_up_slugs(kind, values) for kind, values in slugs.items() if values]
        lookups.append([IndexLookup(versions, versions), by_citation, *by_name])
    return lookups
