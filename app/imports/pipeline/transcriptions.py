"""The check for conflicting transcriptions: a source has two figures for the same question on the same day."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import TextClause, select, text
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.sql import VALUES_PER_QUERY, batch_values, fetch_rows
from app.database.tables import VISIBLE_CLAIM, ClaimVersion, columns_of
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
        for start in checked(range(0, len(statement_keys), VALUES_PER_QUERY), check)
        for id_ in _find_claim_ids(session, statement_keys[start : start + VALUES_PER_QUERY])
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


def _find_claim_ids(session: Session, statement_keys: Sequence[StatementKey]) -> list[str]:
    """Return the ids of the claims about these statements."""
    dialect = session.get_bind().dialect.name
    rows = fetch_rows(session, STATEMENT_QUERIES[dialect], statement_parameters(statement_keys, dialect))
    return [str(id_) for (id_,) in rows]


def statement_parameters(statement_keys: Sequence[StatementKey], dialect: str) -> dict[str, Any]:
    """Return the parameters of `STATEMENT_QUERIES`: one list of statements, or a list for each of their columns."""
    if dialect == "sqlite":
        return {"statements": list(statement_keys)}
    return dict(zip(STATEMENT_COLUMNS, map(list, zip(*statement_keys, strict=True)), strict=True))


def _build_statement_query(stated: str) -> TextClause:
    """Return the query for the claims about statements; `stated` selects the columns of the statements.

    With the join and the condition of its index, each statement is a search by category, subject, place and date. With
    row values after IN, SQLite would read every claim of the source.
    """
    is_same = " AND ".join(f"claim.{name} = stated.{name}" for name in STATEMENT_COLUMNS)
    return text(
        f"WITH stated ({', '.join(STATEMENT_COLUMNS)}) AS ({stated}) "  # noqa: S608 - names of our own columns
        f"SELECT DISTINCT claim.id FROM stated CROSS JOIN claim WHERE {is_same} AND {VISIBLE_CLAIM}"
    )


_SQLITE_VALUES = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(STATEMENT_COLUMNS)))
_POSTGRESQL_ARRAYS = ", ".join(
    f"CAST(:{name} AS {'date' if name == 'date' else 'text'}[])" for name in STATEMENT_COLUMNS
)
STATEMENT_QUERIES = {
    "sqlite": _build_statement_query(f"SELECT {_SQLITE_VALUES} FROM json_each(:statements)"),  # noqa: S608 - as above
    "postgresql": _build_statement_query(f"SELECT * FROM unnest({_POSTGRESQL_ARRAYS})"),  # noqa: S608 - as above
}
"""The query by dialect. Its text does not depend on the number of statements."""
