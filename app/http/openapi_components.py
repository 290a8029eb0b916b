"""The shared components of the OpenAPI document: what many operations have in common is there once, by reference.

It makes the document a third as large, so that generated clients and their readers see each definition once.
"""

import re
from collections import Counter
from typing import Any

import orjson

from app.http.negotiation import JSON_MEDIA_TYPE, join_words

Json = dict[str, Any]

PAGE_MEDIA_TYPE = "text/html"

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
    """Replace equal parameters, headers and error responses by references, and move examples to schemas, in place.

    The name of a component is that of the parameter, header, response or schema: it stays when operations are added.
    """
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    components: Json = document["components"]
    _share_problem(operations, components)
    _share_pages(operations, components)
    _share_parameters(document["paths"], components)
    _share_headers(operations, components)
    for name, schema in components["schemas"].items():
        _remove_titles(schema)
        if name.endswith("Page"):
            for info in (schema["properties"][field] for field in ("meta", "links") if field in schema["properties"]):
                info.pop("description", None)  # that of the schema to which they refer
        for info in schema.get("properties", {}).values():
            _join_null(info)
            if isinstance(info.get("default"), list | dict):
                # Not every generator of clients can write one; a field that is left out has it all the same.
                del info["default"]
    _move_examples(operations, components["schemas"])
    _extend_schemas(components["schemas"])


def _share_parameters(paths: Json, components: Json) -> None:
    """Let operations have equal parameters in common.

    The most frequent definition of a name is the component with that name. Others are named after the first part of the
    path where they are first used, too: `id_documents`.
    """
    uses: dict[tuple[str, str], Counter[bytes]] = {}
    first_parts: dict[bytes, str] = {}
    for path, item in paths.items():
        for parameter in (each for operation in item.values() for each in operation.get("parameters", [])):
            _remove_repetitions(parameter)
            uses.setdefault((parameter["name"], parameter["in"]), Counter())[_key(parameter)] += 1
            first_parts.setdefault(_key(parameter), path.removeprefix("/v1").split("/")[1] or "pages")
    shared: dict[bytes, str] = {}
    components["parameters"] = {}
    for (name, _place), forms in sorted(uses.items()):
        for form, count in forms.most_common():
            full_name = f"{name}_{first_parts[form]}" if name in components["parameters"] else name
            if count >= MIN_USES and full_name not in components["parameters"]:
                shared[form] = f"#/components/parameters/{full_name}"
                components["parameters"][full_name] = orjson.loads(form)
    for operation in (operation for item in paths.values() for operation in item.values()):
        if "parameters" in operation:
            operation["parameters"] = [_reference(each, shared) for each in operation["parameters"]]


def _remove_repetitions(parameter: Json) -> None:
    """Remove what FastAPI says twice, and the values that OpenAPI has by default."""
    schema = parameter["schema"]
    schema.pop("description", None)
    schema.pop("title", None)
    if not parameter["required"]:
        del parameter["required"]
    if "example" in parameter:
        schema.pop("examples", None)
    if schema.get("default") == []:
        del schema["default"]


def _share_headers(operations: list[Json], components: Json) -> None:
    components["headers"] = {}
    for operation in operations:
        for response in [*operation["responses"].values(), *components["responses"].values()]:
            for name, header in response.get("headers", {}).items():
                known = components["headers"].setdefault(name, header)
                if known == header:
                    response["headers"][name] = {"$ref": f"#/components/headers/{name}"}


def _move_examples(operations: list[Json], schemas: Json) -> None:
    """Move the examples of responses to the schemas of their records: that of its own address, or the first one.

    A list has the example of its rows. A page that shows the document puts lists and records together from these.
    """
    for operation in sorted(operations, key=lambda each: not each["operationId"].startswith("read_")):
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                name = referred_schema(content)
                if name and "example" in content:
                    example = content.pop("example")
                    rows = referred_schema({"schema": schemas[name]["properties"].get("data", {}).get("items", {})})
                    if name.endswith("Page"):
                        name, [example] = rows, example["data"][:1]
                    schemas[name].setdefault("examples", [_shorten_lists(example)])
    for name, base in EXTENDED_SCHEMAS.items():
        if "examples" in schemas[base]:  # with the examples of what is added, it is one of this schema
            schemas[name].pop("examples", None)
    for schema in schemas.values():
        for example in schema.get("examples", ()):
            _remove_shown_examples(schema, example, schemas)


