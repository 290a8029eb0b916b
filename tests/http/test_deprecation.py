"""What is deprecated is declared once: headers, the OpenAPI document and its texts follow."""

from datetime import date
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from app.http.deprecation import MIN_LIFETIME, Deprecation, deprecated, deprecations_of, mark_deprecated
from app.http.fast_route import FastRoute
from app.http.openapi import load_document
from app.main import DESCRIBED_ROUTES

SINCE, SUNSET = date(2027, 1, 1), date(2028, 1, 1)
HEADERS = {"deprecation": "@1798761600", "sunset": "Sat, 01 Jan 2028 00:00:00 GMT"}


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(route_class=FastRoute)

    @router.get("/old", operation_id="read_old")
    @deprecated(since=SINCE, sunset=SUNSET, instead="Use `/new`.")
    def read_old(number: int = 1) -> int:
        """Return a number."""
        return number

    @router.get("/new", operation_id="read_new")
    @deprecated(since=SINCE, sunset=SUNSET, instead="Use `number`.", parameter="n")
    def read_new(n: Annotated[int | None, Query(description="A number.")] = None, number: int = 1) -> JSONResponse:
        """Return a number."""
        return JSONResponse(n or number, headers={"Link": '</new>; rel="next"'})

    made = FastAPI()
    made.router.routes.extend(router.routes)
    return made


def find_deprecation_headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in HEADERS}


def test_a_deprecated_operation_says_so_in_every_answer(app: FastAPI) -> None:
    client = TestClient(app)
    for asked, status in (("/old", 200), ("/old?number=x", 422)):
        answer = client.get(asked)
        assert answer.status_code == status
        assert find_deprecation_headers(answer) == HEADERS
        assert answer.headers["link"] == '</docs>; rel="deprecation"; type="text/html"'


def test_a_deprecated_parameter_says_so_where_it_is_used(app: FastAPI) -> None:
    client = TestClient(app)
    assert find_deprecation_headers(client.get("/new?number=2")) == {}
    answer = client.get("/new?n=2")
    assert find_deprecation_headers(answer) == HEADERS
    assert answer.headers.get_list("link")[0] == '</new>; rel="next"'
    assert 'rel="deprecation"' in answer.headers["link"]


def test_the_document_marks_what_is_deprecated(app: FastAPI) -> None:
    document = app.openapi()
    mark_deprecated(document, app.router.routes)
    old, new = (document["paths"][path]["get"] for path in ("/old", "/new"))
    assert old["deprecated"]
    assert old["description"] == (
        "Return a number. Deprecated since 2027-01-01, works until 2028-01-01 at least. Use `/new`."
    )
    assert "deprecated" not in new
    by_name = {each["name"]: each for each in new["parameters"]}
    assert by_name["n"]["deprecated"]
    assert by_name["n"]["description"].endswith("Use `number`.")
    assert "deprecated" not in by_name["number"]


def test_nothing_works_for_a_shorter_time_than_was_promised() -> None:
    with pytest.raises(ValueError, match="at least 365 days"):
        Deprecation(SINCE, SINCE + MIN_LIFETIME * 0.9, "Use another.")


def test_every_deprecated_parameter_is_one_of_its_operation() -> None:
    document = load_document()
    for route in DESCRIBED_ROUTES:
        for deprecation in deprecations_of(getattr(route, "endpoint", None) or str):
            if deprecation.parameter:
                [operation] = document["paths"][getattr(route, "path", "")].values()
                names = [each.get("name") or each["$ref"].rpartition("/")[2] for each in operation["parameters"]]
                assert deprecation.parameter in names
