"""Publishing of a long import in several transactions, between which other writers write.

Everything is checked and staged first. Then the parts of the import are stored in the register, in short transactions
that record nothing. Each transaction that publishes writes some parts, deletes them, and adds an `ImportStep`, so that
a part is published once whatever happens. An import whose process ends is finished by another process, or by the next
one that starts.
"""

import logging
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.claims.lifecycle import copy_state, load_current_version
from app.database.bulk_insert import BulkInsert
from app.database.engine import Database
from app.database.erasure import erase_deleted_content
from app.database.tables import (
    TAKEDOWN_CHANGE,
    Change,
    ImportPart,
    ImportStep,
    ImportVersion,
    PublishingImport,
    columns_of,
)
from app.database.transaction import WriteTransaction
from app.enums import LeftOutReason
from app.errors import OutcomeUnknown, Problem, Unavailable
from app.http.addresses import whole_address
from app.http.writes import add_to_stored_response, insert_stored_response
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.prepare import PreparedImport
from app.imports.pipeline.publish import (
    RegisterChanged,
    begin_import,
    publish_if_unchanged,
    publishing_transaction,
    update_imported_rows,
    write_claims,
    write_documents,
    write_relations,
    write_repairs,
)
from app.imports.pipeline.publishing_state import (
    add_parts,
    add_state,
    delete_state,
    discard_parts,
    find_begun_imports,
    find_stale_imports,
    load_state,
    new_owner,
    read_final_step,
    release_lease,
    renew_lease,
    take_over,
)
from app.imports.pipeline.recheck import PartCheck
from app.imports.pipeline.stored_parts import (
    RowConverter,
    StoredPart,
    column_names,
    decode_part,
    encode_parts,
    split_part,
)
from app.imports.stop_check import StopCheck, never_stop
from app.logs import log_once

MAX_CLAIMS_AT_ONCE = 5_000
"""Maximum number of claims with something to write that are published in one transaction, as a whole."""

MAX_REPAIRS_AT_ONCE = 200
"""Maximum number of corrections in such a transaction: each takes as long as some ten new claims."""

TARGET_SECONDS: Final = 0.5
"""How long a transaction that publishes parts should take. The number of its parts follows."""

MAX_SECONDS: Final = 0.7
"""After this time no further part is added to a transaction."""

FIRST_PARTS, MAX_PARTS = 2, 32
"""The number of parts in the first transaction, and the maximum number of parts, which are in memory."""

PARTS_PER_FLUSH = 2

MAX_STORED_BYTES = 4_000_000
"""The size of the parts that are stored in one transaction."""

PAUSE_SECONDS: Final = {"sqlite": 0.11, "postgresql": 0.0}
"""The least time between two transactions, by dialect. A writer that waits for SQLite looks every tenth of a second
whether it is free; PostgreSQL gives the lock to the one that waits. The next parts are read and decoded meanwhile."""

MAX_FAILURES, RETRY_SECONDS = 4, 0.5
"""How often a transaction is tried again that the database has refused, such as for the lock of another writer."""

WAIT_SECONDS: Final = 0.1
RENEWAL_SECONDS: Final = 2.0

DATABASE_FAILS: Final = "The database fails while the import is published."

logger = logging.getLogger("counterclaim")

BeginStep = Callable[[WriteTransaction], None]
"""Runs in the first transaction, before anything is recorded. It may raise to prevent the import."""


class _AnotherIsPublishing(Exception):
    """Another long import is being published; only one at a time is."""


class _LeaseLost(Exception):
    """Another process has taken over, or has finished the import."""


class _PartsChanged(Exception):
    """The parts are not those that were read: an earlier transaction, whose answer was lost, has published some."""


def is_long(prepared: PreparedImport) -> bool:
    """Return whether an import is published in several transactions."""
    return prepared.repairs > MAX_REPAIRS_AT_ONCE or prepared.staging.has_more_writes(MAX_CLAIMS_AT_ONCE)


def publish_prepared(database: Database, prepared: PreparedImport) -> bool:
    """Publish an import in one transaction or in several; return False if it must be prepared again."""
    if not prepared.has_writes or not is_long(prepared):
        return publish_if_unchanged(database, prepared)
    with suppress(RegisterChanged):
        publish_in_parts(database, prepared, check=prepared.request.check)
        prepared.result.published = True
        return True
    return False


