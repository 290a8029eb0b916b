"""The media type and the content security policy of pages."""

from app.http.addresses import base_origin

PAGE_MEDIA_TYPE = "text/html; charset=utf-8"


def page_policy(frame_ancestors: str = "'none'") -> str:
    """Return the policy of a page: only files of this service, no inline script or style, framed by nobody else."""
    origin = f"'self' {base_origin()}".rstrip()
    return (
        f"default-src 'none'; style-src {origin}; script-src {origin}; img-src {origin}; form-action {origin}; "
        f"base-uri 'none'; frame-ancestors {frame_ancestors}"
    )
