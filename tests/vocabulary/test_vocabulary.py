"""Categories, subjects and places have versions, refer to existing records, and cannot change the meaning of claims."""

from typing import Any

import pytest
from sqlalchemy import select

from app.database.tables import VERSION_TABLES, Version, columns_of
from app.enums import ALL_ENUMS
from tests.examples import (
    assert_problem,
    make_category_body,
    make_claim_body,
    make_source_body,
    make_topic_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

KINDS = [
    ("/v1/categories", "category", make_category_body(), {"definition": "Counted otherwise."}),
    ("/v1/subjects", "subject", {"name": "A subject"}, {"definition": "Who belongs to it."}),
    ("/v1/places", "place", {"name": "A place"}, {"parents": ["war", "front"]}),
    ("/v1/sources", "source", make_source_body(), {"interest": "aligned"}),
    ("/v1/topics", "topic", make_topic_body(), {"tolerance": 0.05}),
]


def versions(register: Register, kind: str, slug: str) -> list[Any]:
    table: type[Version] = VERSION_TABLES[kind]
    columns = columns_of(table)
    with register.database.read() as session:
        return list(session.execute(select(*columns).where(columns.slug == slug).order_by(columns.seq)))


@pytest.mark.parametrize(("path", "kind", "body", "change"), KINDS, ids=[kind for _, kind, _, _ in KINDS])
def test_a_change_makes_a_new_version_and_an_identical_write_makes_none(
    register: Register, path: str, kind: str, body: dict[str, Any], change: dict[str, Any]
) -> None:
    record_example_vocabulary(register)
    at = f"{path}/a-new-one"
    before = read_latest_seq(register)
    made = register.write("PUT", at, body, role="editor")
    assert made.status_code == 201
    assert made.headers["location"] == at
    assert made.json().items() >= {"slug": "a-new-one", "revision": 1, "seq": before + 1, **body}.items()
    assert read_latest_seq(register) == before + 1

    again = register.write("PUT", at, body, role="editor")
    assert (again.status_code, again.json()) == (200, made.json())
    assert "location" not in again.headers
    assert read_latest_seq(register) == before + 1

    changed = register.write("PUT", at, body | change)
    assert changed.status_code == 200
    assert changed.json().items() >= {**body, **change, "revision": 2, "seq": before + 2}.items()
    assert register.get(at).json() == changed.json()

    old, new = versions(register, kind, "a-new-one")
    assert (old.seq, old.until_seq) == (before + 1, before + 2)
    assert (new.seq, new.until_seq) == (before + 2, None)
    assert old.recorded_until == new.recorded_at
    assert (old.revision, new.revision) == (1, 2)
    was = register.get(at, params={"recorded_as_of": f"seq:{before + 1}"})
    assert was.json() == made.json()


@pytest.mark.parametrize("slug", ["Upper", "a_b", "a--b", "-a", "a-", "ä", "a%00", "a" * 81, "a b", "a.b"])
@pytest.mark.parametrize(
    ("path", "body"), [(path, body) for path, _, body, _ in KINDS], ids=lambda each: str(each)[:15]
)
def test_a_slug_that_is_none_is_refused(
    shared_starter_register: Register, path: str, body: dict[str, Any], slug: str
) -> None:
    problem = assert_problem(shared_starter_register.write("PUT", f"{path}/{slug}", body), 422, "invalid_request")
    assert problem["errors"][0]["location"] == "path"
    assert_problem(shared_starter_register.get(f"{path}/{slug}"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "slug", "meant"),
    [
        ("/v1/categories", "casualtie", "casualties"),
        ("/v1/subjects", "rusian-forces", "russian-forces"),
        ("/v1/places", "kursk-oblats", "kursk-oblast"),
        ("/v1/sources", "csi", "csis"),
        ("/v1/topics", "russian-casualty", "russian-casualties"),
    ],
)
def test_what_does_not_exist_is_404_with_the_nearest_name(
    shared_starter_register: Register, path: str, slug: str, meant: str
) -> None:
    for address in (f"{path}/{slug}", *([f"{path}/{slug}/claims"] if path == "/v1/topics" else [])):
        problem = assert_problem(shared_starter_register.get(address), 404, "not_found")
        assert problem["hint"] == f"did you mean `{meant}`?"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/categories/sum", make_category_body(components=["killed", "woundet"]), "#/components/1"),
    ("/v1/categories/sum", make_category_body(parent="kiled"), "#/parent"),
    ("/v1/categories/sum", make_category_body(components=["killed", "sum"]), "#/components/1"),
    ("/v1/categories/sum", make_category_body(parent="sum"), "#/parent"),
    ("/v1/categories/sum", make_category_body(unit=""), "#/unit"),
    ("/v1/categories/sum", make_category_body(unit="u" * 41), "#/unit"),
    ("/v1/categories/sum", make_category_body(name="a\0"), "#/name"),
    ("/v1/categories/sum", {"name": "x", "definition": "y", "unit": "z"}, "#/non_decreasing"),
    ("/v1/categories/sum", make_category_body(non_decreasing="maybe"), "#/non_decreasing"),
    ("/v1/categories/sum", make_category_body(parents=["killed"]), "#/parents"),
    ("/v1/subjects/new", {"name": "x", "parents": ["amry"]}, "#/parents/0"),
    ("/v1/subjects/new", {"name": "x", "parents": ["new"]}, "#/parents/0"),
    ("/v1/subjects/new", {"name": ""}, "#/name"),
    ("/v1/subjects/new", {"name": "x" * 301}, "#/name"),
    ("/v1/subjects/new", {"name": "x", "slug": "y"}, "#/slug"),
    ("/v1/places/new", {"name": "x", "parents": ["war", "warr"]}, "#/parents/1"),
    ("/v1/places/new", {"name": "x", "definition": "y" * 5_001}, "#/definition"),
    ("/v1/places/new", {"name": "x", "parents": "war"}, "#/parents"),
]


