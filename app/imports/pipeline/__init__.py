"""The steps of an import, from rows to published claims."""