MAX_EXAMPLE_ITEMS = 1
"""How many items of each list an example shows."""


def _shorten_lists(example: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(example, dict):
        return {name: _shorten_lists(each) for name, each in example.items()}
    if isinstance(example, list):
        return [_shorten_lists(each) for each in example[:MAX_EXAMPLE_ITEMS]]
    return example


def referred_schema(content: Json) -> str:
    """Return the name of the schema of a response, or of the first of several; empty if it has no name."""
    schema = content.get("schema", {})
    [first, *_] = schema.get("anyOf", [schema])
    return str(first.get("$ref", "")).rpartition("/")[2]


def _remove_shown_examples(schema: Json, example: Any, schemas: Json) -> None:  # noqa: ANN401 - any JSON value
    """Remove the examples of fields of which an example of the whole shows a value, in place."""
    for part in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if reference := part.get("$ref"):
            _remove_shown_examples(schemas[reference.rpartition("/")[2]], example, schemas)
        if isinstance(example, list) and "items" in part:
            for each in example:
                _remove_shown_examples(part["items"], each, schemas)
        if isinstance(example, dict):
            for name, info in part.get("properties", {}).items():
                if example.get(name) not in (None, [], {}):
                    info.pop("examples", None)
                    _remove_shown_examples(info, example[name], schemas)


EXTENDED_SCHEMAS = {
    "Document": "DocumentSummary",
    "DocumentRevision": "Document",
    "Revision": "Claim",
    "RemovedRevision": "Tombstone",
    "Assessment": "Confidence",
}
"""A schema → the one that it extends: all of whose fields it has, with the same definitions."""


def _extend_schemas(schemas: Json) -> None:
    """Define each schema that extends another by what it adds to it, in place."""
    extending: Json = {}
    for name, base in EXTENDED_SCHEMAS.items():
        schema, general = schemas[name], schemas[base]
        properties = {
            field: info for field, info in schema["properties"].items() if info != general["properties"].get(field)
        }
        inherited = set(general.get("required", ())) - properties.keys()
        required = [field for field in schema.get("required", ()) if field not in inherited]
        own = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        rest = {key: value for key, value in schema.items() if key not in own}
        rest.pop("required", None)
        extending[name] = {**rest, "allOf": [{"$ref": f"#/components/schemas/{base}"}, own]}
    schemas.update(extending)


def _share_problem(operations: list[Json], components: Json) -> None:
    """Describe the errors of all operations once: those of the client, and as the `default` response any other."""
    components["responses"] = {"Problem": operations[0]["responses"]["default"]}
    for operation in operations:
        operation["responses"] |= {key: {"$ref": "#/components/responses/Problem"} for key in ("4XX", "default")}


def _share_pages(operations: list[Json], components: Json) -> None:
    """Describe the response of all pages for people once."""
    for operation in operations:
        if PAGE_MEDIA_TYPE in operation["responses"].get("200", {}).get("content", {}):
            components["responses"].setdefault("Page", operation["responses"]["200"])
            operation["responses"]["200"] = {"$ref": "#/components/responses/Page"}


def _remove_titles(schema: Json) -> None:
    """Remove the titles that Pydantic derives from the names of fields and models."""
    schema.pop("title", None)
    for info in schema.get("properties", {}).values():
        info.pop("title", None)


def _join_null(info: Json) -> None:
    """Write several types without more as one schema with these types, in place.

    An integer or a number is written as a number.
    """
    if {"type": "integer"} in info.get("anyOf", []) and {"type": "number"} in info["anyOf"]:
        info["anyOf"].remove({"type": "integer"})  # an integer is a number, and generated clients need one type
        if len(info["anyOf"]) == 1:
            info["type"] = info.pop("anyOf")[0]["type"]
    match info.get("anyOf"):
        case [*kinds] if all(kind.keys() == {"type"} for kind in kinds):
            del info["anyOf"]
            info["type"] = [kind["type"] for kind in kinds]
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
