"""What the register says of the rows of an import, asked in a few questions for many of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import TextClause, select, text
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.tables import CitationVersion, ClaimVersion, ImportedRow, columns_of, table_of
from app.enums import Aggregation, Status
from app.imports.pipeline.reconciliation import ExistingClaim, PreviousRow
from app.imports.pipeline.row_mapping import SeriesOptions
from app.imports.pipeline.staging import batch_values

ClaimColumns = Mapping[str, Any]
"""The columns of a claim."""

UTTERANCE_COLUMNS = ("category", "subject", "place", "date", "source")
"""What two transcriptions of one utterance have in common, and an index begins with."""

COMPARED_COLUMNS = ("period", "aggregation", "modality", "includes", "excludes", "relative_to", "proposition")
"""What else they have in common."""

UTTERANCES_PER_QUERY = 200
"""Utterances in one question."""

UTTERANCE_PARAMETERS = [[f"{name}{n}" for name in UTTERANCE_COLUMNS] for n in range(UTTERANCES_PER_QUERY)]
"""The names of their parameters."""

Utterance = tuple[str, ...]


@dataclass(slots=True)
class ExistingRecords:
    """What is recorded of some rows: by what they say, by the ids they name, by their keys, and what cites it."""

    by_fingerprint: dict[str, ExistingClaim]
    by_id: dict[str, ExistingClaim]
    previous_rows: dict[str, list[PreviousRow]]
    cited_documents: dict[str, set[str]]
    pending_claims: dict[str, str] = field(default_factory=dict)
    """Fingerprint → the claim that waits with it, or stands and was met before in this import."""
    pending_ids: set[str] = field(default_factory=set)
    """Ids that new claims of this import have taken."""


def load_existing(
    session: Session,
    view: Snapshot,
    prints: Sequence[str],
    ids: Sequence[str],
    keys: Sequence[str],
    vintages: SeriesOptions | None,
) -> ExistingRecords:
    """What is recorded under these fingerprints, ids and row keys."""
    claim, citation, row = columns_of(ClaimVersion), columns_of(CitationVersion), table_of(ImportedRow).c
    wanted = select(claim.id, claim.status, claim.fingerprint, claim.revision).where(view.contains(ClaimVersion))
    found = ExistingRecords({}, {}, {}, {})
    for some in batch_values(prints):
        for each in session.execute(wanted.where(claim.fingerprint.in_(some))):
            found.by_fingerprint[each.fingerprint] = ExistingClaim(
                each.id, each.status, each.fingerprint, each.revision
            )
    for some in batch_values(ids):
        for each in session.execute(wanted.where(claim.id.in_(some))):
            found.by_id[each.id] = ExistingClaim(each.id, each.status, each.fingerprint, each.revision)
    if vintages is not None:
        standing = (claim.id, claim.status, claim.fingerprint, claim.revision)
        told = (
            select(row.key, row.print, row.written, row.vintage, *standing)
            .join(table_of(ClaimVersion), claim.id == row.claim)
            .where(view.contains(ClaimVersion), row.series == vintages.series)
            .order_by(row.vintage, row.seq)
        )
        for some in batch_values(keys):
            for each in session.execute(told.where(row.key.in_(some))):
                stands = ExistingClaim(each.id, each.status, each.fingerprint, each.revision)
                found.previous_rows.setdefault(each.key, []).append(
                    PreviousRow(each.print, each.written, each.vintage, stands)
                )
    standing_ids = [each.id for each in (*found.by_fingerprint.values(), *found.by_id.values())]
    standing_ids += [each.claim.id for several in found.previous_rows.values() for each in several]
    for some in batch_values(standing_ids):
        cites = select(citation.claim, citation.document).where(
            citation.claim.in_(some), view.contains(CitationVersion)
        )
        for each in session.execute(cites):
            found.cited_documents.setdefault(each.claim, set()).add(each.document)
    return found


def find_other_transcriptions(
    session: Session, view: Snapshot, states: Sequence[ClaimColumns]
) -> Iterator[tuple[int, str, float]]:
    """The claims that stand for the same utterances with other figures: index in `states`, claim, its figure."""
    claim = columns_of(ClaimVersion)
    uttered: dict[Utterance, list[int]] = {}
    for index, state in enumerate(states):
        uttered.setdefault(tuple(str(state[name]) for name in UTTERANCE_COLUMNS), []).append(index)
    ids = [
        id_
        for start in range(0, len(uttered), UTTERANCES_PER_QUERY)
        for id_ in _find_claim_ids(session, [*uttered][start : start + UTTERANCES_PER_QUERY])
    ]
    for some in batch_values(ids):
        wanted = select(claim.id, claim.magnitude, *(claim[name] for name in (*UTTERANCE_COLUMNS, *COMPARED_COLUMNS)))
        stands = view.contains(ClaimVersion), claim.status == Status.asserted, claim.magnitude.is_not(None)
        for other in session.execute(wanted.where(claim.id.in_(some), *stands)).mappings():
            for index in uttered[tuple(str(other[name]) for name in UTTERANCE_COLUMNS)]:
                state = states[index]
                if other["magnitude"] != state["magnitude"] and all(
                    other[name] == state[name] for name in COMPARED_COLUMNS
                ):
                    yield index, other["id"], other["magnitude"]


def _find_claim_ids(session: Session, some: Sequence[Utterance]) -> Sequence[str]:
    """The claims that stand for these utterances."""
    padded = [*some, *[some[0]] * (UTTERANCES_PER_QUERY - len(some))]
    given = {
        f"{name}{n}": part
        for n, uttered in enumerate(padded)
        for name, part in zip(UTTERANCE_COLUMNS, uttered, strict=True)
    }
    asked = _utterance_query(session.get_bind().dialect.name)
    return [str(id_) for id_ in session.execute(asked, given).scalars()]


@cache
def _utterance_query(dialect: str) -> TextClause:
    """Asks for the claims of `ASKED` utterances.

    Joined, each one is a search in the index of category, subject, place and date; as a list of rows after IN it is
    not, and SQLite would read every claim of the source. SQLAlchemy would put it together anew each time.
    """
    day = "CAST(:{} AS DATE)" if dialect == "postgresql" else ":{}"
    marks = ", ".join(
        "(" + ", ".join((day if name.startswith("date") else ":{}").format(name) for name in names) + ")"
        for names in UTTERANCE_PARAMETERS
    )
    alike = " AND ".join(f"claim.{name} = asked.{name}" for name in UTTERANCE_COLUMNS)
    return text(
        f"WITH asked ({', '.join(UTTERANCE_COLUMNS)}) AS (VALUES {marks}) "  # noqa: S608 - names of our own columns
        f"SELECT DISTINCT claim.id FROM asked CROSS JOIN claim WHERE {alike} AND claim.until_seq IS NULL"
    )


def describe_series(state: Mapping[str, Any]) -> str:
    """What makes figures one series, in words."""
    about = f"{state['category']} of {state['subject']} in {state['place']} by {state['source']}"
    about += f", {state['aggregation']}"
    if state["aggregation"] == Aggregation.cumulative and state["period_start"]:
        about += f" since {state['period_start']}"
    if state["includes"] or state["excludes"]:
        about += f", with {'+'.join(sorted(state['includes']))} without {'+'.join(sorted(state['excludes']))}"
    if state["relative_to"] or state["modality"] != "estimate":
        about += f" ({state['modality']}{', ' + state['relative_to'] if state['relative_to'] else ''})"
    return about
