"""Takedowns of claims, documents and sources: content is erased from all versions and from the database files."""
