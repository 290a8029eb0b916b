"""Claims: routes, schemas, search, serialization, validation and changes."""

from app.claims import change_scope, derived_columns  # noqa: F401 - declare fields of claims on import
