"""Readers: files of many formats as rows."""