def publish_in_parts(
    database: Database,
    prepared: PreparedImport,
    *,
    check: StopCheck = never_stop,
    answer: dict[str, Any] | None = None,
    begin: BeginStep | None = None,
) -> None:
    """Publish a long import, and add to its result what was left out.

    Args:
        database: The database.
        prepared: The import.
        check: Raises to end the publishing between two transactions. Another process then goes on with it. The check
            of the request ends what precedes it: the parts are then discarded.
        answer: The response to be stored with the last part (see `WriteRequest.describe_response`).
        begin: Runs at the start of the first transaction.

    Raises:
        RegisterChanged: A record that the import depends on was changed; nothing is recorded.
        Unavailable: The database fails. If a part is recorded, `unfinished_problem` says so.
    """
    import_id, owner = prepared.result.id, new_owner()
    publisher = _Publisher(database, import_id, owner, check)
    try:
        _store_parts(database, prepared, owner, answer)
        publisher.begin(prepared, begin)
    except BaseException:
        with suppress(SQLAlchemyError, OutcomeUnknown):
            discard_parts(database, import_id, owner)
        raise
    try:
        publisher.run()
        _read_result(database, prepared)
    except SQLAlchemyError as error:
        raise unfinished_problem(import_id, DATABASE_FAILS) from error


def unfinished_problem(import_id: str, reason: str) -> Unavailable:
    """Return the problem of an import of which a part is recorded. Another process, or the next one, finishes it."""
    address = whole_address(f"/v1/imports/{import_id}")
    return Unavailable(
        f"{reason} Another process, or the next start, goes on with it.",
        hint=f"GET {address} says how far it is; the same request with the same Idempotency-Key gets its report",
        headers={"Retry-After": "15"},
    )


def finish_interrupted_imports(database: Database, check: StopCheck = never_stop) -> int:
    """Finish the imports whose process has ended, and return their number."""
    with database.read_primary() as session:
        stale = find_stale_imports(session)
    finished = 0
    for import_id in stale:
        check()
        state = take_over(database, import_id)
        if state is None:
            continue
        if not state["is_begun"]:
            discard_parts(database, import_id, state["owner"])
            continue
        logger.info("the import %s was interrupted, and is being published on", import_id)
        _Publisher(database, import_id, state["owner"], check).run()
        finished += 1
    return finished


def wait_for_import(database: Database, import_id: str, check: StopCheck = never_stop) -> None:
    """Wait until an import is published, and finish it if its process has ended."""
    while True:
        with database.read_primary() as session:
            if load_state(session, import_id) is None:
                return
        _wait(database, check)


def wait_for_series(database: Database, series: str, check: StopCheck = never_stop) -> None:
    """Wait until no import of a series is being published."""
    while True:
        with database.read_primary() as session:
            if not find_begun_imports(session, series):
                return
        _wait(database, check)


def _wait(database: Database, check: StopCheck) -> None:
    check()
    finished = 0
    try:
        finished = finish_interrupted_imports(database, check)
    except (SQLAlchemyError, Problem) as error:
        check()  # it may have raised this error
        log_once("an interrupted import cannot be finished yet: %s", error, error=error, cause="import")
    if not finished:
        time.sleep(WAIT_SECONDS)


def _store_parts(database: Database, prepared: PreparedImport, owner: str, answer: dict[str, Any] | None) -> None:
    """Store the parts of an import in short transactions. Nothing of it is recorded yet.

    Raises:
        RegisterChanged: This process was suspended, and another one has discarded the parts.
    """
    import_id = prepared.result.id
    state = {
        "import_id": import_id,
        "actor": prepared.actor,
        "owner": owner,
        "is_begun": False,
        "series": prepared.series,
        "checked_seq": 0,
        "own_changes": 0,
        "columns": column_names(prepared.encoders),
        "left_out": {},
        "left_out_outcomes": {},
        "answer": None if answer is None else answer | {"body": b64encode(answer["body"]).decode()},
    }
    add_state(database, state)
    for parts in _batch_by_bytes(encode_parts(prepared.staging)):
        prepared.request.check()
        if not add_parts(database, import_id, owner, parts):
            raise RegisterChanged


