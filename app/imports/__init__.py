"""Imports: rows of tabular and nested files, mapped to claims."""
