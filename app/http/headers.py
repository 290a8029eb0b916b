"""Reading of request headers that are lists: repeated lines are one list (RFC 9110, section 5.3)."""

from starlette.datastructures import Headers

LIST_SEPARATOR = ", "


def read_list_header(headers: Headers, name: str) -> str | None:
    """Return all lines of a list header as one, or None if there is none.

    `ResponseCacheMiddleware` builds its key in the same way: a response depends on exactly this text.
    """
    values = headers.getlist(name)
    return LIST_SEPARATOR.join(values) if values else None
