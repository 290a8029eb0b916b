"""The media type and the content security policy of pages."""

PAGE_MEDIA_TYPE = "text/html; charset=utf-8"
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Only files of this service, no inline script or style, and no framing."""
