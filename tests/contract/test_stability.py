"""The contract of `/v1` is that of the baseline, or more than that: docs/stability.md."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.baseline import BASELINE, PROMISES, collect_contract, find_breaks, render

STABILITY = Path(__file__).parents[2] / "docs" / "stability.md"

Change = Callable[[dict[str, Any]], object]
FIND = "get /v1/claims"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return collect_contract()


def test_nothing_that_the_baseline_has_is_broken(contract: dict[str, Any]) -> None:
    assert find_breaks(json.loads(BASELINE.read_text(encoding="utf-8")), contract) == []


def test_every_promise_is_in_writing() -> None:
    text = " ".join(STABILITY.read_text(encoding="utf-8").split())
    assert [promise for promise in PROMISES.values() if promise not in text] == []


def test_a_contract_is_read_as_it_was_written(contract: dict[str, Any]) -> None:
    assert json.loads(render(contract)) == contract
    assert find_breaks(contract, contract) == []


BREAKS: dict[str, tuple[str, Change]] = {
    "an operation is removed": ("address", lambda c: c["operations"].pop(FIND)),
    "a suffix is removed": ("address", lambda c: c["operations"][FIND]["suffixes"].pop()),
    "an answer has another media type": (
        "address",
        lambda c: c["operations"][FIND].update(answers={"200 application/xml": "string"}),
    ),
    "an operation is renamed": ("name", lambda c: c["operations"][FIND].update(id="find")),
    "a parameter is removed": ("name", lambda c: c["operations"][FIND]["parameters"].pop("query category")),
    "a parameter becomes required": (
        "input",
        lambda c: c["operations"][FIND]["parameters"].update({"query category": "[string] required"}),
    ),
    "a parameter takes another type": (
        "input",
        lambda c: c["operations"][FIND]["parameters"].update({"query limit": "boolean"}),
    ),
    "a new parameter is required": (
        "input",
        lambda c: c["operations"][FIND]["parameters"].update({"query new": "string required"}),
    ),
    "a body is removed": ("input", lambda c: c["operations"]["post /v1/claims"]["body"].clear()),
    "an answer has another schema": (
        "output",
        lambda c: c["operations"]["get /v1/claims/{id}"]["answers"].update({"200 application/json": "Topic"}),
    ),
    "a schema is removed": ("name", lambda c: c["schemas"].pop("Claim")),
    "a value of an enumeration is removed": ("name", lambda c: c["schemas"]["Modality"].update(type='"count"')),
    "a field is removed": ("name", lambda c: c["schemas"]["Claim"]["fields"].pop("note")),
    "a field may be missing": ("output", lambda c: c["schemas"]["Claim"]["fields"].update(id="string")),
    "a field may be null": ("output", lambda c: c["schemas"]["Claim"]["fields"].update(id="null|string required")),
    "a new field of a request is required": (
        "input",
        lambda c: c["schemas"]["ClaimInput"]["fields"].update(new="string required"),
    ),
    "a column is removed": ("column", lambda c: c["columns"]["claims"].pop("value")),
    "a column comes first": (
        "column",
        lambda c: c["columns"].update(topics={"new": "string", **c["columns"]["topics"]}),
    ),
    "a column has another type": ("column", lambda c: c["columns"]["claims"].update(value="string")),
    "a column has fewer values": ("column", lambda c: c["columns"]["claims"].update(modality="string(count)")),
    "a row is identified otherwise": ("column", lambda c: c["keys"].update(claims=["url"])),
    "a list is removed": ("name", lambda c: (c["columns"].pop("topics"), c["keys"].update(topics=["slug"]))),
    "a problem code is removed": ("name", lambda c: c["problems"].pop("not_found")),
    "a problem code has another status": ("problem", lambda c: c["problems"].update(not_found=400)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_promise_is_named(contract: dict[str, Any], name: str) -> None:
    promise, change = BREAKS[name]
    changed = copy.deepcopy(contract)
    change(changed)
    breaks = find_breaks(contract, changed)
    assert breaks
    assert all(each.endswith(f"Broken promise: {PROMISES[promise]}") for each in breaks), breaks


def test_additions_break_nothing(contract: dict[str, Any]) -> None:
    changed = copy.deepcopy(contract)
    changed["operations"]["get /v1/new"] = changed["operations"][FIND]
    find = changed["operations"][FIND] = copy.deepcopy(changed["operations"][FIND])
    find["parameters"] |= {"query new": "string"}
    find["suffixes"].append(".new")
    changed["schemas"]["Claim"]["fields"]["new"] = "string required"
    changed["schemas"]["ClaimInput"]["fields"]["new"] = "string"
    changed["schemas"]["Modality"]["type"] += '|"hearsay"'
    changed["columns"]["claims"]["new"] = "string"
    changed["columns"]["claims"]["modality"] = changed["columns"]["claims"]["modality"][:-1] + "|hearsay)"
    changed["problems"]["new_problem"] = 422
    assert find_breaks(contract, changed) == []
