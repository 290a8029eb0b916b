"""Claims as JSON, CSV and NDJSON."""
