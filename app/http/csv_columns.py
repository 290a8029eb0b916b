"""Columns of a file, derived from the fields of a schema."""

from datetime import date, datetime
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
}


def define_column(model: type[BaseModel], name: str, path: str) -> FlatColumn:
    """The column `name` for the value at `path` of `model`; what it means is what the model says of it."""
    steps = tuple(path.split("."))
    kind: Any = model
    for step in steps:
        info = kind.model_fields[step]
        kind = inner_type(info.annotation)
    word = isinstance(kind, type) and issubclass(kind, str)
    type_ = "string" if word else COLUMN_TYPES.get(kind, "number")
    example = info.examples[0] if info.examples else None
    return FlatColumn(name, steps, type_, info.description or "", example)


def columns_of_model(model: type[BaseModel]) -> list[FlatColumn]:
    """One column for each field of `model` that is not itself nested."""
    return [
        define_column(model, name, name)
        for name, info in model.model_fields.items()
        if get_origin(info.annotation) is not dict
        and not (isinstance(inner := inner_type(info.annotation), type) and issubclass(inner, BaseModel))
    ]


def inner_type(annotation: Any) -> Any:  # noqa: ANN401 - types are values here
    """The type inside `X | None`, `list[X]` and `Annotated[X, …]`; `int | float` is a number."""
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is Annotated or len(arguments) == 1:
        return inner_type(arguments[0])
    return float if arguments else annotation
