"""Columns of a flat row, derived from the fields of a response model."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from app.http.serializers import FlatColumn

COLUMN_TYPES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    date: "date",
    datetime: "datetime",
    dict: "object",
}


def define_column(model: type[BaseModel], name: str, path: str) -> FlatColumn:
    """Return the column `name` for the field at `path` of `model`, with the type and description of that field."""
    steps = tuple(path.split("."))
    field_type: Any = model
    for step in steps:
        info = field_type.model_fields[step]
        field_type = inner_type(info.annotation)
    is_string = isinstance(field_type, type) and issubclass(field_type, str)
    type_ = "string" if is_string else COLUMN_TYPES.get(field_type, "any")
    example = info.examples[0] if info.examples else None
    is_enum = isinstance(field_type, type) and issubclass(field_type, Enum)
    values = tuple(str(member.value) for member in field_type) if is_enum else ()
    is_list = _is_list(info.annotation)
    return FlatColumn(name, steps, type_, info.description or "", example, is_list=is_list, values=values)


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - a type
    """Return whether a type is that of a list, or of a list or None."""
    return get_origin(annotation) is list or any(
        _is_list(argument) for argument in get_args(annotation) if get_origin(annotation) is not dict
    )


def columns_of_model(model: type[BaseModel], appended: Sequence[str] = ()) -> list[FlatColumn]:
    """Return one column for each field of `model` that is not a nested object.

    The order of columns is public: fields that were added later, `appended`, come last.
    """
    names = [name for name in model.model_fields if name not in appended]
    return [
        define_column(model, name, name)
        for name, info in ((name, model.model_fields[name]) for name in (*names, *appended))
        if get_origin(info.annotation) is not dict
        and not (isinstance(inner := inner_type(info.annotation), type) and issubclass(inner, BaseModel))
    ]


def inner_type(annotation: Any) -> Any:  # noqa: ANN401 - returns a type
    """Return the type inside `X | None`, `list[X]` and `Annotated[X, …]`; `str` or `float` for several."""
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is dict:
        return dict
    if get_origin(annotation) is Annotated or len(arguments) == 1:
        return inner_type(arguments[0])
    if str in arguments:
        return str
    return float if arguments else annotation
