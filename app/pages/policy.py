"""The media type and the content security policy of pages."""

from app.http.addresses import base_origin

PAGE_MEDIA_TYPE = "text/html; charset=utf-8"


def page_policy(frame_ancestors: str = "'none'", *, sends_requests: bool = False) -> str:
    """Return the policy of a page: only files of this service, no inline script or style, framed by nobody else.

    The reference `sends_requests` to this service, and has pictures in its style sheet.
    """
    origin = f"'self' {base_origin()}".rstrip()
    images, connections = (f"{origin} data:", f"connect-src {origin}; ") if sends_requests else (origin, "")
    return (
        f"default-src 'none'; style-src {origin}; script-src {origin}; img-src {images}; {connections}"
        f"form-action {origin}; base-uri 'none'; frame-ancestors {frame_ancestors}"
    )
