"""Imports: files of any tabular or nested kind, read into rows and mapped to claims."""
