"""The derived columns of documents, declared to the row encoding."""

from collections.abc import Mapping
from typing import Any

from app.database.row_encoding import declare_derived_columns
from app.database.tables import DocumentVersion
from app.sources.editions import address_of, edition_key


def _build_document_columns(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"address": address_of(state), "edition": edition_key(state), "removed": state.get("removed", False)}


declare_derived_columns(DocumentVersion, _build_document_columns)
