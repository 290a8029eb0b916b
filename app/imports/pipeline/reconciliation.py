"""What becomes of a row: whether it is new, or known again, and by what. Pure: what is known is handed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.enums import Outcome, Status
from app.imports.pipeline.row_mapping import ChangePolicy


@dataclass(frozen=True, slots=True)
class ExistingClaim:
    """A claim of the register, as it stands: its id, its status, its fingerprint and its revision."""

    id: str
    status: Status
    fingerprint: str
    revision: int


@dataclass(frozen=True, slots=True)
class PreviousRow:
    """What a row with this key said in an import before, what was `written` of it, and what became of its claim."""

    fingerprint: str
    recorded_fingerprint: str
    vintage: date
    claim: ExistingClaim

    @property
    def is_repaired(self) -> bool:
        """Whether somebody has changed our record of it since."""
        return self.claim.fingerprint != self.recorded_fingerprint


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the claim that it concerns and its fingerprint, and whether a change supersedes it."""

    outcome: Outcome
    claim: str | None = None
    fingerprint: str | None = None
    supersedes: bool = False


OUTCOME_OF_WITHDRAWN_STATUS = {Status.retracted: Outcome.retracted, Status.removed: Outcome.removed}


def reconcile_row(
    print_: str, same: ExistingClaim | None, said: Sequence[PreviousRow], vintage: date, on_change: ChangePolicy
) -> Decision:
    """Tell what becomes of a row that says `print_`.

    `same` is the claim that stands as a new claim of this row would, `said` what the row's key said before, the oldest
    first, `vintage` the day of the file. What was superseded, retracted or taken down is never recorded again, and what
    somebody repaired is not turned back.
    """
    if not said:
        return _reconcile_by_fingerprint(same)
    last = said[-1]
    if last.claim.status in OUTCOME_OF_WITHDRAWN_STATUS:
        return Decision(OUTCOME_OF_WITHDRAWN_STATUS[last.claim.status], last.claim.id)
    again = any(each.fingerprint == print_ for each in said) and vintage == last.vintage
    if last.fingerprint != print_ and (vintage < last.vintage or again):
        return Decision(Outcome.older, last.claim.id)
    if last.is_repaired:
        return Decision(Outcome.older, last.claim.id)
    if last.fingerprint == print_:
        return Decision(Outcome.unchanged, last.claim.id, last.claim.fingerprint)
    if on_change == "report":
        return Decision(Outcome.differs, last.claim.id)
    if on_change == "fix" and same is not None:
        # What our record would be repaired to is recorded already, from another document.
        return _reconcile_by_fingerprint(same)
    return Decision(Outcome.changed, last.claim.id, supersedes=on_change == "supersede")


def reconcile_by_id(print_: str, same: ExistingClaim | None, named: ExistingClaim | None) -> Decision:
    """The same for a row that names its claim by id, as the register's own files do."""
    if named is None:
        return _reconcile_by_fingerprint(same)
    if named.status is Status.removed:
        return Decision(Outcome.removed, named.id)
    if named.fingerprint == print_:
        return Decision(Outcome.unchanged, named.id, named.fingerprint)
    return Decision(Outcome.older if named.revision > 1 else Outcome.differs, named.id)


def _reconcile_by_fingerprint(same: ExistingClaim | None) -> Decision:
    if same is None:
        return Decision(Outcome.new)
    return Decision(OUTCOME_OF_WITHDRAWN_STATUS.get(same.status, Outcome.cited), same.id, same.fingerprint)
