"""Reconciles rows with the register: pure functions that determine whether a row is new, changed or recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from app.enums import Outcome, Status
from app.imports.pipeline.row_mapping import ChangePolicy


@dataclass(frozen=True, slots=True)
class ExistingClaim:
    """A recorded claim in its current version."""

    id: str
    status: Status
    fingerprint: str
    revision: int


@dataclass(frozen=True, slots=True)
class PreviousRow:
    """A row of an earlier import with the same key."""

    fingerprint: str
    """The fingerprint of the claim as the row stated it."""
    recorded_fingerprint: str
    """The fingerprint of the claim after the import of the row."""
    vintage: date
    claim: ExistingClaim
    about: tuple[Any, ...] = ()
    """The values of the columns in `ABOUT` of the claim."""
    texts: tuple[Any, ...] = ()
    """The values of the columns in `TEXTS` of the claim."""

    ABOUT: ClassVar = ("category", "subject", "place", "source", "period_start")
    """The columns that no change of a row alters: a row that differs in one of them is about something else."""
    TEXTS: ClassVar = ("as_printed", "note", "derivation")
    """The columns that are no part of the statement."""
    import_id: str | None = None
    """The import that recorded the claim."""
    ERASED_ABOUT: ClassVar = ("category", "subject", "place")
    """Those that are left of a claim that was taken down."""

    def is_about(self, state: Mapping[str, Any]) -> bool:
        """Return whether a claim with these columns is about the same as the claim of this row."""
        names = self.ERASED_ABOUT if self.claim.status is Status.removed else self.ABOUT
        return all(value == state[name] for name, value in zip(names, self.about, strict=False))

    @property
    def is_repaired(self) -> bool:
        """Whether the claim was corrected after the import of the row."""
        return self.claim.fingerprint != self.recorded_fingerprint


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome, the existing claim with its fingerprint, and how a new claim relates to it."""

    outcome: Outcome
    claim: str | None = None
    fingerprint: str | None = None
    supersedes: bool = False
    is_beside: bool = False
    """Whether the row is now about something else than the existing claim, which is not changed."""


OUTCOME_OF_WITHDRAWN_STATUS = {Status.retracted: Outcome.retracted, Status.removed: Outcome.removed}


def reconcile_row(
    fingerprint: str,
    same: ExistingClaim | None,
    previous_rows: Sequence[PreviousRow],
    vintage: date,
    on_change: ChangePolicy,
    *,
    is_restated: bool = False,
    is_moved: bool = False,
) -> Decision:
    """Return the outcome of a row.

    A claim that was superseded, retracted or taken down is never recorded again, and a correction is never undone.

    Args:
        fingerprint: The fingerprint of the claim as the row states it.
        same: The recorded claim with the fingerprint that a new claim of the row would have.
        previous_rows: The rows with its key in earlier imports, oldest first.
        vintage: The date of the file.
        on_change: How a row that differs from its earlier version is recorded.
        is_restated: Whether it states the same as the last of them, on another day.
        is_moved: Whether it is about something else than all of them.
    """
    if not previous_rows:
        return _reconcile_by_fingerprint(same)
    last = previous_rows[-1]
    if is_moved:
        return _reconcile_moved_row(same, last, vintage, on_change)
    if last.claim.status in OUTCOME_OF_WITHDRAWN_STATUS:
        return Decision(OUTCOME_OF_WITHDRAWN_STATUS[last.claim.status], last.claim.id)
    if is_restated and not last.is_repaired:
        return Decision(Outcome.unchanged, last.claim.id, last.claim.fingerprint)
    is_repeated = vintage == last.vintage and any(row.fingerprint == fingerprint for row in previous_rows)
    if last.fingerprint != fingerprint and (vintage < last.vintage or is_repeated):
        return Decision(Outcome.older, last.claim.id)
    if last.is_repaired:
        return Decision(Outcome.older, last.claim.id)
    if last.fingerprint == fingerprint:
        return Decision(Outcome.unchanged, last.claim.id, last.claim.fingerprint)
    if on_change == "report":
        return Decision(Outcome.differs, last.claim.id)
    if on_change == "fix" and same is not None:
        # The corrected claim is already recorded, from another document.
        return _reconcile_by_fingerprint(same)
    return Decision(Outcome.changed, last.claim.id, supersedes=on_change == "supersede")


def _reconcile_moved_row(
    same: ExistingClaim | None, last: PreviousRow, vintage: date, on_change: ChangePolicy
) -> Decision:
    """Return the outcome of a row that is now about something else: its claim is recorded beside the earlier one."""
    if same is not None:
        return _reconcile_by_fingerprint(same)
    if vintage < last.vintage:
        return Decision(Outcome.older, last.claim.id)
    if on_change == "report":
        return Decision(Outcome.differs, last.claim.id)
    return Decision(Outcome.changed, last.claim.id, is_beside=True)


def reconcile_by_id(fingerprint: str, same: ExistingClaim | None, named: ExistingClaim | None) -> Decision:
    """Return the outcome of a row that names its claim by id, as rows in the native format do.

    Args:
        fingerprint: The fingerprint of the claim as the row states it.
        same: The recorded claim with this fingerprint.
        named: The recorded claim with the id that the row names.
    """
    if named is None:
        return _reconcile_by_fingerprint(same)
    if named.status is Status.removed:
        return Decision(Outcome.removed, named.id)
    if named.fingerprint == fingerprint:
        return Decision(Outcome.unchanged, named.id, named.fingerprint)
    return Decision(Outcome.older if named.revision > 1 else Outcome.differs, named.id)


def _reconcile_by_fingerprint(same: ExistingClaim | None) -> Decision:
    if same is None:
        return Decision(Outcome.new)
    return Decision(OUTCOME_OF_WITHDRAWN_STATUS.get(same.status, Outcome.cited), same.id, same.fingerprint)
