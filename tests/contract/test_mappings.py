"""The examples of docs/mappings.md give the claims that are shown, and the JSON schema equals the models.

A block of TOML is a part that is laid over the page's first mapping; the blocks of CSV and JSON after it are files, and
the text after those is what becomes of them. Named files are imported one after the other into a register.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from app.cli import main
from app.imports.mappings.inheritance import inherit_claim, merge_tables
from app.imports.mappings.load import shipped_mappings, validate_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.row_mapping import ClaimDraft
from app.imports.readers.reader import FileReader
from tests.contract.mapping_schema import build_schema, render_schema
from tests.contract.reference import DOCS, format_toml, format_toml_key
from tests.imports.readers.file_helpers import write_file
from tests.registers import Register

PAGE = DOCS / "mappings.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
SCHEMA_LINE = "#:schema ../../../docs/mapping.schema.json"


@dataclass
class Example:
    """An example: a part of a mapping, files, and the expected result."""

    part: dict[str, Any] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)
    shown: str = ""

    @property
    def named(self) -> bool:
        return bool(self.files) and not self.files[0][0].startswith("rows.")


def examples() -> Iterator[Example]:
    example = Example()
    for kind, name, content in BLOCK.findall(PAGE.read_text("utf-8")):
        match kind:
            case "toml":
                assert not example.part, f"nothing is shown of {example.part}"
                example.part = tomllib.loads(content)
            case "csv" | "json":
                example.files.append((name or f"rows.{kind}", content))
            case "text" if example.files:
                example.shown = content
                yield example
                example = Example()
    assert not example.part


EXAMPLES = list(examples())
BASE = EXAMPLES[0].part


def laid_over(part: dict[str, Any]) -> dict[str, Any]:
    """Return the first mapping of the page with a part replaced."""
    claims = part.get("claims", {})
    if "claim" in part:
        return {**BASE, **part}
    first = BASE["claims"]["killed"]
    own = {name: inherit_claim(first, claim) for name, claim in claims.items()}
    tables = {name: merge_tables(BASE.get(name), table) for name, table in part.items()}
    return {**BASE, **tables, "claims": {**BASE["claims"], **own}}


def format_figure(figure: dict[str, Any]) -> str:
    """Return a figure in short form."""
    value, lower, upper = (figure.get(name) for name in ("value", "lower", "upper"))
    about = "about " if figure.get("approximate") else ""
    if lower is not None and upper is not None:
        bounds = f"{lower}–{upper}"
        return f"{value} ({bounds})" if value is not None else bounds
    if lower is not None:
        return f"{'≥' if figure.get('lower_inclusive', True) else '>'} {lower}"
    if upper is not None:
        return f"{'≤' if figure.get('upper_inclusive', True) else '<'} {upper}"
    whole = f" of {figure['out_of']}" if "out_of" in figure else ""
    return f"{about}{value}{whole}"


def cell(draft: ClaimDraft, path: str) -> str:
    """Return a field of a claim as the page shows it."""
    found: Any = {**draft.claim_input, **draft.claim_input["citations"][0]}
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if path == "figure":
        return format_figure(draft.claim_input["figure"])
    if path == "period":
        return str(draft.claim_input["period"]["edtf"])
    return "-" if found is None else str(found)


def run_example(example: Example, folder: Path) -> list[list[str]]:
    """Return the result of an example: the fields that its first line names, or the reasons for refusal."""
    shown = example.shown.splitlines()
    head = [] if shown[0].startswith("refused: ") else re.split(r" {2,}", shown[0])
    lines = [head] if head else []
    plan = MappingRowMapper("example", validate_mapping(laid_over(example.part), "example"))
    for name, content in example.files:
        for row in FileReader([write_file(folder, name, content)], plan.options):
            made = plan.map_row(row)
            names = [draft.name for draft in made.drafts]
            lines += [[cell(draft, path) for path in head] for draft in made.drafts if not made.faults]
            lines += [[f"smell: {smell.detail}"] for smell in made.anomalies]
            lines += [[f"skipped: {made.skip_reason}"]] if made.skip_reason else []
            lines += [[f"refused: {reason}"] for reason in made.faults]
            lines += [[f"relation: {names[one]} {type_} {names[two]}"] for one, type_, two in made.relations]
            lines += [[f"new {kind.name}: {slug}"] for kind, slug, _ in made.records]
    return lines


@pytest.mark.parametrize("number", [n for n, each in enumerate(EXAMPLES) if not each.named])
def test_rows_become_what_the_page_shows(tmp_path: Path, number: int) -> None:
    example = EXAMPLES[number]
    whole = (line for line in example.shown.splitlines())
    shown = [[line] if re.match(r"[a-z]+( [a-z]+)?: ", line) else re.split(r" {2,}", line) for line in whole]
    assert run_example(example, tmp_path) == shown


@pytest.mark.parametrize("number", [n for n, each in enumerate(EXAMPLES) if each.named])
def test_files_that_come_again_do_what_the_page_shows(starter_register: Register, number: int) -> None:
    example = EXAMPLES[number]
    contents = dict(example.files)
    for line in example.shown.splitlines():
        name, _, wanted = line.partition("  ")
        answer = starter_register.post(
            "/v1/imports",
            files={"file": (name, contents[name])},
            data={"mapping": mapping_as_toml(laid_over(example.part))},
            headers=starter_register.keys["editor"],
        ).json()
        counts = {what: count for what, count in answer["counts"].items() if count and what != "rows"}
        assert ", ".join(f"{what} {count}" for what, count in counts.items()) == wanted


def mapping_as_toml(mapping: dict[str, Any]) -> str:
    """Return a mapping as TOML."""
    return "\n".join(f"{format_toml_key(name)} = {format_toml(value)}" for name, value in mapping.items())


def test_a_refused_mapping_is_told_as_the_page_shows() -> None:
    shown = next(block for kind, _, block in BLOCK.findall(PAGE.read_text("utf-8")) if "is not a mapping" in block)
    given = laid_over({"claims": {"killed": {"figure": {"scael": 1}, "note": "{day!r}"}}})
    del given["claims"]["killed"]["source"]
    with pytest.raises(Exception, match="is not a mapping") as wrong:
        validate_mapping(given, "dead.toml")
    assert sorted(str(wrong.value).splitlines()) == sorted(shown.splitlines())


def test_the_page_shows_every_word_of_the_language() -> None:
    above = PAGE.read_text("utf-8").partition("## Mappings that come with the service")[0]
    known = build_schema()["$defs"]
    for table in ("Pick", "FigureMap", "PeriodMap", "Condition", "VintageMap", "RelationMap", "DayCheck", "NewRecord"):
        for name in known[table]["properties"]:
            assert re.search(rf"\b{name}\b", above), f"{table}: {name}"


def test_the_committed_schema_is_the_language() -> None:
    assert (DOCS / "mapping.schema.json").read_text("utf-8") == render_schema(), (
        "run `make openapi`, which regenerates it"
    )


def as_json(value: Any) -> Any:
    """Return TOML data as JSON data."""
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


VALIDATOR = jsonschema.Draft202012Validator(build_schema())


@pytest.mark.parametrize("name", shipped_mappings())
def test_every_shipped_mapping_fits_the_schema(name: str) -> None:
    written_down = shipped_mappings()[name].read_text("utf-8")
    assert written_down.splitlines()[0] == SCHEMA_LINE
    VALIDATOR.validate(as_json(tomllib.loads(written_down)))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_fits_the_schema(number: int) -> None:
    VALIDATOR.validate(as_json(laid_over(EXAMPLES[number].part)))


@pytest.mark.parametrize(
    ("part", "fits"),
    [
        ({"claim": {"sorce": "x"}}, False),
        ({"claims": {"killed": {"note": {"colum": "x"}}}}, False),
        ({"claims": {"killed": {"note": 3}}}, False),
        ({"claims": {"killed": {"figure": {"decimal": ";"}}}}, False),
        ({"vintage": {"key": ["x"], "on_change": "replace"}}, False),
        ({"claim": {"subject": "x"}, "claims": {"killed": {}}}, True),
        ({"categories": {"a": {"name": "A", "definition": "A.", "unit": "a", "non_decreasing": True}}}, True),
    ],
)
def test_the_schema_tells_what_an_editor_should_mark(part: dict[str, Any], *, fits: bool) -> None:
    assert VALIDATOR.is_valid({**BASE, **part}) == fits


def test_the_schema_is_one_that_validators_read() -> None:
    jsonschema.Draft202012Validator.check_schema(build_schema())
    assert "null" not in re.sub(r'"null",', "", json.dumps(build_schema(), indent=0))


def test_the_page_on_imports_names_every_option_of_the_command() -> None:
    page = (DOCS / "imports.md").read_text("utf-8")
    command = main.commands["import"]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert max(parameter.opts, key=len) in page, parameter.opts
