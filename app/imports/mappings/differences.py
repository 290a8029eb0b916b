"""What a row of the service's own format says that differs from the recorded claim.

The fingerprint of a claim does not depend on these fields, so a row that changes one of them has the same fingerprint.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, Final

from app.claims.schemas import ClaimInput
from app.claims.serialization.csv_columns import CSV_COLUMN_PATHS
from app.claims.serialization.input_fields import CITATION_PLAIN_FIELDS
from app.claims.serialization.rows import CONFIDENCE_FIELDS, ResponseObject

SUCCESSOR_FIELDS: Final = ("superseded_by", "superseded_on")

COMPARED_FIELDS: Final = (
    "status",
    "retracted_on",
    "derivation",
    *("figure.as_printed", "figure.language", "figure.wording_differs"),
    *("period.start", "period.end"),
    "note",
    *(f"confidence.{name}" for name in CONFIDENCE_FIELDS),
    *("source.name", "source.short_name", "source.kind", "source.interest", "source.terms"),
    *SUCCESSOR_FIELDS,
)
"""The paths of the compared fields, as in the JSON of a claim."""

REGISTER_FIELDS: Final = ("seq", "recorded_at", "recorded_until", "import_id")
"""The fields that only the register sets, and that nothing else in a row says."""

CLEARABLE_FIELDS: Final = frozenset({"note", "retracted_on"})
"""Fields whose emptiness is a statement, in a row that names its claim by id. Others that are empty state nothing."""

WORDING_FIELDS: Final = frozenset({"figure.as_printed", "figure.language", "figure.wording_differs"})
"""Several wordings of one number are one claim, so they are compared only in a row that names its claim by id."""

LEADING: Final = "citations.leading"

_PATH_OF_COLUMN: Final = {column: path for column, path in CSV_COLUMN_PATHS.items() if path in COMPARED_FIELDS}


def stated_in_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compared fields that a claim in JSON states, by path."""
    stated: dict[str, Any] = {}
    for path in COMPARED_FIELDS:
        parent, _, name = path.rpartition(".")
        owner = data.get(parent) if parent else data
        if isinstance(owner, Mapping) and name in owner:
            stated[path] = owner[name]
    return stated


def stated_in_cells(cells: Mapping[str, str], header: Container[str]) -> dict[str, Any]:
    """Return the compared fields that a row of a claims file states, by path. `cells` are those that are not empty."""
    return {path: cells.get(column) for column, path in _PATH_OF_COLUMN.items() if column in header}


def find_ignored_fields(
    stated: Mapping[str, Any],
    register_fields: Mapping[str, str],
    claim_input: ClaimInput,
    source: Mapping[str, Any],
    period: Mapping[str, Any],
    recorded: ResponseObject | None,
) -> list[str]:
    """Return the paths of the fields that a row states, that are not taken, and that the recorded claim lacks.

    Args:
        stated: The compared fields that the row states; `find_differences` compares them if the claim is recorded.
        register_fields: The fields that only the register sets, as the row states them.
        claim_input: The claim of the row.
        source: Its recorded source.
        period: The first and the last day of its period, as `start` and `end`.
        recorded: The recorded claim; None for a new one.
    """
    if recorded is not None:
        return [path for path, value in register_fields.items() if value != _show_register_field(recorded[path])]
    ignored = list(register_fields)
    for path, value in stated.items():
        if value is None:
            continue
        parent, _, name = path.rpartition(".")
        is_lost = path in SUCCESSOR_FIELDS or (parent == "confidence" and claim_input.confidence is None)
        owner = {"source": source, "period": period}.get(parent)
        is_other = owner is not None and not _is_same(value, owner[name])
        if (is_lost or is_other) and _as_text(value):
            ignored.append(path)
    return ignored


def register_fields_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that only the register sets, as a row states them."""
    found = {name: _show_register_field(fields.get(name)) for name in REGISTER_FIELDS}
    return {name: text for name, text in found.items() if text}


def _show_register_field(value: Any) -> str:  # noqa: ANN401 - any value of a file
    text = _as_text(value)
    return text[: len("2026-11-20T10:00:00")] if text[10:11] == "T" else text


def find_differences(
    stated: Mapping[str, Any],
    claim_input: ClaimInput,
    documents: Sequence[str],
    claim: ResponseObject,
    *,
    leading: int | None,
    by_id: bool,
) -> list[str]:
    """Return the paths of the fields of a row that differ from a recorded claim.

    Args:
        stated: The fields that the row states.
        claim_input: The claim of the row.
        documents: The id of the document of each of its citations.
        claim: The recorded claim.
        leading: The index of the citation that leads in the row, if it has several and says which.
        by_id: Whether the row names the claim by its id.
    """
    differences = [path for path, value in stated.items() if _differs(path, value, claim, by_id=by_id)]
    for citation, document in zip(claim_input.citations, documents, strict=True):
        recorded = [each for each in claim["citations"] if each["document"]["id"] == document]
        names = [name for name in CITATION_PLAIN_FIELDS if name in citation.model_fields_set]
        unlike = [[name for name in names if not _is_same(getattr(citation, name), each[name])] for each in recorded]
        differences += [f"citations.{name}" for name in min(unlike, key=len, default=[])]
    # A citation that was added since the row was exported may lead by now.
    has_same_documents = sorted(documents) == sorted(each["document"]["id"] for each in claim["citations"])
    if leading is not None and has_same_documents:
        leads = {each["document"]["id"] for each in claim["citations"] if each["leading"]}
        differences += [LEADING] if documents[leading] not in leads else []
    return differences


def _differs(path: str, value: Any, claim: ResponseObject, *, by_id: bool) -> bool:  # noqa: ANN401 - any value of a file
    if (path in WORDING_FIELDS and not by_id) or (_as_text(value) == "" and not (by_id and path in CLEARABLE_FIELDS)):
        return False
    parent, _, name = path.rpartition(".")
    owner = claim[parent] if parent else claim
    return not _is_same(value, None if owner is None else owner[name])


def _is_same(stated: Any, recorded: Any) -> bool:  # noqa: ANN401 - any values
    return _as_text(stated) == _as_text(recorded)


def _as_text(value: Any) -> str:  # noqa: ANN401 - any value
    match value:
        case None:
            return ""
        case Enum():
            return str(value.value)
        case date():
            return value.isoformat()
        case list():
            return ";".join(map(_as_text, value))
        case _:
            return str(value).replace("\r\n", "\n").strip()
