"""Row encoders of the tables that an import writes."""

from dataclasses import dataclass

from app.database.engine import Database
from app.database.row_encoding import RowEncoder
from app.database.tables import (
    AssessmentVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    ImportVersion,
    RelationVersion,
)


@dataclass(frozen=True, slots=True)
class RowEncoders:
    """The row encoder of each table that an import writes."""

    claim: RowEncoder
    citation: RowEncoder
    assessment: RowEncoder
    document: RowEncoder
    relation: RowEncoder
    import_: RowEncoder

    @classmethod
    def for_database(cls, database: Database) -> "RowEncoders":
        """Return the encoders for the dialect of `database`."""
        tables = (
            ClaimVersion,
            CitationVersion,
            AssessmentVersion,
            DocumentVersion,
            RelationVersion,
            ImportVersion,
        )
        return cls(*(RowEncoder(table, database.write_engine.dialect) for table in tables))
