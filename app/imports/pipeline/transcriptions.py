"""The check for conflicting transcriptions: a source has two figures for the same question on the same day."""

from collections.abc import Iterator, Sequence
from functools import cache

from sqlalchemy import TextClause, select, text
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.sql import batch_values
from app.database.tables import ClaimVersion, columns_of
from app.enums import Status
from app.imports.pipeline.candidates import ClaimColumns, ResolvedClaim
from app.imports.pipeline.matching import describe_time_series
from app.imports.quality.anomalies import Anomaly, RowLocation, transcription_anomaly
from app.imports.stop_check import StopCheck, checked, never_stop

STATEMENT_COLUMNS = ("category", "subject", "place", "date", "source")
"""The columns that two transcriptions of one statement share; an index begins with them."""

COMPARED_COLUMNS = (
    *("period", "aggregation", "per", "said_at", "modality", "includes", "excludes"),
    *("relative_to", "unit", "proposition"),
)
"""The other columns that they share."""

STATEMENTS_PER_QUERY = 200

STATEMENT_PARAMETERS = [[f"{name}{n}" for name in STATEMENT_COLUMNS] for n in range(STATEMENTS_PER_QUERY)]
"""The parameter names of each statement in a query."""

StatementKey = tuple[str, ...]


def find_transcription_anomalies(
    session: Session, snapshot: Snapshot, claims: Sequence[ResolvedClaim], check: StopCheck = never_stop
) -> Iterator[tuple[ResolvedClaim, Anomaly]]:
    """Yield the new claims whose statement is recorded with another figure, each with the anomaly."""
    dated = [
        claim for claim in claims if claim.candidate.state["magnitude"] is not None and claim.candidate.state["date"]
    ]
    states = [claim.candidate.state for claim in dated]
    for index, other, magnitude in _find_other_transcriptions(session, snapshot, states, check):
        row, state = dated[index].candidate.validated.row, states[index]
        location = RowLocation(row.file, row.line)
        yield (
            dated[index],
            transcription_anomaly(
                describe_time_series(state), state["date"], state["magnitude"], magnitude, (location,), f"claim {other}"
            ),
        )


def _find_other_transcriptions(
    session: Session, snapshot: Snapshot, states: Sequence[ClaimColumns], check: StopCheck
) -> Iterator[tuple[int, str, float]]:
    """Yield index in `states`, claim and magnitude of asserted claims with another figure for the same statement."""
    claim = columns_of(ClaimVersion)
    indexes: dict[StatementKey, list[int]] = {}
    for index, state in enumerate(states):
        indexes.setdefault(tuple(str(state[name]) for name in STATEMENT_COLUMNS), []).append(index)
    statement_keys = list(indexes)
    ids = [
        id_
        for start in checked(range(0, len(statement_keys), STATEMENTS_PER_QUERY), check)
        for id_ in _find_claim_ids(session, statement_keys[start : start + STATEMENTS_PER_QUERY])
    ]
    statement = select(
        claim.id, claim.magnitude, *(claim[name] for name in (*STATEMENT_COLUMNS, *COMPARED_COLUMNS))
    ).where(snapshot.contains(ClaimVersion), claim.status == Status.asserted, claim.magnitude.is_not(None))
    for batch in checked(batch_values(ids), check):
        for other in session.execute(statement.where(claim.id.in_(batch))).mappings():
            for index in indexes[tuple(str(other[name]) for name in STATEMENT_COLUMNS)]:
                state = states[index]
                if other["magnitude"] != state["magnitude"] and all(
                    other[name] == state[name] for name in COMPARED_COLUMNS
                ):
                    yield index, other["id"], other["magnitude"]


def _find_claim_ids(session: Session, statement_keys: Sequence[StatementKey]) -> Sequence[str]:
    """Return the ids of the claims about these statements, of which there are at most `STATEMENTS_PER_QUERY`."""
    padded = [*statement_keys, *[statement_keys[0]] * (STATEMENTS_PER_QUERY - len(statement_keys))]
    parameters = {
        f"{name}{n}": value
        for n, stated in enumerate(padded)
        for name, value in zip(STATEMENT_COLUMNS, stated, strict=True)
    }
    query = _statement_query(session.get_bind().dialect.name)
    return [str(id_) for id_ in session.execute(query, parameters).scalars()]


@cache
def _statement_query(dialect: str) -> TextClause:
    """Return the query for the claims about `STATEMENTS_PER_QUERY` statements.

    With the join, each statement is a search in the index of category, subject, place and date. With row values after
    IN, SQLite would read every claim of the source. The text is cached, because SQLAlchemy would compile an equivalent
    query again for every batch.
    """
    date_parameter = "CAST(:{} AS DATE)" if dialect == "postgresql" else ":{}"
    rows = ", ".join(
        "("
        + ", ".join((date_parameter if name.startswith("date") else ":{}").format(name) for name in parameters)
        + ")"
        for parameters in STATEMENT_PARAMETERS
    )
    is_same = " AND ".join(f"claim.{name} = stated.{name}" for name in STATEMENT_COLUMNS)
    return text(
        f"WITH stated ({', '.join(STATEMENT_COLUMNS)}) AS (VALUES {rows}) "  # noqa: S608 - names of our own columns
        f"SELECT DISTINCT claim.id FROM stated CROSS JOIN claim WHERE {is_same} AND claim.until_seq IS NULL"
    )