def _batch_by_bytes(parts: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    batch: list[tuple[int, bytes]] = []
    size, renewed = 0, time.monotonic()
    for number, content in parts:
        batch.append((number, content))
        size += len(content)
        if size >= MAX_STORED_BYTES or time.monotonic() - renewed > RENEWAL_SECONDS:
            yield batch
            batch, size, renewed = [], 0, time.monotonic()
    if batch:
        yield batch


class _PublishingStep:
    """One transaction that publishes parts, and what it leaves out."""

    def __init__(self, transaction: WriteTransaction, bulk: BulkInsert, state: dict[str, Any]) -> None:
        self.transaction = transaction
        self.bulk = bulk
        self.state = state
        self.series: str | None = state["series"]
        """The file series of the import. A takedown may have renamed it."""
        self.is_checked = False
        """Whether others have written since all parts were compared with the register."""
        self.left_out = Counter[str](state["left_out"])
        self.outcomes = Counter[str](state["left_out_outcomes"])

    def leave_out(self, part: StoredPart, reasons: Mapping[int, LeftOutReason]) -> None:
        """Count claims of a part, by their position, that are left out."""
        self.left_out.update(reason.value for reason in reasons.values())
        self.outcomes.update(part.claims[position].outcome for position in reasons)


class _Publisher:
    """Publishes the stored parts of one import, as its owner."""

    def __init__(self, database: Database, import_id: str, owner: str, check: StopCheck) -> None:
        self._database = database
        self._import_id = import_id
        self._owner = owner
        self._check = check
        self._encoders = RowEncoders.for_database(database)
        self._parts_at_once = FIRST_PARTS
        self._refused_part: int | None = None
        """The number of a part of one claim that is left out because the database refuses it."""

    def begin(self, prepared: PreparedImport, step: BeginStep | None) -> None:
        """Record the import itself, and what precedes its claims. Wait for another long import first.

        Raises:
            RegisterChanged: A record that the import depends on was changed.
        """
        renewed = time.monotonic()
        while True:
            try:
                with publishing_transaction(self._database, prepared.actor) as transaction:
                    self._begin(transaction, prepared, step)
            except _AnotherIsPublishing:
                _wait(self._database, prepared.request.check)
                if time.monotonic() - renewed > RENEWAL_SECONDS:
                    renew_lease(self._database, self._import_id, self._owner)
                    renewed = time.monotonic()
            else:
                return

    def _begin(self, transaction: WriteTransaction, prepared: PreparedImport, step: BeginStep | None) -> None:
        session = transaction.session
        if find_begun_imports(session, other_than=self._import_id):
            raise _AnotherIsPublishing
        state = load_state(session, self._import_id)
        if state is None or state["owner"] != self._owner:
            raise RegisterChanged  # this process was suspended, and another one has discarded the parts
        if step is not None:
            step(transaction)
        first = transaction.seq
        bulk = begin_import(transaction, prepared)
        bulk.finish()
        self._note_progress(transaction, first, {"is_begun": True, "checked_seq": first}, own_changes=0)
        self._add_step(transaction, first, rows=0, left_out={})

    def run(self) -> None:
        """Publish all parts that are left.

        Raises:
            Unavailable: The database has refused the next part too often.
        """
        failures = 0
        try:
            while True:
                try:
                    has_more = self._publish_next()
                except (SQLAlchemyError, Problem, RegisterChanged) as error:
                    failures += 1
                    if failures > MAX_FAILURES:
                        log_once("a part of an import cannot be published: %s", error, error=error, cause="part")
                        raise unfinished_problem(self._import_id, DATABASE_FAILS) from error
                    has_more = True
                    time.sleep(RETRY_SECONDS)
                else:
                    failures = 0
                if not has_more:
                    return
                self._check()
        except _LeaseLost:
            wait_for_import(self._database, self._import_id, self._check)
        except BaseException:
            with suppress(SQLAlchemyError):
                release_lease(self._database, self._import_id, self._owner)
            raise

    def _publish_next(self) -> bool:
        """Publish the next parts in one transaction; return whether there may be more."""
        began = time.monotonic()
        parts, is_end = self._read_parts()
        time.sleep(max(0.0, PAUSE_SECONDS[self._database.dialect] - (time.monotonic() - began)))
        try:
            with publishing_transaction(self._database, self._read_actor()) as transaction:
                locked = time.monotonic()
                published = self._publish(transaction, parts, is_end=is_end)
        except (Unavailable, OutcomeUnknown):
            raise  # the answer to a commit was lost; what is left is read again
        except _PartsChanged:
            return True
        except (RegisterChanged, Problem) as error:
            self._split(parts, error)
            return True
        if is_end and published == len(parts):
            self._erase_removed()
            return False
        elapsed = max(time.monotonic() - locked, 0.001)
        wanted = int(published * TARGET_SECONDS / elapsed)
        self._parts_at_once = max(1, min(wanted, 2 * self._parts_at_once, MAX_PARTS))
        return True

    def _erase_removed(self) -> None:
        """Erase what was taken down meanwhile from the files of SQLite: the parts may have contained it."""
        change = columns_of(Change)
        is_later = (TAKEDOWN_CHANGE, change.seq > self._checked_seq)
        with self._database.read_primary() as session:
            has_takedowns = session.execute(select(change.seq).where(*is_later).limit(1)).first() is not None
        if has_takedowns:
            erase_deleted_content(self._database)

    def _read_actor(self) -> str:
        if not hasattr(self, "_actor"):
            with self._database.read_primary() as session:
                state = load_state(session, self._import_id)
            if state is None:
                raise _LeaseLost
            self._actor = str(state["actor"])
            self._checked_seq = int(state["checked_seq"])
            self._converter = RowConverter(state["columns"], self._encoders)
        return self._actor

    def _read_parts(self) -> tuple[list[StoredPart], bool]:
        """Return the next parts, and whether they are the last ones."""
        self._read_actor()
        part = columns_of(ImportPart)
        statement = select(part.number, part.content).where(part.import_id == self._import_id).order_by(part.number)
        with self._database.read_primary() as session:
            rows = session.execute(statement.limit(self._parts_at_once + 1)).all()
        wanted = rows[: self._parts_at_once]
        parts = [self._converter.convert(decode_part(number, content)) for number, content in wanted]
        return parts, len(rows) <= self._parts_at_once

    def _publish(self, transaction: WriteTransaction, parts: Sequence[StoredPart], *, is_end: bool) -> int:
        """Write some of the parts and delete them; return how many."""
        began = time.monotonic()
        session = transaction.session
        state = load_state(session, self._import_id)
        if state is None or state["owner"] != self._owner:
            raise _LeaseLost
        if self._read_first_number(session) != (parts[0].number if parts else None):
            raise _PartsChanged
        record = load_current_version(transaction, ImportVersion, self._import_id)
        first = transaction.seq
        step = _PublishingStep(transaction, BulkInsert(transaction, session.get_bind().dialect), state)
        step.is_checked = first - state["checked_seq"] - state["own_changes"] > 0
        rows, published = 0, 0
        for part in parts:
            self._write_part(step, part)
            published += 1
            rows = max([rows, *(each.row_number + 1 for each in part.claims)])
            if published % PARTS_PER_FLUSH == 0:
                step.bulk.flush()
                if time.monotonic() - began > MAX_SECONDS:
                    break
        left_out = dict(step.left_out)
        step.bulk.finish()
        if published:
            part_columns = columns_of(ImportPart)
            is_own = part_columns.import_id == self._import_id
            is_written = part_columns.number <= parts[published - 1].number
            transaction.session.execute(delete(ImportPart).where(is_own, is_written))
        is_final = is_end and published == len(parts)
        if is_final:
            rows = self._record_end(step, record)
        self._add_step(transaction, first, rows=rows, left_out=left_out, is_final=is_final)
        if is_final:
            delete_state(transaction.session, self._import_id)
        else:
            values = {"left_out": left_out, "left_out_outcomes": dict(step.outcomes)}
            self._note_progress(transaction, first, values, own_changes=state["own_changes"])
        return published

    def _read_first_number(self, session: Session) -> int | None:
        part = columns_of(ImportPart)
        statement = select(func.min(part.number)).where(part.import_id == self._import_id)
        number: int | None = session.execute(statement).scalar()
        return number

    def _write_part(self, step: "_PublishingStep", part: StoredPart) -> None:
        """Write what can still be recorded of a part, and count the rest."""
        if part.number == self._refused_part:
            step.leave_out(part, dict.fromkeys(range(len(part.claims)), LeftOutReason.conflict))
            return
        documents, claims, relations = part.documents, part.claims, part.relations
        if step.is_checked or step.left_out:
            step.bulk.flush()
            session, snapshot = step.transaction.session, step.transaction.snapshot
            check = PartCheck(session, snapshot, self._encoders, self._import_id, step.state["checked_seq"])
            reasons = check.find_left_out(part)
            step.leave_out(part, reasons)
            documents = check.drop_documents(part)
            claims = [each for position, each in enumerate(claims) if position not in reasons]
            relations = check.keep_relations(part, [each.claim for each in claims])
        write_documents(step.bulk, documents, self._encoders.document)
        pending = [(each.claim, each.writes) for each in claims]
        updates = write_claims(step.bulk, pending, self._encoders, step.series)
        write_relations(step.bulk, relations, self._encoders.relation)
        has_repairs = any("repair" in writes for _, writes in pending)
        if updates or has_repairs:
            step.bulk.finish()
            update_imported_rows(step.transaction, step.series, updates)
        if has_repairs:
            write_repairs(step.transaction, pending)

    def _record_end(self, step: "_PublishingStep", record: Any) -> int:  # noqa: ANN401 - a row
        """Record that the import is published, with what was left out, and store the response to its request."""
        counts = {name: number - step.outcomes[name] for name, number in record["counts"].items()}
        columns = copy_state(record) | {"counts": counts}
        step.transaction.record(ImportVersion, self._import_id, columns, action="changed")
        answer = step.state["answer"]
        if answer is not None:
            answer |= {"body": None if answer["body"] is None else b64decode(answer["body"])}
            if step.left_out:
                answer = add_to_stored_response(answer, {"counts": counts, "left_out": dict(step.left_out)})
            insert_stored_response(step.transaction, answer)
        return int(counts["rows"])

    def _add_step(
        self,
        transaction: WriteTransaction,
        before: int,
        *,
        rows: int,
        left_out: dict[str, int],
        is_final: bool = False,
    ) -> None:
        """Record which changes this transaction makes. One without changes is no step."""
        if transaction.seq == before:
            return
        step = {"import_id": self._import_id, "first_seq": before + 1, "last_seq": transaction.seq}
        values = {**step, "rows": rows, "left_out": dict(left_out), "is_final": is_final}
        transaction.session.execute(insert(ImportStep).values(values))

    def _note_progress(
        self, transaction: WriteTransaction, before: int, values: dict[str, Any], *, own_changes: int
    ) -> None:
        own = own_changes + transaction.seq - before
        is_own = columns_of(PublishingImport).import_id == self._import_id
        progress = {**values, "own_changes": own, "alive_at": datetime.now(UTC)}
        transaction.session.execute(update(PublishingImport).where(is_own).values(progress))

    def _split(self, parts: Sequence[StoredPart], error: Exception) -> None:
        """Prepare another attempt with less: one part, then one claim, which is left out if it is refused again."""
        if len(parts) > 1:
            self._parts_at_once = 1
            return
        if not parts or parts[0].number == self._refused_part:
            raise error
        if len(parts[0].claims) <= 1:
            log_once("a claim of an import is left out: %s", error, error=error, cause="import")
            self._refused_part = parts[0].number
            return
        part = columns_of(ImportPart)
        with self._database.write() as session:
            state = load_state(session, self._import_id)
            if state is None or state["owner"] != self._owner:
                raise _LeaseLost from error
            is_same = (part.import_id == self._import_id, part.number == parts[0].number)
            deleted: Any = session.execute(delete(ImportPart).where(*is_same))
            if deleted.rowcount == 0:
                return  # an earlier transaction, whose answer was lost, has published it
            rows = [{"number": number, "content": content} for number, content in split_part(parts[0])]
            session.execute(insert(ImportPart), [{"import_id": self._import_id, **row} for row in rows])


def _read_result(database: Database, prepared: PreparedImport) -> None:
    """Add what was left out to the result of an import that is published."""
    result = prepared.result
    with database.read_primary() as session:
        result.left_out = read_final_step(session, result.id) or {}
        if not result.left_out:
            return
        imported = columns_of(ImportVersion)
        statement = select(imported.counts).where(imported.id == result.id, imported.until_seq.is_(None))
        counts = session.execute(statement).scalar_one()
    for outcome in result.statistics.claims:
        result.statistics.claims[outcome] = counts.get(outcome, 0)
