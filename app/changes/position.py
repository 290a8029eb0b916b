"""Positions in the change log: `SEQ`, or `EPOCH:SEQ` with the epoch of the register in which the change was read.

Cursors and the ids of events have the epoch from the second one on. In one that has none, it is therefore the first.
"""

from typing import Annotated

from pydantic import Field
from sqlmodel import Session

from app.database.epochs import find_fork, history_forked, read_epochs
from app.database.snapshot import Snapshot
from app.errors import invalid_field

MAX_SEQ = 2**62
POSITION_PATTERN = "^([0-9]{1,9}:)?[0-9]{1,18}$"

Position = Annotated[int, Field(ge=0, le=MAX_SEQ)] | Annotated[str, Field(pattern="^[0-9]{1,9}:[0-9]{1,18}$")]


def format_position(epoch: int, seq: int) -> str:
    """Return the position of a change as a cursor, or as the id of an event."""
    return f"{epoch}:{seq}" if epoch > 1 else str(seq)


def resolve_position(
    session: Session, position: int | str, snapshot: Snapshot, name: str, location: str = "query"
) -> int:
    """Return the `seq` of a position that a client names.

    Args:
        session: A session on the state of `snapshot`.
        position: `SEQ` or `EPOCH:SEQ`.
        snapshot: The state of the register.
        name: The name of the parameter. If it is not `after`, a position without an epoch is of the first one.
        location: Where the parameter is: `query` or `header`.

    Raises:
        HistoryForked: The register does not have that change any more.
        InvalidRequest: The register has not reached the position.
    """
    named, _, number = str(position).rpartition(":")
    seq, epoch = int(number), int(named or 1) if named or name != "after" else None
    if epoch is None and seq <= snapshot.latest_seq:
        return seq
    epochs = read_epochs(session)
    latest = epochs[-1]
    if epoch is not None:
        fork = find_fork(epochs, epoch, seq)
    elif latest.number > 1:
        fork = latest  # it may be of a history that is lost
    else:
        fork = None
    if fork is not None:
        raise history_forked(fork, epoch, seq, latest.number)
    if epoch is not None and epoch > latest.number:
        detail = f"The register is in epoch {latest.number}; it has not reached epoch {epoch}."
    elif seq > snapshot.latest_seq:
        detail = f"The register is at seq {snapshot.latest_seq}; it has not reached {seq}."
    else:
        return seq
    raise invalid_field(name, detail, hint="start again with `after=0` if the register was replaced", location=location)
