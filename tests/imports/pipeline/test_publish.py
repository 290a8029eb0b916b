"""The transaction that publishes an import turns a violated constraint into `RegisterChanged`."""

from typing import Any

import pytest

from app.database.tables import ImportVersion
from app.database.transaction import WriteTransaction
from app.imports.pipeline.publish import RegisterChanged, publishing_transaction
from tests.registers import Register

COLUMNS: dict[str, Any] = {
    "actor": "desk",
    "mapping": "native",
    "series": None,
    "vintage": None,
    "files": [],
    "counts": {},
    "smell_counts": {},
    "smells": [],
}


def _record_twice(transaction: WriteTransaction, *, flush: bool) -> None:
    for _ in range(2):
        transaction.record(
            ImportVersion, "01a1f640-bc00-7942-b648-86578d874731", COLUMNS, action="created", is_new_key=True
        )
    if flush:
        transaction.flush()


@pytest.mark.parametrize("flush", [True, False], ids=["before the commit", "at the commit"])
def test_a_violated_constraint_means_that_the_register_changed(register: Register, *, flush: bool) -> None:
    with pytest.raises(RegisterChanged), publishing_transaction(register.database, "desk") as transaction:
        _record_twice(transaction, flush=flush)
    assert register.get("/v1/imports").json()["data"] == []
