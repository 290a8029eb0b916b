"""The register: everything that is kept as versions, the change log, its clock and the keys that may write."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _index_words(table: str) -> None:
    """SQLite's full-text index over the column `words`, kept by triggers (sqlite.org/fts5.html, 4.4.3)."""
    added = f"INSERT INTO {table}_words (rowid, words) VALUES (new.version, new.words)"
    taken = f"INSERT INTO {table}_words ({table}_words, rowid, words) VALUES ('delete', old.version, old.words)"
    op.execute(
        f"CREATE VIRTUAL TABLE {table}_words USING fts5 "
        f"(words, content='{table}', content_rowid='version', tokenize='unicode61 remove_diacritics 0')"
    )
    op.execute(f"CREATE TRIGGER {table}_words_added AFTER INSERT ON {table} BEGIN {added}; END")
    op.execute(f"CREATE TRIGGER {table}_words_taken AFTER DELETE ON {table} BEGIN {taken}; END")
    op.execute(f"CREATE TRIGGER {table}_words_changed AFTER UPDATE OF words ON {table} BEGIN {taken}; {added}; END")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "contributor", "editor", "admin", name="role", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_table(
        "change",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column(
            "key", sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_at"), ["at"], unique=False)
        batch_op.create_index("ix_change_claim_seq", ["claim", "seq"], unique=False)

    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_clock_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "stored_answer",
        sa.Column("actor", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("actor", "path", "key", name=op.f("pk_stored_answer")),
    )
    with op.batch_alter_table("stored_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stored_answer_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_stored_answer_claim"), ["claim"], unique=False)

    op.create_table(
        "assessment",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column(
            "level",
            sa.Enum("high", "moderate", "low", name="level", native_enum=False, create_constraint=True, length=24),
            nullable=True,
        ),
        sa.Column(
            "reliability",
            sa.Enum(
                "A", "B", "C", "D", "E", "F", name="reliability", native_enum=False, create_constraint=True, length=24
            ),
            nullable=True,
        ),
        sa.Column(
            "credibility",
            sa.Enum(
                "1", "2", "3", "4", "5", "6", name="credibility", native_enum=False, create_constraint=True, length=24
            ),
            nullable=True,
        ),
        sa.Column("stated", sa.Text(), nullable=True),
        sa.Column("assessor", sa.String(length=80), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_assessment_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_assessment_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_assessment")),
    )
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.create_index("ix_assessment_claim_seq", ["claim", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_assessment_seq"), ["seq"], unique=False)
        batch_op.create_index(
            "uq_assessment_standing",
            ["id"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "category",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "slug",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("components", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "parent",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("non_decreasing", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_category_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_category_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_category")),
    )
    with op.batch_alter_table("category", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_category_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_category_slug_seq", ["slug", "seq"], unique=False)
        batch_op.create_index(
            "uq_category_standing",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "citation",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("document", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column(
            "role",
            sa.Enum("original", "relay", name="role", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("via", sa.JSON(none_as_null=True), nullable=False),
        sa.Column(
            "fidelity",
            sa.Enum(
                "verbatim",
                "paraphrase",
                "rounded",
                "distorted",
                name="fidelity",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("quote_language", sa.String(length=35), nullable=True),
        sa.Column("translation", sa.Text(), nullable=True),
        sa.Column("locator", sa.Text(), nullable=True),
        sa.Column("gap", sa.Text(), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_citation_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_citation_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_citation")),
    )
    with op.batch_alter_table("citation", schema=None) as batch_op:
        batch_op.create_index("ix_citation_claim_seq", ["claim", "seq"], unique=False)
        batch_op.create_index("ix_citation_document_seq", ["document", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_citation_seq"), ["seq"], unique=False)
        batch_op.create_index(
            "uq_citation_standing",
            ["id"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "claim",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "asserted", "retracted", "removed", name="status", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column(
            "category",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "subject",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "place",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "proposition",
            sa.Enum(
                "quantity",
                "ratio",
                "peak_period",
                "trend",
                "existence",
                "denial",
                name="proposition",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "modality",
            sa.Enum(
                "count",
                "estimate",
                "forecast",
                "allegation",
                name="modality",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "derivation",
            sa.Enum(
                "own", "derived", "unknown", name="derivation", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("as_printed", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "plain",
                "approximate",
                "range",
                "lower_bound",
                "upper_bound",
                "vague",
                "none",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("lower", sa.Float(precision=53), nullable=True),
        sa.Column("upper", sa.Float(precision=53), nullable=True),
        sa.Column("lower_inclusive", sa.Boolean(), nullable=True),
        sa.Column("upper_inclusive", sa.Boolean(), nullable=True),
        sa.Column("approximate", sa.Boolean(), nullable=False),
        sa.Column("coverage", sa.Float(precision=53), nullable=True),
        sa.Column("out_of", sa.Float(precision=53), nullable=True),
        sa.Column("relative_to", sa.Text(), nullable=True),
        sa.Column("low", sa.Float(precision=53), nullable=True),
        sa.Column("high", sa.Float(precision=53), nullable=True),
        sa.Column("magnitude", sa.Float(precision=53), nullable=True),
        sa.Column("period", sa.String(length=85), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=True),
        sa.Column("period_end", sa.Date(), nullable=True),
        sa.Column(
            "aggregation",
            sa.Enum(
                "cumulative",
                "within",
                "snapshot",
                "rate",
                name="aggregation",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("date_edtf", sa.String(length=40), nullable=True),
        sa.Column(
            "source",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("includes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("excludes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("retracted_on", sa.Date(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.CheckConstraint("lower <= upper", name=op.f("ck_claim_bounds")),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_claim_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_claim_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_claim")),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index("ix_claim_date", ["date", "id"], unique=False)
        batch_op.create_index("ix_claim_id_seq", ["id", "seq"], unique=False)
        batch_op.create_index("ix_claim_magnitude", ["magnitude", "id"], unique=False)
        batch_op.create_index("ix_claim_recorded", ["seq", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_claim_source_date", ["source", "date", "id"], unique=False)
        batch_op.create_index("ix_claim_topic_date", ["category", "subject", "place", "date", "id"], unique=False)
        batch_op.create_index(
            "uq_claim_standing",
            ["id"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.create_index(
            "uq_claim_standing_fingerprint",
            ["fingerprint"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "document",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("archive_url", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=True),
        sa.Column("retrieved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_document_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_document_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_document")),
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index("ix_document_id_seq", ["id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_seq"), ["seq"], unique=False)
        batch_op.create_index(
            "uq_document_standing",
            ["id"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.create_index(
            "uq_document_standing_url",
            ["url"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "place",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "slug",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=True),
        sa.Column("parents", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_place_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_place_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_place")),
    )
    with op.batch_alter_table("place", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_place_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_place_slug_seq", ["slug", "seq"], unique=False)
        batch_op.create_index(
            "uq_place_standing",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "relation",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "corroborates",
                "disputes",
                "repeats",
                "based_on",
                "part_of",
                "supersedes",
                name="type",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("to_claim", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=True),
        sa.Column(
            "to_source",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column(
            "asserted_by",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "scope",
            sa.Enum("level", "trend", "existence", name="scope", native_enum=False, create_constraint=True, length=24),
            nullable=True,
        ),
        sa.Column(
            "independence",
            sa.Enum(
                "independent",
                "shared_basis",
                "unknown",
                name="independence",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("document", sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"), nullable=True),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(to_claim IS NULL) <> (to_source IS NULL)", name=op.f("ck_relation_one_end")),
        sa.CheckConstraint("claim <> to_claim", name=op.f("ck_relation_no_loop")),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_relation_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_relation_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_relation")),
    )
    with op.batch_alter_table("relation", schema=None) as batch_op:
        batch_op.create_index("ix_relation_claim_seq", ["claim", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_relation_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_relation_to_claim_seq", ["to_claim", "seq"], unique=False)
        batch_op.create_index(
            "uq_relation_standing",
            ["id"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "source",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "slug",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "government",
                "military",
                "intelligence",
                "intergovernmental",
                "think_tank",
                "research",
                "media",
                "ngo",
                "individual",
                "witness",
                "dataset",
                "unknown",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "interest",
            sa.Enum(
                "party",
                "aligned",
                "independent",
                "unknown",
                name="interest",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "speaks_for",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_source_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_source_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_source")),
    )
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_source_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_source_slug_seq", ["slug", "seq"], unique=False)
        batch_op.create_index(
            "uq_source_standing",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "subject",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "slug",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=True),
        sa.Column("parents", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_subject_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_subject_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_subject")),
    )
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subject_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_subject_slug_seq", ["slug", "seq"], unique=False)
        batch_op.create_index(
            "uq_subject_standing",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    op.create_table(
        "topic",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "slug",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "category",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "subject",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "place",
            sa.String(length=80).with_variant(sa.VARCHAR(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "aggregation",
            sa.Enum(
                "cumulative",
                "within",
                "snapshot",
                "rate",
                name="aggregation",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("tolerance", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_topic_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_topic_until_seq_change")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_topic")),
    )
    with op.batch_alter_table("topic", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_topic_seq"), ["seq"], unique=False)
        batch_op.create_index("ix_topic_slug_seq", ["slug", "seq"], unique=False)
        batch_op.create_index(
            "uq_topic_standing",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )

    # The clock stands at 0 before the first change, at a time before any.
    if op.get_context().dialect.name == "postgresql":
        op.execute("INSERT INTO clock (id, seq, at) VALUES (1, 0, '1970-01-01 00:00:00+00:00')")
        for table in ("claim", "citation"):
            op.create_index(f"ix_{table}_words", table, ["words"], postgresql_using="gin")
    else:
        op.execute("INSERT INTO clock (id, seq, at) VALUES (1, 0, '1970-01-01 00:00:00.000000')")
        for table in ("claim", "citation"):
            _index_words(table)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table in ("claim", "citation"):
            op.execute(f"DROP TABLE {table}_words")
    with op.batch_alter_table("topic", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_topic_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_topic_slug_seq")
        batch_op.drop_index(batch_op.f("ix_topic_seq"))

    op.drop_table("topic")
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_subject_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_subject_slug_seq")
        batch_op.drop_index(batch_op.f("ix_subject_seq"))

    op.drop_table("subject")
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_source_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_source_slug_seq")
        batch_op.drop_index(batch_op.f("ix_source_seq"))

    op.drop_table("source")
    with op.batch_alter_table("relation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_relation_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_relation_to_claim_seq")
        batch_op.drop_index(batch_op.f("ix_relation_seq"))
        batch_op.drop_index("ix_relation_claim_seq")

    op.drop_table("relation")
    with op.batch_alter_table("place", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_place_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_place_slug_seq")
        batch_op.drop_index(batch_op.f("ix_place_seq"))

    op.drop_table("place")
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_document_standing_url",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index(
            "uq_document_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_document_seq"))
        batch_op.drop_index("ix_document_id_seq")

    op.drop_table("document")
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_claim_standing_fingerprint",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index(
            "uq_claim_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_claim_topic_date")
        batch_op.drop_index("ix_claim_source_date")
        batch_op.drop_index(batch_op.f("ix_claim_seq"))
        batch_op.drop_index("ix_claim_recorded")
        batch_op.drop_index("ix_claim_magnitude")
        batch_op.drop_index("ix_claim_id_seq")
        batch_op.drop_index("ix_claim_date")

    op.drop_table("claim")
    with op.batch_alter_table("citation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_citation_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_citation_seq"))
        batch_op.drop_index("ix_citation_document_seq")
        batch_op.drop_index("ix_citation_claim_seq")

    op.drop_table("citation")
    with op.batch_alter_table("category", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_category_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index("ix_category_slug_seq")
        batch_op.drop_index(batch_op.f("ix_category_seq"))

    op.drop_table("category")
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_assessment_standing",
            sqlite_where=sa.text("until_seq IS NULL"),
            postgresql_where=sa.text("until_seq IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_assessment_seq"))
        batch_op.drop_index("ix_assessment_claim_seq")

    op.drop_table("assessment")
    with op.batch_alter_table("stored_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stored_answer_claim"))
        batch_op.drop_index(batch_op.f("ix_stored_answer_at"))

    op.drop_table("stored_answer")
    op.drop_table("clock")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("ix_change_claim_seq")
        batch_op.drop_index(batch_op.f("ix_change_at"))

    op.drop_table("change")
    op.drop_table("api_key")
