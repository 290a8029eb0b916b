"""Editions: which recorded document a given document is.

A page at one address has many editions. The address, the day of publication and the archived copy together tell one
from another; where both day and copy are missing, the title does. A given document is a recorded one that has all of
these that are given; of several, the one that has no other, or else the only one with its title. What a recorded one
lacks makes a given document a new edition. Addresses are compared as `addresses.py` normalizes them. A document without
an address is the recorded one without an address that has the same title, publisher, day and copy. Pure functions over
plain values.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import orjson

from app.sources.addresses import normalize_address

DocumentFields = Mapping[str, Any]

DESCRIPTIVE_FIELDS: Final = ("title", "publisher", "language", "content_sha256", "retrieved_at", "terms")
"""The fields of a document that do not tell it from the other editions of its address."""

COMPARED_FIELDS: Final = ("url", "published_on", "archive_url", *DESCRIPTIVE_FIELDS)


def address_of(document: DocumentFields) -> str | None:
    """Return the address of a document as it is compared: the recorded one, or that of its URL."""
    if document["url"] is None:
        return None
    recorded: str | None = document.get("address")
    return recorded if recorded is not None else normalize_address(document["url"])


def edition_key(document: DocumentFields) -> str | None:
    """Return the key of an edition, or None for a document without an address. Current documents have distinct keys."""
    if document["url"] is None:
        return None
    day, archive = _as_text(document["published_on"]), document["archive_url"]
    title = document["title"] if day is None and archive is None else None
    return _digest([address_of(document), day, archive, title])


def keys_of_given(document: DocumentFields) -> set[str]:
    """Return the hashes by which a given document is recognized among those that were taken down.

    The hashes of documents that were taken down before addresses were normalized are those of their URL.
    """
    if document["url"] is None:
        return {key_without_address(document)}
    addresses = {document["url"], address_of(document)} - {None}
    return {str(edition_key({**document, "address": address})) for address in addresses}


def erased_keys(document: DocumentFields) -> set[str]:
    """Return the hashes by which a document is recognized after its takedown: one for each way to name it."""
    day, archive, title = _as_text(document["published_on"]), document["archive_url"], document["title"]
    names = [[day, archive, None], [day, None, None], [None, archive, None], [None, None, title], [None, None, None]]
    if document["url"] is None:
        return {key_without_address(document)}
    return {_digest([address_of(document), *name]) for name in names}


def key_without_address(document: DocumentFields) -> str:
    """Return a hash of a document without an address."""
    names = ("title", "publisher", "published_on", "archive_url")
    return _digest([None, *(_as_text(document[name]) for name in names)])


def has_parts_of(recorded: DocumentFields, given: DocumentFields) -> bool:
    """Return whether a recorded document has the day and the archived copy that are given, or else the title."""
    parts = [name for name in ("published_on", "archive_url") if given[name] is not None]
    if not parts and given["title"] is not None:
        parts = ["title"]
    return all(_as_text(given[name]) == _as_text(recorded[name]) for name in parts)


def find_differences(recorded: DocumentFields, given: DocumentFields) -> list[str]:
    """Return the fields that are given and recorded otherwise or not at all."""
    return [
        name
        for name in COMPARED_FIELDS
        if given[name] is not None and _as_text(given[name]) != _as_text(recorded[name])
        if name != "url" or address_of(given) != address_of(recorded)
    ]


def is_other_edition(recorded: DocumentFields, given: DocumentFields) -> bool:
    """Return whether a given document has another address, day or archived copy than a recorded one."""
    return not {"url", "published_on", "archive_url"}.isdisjoint(find_differences(recorded, given))


def choose_edition(editions: Sequence[DocumentFields], given: DocumentFields) -> DocumentFields | None:
    """Return the edition that is given, or None if it is not clear which.

    Args:
        editions: The recorded documents at the address that have the parts of the given one.
        given: The given document.
    """
    key = edition_key(given)
    if (exact := next((edition for edition in editions if edition_key(edition) == key), None)) is not None:
        return exact
    if given["title"] is not None:
        titled = [edition for edition in editions if edition["title"] == given["title"]]
        editions = titled or editions
    return editions[0] if len(editions) == 1 else None


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - a text, a day or a time
    return value.isoformat() if isinstance(value, date | datetime) else value


def _digest(parts: list[str | None]) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
