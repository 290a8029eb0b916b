"""Mappings: declarations that turn rows into claims."""
