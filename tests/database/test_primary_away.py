"""A service that starts while the primary server of PostgreSQL is down answers reads from the replica."""

from collections.abc import Callable

import pytest

from tests.examples import assert_problem
from tests.postgresql_proxy import postgresql_proxy
from tests.registers import create_keys, make_settings, open_database, serve


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
def test_reads_are_answered_though_the_primary_was_never_reached(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    keys = create_keys(url)
    with postgresql_proxy(url) as (proxy, primary_url):
        proxy.is_away = True
        settings = make_settings(primary_url).model_copy(update={"database_read_url": url, "deadline": 4.0})
        database = open_database(settings)
        with serve(settings, database, keys) as register:
            assert register.get("/v1/claims?limit=1").json()["meta"]["count"] == 1
            refused = register.write("POST", "/v1/documents", {"title": "A document"})
            assert assert_problem(refused, 503, "unavailable")["reason"] == "away"
            problem = assert_problem(register.get("/health/ready"), 503, "unavailable")
            assert (problem["reads"], problem["writes"]) == (True, False)
            proxy.is_away = False
            assert register.write("POST", "/v1/documents", {"title": "A document"}).status_code == 201
            assert register.get("/health/ready").status_code == 200
        database.close()
