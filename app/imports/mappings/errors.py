"""Describes the validation errors of a mapping with the TOML table in which they are."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from app.errors import suggest_nearest, validation_message


def describe_errors(validation_error: ValidationError, tables: dict[str, Any], root: type[BaseModel]) -> list[str]:
    """Return one line for each error in a TOML file with these `tables` and the model `root`."""
    lines = []
    for error in validation_error.errors():
        steps = [step for step in error["loc"] if not str(step).startswith("=")]  # without the tags of a union
        message = validation_message(error)
        if error["type"] == "extra_forbidden":
            hint = suggest_nearest(str(steps[-1]), _field_names_at(steps[:-1], root))
            message = f"there is no such field{f'; {hint}' if hint else ''}"
        lines.append(f"  {_error_location(steps, tables) or 'mapping'}: {message}")
    return list(dict.fromkeys(lines))


def _error_location(steps: list[int | str], tables: dict[str, Any]) -> str:
    """Return the path of an error in the file: in `[claim]` if the claim inherits the field from there."""
    if steps[:1] == ["claims"] and len(steps) > 2:  # noqa: PLR2004 - claims, the claim, the field
        shared, own = tables.get("claim"), tables["claims"].get(steps[1])
        for step in steps[2:]:
            shared = shared.get(step) if isinstance(shared, dict) else None
            own = own.get(step) if isinstance(own, dict) else None
            if shared is None:
                break
        if shared is not None and own is None:
            steps = ["claim", *steps[2:]]
    return ".".join(str(step) for step in steps)


def _field_names_at(steps: list[int | str], root: type[BaseModel]) -> list[str]:
    """Return the names of the fields that are allowed in a table."""
    models: list[type[BaseModel]] = [root]
    for step in steps:
        annotations = [model.model_fields[str(step)].annotation for model in models if str(step) in model.model_fields]
        if annotations:
            models = [model for annotation in annotations for model in _models_in(annotation)]
    return [name for model in models for name in model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
