"""Serializes a feed as Atom (RFC 4287) and as JSON Feed (version 1.1)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5
from xml.sax.saxutils import escape, quoteattr

from app.http.addresses import base_url, whole_address

ATOM_NAMESPACE = "http://www.w3.org/2005/Atom"
ILLEGAL_XML_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 does not allow (section 2.2)."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A feed entry: one change of a claim, or what one import changed."""

    id_path: str
    """The path from which the permanent id is derived."""
    at: datetime
    page: str
    """The path of the page that it links to."""
    title: str
    text: str
    actor: str
    atom_elements: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The entry as Atom by base URL, since a cached entry is served many times."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The title and latest entries of a feed. `updated` is the time of the latest entry."""

    title: str
    page: str
    """The path of the page that the feed is about."""
    updated: datetime
    entries: tuple[FeedEntry, ...]
    register_id: str
    """The id of the register, from which all ids of the feed are derived."""


def format_atom(feed: Feed, path: str) -> bytes:
    """Return the feed at `path` as Atom."""
    register = UUID(feed.register_id)
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n',
        f'<feed xmlns="{ATOM_NAMESPACE}"><id>{_permanent_id(register, path)}</id>',
        f"<title>{_escape(feed.title)}</title><updated>{_format_time(feed.updated)}</updated>",
        f'<link rel="self" href={_attribute(path)} type="application/atom+xml"/>',
        f'<link rel="alternate" href={_attribute(feed.page)} type="text/html"/>',
        "<generator>Counterclaim</generator>",
    ]
    parts += [_format_entry(entry, register) for entry in feed.entries]
    return "".join((*parts, "</feed>")).encode()


def _format_entry(entry: FeedEntry, register: UUID) -> str:
    element = entry.atom_elements.get(base_url())
    if element is None:
        element = entry.atom_elements[base_url()] = (
            f"<entry><id>{_permanent_id(register, entry.id_path)}</id><title>{_escape(entry.title)}</title>"
            f"<updated>{_format_time(entry.at)}</updated>"
            f'<link rel="alternate" href={_attribute(entry.page)} type="text/html"/>'
            f"<author><name>{_escape(entry.actor)}</name></author>"
            f'<summary type="text">{_escape(entry.text)}</summary></entry>'
        )
    return element


def build_json_feed(feed: Feed, path: str) -> dict[str, Any]:
    """Return the feed at `path` as a JSON Feed."""
    register = UUID(feed.register_id)
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": whole_address(feed.page),
        "feed_url": whole_address(path),
        "language": "en",
        "items": [
            {
                "id": _permanent_id(register, entry.id_path),
                "url": whole_address(entry.page),
                "title": entry.title,
                "content_text": entry.text,
                "date_published": _format_time(entry.at),
                "date_modified": _format_time(entry.at),
                "authors": [{"name": entry.actor}],
            }
            for entry in feed.entries
        ],
    }


def _escape(text: str) -> str:
    return escape(ILLEGAL_XML_CHARACTERS.sub("\ufffd", text))


def _attribute(path: str) -> str:
    return quoteattr(whole_address(path))


def _permanent_id(register: UUID, path: str) -> str:
    """Return the id of what the register has at a path (RFC 9562, section 5.5). It depends on no base URL."""
    return uuid5(register, path).urn


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
