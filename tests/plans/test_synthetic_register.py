"""The synthetic register is one that the service could have recorded."""

from collections.abc import Callable

from app.database.engine import Database
from app.register.invariants import find_breaches
from tests.plans.synthetic_register import fill_register
from tests.registers import make_settings


def test_its_invariants_hold(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    fill_register(url, 2_000)
    database = Database(make_settings(url))
    assert list(find_breaches(database)) == []
    database.close()
