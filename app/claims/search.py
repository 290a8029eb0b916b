"""Full-text search over wording, note, quotes and names: every word of the question must be found somewhere."""

from typing import Any

from sqlalchemy import ColumnElement, String, literal, or_, select, text, type_coerce
from sqlmodel import Session

from app.changes.clock import View
from app.columns import Words
from app.problems import invalid
from app.tables import (
    CategoryVersion,
    CitationVersion,
    ClaimVersion,
    PlaceVersion,
    SourceVersion,
    SubjectVersion,
    Version,
    columns_of,
    table_of,
)
from app.words import words_of

MOST_WORDS = 12
NAMED: tuple[tuple[str, type[Version]], ...] = (
    ("source", SourceVersion),
    ("category", CategoryVersion),
    ("subject", SubjectVersion),
    ("place", PlaceVersion),
)


def search(session: Session, view: View, question: str) -> ColumnElement[bool]:
    """The claims of a view in which every word of `question` is found, in any of their texts and names."""
    words = words_of(question)
    if not words:
        raise invalid("q", "Expected at least one word.", location="query")
    if len(words) > MOST_WORDS:
        raise invalid("q", f"At most {MOST_WORDS} different words are searched for.", location="query")
    found: ColumnElement[bool] = _found(session, view, words[0])
    for word in words[1:]:
        found &= _found(session, view, word)
    return found


def _found(session: Session, view: View, word: str) -> ColumnElement[bool]:
    claim, citation = columns_of(ClaimVersion), columns_of(CitationVersion)
    cited = select(citation.claim).where(_has(session, CitationVersion, word), view.holds(CitationVersion))
    named = [
        claim[name].in_(select(columns_of(table).slug).where(_has(session, table, word), view.holds(table)))
        for name, table in NAMED
    ]
    return or_(_has(session, ClaimVersion, word), claim.id.in_(cited), *named)


def _has(session: Session, table: type[Version], word: str) -> ColumnElement[bool]:
    """The rows of `table` that have `word`: by the index that each database has for it."""
    columns = columns_of(table)
    if session.get_bind().dialect.name == "postgresql":
        return columns.words.bool_op("@>")(literal([word], Words()))
    name = table_of(table).name
    if table in (ClaimVersion, CitationVersion):
        # Words have no quotation marks: they are letters, digits and underscores.
        matching = text(f"SELECT rowid FROM {name}_words WHERE words MATCH '\"{word}\"'")  # noqa: S608 - see above
        return columns.version.in_(matching)
    return _in_text(columns.words, word)


def _in_text(column: Any, word: str) -> ColumnElement[bool]:  # noqa: ANN401 - a column of words
    """The few hundred names of a register are not worth an index of their own."""
    padded = literal(" ") + type_coerce(column, String) + literal(" ")
    found: ColumnElement[bool] = padded.contains(f" {word} ", autoescape=True)
    return found
