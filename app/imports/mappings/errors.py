"""What is wrong with a mapping, told with the table in which it stands."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from app.errors import suggest_nearest, validation_message


def describe_errors(wrong: ValidationError, given: dict[str, Any], root: type[BaseModel]) -> list[str]:
    """A line for each fault of what a file `given` says, whose outermost table is `root`."""
    lines = []
    for error in wrong.errors():
        steps = [step for step in error["loc"] if not str(step).startswith("=")]  # but for the tags of a union
        said = validation_message(error)
        if error["type"] == "extra_forbidden":
            hint = suggest_nearest(str(steps[-1]), _field_names_at(steps[:-1], root))
            said = f"there is no such field{f'; {hint}' if hint else ''}"
        lines.append(f"  {_error_location(steps, given) or 'mapping'}: {said}")
    return list(dict.fromkeys(lines))


def _error_location(steps: list[int | str], given: dict[str, Any]) -> str:
    """Where a fault stands, as the file names it: in `[claim]` where a claim has it from there."""
    if steps[:1] == ["claims"] and len(steps) > 2:  # noqa: PLR2004 - claims, the claim, the field
        shared, own = given.get("claim"), given["claims"].get(steps[1])
        for step in steps[2:]:
            shared = shared.get(step) if isinstance(shared, dict) else None
            own = own.get(step) if isinstance(own, dict) else None
            if shared is None:
                break
        if shared is not None and own is None:
            steps = ["claim", *steps[2:]]
    return ".".join(str(step) for step in steps)


def _field_names_at(steps: list[int | str], root: type[BaseModel]) -> list[str]:
    """The fields that a table of the language has."""
    models: list[type[BaseModel]] = [root]
    for step in steps:
        found = [model.model_fields[str(step)].annotation for model in models if str(step) in model.model_fields]
        if found:
            models = [model for annotation in found for model in _models_in(annotation)]
    return [name for model in models for name in model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
