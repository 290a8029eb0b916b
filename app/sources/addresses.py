"""Addresses of pages as they are compared. What is stored stays as it was given."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_TRACKING_PARAMETER: Final = re.compile(r"(?:utm_[a-z0-9_]*|fbclid|gclid)(?:=.*)?", re.IGNORECASE)
_ESCAPE: Final = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ROUTE_PREFIXES: Final = ("!", "/")
"""How a fragment begins that a script on the page shows as a page of its own: `#!/faq`, `#/faq`."""


@lru_cache(maxsize=4_096)
def normalize_address(url: str) -> str:
    """Return the address by which a page is found again.

    By RFC 3986, section 6.2.2: scheme and host in lower case, escapes in upper case and only where they are needed, no
    dot segments; by section 6.2.3: no default port, `/` for an empty path. A fragment is never sent to the server
    (section 3.5) and names a part of the same page, unless it is a route of a script. Parameters that only say where a
    reader came from do not count. `http` and `https` stay apart, as the RFC has it: they can be different pages.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}.get(scheme):
        authority += f":{port}"
    path = _ESCAPE.sub(_normalize_escape, _remove_dot_segments(parts.path)) or "/"
    query = _ESCAPE.sub(_normalize_escape, parts.query)
    pairs = query.split("&") if query else []
    kept = "&".join(pair for pair in pairs if not _TRACKING_PARAMETER.fullmatch(pair))
    fragment = parts.fragment if parts.fragment.startswith(_ROUTE_PREFIXES) else ""
    return urlunsplit((scheme, authority, path, kept, fragment))


def _normalize_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _remove_dot_segments(path: str) -> str:
    """Return a path without `.` and `..`, by RFC 3986, section 5.2.4."""
    if "/." not in path:
        return path
    kept: list[str] = []
    for segment in (segments := path.split("/"))[1:]:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
