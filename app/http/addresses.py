"""Addresses of this service."""


def whole_address(path: str) -> str:
    """Return the address of `path`."""
    return path
