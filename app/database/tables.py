"""The tables of the data model.

Records are stored as versions. A version is valid from its `seq` to its `until_seq` (exclusive), which is NULL in the
current version. Versions are closed but never changed otherwise, so past states of the register can be queried. Partial
indices contain only current versions, so queries of the current state do not read past ones.
"""

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, Index, MetaData, String, Table, Text, UniqueConstraint, false, text
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Field, SQLModel

from app import enums
from app.database.types import (
    BIG_INTEGER,
    COUNT_KEY_TEXT,
    DOUBLE,
    EDTF_PERIOD_TEXT,
    EDTF_TEXT,
    JSON_VALUE,
    ROW_KEY_TEXT,
    SERIES_KEY_TEXT,
    SLUG_TEXT,
    UNIT_TEXT,
    Id,
    SearchWords,
    UtcDateTime,
    enum_type,
)

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention

CURRENT_VERSION = text("until_seq IS NULL")
"""The condition of partial indices of current versions."""

VISIBLE_CLAIM = "until_seq IS NULL AND status <> 'removed'"
"""The condition of partial indices of claims that readers can see: current versions that were not taken down."""


def visible_claim_index(name: str, *columns: str, where: str = "") -> Index:
    """Return a partial index of visible claims, limited to those that satisfy `where`."""
    condition = text(f"{VISIBLE_CLAIM} AND {where}" if where else VISIBLE_CLAIM)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


COMMON_VALUES = {
    "kind": ("plain", "approximate"),
    "modality": ("estimate", "count"),
    "aggregation": ("cumulative", "within"),
    "proposition": ("quantity",),
}
"""The values that most claims have, by column. The index of the column contains only claims with other values."""


def _rare_value_index(column: str) -> Index:
    values = COMMON_VALUES[column]
    condition = f"{column} NOT IN {values!r}" if len(values) > 1 else f"{column} <> {values[0]!r}"
    return visible_claim_index(f"ix_claim_{column}", column, where=condition)


HIGH_ABOVE_MAGNITUDE = "(high IS NULL OR high > magnitude) AND magnitude IS NOT NULL"
LOW_BELOW_MAGNITUDE = "(low IS NULL OR low < magnitude) AND magnitude IS NOT NULL"
"""Conditions of figures whose interval extends beyond `magnitude`. Other figures are found by `magnitude`."""

NOT_ASSERTED_CLAIM = text("until_seq IS NULL AND status <> 'asserted'")

PAST_VERSION = text("until_seq IS NOT NULL")

VOCABULARY_KINDS = ("source", "category", "subject", "place", "topic")

VOCABULARY_CHANGE = text(f"kind IN ({', '.join(repr(kind) for kind in VOCABULARY_KINDS)})")

TAKEDOWN_CHANGE = text("action = 'takedown'")

HAS_QUESTION = text("question IS NOT NULL")

SUPERSEDES = text("until_seq IS NULL AND type = 'supersedes'")

MARKED_CITATION = text("until_seq IS NULL AND marked")

UNDATED_CLAIM = text("date IS NULL")

ANY_VERSION = text("seq > 0")
"""A condition that is always true. A database uses an index with it only for statements that contain it."""

QUESTION_COLUMNS = ("category", "subject", "place")
"""The columns that identify the question that a claim answers."""


def current_version_index(name: str, *columns: str, unique: bool = False) -> Index:
    """Return a partial index of current versions."""
    return Index(name, *columns, unique=unique, sqlite_where=CURRENT_VERSION, postgresql_where=CURRENT_VERSION)


class Change(SQLModel, table=True):
    """One entry of the change log. Its `seq` is strictly increasing, without gaps.

    `question` is the key of the question that its claim answers (see `app/database/question_keys.py`). A correction
    that moves a claim to another question moves all its changes.
    """

    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER, sa_column_kwargs={"autoincrement": False})
    at: dt.datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(sa_type=String(12))
    key: str = Field(sa_type=SLUG_TEXT)
    action: str = Field(sa_type=String(24))
    revision: int
    claim: str | None = Field(sa_type=Id)
    actor: str = Field(sa_type=String(80))
    reason: str | None = Field(sa_type=Text)
    question: int | None = Field(default=None, sa_type=BIG_INTEGER)

    __table_args__ = (
        Index("ix_change_at", "at", "seq"),
        Index("ix_change_question", "question", "seq", sqlite_where=HAS_QUESTION, postgresql_where=HAS_QUESTION),
        Index("ix_change_claim_seq", "claim", "seq"),
        Index("ix_change_vocabulary", "seq", sqlite_where=VOCABULARY_CHANGE, postgresql_where=VOCABULARY_CHANGE),
        Index("ix_change_takedown", "seq", sqlite_where=TAKEDOWN_CHANGE, postgresql_where=TAKEDOWN_CHANGE),
    )


