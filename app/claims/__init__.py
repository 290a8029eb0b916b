"""Claims: routes, schemas, search, serialization, validation and changes."""

from app.claims import change_scope, series_key  # noqa: F401 - they declare fields of claims to the database
