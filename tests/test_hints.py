"""A hint "did you mean …?" stands only where something is near, wherever a name or a value is refused."""

import ast
from pathlib import Path
from typing import Any

import pytest

from app.errors import find_nearest, suggest_nearest
from app.settings import InvalidSettings, read_settings
from tests.registers import Register

APP = Path(__file__).parents[1] / "app"
FAR = "xylem"
"""A word that is near no name or value of the service."""
NEAR = {
    "killd": ["killed", "wounded"],
    "datum": ["data", "rows"],
    "Uk": ["US", "UK"],
    "kursk": ["kursk-oblast", "kherson-oblast"],
    "datefrom": ["date_to", "date_from"],
    "naot": ["nato", "un"],
}
REFUSED = {
    "parameter": f"/v1/claims?{FAR}=1",
    "category": f"/v1/claims?category={FAR}",
    "source": f"/v1/claims?source={FAR}",
    "topic": f"/v1/claims?topic={FAR}",
    "enumeration": f"/v1/claims?modality={FAR}",
    "column": f"/v1/claims?fields={FAR}",
    "dimension": f"/v1/claims/counts?by={FAR}",
    "record": f"/v1/sources/{FAR}",
    "topic of a path": f"/v1/topics/{FAR}/side-by-side",
    "feed": f"/v1/topics/{FAR}/feed.atom",
    "problem": f"/problems/{FAR}",
    "page": f"/topics/{FAR}",
    "card": f"/embed/topics/{FAR}",
    "file": f"/v1/nothing-{FAR}",
}


@pytest.mark.parametrize("word", NEAR)
def test_a_near_candidate_is_found(word: str) -> None:
    [nearest] = set(find_nearest(word, NEAR[word])) & set(NEAR[word])
    assert suggest_nearest(word, NEAR[word]) == f"did you mean `{nearest}`?"


@pytest.mark.parametrize(
    ("word", "candidates"),
    [
        ("nope", ["nato", "noweb", "killed", "proposition"]),
        ("the minstry", ["the institute"]),
        ("kursk", ["kursk-oblast", "kursk-region"]),  # which of them was meant is not known
        ("uk", ["us", "un"]),
        ("", ["a"]),
        ("x" * 1_000, ["x" * 1_000]),
        ("weather", ["whether-it-rains", "wealth-of-a-region", "category"]),
    ],
)
def test_a_far_candidate_is_not_found(word: str, candidates: list[str]) -> None:
    assert find_nearest(word, candidates) == []


@pytest.mark.parametrize("kind", REFUSED)
def test_no_hint_of_an_answer_names_what_is_far(shared_starter_register: Register, kind: str) -> None:
    answer = shared_starter_register.get(REFUSED[kind])
    assert answer.status_code in (404, 422), answer.text
    assert "did you mean" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/claims", {FAR: 1}),
        ("POST", "/v1/claims", {"category": FAR, "subject": FAR, "place": FAR, "source": FAR, "modality": FAR}),
        ("PUT", f"/v1/topics/{FAR}", {"title": "x", "category": FAR, "subject": FAR, "place": FAR}),
        ("PUT", f"/v1/places/{FAR}", {"name": "x", "parents": [FAR]}),
        ("PUT", f"/v1/sources/{FAR}", {"name": "x", "kind": FAR, "interest": FAR, "terms": FAR}),
    ],
)
def test_no_hint_of_a_refused_write_names_what_is_far(
    starter_register: Register, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = starter_register.write(method, path, body)
    assert answer.status_code == 422
    assert "did you mean" not in answer.text


def test_no_hint_of_a_refused_row_names_what_is_far(starter_register: Register) -> None:
    file = f"category,subject,place,source,as_printed,{FAR}\n{FAR},{FAR},{FAR},{FAR},12,1\n"
    for text in (file, file.replace(f",{FAR}\n", "\n").replace(",1\n", "\n")):
        headers = starter_register.keys["admin"] | {"Content-Type": "text/csv"}
        answer = starter_register.request("POST", "/v1/imports", content=text, headers=headers)
        assert answer.status_code == 422, answer.text
        assert "did you mean" not in answer.text


def test_no_setting_that_is_far_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERCLAIM_WEATHER", "1")
    with pytest.raises(InvalidSettings) as caught:
        read_settings()
    assert str(caught.value) == "COUNTERCLAIM_WEATHER is not a setting; docs/settings.md lists them."


def test_one_module_decides_what_is_near() -> None:
    importing = {
        path.relative_to(APP).as_posix()
        for path in APP.rglob("*.py")
        if "difflib" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Import) and any(alias.name == "difflib" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "difflib")
    }
    assert importing == {"errors.py", "imports/mappings/columns.py"}  # the second refuses a mapping, with a threshold
