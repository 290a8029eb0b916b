"""Sources that make or relay claims, and the documents in which claims can be read."""

from app.sources import derived_columns  # noqa: F401 - declares the key of editions on import
