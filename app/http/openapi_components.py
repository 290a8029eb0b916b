"""The shared components of the OpenAPI document: what many operations have in common is there once, by reference.

It makes the document a third as large, so that generated clients and their readers see each definition once.
"""

import re
from collections import Counter
from typing import Any

import orjson

from app.http.negotiation import JSON_MEDIA_TYPE, join_words

Json = dict[str, Any]

SUFFIX = ".{suffix}"
"""The end of the paths of files."""

FLAT_ROW = {
    "type": "object",
    "description": "A row with `fields`: only these columns, by CSV name.",
    "additionalProperties": True,
}
FLAT_ROW_REFERENCE = {"$ref": "#/components/schemas/FlatRow"}

GENERIC_NAME = re.compile(r"Listing_(\w+?)(?:Row)?_(?=\")")
"""The name that a page of a list has from Pydantic."""

MIN_USES = 2
"""How many operations have a parameter or header in common that becomes a component."""


def name_pages(document: Json) -> Json:
    """Return the document with the pages of lists named after their rows: `ClaimPage` for `Listing[Claim]`."""
    named: Json = orjson.loads(GENERIC_NAME.sub(r"\1Page", orjson.dumps(document).decode()))
    return named


def move_to_components(document: Json) -> None:
    """Replace equal parameters, headers, error responses and examples of records by references, in place.

    A parameter whose definition differs between operations is shared only in its most frequent form. The name of a
    component is that of the parameter, header, response or schema, and thus stays when operations are added.
    """
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    components: Json = document["components"]
    _share_problem(operations, components)
    _share_parameters(operations, components)
    _share_headers(operations, components)
    _share_examples(operations, components)
    for schema in components["schemas"].values():
        _remove_titles(schema)
        for info in schema.get("properties", {}).values():
            _join_null(info)
            if isinstance(info.get("default"), list | dict):
                # Not every generator of clients can write one; a field that is left out has it all the same.
                del info["default"]


def _share_parameters(operations: list[Json], components: Json) -> None:
    uses: dict[tuple[str, str], Counter[bytes]] = {}
    for operation in operations:
        for parameter in operation.get("parameters", []):
            _remove_repetitions(parameter)
            uses.setdefault((parameter["name"], parameter["in"]), Counter())[_key(parameter)] += 1
    shared: dict[bytes, str] = {}
    components["parameters"] = {}
    for (name, _place), forms in sorted(uses.items()):
        form, count = forms.most_common(1)[0]
        if count >= MIN_USES:
            shared[form] = f"#/components/parameters/{name}"
            components["parameters"][name] = orjson.loads(form)
    for operation in operations:
        if "parameters" in operation:
            operation["parameters"] = [_reference(each, shared) for each in operation["parameters"]]


def _remove_repetitions(parameter: Json) -> None:
    """Remove what FastAPI says twice, and the values that OpenAPI has by default."""
    schema = parameter["schema"]
    schema.pop("description", None)
    schema.pop("title", None)
    if not parameter["required"]:
        del parameter["required"]
    if schema.get("default") == []:
        del schema["default"]


def _share_headers(operations: list[Json], components: Json) -> None:
    components["headers"] = {}
    for operation in operations:
        for response in operation["responses"].values():
            for name, header in response.get("headers", {}).items():
                known = components["headers"].setdefault(name, header)
                if known == header:
                    response["headers"][name] = {"$ref": f"#/components/headers/{name}"}


def _share_examples(operations: list[Json], components: Json) -> None:
    """Let the responses with the same record have the same example: that of its own address, or the first one."""
    examples: Json = {}
    contents = [
        content
        for operation in sorted(operations, key=lambda each: not each["operationId"].startswith("read_"))
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        if "example" in content and _referred_schema(content)
    ]
    uses = Counter(map(_referred_schema, contents))
    for content in contents:
        reference = _referred_schema(content)
        if uses[reference] >= MIN_USES:
            name = reference.rpartition("/")[2]
            example = content.pop("example")
            examples.setdefault(name, {"value": example})
            content["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}
    components["examples"] = examples


def _referred_schema(content: Json) -> str:
    """Return the reference to the schema of a response, or to the first of several; empty if there is none."""
    schema = content.get("schema", {})
    [first, *_] = schema.get("anyOf", [schema])
    return str(first.get("$ref", ""))


def _share_problem(operations: list[Json], components: Json) -> None:
    """Describe the errors of all operations once: those of the client, and as the `default` response any other."""
    components["responses"] = {"Problem": operations[0]["responses"]["default"]}
    for operation in operations:
        operation["responses"] |= {key: {"$ref": "#/components/responses/Problem"} for key in ("4XX", "default")}


def _remove_titles(schema: Json) -> None:
    """Remove the titles that Pydantic derives from the names of fields and models."""
    schema.pop("title", None)
    for info in schema.get("properties", {}).values():
        info.pop("title", None)


def _join_null(info: Json) -> None:
    """Write `string or null` as one schema with two types, in place, and an integer or a number as a number."""
    if {"type": "integer"} in info.get("anyOf", []) and {"type": "number"} in info["anyOf"]:
        info["anyOf"].remove({"type": "integer"})  # an integer is a number, and generated clients need one type
        if len(info["anyOf"]) == 1:
            info["type"] = info.pop("anyOf")[0]["type"]
    match info.get("anyOf"):
        case [{"type": str(type_)} as schema, {"type": "null"}]:
            del info["anyOf"]
            info.update({**schema, "type": [type_, "null"]})


def _key(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _reference(value: Json, shared: dict[bytes, str]) -> Json:
    reference = shared.get(_key(value))
    return {"$ref": reference} if reference else value


def describe_files(document: Json) -> None:
    """Remove the operations of paths with a suffix, and name the suffixes in the operation without one, in place.

    An operation then has one type of response, which is that of a call of a generated client.
    """
    for path in [path for path in document["paths"] if path.endswith(SUFFIX)]:
        operation = document["paths"].pop(path)["get"]
        [suffix] = [each for each in operation["parameters"] if each["name"] == "suffix"]
        described = document["paths"][path.removesuffix(SUFFIX)]["get"]
        names = join_words((f"`.{name}`" for name in suffix["schema"]["enum"]), "or")
        described["description"] += f"\n\nAs a file: the same path with {names}."
        content = described["responses"]["200"]["content"]
        described["responses"]["200"]["content"] = {JSON_MEDIA_TYPE: content[JSON_MEDIA_TYPE]}
