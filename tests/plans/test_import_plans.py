"""An import looks for other transcriptions of its rows in an index, so that it does not read all claims."""

import re
from collections.abc import Callable

from app.database.engine import Database
from app.imports.pipeline.transcriptions import STATEMENT_QUERIES, statement_parameters
from tests.plans.synthetic_register import fill_register
from tests.plans.test_feed_plans import explain
from tests.registers import make_settings

CLAIMS = 3_000


def test_recorded_statements_are_found_by_question_and_day(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    fill_register(url, CLAIMS)
    database = Database(make_settings(url))
    statements = [("category-0", "subject-0", "place-0", f"2024-01-{day:02}", "source-0") for day in range(1, 29)]
    with database.read() as session:
        parameters = statement_parameters(statements, database.dialect)
        plan = explain(session, STATEMENT_QUERIES[database.dialect], parameters)
    database.close()
    assert re.search("ix_claim_(topic|category|subject|place)_date", plan), plan
