"""Linked data (JSON-LD): lists and records in the vocabularies of schema.org and PROV.

The context is part of each document, so that a reader asks no other host for it.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import orjson

from app.http.serializers import FileContext, FileWriter, RowDict, RowForm
from app.terms import terms_address

JSON_LD_MEDIA_TYPE = "application/ld+json"

CONTEXT: dict[str, Any] = {
    "@vocab": "https://schema.org/",
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "url": {"@id": "https://schema.org/url", "@type": "@id"},
    "datePublished": {"@id": "https://schema.org/datePublished", "@type": "xsd:date"},
    "dateModified": {"@id": "https://schema.org/dateModified", "@type": "xsd:dateTime"},
    "prov:generatedAtTime": {"@type": "xsd:dateTime"},
    "prov:startedAtTime": {"@type": "xsd:dateTime"},
    "prov:wasInfluencedBy": {"@container": "@list"},
}
"""The context: names without a prefix are those of schema.org."""


def node(id_: str | None, *types: str, **members: Any) -> RowDict:  # noqa: ANN401 - any JSON value
    """Return an object of linked data, without the members that have no value. `prov_x` stands for `prov:x`."""
    named = {
        name.replace("prov_", "prov:", 1) if name.startswith("prov_") else name: _text_of(value)
        for name, value in members.items()
        if value not in (None, [], {})
    }
    kinds = types[0] if len(types) == 1 else list(types)
    return {**({"@id": id_} if id_ is not None else {}), "@type": kinds, **named}


def reference(id_: str | None) -> RowDict | None:
    """Return a reference to an object by its address."""
    return None if id_ is None else {"@id": id_}


def _text_of(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def terms_members(terms: str | None) -> RowDict:
    """Return the terms of use: a licence by its address, else words."""
    if terms is None:
        return {}
    address = terms_address(terms)
    return {"usageInfo": terms} if address is None else {"license": address}


def json_ld_document(record: RowDict) -> bytes:
    """Return one object as a document."""
    return orjson.dumps({"@context": CONTEXT, **record})


class _JsonLdEncoder:
    """One document: the data set, and one object for each row."""

    def __init__(self, context: FileContext) -> None:
        self._context = context

    def start(self) -> bytes:
        context = self._context
        dataset = node(context.address, "Dataset", name=context.title, **terms_members(context.terms))
        return b'{"@context":' + orjson.dumps(CONTEXT) + b',"@graph":[' + orjson.dumps(dataset)

    def encode(self, rows: Iterable[RowDict] | bytes) -> bytes:
        if isinstance(rows, bytes):
            rows = map(orjson.loads, rows.split(b"\n")[:-1])
        link = self._context.link
        nodes = rows if link is None else map(link, rows)
        return b"".join(b",\n" + orjson.dumps(each) for each in nodes)

    def finish(self) -> bytes:
        return b"]}\n"


JSON_LD = FileWriter(media_type=JSON_LD_MEDIA_TYPE, row_form=RowForm.json, new_encoder=_JsonLdEncoder)
