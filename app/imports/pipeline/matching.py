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
from app.imports.pipeline.reconciliation import Said, Standing
from app.imports.pipeline.row_mapping import Vintages
from app.imports.pipeline.staging import batches

State = Mapping[str, Any]
"""The columns of a claim."""

UTTERED = ("category", "subject", "place", "date", "source")
"""What two transcriptions of one utterance have in common, and an index begins with."""

ALIKE = ("period", "aggregation", "modality", "includes", "excludes", "relative_to", "proposition")
"""What else they have in common."""

ASKED = 200
"""Utterances in one question."""

MARKS = [[f"{name}{n}" for name in UTTERED] for n in range(ASKED)]
"""The names of their parameters."""

Utterance = tuple[str, ...]


@dataclass(slots=True)
class Recorded:
    """What is recorded of some rows: by what they say, by the ids they name, by their keys, and what cites it."""

    same: dict[str, Standing]
    named: dict[str, Standing]
    said: dict[str, list[Said]]
    cited: dict[str, set[str]]
    waiting: dict[str, str] = field(default_factory=dict)
    """Fingerprint → the claim that waits with it, or stands and was met before in this import."""
    ids: set[str] = field(default_factory=set)
    """Ids that new claims of this import have taken."""


def look_up(
    session: Session,
    view: Snapshot,
    prints: Sequence[str],
    ids: Sequence[str],
    keys: Sequence[str],
    vintages: Vintages | None,
) -> Recorded:
    """What is recorded under these fingerprints, ids and row keys."""
    claim, citation, row = columns_of(ClaimVersion), columns_of(CitationVersion), table_of(ImportedRow).c
    wanted = select(claim.id, claim.status, claim.fingerprint, claim.revision).where(view.contains(ClaimVersion))
    found = Recorded({}, {}, {}, {})
    for some in batches(prints):
        for each in session.execute(wanted.where(claim.fingerprint.in_(some))):
            found.same[each.fingerprint] = Standing(each.id, each.status, each.fingerprint, each.revision)
    for some in batches(ids):
        for each in session.execute(wanted.where(claim.id.in_(some))):
            found.named[each.id] = Standing(each.id, each.status, each.fingerprint, each.revision)
    if vintages is not None:
        standing = (claim.id, claim.status, claim.fingerprint, claim.revision)
        told = (
            select(row.key, row.print, row.written, row.vintage, *standing)
            .join(table_of(ClaimVersion), claim.id == row.claim)
            .where(view.contains(ClaimVersion), row.series == vintages.series)
            .order_by(row.vintage, row.seq)
        )
        for some in batches(keys):
            for each in session.execute(told.where(row.key.in_(some))):
                stands = Standing(each.id, each.status, each.fingerprint, each.revision)
                found.said.setdefault(each.key, []).append(Said(each.print, each.written, each.vintage, stands))
    standing_ids = [each.id for each in (*found.same.values(), *found.named.values())]
    standing_ids += [each.claim.id for several in found.said.values() for each in several]
    for some in batches(standing_ids):
        cites = select(citation.claim, citation.document).where(
            citation.claim.in_(some), view.contains(CitationVersion)
        )
        for each in session.execute(cites):
            found.cited.setdefault(each.claim, set()).add(each.document)
    return found


def other_transcriptions(session: Session, view: Snapshot, states: Sequence[State]) -> Iterator[tuple[int, str, float]]:
    """The claims that stand for the same utterances with other figures: index in `states`, claim, its figure."""
    claim = columns_of(ClaimVersion)
    uttered: dict[Utterance, list[int]] = {}
    for index, state in enumerate(states):
        uttered.setdefault(tuple(str(state[name]) for name in UTTERED), []).append(index)
    ids = [
        id_ for start in range(0, len(uttered), ASKED) for id_ in _uttered(session, [*uttered][start : start + ASKED])
    ]
    for some in batches(ids):
        wanted = select(claim.id, claim.magnitude, *(claim[name] for name in (*UTTERED, *ALIKE)))
        stands = view.contains(ClaimVersion), claim.status == Status.asserted, claim.magnitude.is_not(None)
        for other in session.execute(wanted.where(claim.id.in_(some), *stands)).mappings():
            for index in uttered[tuple(str(other[name]) for name in UTTERED)]:
                state = states[index]
                if other["magnitude"] != state["magnitude"] and all(other[name] == state[name] for name in ALIKE):
                    yield index, other["id"], other["magnitude"]


def _uttered(session: Session, some: Sequence[Utterance]) -> Sequence[str]:
    """The claims that stand for these utterances."""
    padded = [*some, *[some[0]] * (ASKED - len(some))]
    given = {
        f"{name}{n}": part for n, uttered in enumerate(padded) for name, part in zip(UTTERED, uttered, strict=True)
    }
    asked = _question(session.get_bind().dialect.name)
    return [str(id_) for id_ in session.execute(asked, given).scalars()]


@cache
def _question(dialect: str) -> TextClause:
    """Asks for the claims of `ASKED` utterances.

    Joined, each one is a search in the index of category, subject, place and date; as a list of rows after IN it is
    not, and SQLite would read every claim of the source. SQLAlchemy would put it together anew each time.
    """
    day = "CAST(:{} AS DATE)" if dialect == "postgresql" else ":{}"
    marks = ", ".join(
        "(" + ", ".join((day if name.startswith("date") else ":{}").format(name) for name in names) + ")"
        for names in MARKS
    )
    alike = " AND ".join(f"claim.{name} = asked.{name}" for name in UTTERED)
    return text(
        f"WITH asked ({', '.join(UTTERED)}) AS (VALUES {marks}) "  # noqa: S608 - names of our own columns
        f"SELECT DISTINCT claim.id FROM asked CROSS JOIN claim WHERE {alike} AND claim.until_seq IS NULL"
    )


def series_name(state: Mapping[str, Any]) -> str:
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
