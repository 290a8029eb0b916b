"""The contract of `/v1` in a compact form, and what of it a later form breaks: see docs/stability.md.

`python -m tests.contract.baseline` writes tests/contract/baseline.json, the form that the tests compare with.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import known_problems
from app.http.list_columns import LIST_COLUMNS, table_schema
from app.http.openapi import load_document

Json = dict[str, Any]

BASELINE = Path(__file__).parent / "baseline.json"

PROMISES = {
    "address": "An address, its method and its formats stay.",
    "name": "Names stay: of operations, parameters, fields, schemas, columns, enumerations' values and problem codes.",
    "input": "A request that is accepted stays accepted: nothing new is required, no accepted value is refused.",
    "output": "A field of a response stays, is always present, and keeps its type.",
    "column": "Columns of files keep their order and type; new ones are only appended.",
    "problem": "A problem code keeps its status.",
}
"""The promises of docs/stability.md that this comparison keeps."""


def collect_contract() -> Json:
    """Return the contract: operations, schemas, columns and problem codes."""
    document = load_document()
    return {
        "operations": {
            f"{method} {path}": _operation(operation, document)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        },
        "schemas": {name: _schema(schema, document) for name, schema in document["components"]["schemas"].items()},
        "columns": {
            str(name): {field["name"]: _field_type(field) for field in table_schema(name)["fields"]}
            for name in LIST_COLUMNS
        },
        "keys": {str(name): list(declared.key) for name, declared in LIST_COLUMNS.items()},
        "problems": {code: problem.status for code, problem in known_problems().items()},
    }


def _field_type(field: Json) -> str:
    values = field.get("constraints", {}).get("enum")
    return f"{field['type']}({'|'.join(values)})" if values else str(field["type"])


def _operation(operation: Json, document: Json) -> Json:
    parameters = [_resolve(each, document) for each in operation.get("parameters", [])]
    body = operation.get("requestBody", {})
    return {
        "id": operation["operationId"],
        "parameters": {
            f"{each['in']} {each['name']}": describe_type(each["schema"])
            + (" required" if each.get("required") else "")
            for each in parameters
        },
        "body": {kind: describe_type(each["schema"]) for kind, each in body.get("content", {}).items()},
        "answers": {
            f"{status} {kind}": describe_type(each["schema"])
            for status, answer in operation["responses"].items()
            if status.startswith("2")
            for kind, each in _resolve(answer, document).get("content", {}).items()
        },
        "suffixes": re.findall(r"`(\.\w+)`", operation["description"].partition("As a file:")[2]),
    }


def _schema(schema: Json, document: Json) -> Json:
    """Return the type of a schema, and its fields with those of the schemas that it extends."""
    required = schema.get("required", ())
    fields = {
        name: _describe(each, is_required=name in required) for name, each in schema.get("properties", {}).items()
    }
    type_ = {**schema, "properties": None}
    for part in schema.get("allOf", ()):
        fields |= _schema(_resolve(part, document), document)["fields"]
        type_ |= {"type": "object"}
    return {"type": describe_type(type_), "fields": fields}


def _resolve(value: Json, document: Json) -> Json:
    kind, _, name = value.get("$ref", "").removeprefix("#/components/").partition("/")
    resolved: Json = document["components"][kind][name] if name else value
    return resolved


def _describe(schema: Json, *, is_required: bool) -> str:
    return describe_type(schema) + (" required" if is_required else "")


def describe_type(schema: Json) -> str:
    """Return the type of a schema as one text: alternatives are sorted and joined by `|`."""
    return "|".join(sorted(set(_alternatives(schema)))) or "any"


def _alternatives(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
        return
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _alternatives(each)
    if "const" in schema:
        yield json.dumps(schema["const"])
    elif "enum" in schema:
        yield from (json.dumps(value) for value in schema["enum"])
    else:
        kinds = schema.get("type", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind == "array":
                yield f"[{describe_type(schema.get('items', {}))}]"
            elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
                yield f"{{{describe_type(schema['additionalProperties'])}}}"
            else:
                yield f"{kind}({schema['format']})" if "format" in schema and kind != "null" else kind


def find_breaks(before: Json, after: Json) -> list[str]:
    """Return what of the contract `before` is broken by `after`, each with the promise. Additions break nothing."""
    inputs, outputs = _used_schemas(before)
    breaks = [*_operation_breaks(before["operations"], after["operations"])]
    breaks += _schema_breaks(before["schemas"], after["schemas"], inputs, outputs)
    for name, columns in before["columns"].items():
        breaks += _column_breaks(name, columns, after["columns"].get(name, {}))
        if before["keys"][name] != after["keys"].get(name):
            breaks.append(_break("column", f"list `{name}`: other columns identify a row"))
    for code, status in before["problems"].items():
        if code not in after["problems"]:
            breaks.append(_break("name", f"the problem code `{code}` is gone"))
        elif after["problems"][code] != status:
            breaks.append(_break("problem", f"the problem code `{code}` has another status"))
    return breaks


def _break(promise: str, what: str) -> str:
    return f"{what}. Broken promise: {PROMISES[promise]}"


def _operation_breaks(before: Json, after: Json) -> Iterator[str]:
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield _break("address", f"`{name}` is gone")
            continue
        if new["id"] != old["id"]:
            yield _break("name", f"`{name}`: the operation id `{old['id']}` is now `{new['id']}`")
        for suffix in set(old["suffixes"]) - set(new["suffixes"]):
            yield _break("address", f"`{name}`: no file `{suffix}` any more")
        yield from _input_breaks(name, old, new)
        for kind, type_ in old["answers"].items():
            if kind not in new["answers"]:
                yield _break("address", f"`{name}`: no answer `{kind}` any more")
            elif new["answers"][kind] != type_:
                yield _break("output", f"`{name}`: the answer `{kind}` is `{new['answers'][kind]}`, not `{type_}`")


def _input_breaks(name: str, old: Json, new: Json) -> Iterator[str]:
    for parameter, type_ in old["parameters"].items():
        if parameter not in new["parameters"]:
            yield _break("name", f"`{name}`: the parameter `{parameter}` is gone")
        elif not _accepts(new["parameters"][parameter], type_):
            yield _break("input", f"`{name}`: the parameter `{parameter}` takes less than `{type_}`")
    for parameter in new["parameters"].keys() - old["parameters"].keys():
        if new["parameters"][parameter].endswith(" required"):
            yield _break("input", f"`{name}`: the new parameter `{parameter}` is required")
    for kind, type_ in old["body"].items():
        if kind not in new["body"] or not _accepts(new["body"][kind], type_):
            yield _break("input", f"`{name}`: the body `{kind}` takes less than `{type_}`")


def _schema_breaks(before: Json, after: Json, inputs: set[str], outputs: set[str]) -> Iterator[str]:
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield _break("name", f"the schema `{name}` is gone")
            continue
        if not _accepts(new["type"], old["type"]):
            yield _break("name", f"`{name}`: the values `{old['type']}` are now `{new['type']}`")
        for field, type_ in old["fields"].items():
            found = new["fields"].get(field)
            if found is None:
                yield _break("name", f"`{name}`: the field `{field}` is gone")
                continue
            if name in outputs and not _accepts(type_, found, is_output=True):
                yield _break("output", f"`{name}`: the field `{field}` is `{found}`, not `{type_}`")
            if name in inputs and not _accepts(found, type_):
                yield _break("input", f"`{name}`: the field `{field}` takes less than `{type_}`")
        for field in new["fields"].keys() - old["fields"].keys():
            if name in inputs and new["fields"][field].endswith(" required"):
                yield _break("input", f"`{name}`: the new field `{field}` is required")


def _column_breaks(name: str, before: Json, after: Json) -> Iterator[str]:
    if not after:
        yield _break("name", f"the list `{name}` is gone")
    elif [*after][: len(before)] != [*before]:
        moved = next(
            column for column, other in zip(before, [*after, *[""] * len(before)], strict=False) if column != other
        )
        yield _break("column", f"list `{name}`: the column `{moved}` is gone or not in its place")
    else:
        for column, type_ in before.items():
            old, new = _values(type_), _values(after[column])
            if old[0] != new[0] or (new[1] and not old[1] <= new[1]) or (new[1] and not old[1]):
                yield _break("column", f"list `{name}`: the column `{column}` is `{after[column]}`, not `{type_}`")


def _values(column: str) -> tuple[str, set[str]]:
    kind, _, values = column.rstrip(")").partition("(")
    return kind, set(values.split("|")) - {""}


def _accepts(wide: str, narrow: str, *, is_output: bool = False) -> bool:
    """Return whether a type has all alternatives of another one.

    As an input, it may not be required if the other one is not; as an output, the other one must be required as well.
    """
    wide_type, wide_required = wide.removesuffix(" required"), wide.endswith(" required")
    narrow_type, narrow_required = narrow.removesuffix(" required"), narrow.endswith(" required")
    if wide_required and not narrow_required:
        return False
    values = narrow_type.split("|") if "[" not in narrow_type else [narrow_type]
    alternatives = wide_type.split("|") if "[" not in narrow_type else [wide_type]
    if is_output:  # further values of an enumeration may come
        values = [value for value in values if not value.startswith('"')]
    return wide_type == "any" or set(values) <= set(alternatives)


def _used_schemas(contract: Json) -> tuple[set[str], set[str]]:
    """Return the names of the schemas of requests, and of those of responses."""
    operations = contract["operations"].values()
    inputs = [type_ for each in operations for type_ in (*each["body"].values(), *each["parameters"].values())]
    outputs = [type_ for each in operations for type_ in each["answers"].values()]
    return _reachable(inputs, contract), _reachable([*outputs, "ProblemDetail"], contract)


def _reachable(types: list[str], contract: Json) -> set[str]:
    found: set[str] = set()
    rest = list(types)
    while rest:
        for name in re.findall(r"\w+", rest.pop()):
            if name in contract["schemas"] and name not in found:
                found.add(name)
                schema = contract["schemas"][name]
                rest += [schema["type"], *schema["fields"].values()]
    return found


def render(contract: Json) -> str:
    """Return a contract as JSON with one line for each operation, schema and list."""
    parts = []
    for part, entries in contract.items():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
        parts.append(f"{json.dumps(part)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    BASELINE.write_text(render(collect_contract()), encoding="utf-8")
