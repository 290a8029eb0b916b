"""What a source said: figures, periods, their comparison, and the claims themselves."""

from app.claims import change_scope, series_key  # noqa: F401 - they declare fields of claims to the database
