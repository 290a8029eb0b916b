"""The question of the claim that a change belongs to, by an index: the newest changes of a topic without its claims."""

import hashlib

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HAS_QUESTION = sa.text("question IS NOT NULL")


def upgrade() -> None:
    op.add_column("change", sa.Column("question", BIG_INTEGER, nullable=True))
    _fill_questions()
    op.create_index(
        "ix_change_question",
        "change",
        ["question", "seq"],
        sqlite_where=HAS_QUESTION,
        postgresql_where=HAS_QUESTION,
    )


def downgrade() -> None:
    op.drop_index("ix_change_question", "change")
    op.drop_column("change", "question")


def _fill_questions() -> None:
    """Fill in the keys as the code does. All changes of a claim have the question of its current version."""
    connection = op.get_bind()
    names = ("id", "category", "subject", "place", "until_seq")
    claim = sa.table("claim", *(sa.column(name) for name in names))
    change = sa.table("change", sa.column("claim"), sa.column("question"))
    question = [claim.c[name] for name in ("category", "subject", "place")]
    is_current = claim.c.until_seq.is_(None)
    of_question = [column == sa.bindparam(f"of_{column.name}") for column in question]
    update = (
        sa.update(change)
        .where(change.c.claim.in_(sa.select(claim.c.id).where(is_current, *of_question)))
        .values(question=sa.bindparam("key"))
    )
    for row in connection.execute(sa.select(*question).where(is_current).distinct()).all():
        parameters = {f"of_{column.name}": value for column, value in zip(question, row, strict=True)}
        connection.execute(update, parameters | {"key": _question_key(*row)})


def _question_key(*question: str) -> int:
    digest = hashlib.blake2b("\0".join(question).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
