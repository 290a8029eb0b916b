"""Takedown of sources: the name is erased, and the slug is replaced by `removed-<n>` in every record and past state."""

import re

from sqlalchemy import func, literal, select, text, update

from app.claims.counts.stored import rename_counted_source
from app.claims.lifecycle import copy_state, load_current_version
from app.database.tables import (
    AssessmentVersion,
    Change,
    ClaimVersion,
    DocumentVersion,
    ErasedKey,
    ImportedRow,
    ImportVersion,
    PublishingImport,
    RelationVersion,
    SourceVersion,
    TopicVersion,
    Version,
    columns_of,
    table_of,
)
from app.database.transaction import WriteTransaction
from app.enums import Status
from app.errors import Removed
from app.sources.queries import REMOVED_PREFIX, REMOVED_SLUG, slug_digest
from app.takedown.claims import take_down_claims
from app.takedown.stored_responses import clear_stored_responses

SLUG_COLUMNS: tuple[tuple[type[Version], str], ...] = (
    (SourceVersion, "slug"),
    (SourceVersion, "speaks_for"),
    (DocumentVersion, "publisher"),
    (ClaimVersion, "source"),
    (RelationVersion, "to_source"),
    (RelationVersion, "asserted_by"),
    (AssessmentVersion, "assessor"),
)
"""The columns that contain the slug of a source."""

REPLACE_IN_VIA = {
    "sqlite": "UPDATE citation SET via = replace(via, :old, :new) WHERE instr(via, :old) > 0",
    "postgresql": "UPDATE citation SET via = replace(CAST(via AS text), :old, :new)::json"
    " WHERE strpos(CAST(via AS text), :old) > 0",
}
"""The statement that replaces a slug in the lists of sources of citations, by dialect. A slug needs no JSON escapes."""


def take_down_source(transaction: WriteTransaction, slug: str, reason: str, *, claims: bool) -> str:
    """Erase a source and return the slug that replaces its own.

    Its claims stay, unless `claims` is true. What the comparison needs stays too: its kind, its interest and the source
    that it speaks for.
    """
    if REMOVED_SLUG.fullmatch(slug):
        raise Removed(f"The source `{slug}` was taken down already.")
    row = load_current_version(transaction, SourceVersion, slug)
    if claims:
        claim = columns_of(ClaimVersion)
        is_standing = (claim.source == slug, claim.until_seq.is_(None), claim.status != Status.removed)
        ids = transaction.session.execute(select(claim.id).where(*is_standing)).scalars().all()
        take_down_claims(transaction, ids, reason)
    replacement = _choose_replacement(transaction)
    transaction.session.add(ErasedKey(digest=slug_digest(slug), record=replacement))
    transaction.session.flush()
    clear_stored_responses(transaction, [f'"{slug}"', row["name"]], slug=slug)
    _erase_details(transaction, slug, replacement)
    _replace_slug(transaction, slug, replacement)
    state = copy_state(load_current_version(transaction, SourceVersion, replacement))
    transaction.record(SourceVersion, replacement, state, action="takedown", reason=reason)
    return replacement


def _choose_replacement(transaction: WriteTransaction) -> str:
    session, source = transaction.session, columns_of(SourceVersion)
    number = 1
    while session.execute(select(source.slug).where(source.slug == f"{REMOVED_PREFIX}{number}")).first():
        number += 1
    return f"{REMOVED_PREFIX}{number}"


def _erase_details(transaction: WriteTransaction, slug: str, replacement: str) -> None:
    name = f"Removed source {replacement.removeprefix(REMOVED_PREFIX)}"
    cleared = dict.fromkeys(("description", "url", "short_name", "in_text", "terms"))
    values = {"name": name, **cleared, "words": name.casefold().split()}
    transaction.session.execute(update(SourceVersion).where(columns_of(SourceVersion).slug == slug).values(values))
    change = columns_of(Change)
    of_source = (change.kind == "source", change.key == slug)
    transaction.session.execute(update(Change).where(*of_source).values(reason=None, key=replacement))


def _replace_slug(transaction: WriteTransaction, slug: str, replacement: str) -> None:
    """Replace the slug in every version of every record."""
    session, claim = transaction.session, columns_of(ClaimVersion)
    rename_counted_source(transaction, slug, replacement)
    rest_of_key = func.substr(claim.standpoint, len(slug) + 1)
    is_of_source = (claim.source == slug, claim.standpoint.is_not(None))
    session.execute(update(ClaimVersion).where(*is_of_source).values(standpoint=literal(replacement) + rest_of_key))
    for table, name in SLUG_COLUMNS:
        session.execute(update(table).where(columns_of(table)[name] == slug).values({name: replacement}))
    replace_in_via = REPLACE_IN_VIA[transaction.session.connection().dialect.name]
    session.execute(text(replace_in_via), {"old": f'"{slug}"', "new": f'"{replacement}"'})
    _replace_in_topics(transaction, slug, replacement)
    _replace_in_imports(transaction, slug, replacement)


def _replace_in_topics(transaction: WriteTransaction, slug: str, replacement: str) -> None:
    topic = columns_of(TopicVersion)
    for version, interests in transaction.session.execute(select(topic.version, topic.interests)).all():
        if slug in interests:
            renamed = {replacement if name == slug else name: interest for name, interest in interests.items()}
            transaction.session.execute(update(TopicVersion).where(topic.version == version).values(interests=renamed))


def _replace_in_imports(transaction: WriteTransaction, slug: str, replacement: str) -> None:
    """Replace the slug in the names of file series, mappings and files, and delete the warnings that contain it.

    It is replaced as a whole word, in imports and series that have a claim of the source: a short slug is a part of the
    names of others.
    """
    session, imports, row = transaction.session, columns_of(ImportVersion), table_of(ImportedRow).c
    claim, word = columns_of(ClaimVersion), re.compile(rf"(?<![a-z0-9]){re.escape(slug)}(?![a-z0-9])")
    own_imports = select(claim.import_id).where(claim.source == replacement, claim.import_id.is_not(None))
    own_series = select(row.series).join(table_of(ClaimVersion), claim.id == row.claim)
    statement = select(imports.version, imports.series, imports.mapping, imports.files, imports.smells)
    for version, series, mapping, files, smells in session.execute(statement.where(imports.id.in_(own_imports))).all():
        renamed = {
            "series": None if series is None else word.sub(replacement, series),
            "mapping": word.sub(replacement, mapping),
            "files": [file | {"name": word.sub(replacement, file["name"])} for file in files],
            "smells": [smell for smell in smells if not word.search(str(smell))],
        }
        if list(renamed.values()) != [series, mapping, files, smells]:
            session.execute(update(ImportVersion).where(imports.version == version).values(renamed))
    renamed_series = []
    for (series,) in session.execute(own_series.where(claim.source == replacement).distinct()).all():
        if (new_name := word.sub(replacement, series)) != series:
            renamed_series.append(series)
            session.execute(update(table_of(ImportedRow)).where(row.series == series).values(series=new_name))
    publishing = columns_of(PublishingImport)
    is_own = publishing.import_id.in_(own_imports) | publishing.series.in_(renamed_series)
    unfinished = select(publishing.import_id, publishing.series).where(is_own, publishing.series.is_not(None))
    for import_id, series in session.execute(unfinished).all():
        new_name = word.sub(replacement, series)
        session.execute(update(PublishingImport).where(publishing.import_id == import_id).values(series=new_name))
