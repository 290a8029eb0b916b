"""The derived columns of claims, declared to the row encoding."""

from app.comparison.series_key import build_series_columns
from app.database.row_encoding import declare_derived_columns
from app.database.tables import ClaimVersion

declare_derived_columns(ClaimVersion, build_series_columns)