def test_a_word_that_breaks_the_contract_is_refused_where_it_stands(register: Register) -> None:
    record_example_vocabulary(register)
    before = read_latest_seq(register)
    for path, body, pointer in REFUSED:
        problem = assert_problem(register.write("PUT", path, body), 422)
        assert pointer in [error["pointer"] for error in problem["errors"]], (path, body, problem)
        assert_problem(register.get(path), 404)
    assert read_latest_seq(register) == before


def test_nothing_lies_within_itself(register: Register) -> None:
    record_example_vocabulary(register)
    circles = [
        ("/v1/categories/killed", make_category_body(parent="killed-named"), "#/parent"),
        ("/v1/categories/killed", make_category_body(parent="casualties"), "#/parent"),
        ("/v1/categories/killed", make_category_body(components=["casualties"]), "#/components"),
        (
            "/v1/categories/wounded",
            make_category_body("Wounded", components=["killed-named", "casualties"]),
            "#/components",
        ),
        ("/v1/subjects/army", {"name": "The army", "parents": ["brigade"]}, "#/parents"),
        ("/v1/places/war", {"name": "The war", "parents": ["front"]}, "#/parents"),
    ]
    before = read_latest_seq(register)
    for path, body, pointer in circles:
        problem = assert_problem(register.write("PUT", path, body), 422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert "part of itself" in problem["detail"]
    assert read_latest_seq(register) == before


def test_sources_that_speak_for_each_other_or_in_a_long_chain_are_refused(register: Register) -> None:
    record_example_vocabulary(register)  # the minister speaks for the ministry

    def put(slug: str, speaks_for: str) -> Any:
        return register.write("PUT", f"/v1/sources/{slug}", make_source_body(slug, speaks_for=speaks_for))

    for slug, principal in (("spokesman", "minister"), ("deputy", "spokesman"), ("clerk", "deputy")):
        assert put(slug, principal).status_code == 201
    before = read_latest_seq(register)
    refused = {
        ("ministry", "minister"): "speaks for `ministry` already",
        ("minister", "spokesman"): "speaks for `minister` already",
        ("ministry", "deputy"): "speaks for `ministry` already",
        ("intern", "clerk"): "at most 4 sources",
        ("ministry", "institute"): "at most 4 sources",
    }
    for (slug, principal), detail in refused.items():
        problem = assert_problem(put(slug, principal), 422)
        assert [error["pointer"] for error in problem["errors"]] == ["#/speaks_for"]
        assert detail in problem["errors"][0]["detail"]
        assert problem["errors"][0]["hint"]
    assert read_latest_seq(register) == before


def test_a_category_in_use_keeps_its_unit_components_and_parent(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    submit_claim(register, make_claim_body(category="casualties"))
    before = read_latest_seq(register)
    for slug, body, changed in (
        ("killed", make_category_body(unit="bodies"), "unit"),
        ("killed", make_category_body(components=["wounded"]), "components"),
        ("killed", make_category_body(components=None), "components"),
        ("killed", make_category_body(parent="survived"), "parent"),
        ("casualties", make_category_body("Casualties", components=["killed"]), "components"),
        ("casualties", make_category_body("Casualties"), "components"),
    ):
        problem = assert_problem(register.write("PUT", f"/v1/categories/{slug}", body), 409, "in_use")
        assert [error["pointer"] for error in problem["errors"]] == [f"#/{changed}"]
        assert problem["hint"]
    assert read_latest_seq(register) == before
    renamed = register.write("PUT", "/v1/categories/killed", make_category_body("Dead", non_decreasing=False))
    assert (renamed.status_code, renamed.json()["revision"]) == (200, 2)
    unused = register.write("PUT", "/v1/categories/survived", make_category_body("Survived", unit="people"))
    assert unused.status_code == 200


def test_components_tell_an_atom_from_a_sum_and_from_what_nobody_says(register: Register) -> None:
    record_example_vocabulary(register)
    for given, shown in (
        (..., ["losses"]),
        ([], ["losses"]),
        (["losses"], ["losses"]),
        (["killed", "wounded"], ["killed", "wounded"]),
        (None, None),
    ):
        body = make_category_body("Losses") if given is ... else make_category_body("Losses", components=given)
        answer = register.write("PUT", "/v1/categories/losses", body)
        assert answer.json()["components"] == shown


def test_every_word_of_the_contract_is_listed_with_its_definition(shared_starter_register: Register) -> None:
    rows = read_all_rows(shared_starter_register, "/v1/vocabulary")
    assert [row["word"] for row in rows] == [term.value for enumeration in ALL_ENUMS for term in enumeration]
    assert all(row["definition"].endswith(".") for row in rows)
    assert len({row["key"] for row in rows}) == len(rows)
    words = {(row["enumeration"], row["word"]) for row in rows}
    assert words >= {("verdict", "not_comparable"), ("reason", "part_of_whole"), ("figure_kind", "lower_bound")}
    assert words >= {("reliability", "F"), ("credibility", "6"), ("source_kind", "think_tank")}


def test_every_column_is_described_and_shows_where_it_comes_from(shared_starter_register: Register) -> None:
    claims = shared_starter_register.get("/v1/claims", params={"limit": 1}).json()["data"][0]
    for row in read_all_rows(shared_starter_register, "/v1/columns"):
        assert row["description"]
        assert row["type"] in ("string", "number", "integer", "boolean", "date", "datetime")
        found: Any = claims
        for step in row["path"].split("."):
            found = found[0] if isinstance(found, list) else found
            assert found is None or step in found
            found = None if found is None else found[step]


def test_the_lists_are_in_the_order_of_their_slugs(shared_starter_register: Register) -> None:
    for path in ("categories", "subjects", "places", "sources", "topics"):
        slugs = [row["slug"] for row in read_all_rows(shared_starter_register, f"/v1/{path}")]
        assert slugs == sorted(slugs)
        assert all(shared_starter_register.get(f"/v1/{path}/{slug}").status_code == 200 for slug in slugs[:3])
