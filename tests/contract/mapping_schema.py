"""The JSON schema of mappings, for editors: `python -m tests.contract.mapping_schema > docs/mapping.schema.json`."""

import json
import sys
from typing import Any

from app.imports.mappings.schema import Mapping

INHERITED_TABLES = ("ClaimMap", "CitationMap", "DocumentMap", "ConfidenceMap")
"""Tables that inherit fields from `[claim]`, so that none of their fields is required."""

GIVEN_SCHEMAS = [{"type": "string"}, {"$ref": "#/$defs/Pick"}]


def build_schema() -> dict[str, Any]:
    """Return the schema of the models, adapted to TOML (no null) and to inheritance from `[claim]`."""
    made = Mapping.model_json_schema()
    tables = made["$defs"]
    for name in INHERITED_TABLES:
        tables[name].pop("required")
    described = made["properties"]["claim"]["description"]
    made["properties"]["claim"] = {"$ref": "#/$defs/ClaimMap", "description": described}
    components = tables["CategoryInput"]["properties"]["components"]
    components["anyOf"] = [components["anyOf"][0], {"const": "unstated"}]
    components["description"] = (
        "The categories that a sum adds up; empty if it is not a sum; `unstated` if the source does not state them."
    )
    tables["Given"] = {
        "description": "Text in which `{column}` is replaced, or a table that selects a value.",
        "oneOf": GIVEN_SCHEMAS,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A mapping of Counterclaim",
        **_simplify_schema({name: value for name, value in made.items() if name != "title"}),
    }


def _simplify_schema(node: Any) -> Any:
    """Return `node` without null, which TOML lacks, and without titles that repeat the names."""
    if isinstance(node, list):
        return [_simplify_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {
        name: value
        for name, value in node.items()
        if not (name == "default" and (value is None or isinstance(value, dict)))
    }
    if isinstance(kept.get("title"), str) and ({"type", "$ref", "anyOf", "oneOf", "enum"} & kept.keys()):
        del kept["title"]
    given = [each for each in kept.get("anyOf", ()) if each != {"type": "null"}]
    if "anyOf" in kept and len(given) == 1:
        kept = {**given[0], **{name: value for name, value in kept.items() if name != "anyOf"}}
    elif given:
        kept["anyOf"] = given
    if (kept.get("oneOf") == GIVEN_SCHEMAS and "examples" in kept) or kept == {"oneOf": GIVEN_SCHEMAS}:
        kept = {"$ref": "#/$defs/Given", **{name: value for name, value in kept.items() if name != "oneOf"}}
    return {name: _simplify_schema(value) for name, value in kept.items()}


def render_schema() -> str:
    """Return the schema with one value per line, for readable diffs."""
    return json.dumps(build_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_schema())
