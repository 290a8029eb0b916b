"""Serializes a feed as Atom (RFC 4287) and as JSON Feed (version 1.1)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET

from app.http.addresses import whole_address

ATOM_NAMESPACE = "http://www.w3.org/2005/Atom"
ILLEGAL_XML_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 does not allow (section 2.2)."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A feed entry: one change of a claim."""

    seq: int
    at: datetime
    claim: str
    title: str
    text: str
    actor: str


@dataclass(frozen=True, slots=True)
class Feed:
    """The title and latest entries of a feed. `updated` is the time of the latest entry."""

    title: str
    updated: datetime
    entries: tuple[FeedEntry, ...]
    register_id: str
    """The id of the register, from which all ids of the feed are derived."""


def format_atom(feed: Feed, path: str) -> bytes:
    """Return the feed at `path` as Atom."""
    ET.register_namespace("", ATOM_NAMESPACE)
    root = ET.Element(f"{{{ATOM_NAMESPACE}}}feed")
    _add_element(root, "id", _permanent_id(feed, path))
    _add_element(root, "title", feed.title)
    _add_element(root, "updated", _format_time(feed.updated))
    _add_element(root, "link", rel="self", href=whole_address(path), type="application/atom+xml")
    _add_element(root, "generator", "Counterclaim")
    for entry in feed.entries:
        element = _add_element(root, "entry")
        _add_element(element, "id", _permanent_id(feed, f"/v1/changes/{entry.seq}"))
        _add_element(element, "title", entry.title)
        _add_element(element, "updated", _format_time(entry.at))
        _add_element(element, "link", rel="alternate", href=_claim_address(entry), type="application/json")
        _add_element(_add_element(element, "author"), "name", entry.actor)
        _add_element(element, "summary", entry.text, type="text")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def build_json_feed(feed: Feed, path: str) -> dict[str, Any]:
    """Return the feed at `path` as a JSON Feed."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "feed_url": whole_address(path),
        "items": [
            {
                "id": _permanent_id(feed, f"/v1/changes/{entry.seq}"),
                "url": _claim_address(entry),
                "title": entry.title,
                "content_text": entry.text,
                "date_modified": _format_time(entry.at),
                "authors": [{"name": entry.actor}],
            }
            for entry in feed.entries
        ],
    }


def _add_element(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{ATOM_NAMESPACE}}}{name}", attributes)
    element.text = None if text is None else ILLEGAL_XML_CHARACTERS.sub("\ufffd", text)
    return element


def _claim_address(entry: FeedEntry) -> str:
    return whole_address(f"/v1/claims/{entry.claim}")


def _permanent_id(feed: Feed, path: str) -> str:
    """Return the id of what the register has at a path (RFC 9562, section 5.5). It depends on no base URL."""
    return uuid5(UUID(feed.register_id), path).urn


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