class Clock(SQLModel, table=True):
    """The latest `seq` and its time, in one row. Writers lock the row first, so each `seq` is used once."""

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BIG_INTEGER)
    at: dt.datetime = Field(sa_type=UtcDateTime)

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


class CommitMark(SQLModel, table=True):
    """The random number that a transaction on PostgreSQL left under its last `seq`; see `app/database/lost_commits.py`.

    Only the latest ones are kept.
    """

    __tablename__ = "commit_mark"

    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER, sa_column_kwargs={"autoincrement": False})
    mark: int = Field(sa_type=BIG_INTEGER)


class RegisterIdentity(SQLModel, table=True):
    """The id of the register, in one row. The migration makes it once; feeds are permanent because it never changes."""

    __tablename__ = "register"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    register_id: str = Field(sa_type=Id)

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


class EpochStart(SQLModel, table=True):
    """An epoch of the register: `forked_seq` is the last change that it has in common with the one before.

    `timeline` is that of the PostgreSQL server in hexadecimal digits; None on SQLite, and before the first write.
    """

    __tablename__ = "epoch"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    forked_seq: int = Field(sa_type=BIG_INTEGER)
    at: dt.datetime = Field(sa_type=UtcDateTime)
    timeline: str | None = Field(default=None, sa_type=String(8))


class ErasedKey(SQLModel, table=True):
    """A hash of what identified a record that was taken down, so that no import records it again.

    `record` is the slug that replaces the slug of a source, or the id of a document.
    """

    __tablename__ = "erased_key"

    digest: str = Field(primary_key=True, sa_type=String(64))
    record: str = Field(sa_type=SLUG_TEXT)


