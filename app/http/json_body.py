"""Parsing of JSON request bodies (RFC 8259): no repeated key, no NaN, and a bounded number of keys and items."""

import json
from typing import Any, NoReturn

from app.errors import InvalidRequest, field_fault, shorten
from app.http.schema_types import input_field_names

WHITE_SPACE = b" \t\n\r"

MAX_KEYS = 5_000
"""Maximum number of keys in a body."""

MAX_UNKNOWN_KEYS = 1_000
"""Maximum number of keys that no request has as a field. Reporting what is wrong with more would take too long."""


MAX_ITEMS = 5_000
"""Maximum number of objects, and of items of all lists. No request can have so many: see the limits of its lists."""


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Raises:
        InvalidRequest: A key occurs twice in one object, or there are too many keys or items.
        ValueError: The text is not JSON.
        RecursionError: It is nested too deeply.
    """
    if not body.strip(WHITE_SPACE):
        raise ValueError("it is blank")  # the parser needs milliseconds to find out
    # An estimate that takes a hundredth of the time of parsing them.
    if (estimate := body.count(b'":') - body.count(b'\\":')) > MAX_KEYS:
        raise _too_many_keys([], estimate)
    repeated: list[tuple[dict[str, Any], str]] = []
    known = input_field_names()
    count = unknown = objects = 0

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal count, unknown, objects
        count += len(pairs)
        objects += 1
        if objects > MAX_ITEMS:
            raise _too_many_items()
        if count > MAX_KEYS:
            raise _too_many_keys([name for name, _ in pairs[:MAX_LISTED_KEYS] if name not in known], count)
        value = dict(pairs)
        unknown += len(value.keys() - known)
        if unknown > MAX_UNKNOWN_KEYS:
            raise _too_many_keys([name for name, _ in pairs if name not in known][:MAX_LISTED_KEYS], unknown)
        if len(value) != len(pairs):
            repeated.append((value, _find_repeated(pairs)))
        return value

    value = json.loads(body, object_pairs_hook=build_object, parse_constant=_refuse_constant)
    _check_items(value)
    if repeated:
        owner, key = repeated[-1]
        path = "/".join([*_find_path(value, owner), shorten(key)])
        detail = f"The key `{shorten(key)}` occurs twice in one object."
        raise InvalidRequest(detail, hint="send it once", errors=[field_fault(path, detail, hint="send it once")])
    return value


def _check_items(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Raise `InvalidRequest` if there are too many items in lists."""
    pending, count = [value], 0
    while pending:
        current = pending.pop()
        if isinstance(current, list):
            count += len(current)
            if count > MAX_ITEMS:
                raise _too_many_items()
            pending += [item for item in current if isinstance(item, dict | list)]
        elif isinstance(current, dict):
            pending += [item for item in current.values() if isinstance(item, dict | list)]


def _too_many_items() -> InvalidRequest:
    """Return the problem for a body with too many items."""
    detail = f"The lists of the body have more than {MAX_ITEMS:,} items."
    return InvalidRequest(detail, errors=[field_fault("", detail)])


def _too_many_keys(unknown: list[str], count: int) -> InvalidRequest:
    """Return the problem for a body with too many keys; `unknown` are some that are no fields."""
    names = [shorten(name) for name in unknown]
    example = f", and no field is called `{names[0]}`" if names else ""
    problem = InvalidRequest(
        f"The body has too many keys{example}.",
        errors=[field_fault(name, f"There is no field `{name}` here.") for name in names],
    )
    problem.error_count = max(count, len(names))
    return problem


MAX_LISTED_KEYS = 20


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _find_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _value in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is repeated")


def _find_path(value: Any, wanted: dict[str, Any]) -> list[str]:  # noqa: ANN401 - any JSON value
    """Return the keys and indices that lead from `value` to the object `wanted`, which it may have lost."""
    pending: list[tuple[Any, list[str]]] = [(value, [])]
    while pending:
        current, path = pending.pop()
        if current is wanted:
            return path
        if isinstance(current, dict):
            pending += [(child, [*path, key]) for key, child in current.items() if isinstance(child, dict | list)]
        elif isinstance(current, list):
            pending += [(child, [*path, str(i)]) for i, child in enumerate(current) if isinstance(child, dict | list)]
    return []
