"""A mirror: a read-only copy of a register elsewhere, in a local SQLite file, that follows its change log."""
