"""Takedowns: the content of claims and sources is erased from all their versions and from the database files."""