class ApiKey(SQLModel, table=True):
    """An API key. The key has 256 random bits, and only its SHA-256 hash is stored."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, sa_type=Id)
    name: str = Field(sa_type=String(80))
    role: enums.Role = Field(sa_type=enum_type(enums.Role, "role"))
    digest: str = Field(sa_type=String(64))
    created_at: dt.datetime = Field(sa_type=UtcDateTime)
    revoked_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)

    __table_args__ = (UniqueConstraint("digest"),)


class Lease(SQLModel, table=True):
    """The right of a holder to serve what it has read, until `expires_at`; see `app/database/leases.py`.

    A takedown waits until each lease has ended, or its holder has acknowledged the takedown: `acknowledged` is the
    `seq` of the latest one, in `epoch`. Times are those of the clock of the database.
    """

    __tablename__ = "lease"

    id: str = Field(primary_key=True, sa_type=Id)
    kind: enums.LeaseKind = Field(sa_type=enum_type(enums.LeaseKind, "kind"))
    holder: str = Field(sa_type=String(200))
    key: str | None = Field(default=None, sa_type=Id)
    seconds: float = Field(sa_type=DOUBLE)
    renewed_at: dt.datetime = Field(sa_type=UtcDateTime)
    expires_at: dt.datetime = Field(sa_type=UtcDateTime)
    epoch: int
    acknowledged: int = Field(sa_type=BIG_INTEGER)


class LeaseServer(SQLModel, table=True):
    """The PostgreSQL server on which leases were last renewed: its timeline and its start; in one row, or none.

    `since` is when a lease was first renewed on it; None for the first server of the register.
    """

    __tablename__ = "lease_server"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    server: str = Field(sa_type=String(80))
    since: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


class StoredAnswer(SQLModel, table=True):
    """The response to a request with an `Idempotency-Key`, stored in the same transaction as the write.

    `actor` is the name of an API key, so that a retry with another key of that name gets the same answer.
    """

    __tablename__ = "stored_answer"

    actor: str = Field(primary_key=True, sa_type=String(80))
    path: str = Field(primary_key=True, sa_type=String(300))
    key: str = Field(primary_key=True, sa_type=String(255))
    digest: str = Field(sa_type=String(64))
    at: dt.datetime = Field(sa_type=UtcDateTime, index=True)
    status: int
    headers: dict[str, str] = Field(sa_type=JSON_VALUE)
    body: bytes | None
    claim: str | None = Field(sa_type=Id, index=True)


class Version(SQLModel):
    """The columns of all versioned tables. `key_name` is the column that identifies the record across versions."""

    key_name: ClassVar[str] = "slug"

    version: int | None = Field(default=None, primary_key=True, sa_type=BIG_INTEGER)
    revision: int
    seq: int = Field(sa_type=BIG_INTEGER, foreign_key="change.seq", index=True)
    until_seq: int | None = Field(default=None, sa_type=BIG_INTEGER, foreign_key="change.seq")
    recorded_at: dt.datetime = Field(sa_type=UtcDateTime)
    recorded_until: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class SourceVersion(Version, table=True):
    """A source: a person, organisation or publication that makes or relays claims."""

    __tablename__ = "source"

    slug: str = Field(sa_type=SLUG_TEXT)
    name: str = Field(sa_type=Text)
    kind: enums.SourceKind = Field(sa_type=enum_type(enums.SourceKind, "kind"))
    interest: enums.Interest = Field(sa_type=enum_type(enums.Interest, "interest"))
    speaks_for: str | None = Field(sa_type=SLUG_TEXT)
    anonymous: bool
    description: str | None = Field(sa_type=Text)
    url: str | None = Field(sa_type=Text)
    short_name: str | None = Field(default=None, sa_type=Text)
    in_text: str | None = Field(default=None, sa_type=Text)
    terms: str | None = Field(default=None, sa_type=Text)
    words: list[str] = Field(sa_type=SearchWords)

    __table_args__ = (
        current_version_index("uq_source_standing", "slug", unique=True),
        Index("ix_source_slug_seq", "slug", "seq"),
    )


class DocumentVersion(Version, table=True):
    """A document in which claims appear: one edition of the page at an address.

    `address` is the URL as it is compared, and `edition` the key that tells the documents at one address apart: see
    `app/sources/addresses.py` and `editions.py`. `removed`: the document was taken down.
    """

    __tablename__ = "document"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    url: str | None = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    publisher: str | None = Field(sa_type=SLUG_TEXT)
    published_on: dt.date | None
    language: str | None = Field(sa_type=String(35))
    archive_url: str | None = Field(sa_type=Text)
    content_sha256: str | None = Field(sa_type=String(64))
    retrieved_at: dt.datetime | None = Field(sa_type=UtcDateTime)
    terms: str | None = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)
    edition: str | None = Field(sa_type=String(64))
    removed: bool = Field(default=False, sa_column_kwargs={"server_default": false()})

    __table_args__ = (
        current_version_index("uq_document_standing", "id", unique=True),
        current_version_index("uq_document_standing_edition", "edition", unique=True),
        current_version_index("ix_document_address", "address", "published_on"),
        Index("ix_document_past_address", "address", sqlite_where=PAST_VERSION, postgresql_where=PAST_VERSION),
        Index("ix_document_id_seq", "id", "seq"),
    )


class CategoryVersion(Version, table=True):
    """A category: the quantity that is counted, with its unit and its components."""

    __tablename__ = "category"

    slug: str = Field(sa_type=SLUG_TEXT)
    name: str = Field(sa_type=Text)
    definition: str = Field(sa_type=Text)
    unit: str = Field(sa_type=UNIT_TEXT)
    components: list[str] | None = Field(sa_type=JSON_VALUE)
    parent: str | None = Field(sa_type=SLUG_TEXT)
    non_decreasing: bool
    additive: bool
    fractional: bool
    in_text: dict[str, str | None] | None = Field(default=None, sa_type=JSON_VALUE)
    words: list[str] = Field(sa_type=SearchWords)

    __table_args__ = (
        current_version_index("uq_category_standing", "slug", unique=True),
        Index("ix_category_slug_seq", "slug", "seq"),
    )


class VersionWithParents(Version):
    """The columns of subjects and places, which can have several parents."""

    slug: str = Field(sa_type=SLUG_TEXT)
    name: str = Field(sa_type=Text)
    definition: str | None = Field(sa_type=Text)
    parents: list[str] = Field(sa_type=JSON_VALUE)
    words: list[str] = Field(sa_type=SearchWords)


class SubjectVersion(VersionWithParents, table=True):
    """A subject: the people or forces that are counted."""

    __tablename__ = "subject"

    in_text: dict[str, str | None] | None = Field(default=None, sa_type=JSON_VALUE)

    __table_args__ = (
        current_version_index("uq_subject_standing", "slug", unique=True),
        Index("ix_subject_slug_seq", "slug", "seq"),
    )


class PlaceVersion(VersionWithParents, table=True):
    """A place."""

    __tablename__ = "place"

    in_text: str | None = Field(default=None, sa_type=Text)

    __table_args__ = (
        current_version_index("uq_place_standing", "slug", unique=True),
        Index("ix_place_slug_seq", "slug", "seq"),
    )


class TopicVersion(Version, table=True):
    """A topic: a question whose claims are selected by these columns. There is no list of claims."""

    __tablename__ = "topic"

    slug: str = Field(sa_type=SLUG_TEXT)
    title: str = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    category: str = Field(sa_type=SLUG_TEXT)
    subject: str = Field(sa_type=SLUG_TEXT)
    place: str = Field(sa_type=SLUG_TEXT)
    aggregation: enums.Aggregation | None = Field(sa_type=enum_type(enums.Aggregation, "aggregation"))
    since: dt.date | None
    tolerance: float | None = Field(sa_type=DOUBLE)
    interests: dict[str, str] = Field(sa_type=JSON_VALUE)
    narrower: list[str] = Field(sa_type=JSON_VALUE)

    __table_args__ = (
        current_version_index("uq_topic_standing", "slug", unique=True),
        Index("ix_topic_slug_seq", "slug", "seq"),
    )


class ClaimVersion(Version, table=True):
    """A claim: the statement of one source about one quantity in one period, with its date.

    `low` and `high` are the bounds of the figure (NULL: unbounded), `magnitude` is its sort value, and `fingerprint` is
    unique among current versions. `standpoint` is the series key of the claim, and `recency` is its order within the
    series: see `app/comparison/series_key.py`. `unit` is NULL if it is that of the category, and `relative_period` is
    `relative_to` as an EDTF period, if it is one. `display` is the figure in English, which follows from the other
    columns and the unit of the category.
    """

    __tablename__ = "claim"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    status: enums.Status = Field(sa_type=enum_type(enums.Status, "status"))
    category: str = Field(sa_type=SLUG_TEXT)
    subject: str = Field(sa_type=SLUG_TEXT)
    place: str = Field(sa_type=SLUG_TEXT)
    proposition: enums.Proposition = Field(sa_type=enum_type(enums.Proposition, "proposition"))
    modality: enums.Modality = Field(sa_type=enum_type(enums.Modality, "modality"))
    derivation: enums.Derivation = Field(sa_type=enum_type(enums.Derivation, "derivation"))
    as_printed: str = Field(sa_type=Text)
    display: str | None = Field(default=None, sa_type=Text)
    language: str | None = Field(default=None, sa_type=String(35))
    wording_differs: str | None = Field(default=None, sa_type=Text)
    kind: enums.FigureKind = Field(sa_type=enum_type(enums.FigureKind, "kind"))
    value: float | None = Field(sa_type=DOUBLE)
    lower: float | None = Field(sa_type=DOUBLE)
    upper: float | None = Field(sa_type=DOUBLE)
    lower_inclusive: bool | None
    upper_inclusive: bool | None
    approximate: bool
    coverage: float | None = Field(sa_type=DOUBLE)
    out_of: float | None = Field(sa_type=DOUBLE)
    relative_to: str | None = Field(sa_type=Text)
    relative_period: str | None = Field(default=None, sa_type=EDTF_PERIOD_TEXT)
    unit: str | None = Field(default=None, sa_type=UNIT_TEXT)
    low: float | None = Field(sa_type=DOUBLE)
    high: float | None = Field(sa_type=DOUBLE)
    magnitude: float | None = Field(sa_type=DOUBLE)
    period: str = Field(sa_type=EDTF_PERIOD_TEXT)
    period_start: dt.date | None
    period_end: dt.date | None
    aggregation: enums.Aggregation = Field(sa_type=enum_type(enums.Aggregation, "aggregation"))
    per: enums.Per | None = Field(default=None, sa_type=enum_type(enums.Per, "per"))
    date: dt.date | None
    date_edtf: str | None = Field(sa_type=EDTF_TEXT)
    said_at: str | None = Field(default=None, sa_type=EDTF_TEXT)
    source: str = Field(sa_type=SLUG_TEXT)
    includes: list[str] = Field(sa_type=JSON_VALUE)
    excludes: list[str] = Field(sa_type=JSON_VALUE)
    note: str | None = Field(sa_type=Text)
    retracted_on: dt.date | None
    fingerprint: str = Field(sa_type=String(64))
    import_id: str | None = Field(default=None, sa_type=Id)
    words: list[str] = Field(sa_type=SearchWords)
    standpoint: str | None = Field(sa_type=SERIES_KEY_TEXT)
    recency: int | None = Field(sa_type=BIG_INTEGER)

    __table_args__ = (
        CheckConstraint("lower <= upper", name="bounds"),
        CheckConstraint("per IS NULL OR aggregation = 'rate'", name="rate"),
        current_version_index("uq_claim_standing", "id", unique=True),
        current_version_index("uq_claim_standing_fingerprint", "fingerprint", unique=True),
        Index("ix_claim_id_seq", "id", "seq"),
        Index("ix_claim_past", "until_seq", sqlite_where=PAST_VERSION, postgresql_where=PAST_VERSION),
        visible_claim_index("ix_claim_date", "date", "id"),
        visible_claim_index("ix_claim_recorded", "seq", "id"),
        visible_claim_index("ix_claim_magnitude", "magnitude", "id"),
        visible_claim_index("ix_claim_topic_date", *QUESTION_COLUMNS, "date", "id"),
        *(visible_claim_index(f"ix_claim_{name}_date", name, "date", "id") for name in ("source", *QUESTION_COLUMNS)),
        visible_claim_index("ix_claim_period_start", "period_start"),
        visible_claim_index("ix_claim_period_end", "period_end"),
        visible_claim_index("ix_claim_high", "high", where=HIGH_ABOVE_MAGNITUDE),
        visible_claim_index("ix_claim_low", "low", where=LOW_BELOW_MAGNITUDE),
        *map(_rare_value_index, COMMON_VALUES),
        Index("ix_claim_status", "status", sqlite_where=NOT_ASSERTED_CLAIM, postgresql_where=NOT_ASSERTED_CLAIM),
        Index("ix_claim_words", "words", postgresql_using="gin"),
        current_version_index("ix_claim_standpoint", *QUESTION_COLUMNS, "standpoint", "recency", "period_start"),
        Index(
            "ix_claim_timeline",
            *QUESTION_COLUMNS,
            "source",
            "date",
            "id",
            sqlite_where=ANY_VERSION,
            postgresql_where=ANY_VERSION,
        ),
        Index(
            "ix_claim_undated",
            *QUESTION_COLUMNS,
            "source",
            "id",
            sqlite_where=UNDATED_CLAIM,
            postgresql_where=UNDATED_CLAIM,
        ),
    )


class ClaimCount(SQLModel, table=True):
    """The number of claims with one key, or with two: see `app/claims/counts`. `second` is empty for a single key."""

    __tablename__ = "claim_count"

    pair: str = Field(primary_key=True, sa_type=String(2))
    first: str = Field(primary_key=True, sa_type=COUNT_KEY_TEXT)
    second: str = Field(primary_key=True, sa_type=COUNT_KEY_TEXT)
    claims: int = Field(sa_type=BIG_INTEGER)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ClaimCountState(SQLModel, table=True):
    """The `seq` as of which the stored counts are right, in one row."""

    __tablename__ = "claim_count_state"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BIG_INTEGER)

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


class CitationVersion(Version, table=True):
    """A citation: the appearance of a claim in a document. `marked`: an editor marked it as the leading one."""

    __tablename__ = "citation"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    claim: str = Field(sa_type=Id)
    document: str = Field(sa_type=Id)
    role: enums.CitationRole = Field(sa_type=enum_type(enums.CitationRole, "role"))
    via: list[str] = Field(sa_type=JSON_VALUE)
    fidelity: enums.Fidelity = Field(sa_type=enum_type(enums.Fidelity, "fidelity"))
    quote: str | None = Field(sa_type=Text)
    quote_language: str | None = Field(sa_type=String(35))
    translation: str | None = Field(sa_type=Text)
    locator: str | None = Field(sa_type=Text)
    gap: str | None = Field(sa_type=Text)
    withdrawn_on: dt.date | None
    marked: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    words: list[str] = Field(sa_type=SearchWords)

    __table_args__ = (
        current_version_index("uq_citation_standing", "id", unique=True),
        Index(
            "uq_citation_marked",
            "claim",
            unique=True,
            sqlite_where=MARKED_CITATION,
            postgresql_where=MARKED_CITATION,
        ),
        Index("ix_citation_claim_id", "claim", "id"),
        Index("ix_citation_document_seq", "document", "seq"),
        Index("ix_citation_words", "words", postgresql_using="gin"),
    )


class AssessmentVersion(Version, table=True):
    """An assessment of the reliability of a claim, with its rationale. The API returns the latest one with a claim."""

    __tablename__ = "assessment"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    claim: str = Field(sa_type=Id)
    level: enums.Level | None = Field(sa_type=enum_type(enums.Level, "level"))
    reliability: enums.Reliability | None = Field(sa_type=enum_type(enums.Reliability, "reliability"))
    credibility: enums.Credibility | None = Field(sa_type=enum_type(enums.Credibility, "credibility"))
    stated: str | None = Field(sa_type=Text)
    assessor: str = Field(sa_type=String(80))
    assessed_on: dt.date
    rationale: str = Field(sa_type=Text)
    withdrawn: bool

    __table_args__ = (
        current_version_index("uq_assessment_standing", "id", unique=True),
        # All versions in the order of the claims, so that a page by level of any state is an index scan.
        Index("ix_assessment_level", "level", "claim", "until_seq"),
        *(current_version_index(f"ix_assessment_{column}", column) for column in ("reliability", "credibility")),
        Index("ix_assessment_claim_seq", "claim", "seq"),
    )


class RelationVersion(Version, table=True):
    """A relation of a claim to another claim, or to a source whose claim is not in the register."""

    __tablename__ = "relation"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    type: enums.RelationType = Field(sa_type=enum_type(enums.RelationType, "type"))
    claim: str = Field(sa_type=Id)
    to_claim: str | None = Field(sa_type=Id)
    to_source: str | None = Field(sa_type=SLUG_TEXT)
    asserted_by: str = Field(sa_type=SLUG_TEXT)
    scope: enums.RelationScope | None = Field(sa_type=enum_type(enums.RelationScope, "scope"))
    independence: enums.Independence | None = Field(sa_type=enum_type(enums.Independence, "independence"))
    document: str | None = Field(sa_type=Id)
    quote: str | None = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    withdrawn: bool

    __table_args__ = (
        CheckConstraint("(to_claim IS NULL) <> (to_source IS NULL)", name="one_end"),
        CheckConstraint("claim <> to_claim", name="no_loop"),
        current_version_index("uq_relation_standing", "id", unique=True),
        Index("ix_relation_claim_seq", "claim", "seq"),
        Index("ix_relation_to_claim_seq", "to_claim", "seq"),
        Index("ix_relation_supersedes", "to_claim", sqlite_where=SUPERSEDES, postgresql_where=SUPERSEDES),
    )


class ImportVersion(Version, table=True):
    """An import that changed the register: its files, its mapping and its results."""

    __tablename__ = "import"
    key_name: ClassVar[str] = "id"

    id: str = Field(sa_type=Id)
    actor: str = Field(sa_type=String(80))
    mapping: str = Field(sa_type=String(80))
    series: str | None = Field(sa_type=SLUG_TEXT)
    vintage: dt.date | None
    files: list[dict[str, Any]] = Field(sa_type=JSON_VALUE)
    counts: dict[str, int] = Field(sa_type=JSON_VALUE)
    smell_counts: dict[str, int] = Field(sa_type=JSON_VALUE)
    smells: list[dict[str, Any]] = Field(sa_type=JSON_VALUE)

    __table_args__ = (
        current_version_index("uq_import_standing", "id", unique=True),
        Index("ix_import_id_seq", "id", "seq"),
    )


class ImportedRow(SQLModel, table=True):
    """A row of an imported series. A later import recognizes the row by `key`, even if its claim was edited.

    `print` is the fingerprint of the claim that the row contains, `written` the fingerprint of the claim after
    the import, and `vintage` the date of the file or of the import.
    """

    __tablename__ = "imported_row"

    series: str = Field(primary_key=True, sa_type=SLUG_TEXT)
    key: str = Field(primary_key=True, sa_type=ROW_KEY_TEXT)
    print: str = Field(primary_key=True, sa_type=String(64))
    written: str = Field(sa_type=String(64))
    claim: str = Field(sa_type=Id)
    vintage: dt.date
    seq: int = Field(sa_type=BIG_INTEGER, foreign_key="change.seq", index=True)


class ImportStep(SQLModel, table=True):
    """One transaction that published a part of a long import: its changes, and how far the import was after it.

    Imports that are published in one transaction have none. The last step of an import is final.
    """

    __tablename__ = "import_step"

    import_id: str = Field(primary_key=True, sa_type=Id)
    first_seq: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    last_seq: int = Field(sa_type=BIG_INTEGER)
    rows: int
    left_out: dict[str, int] = Field(sa_type=JSON_VALUE)
    is_final: bool

    __table_args__ = (Index("ix_import_step_first_seq", "first_seq"),)


class PublishingImport(SQLModel, table=True):
    """A long import whose parts are stored, and not published yet. The row is deleted with the last part.

    Only the process that is the `owner` publishes. Another one takes over if `alive_at` is too old. `checked_seq` is
    the state that all parts were compared with, `own_changes` the number of changes that the import recorded since.
    """

    __tablename__ = "publishing_import"

    import_id: str = Field(primary_key=True, sa_type=Id)
    actor: str = Field(sa_type=String(80))
    owner: str = Field(sa_type=String(40))
    alive_at: dt.datetime = Field(sa_type=UtcDateTime)
    is_begun: bool
    series: str | None = Field(sa_type=SLUG_TEXT)
    checked_seq: int = Field(sa_type=BIG_INTEGER)
    own_changes: int = Field(sa_type=BIG_INTEGER)
    columns: dict[str, list[str]] = Field(sa_type=JSON_VALUE)
    left_out: dict[str, int] = Field(sa_type=JSON_VALUE)
    left_out_outcomes: dict[str, int] = Field(sa_type=JSON_VALUE)
    answer: dict[str, Any] | None = Field(sa_type=JSON_VALUE)


class ImportPart(SQLModel, table=True):
    """A part of a long import that is not published yet: compressed rows. It is deleted when it is published."""

    __tablename__ = "import_part"

    import_id: str = Field(primary_key=True, sa_type=Id)
    number: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    content: bytes


SEARCHABLE_COLUMNS: dict[type[Version], tuple[str, ...]] = {
    ClaimVersion: ("as_printed", "note"),
    CitationVersion: ("quote", "translation"),
    SourceVersion: ("name",),
    CategoryVersion: ("name",),
    SubjectVersion: ("name",),
    PlaceVersion: ("name",),
}
"""The columns of a full-text search. Their words are stored in the column `words` of the same row."""

VERSION_TABLES: dict[str, type[Version]] = {
    "source": SourceVersion,
    "document": DocumentVersion,
    "category": CategoryVersion,
    "subject": SubjectVersion,
    "place": PlaceVersion,
    "topic": TopicVersion,
    "claim": ClaimVersion,
    "citation": CitationVersion,
    "assessment": AssessmentVersion,
    "relation": RelationVersion,
    "import": ImportVersion,
}
"""The versioned tables, by kind in the change log."""


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def columns_of(table: type[SQLModel]) -> ReadOnlyColumnCollection[str, Column[Any]]:
    """Return the columns of a model by name, for example `columns_of(ClaimVersion).category`."""
    return table_of(table).c
