"""Purging of a shared cache in front of the service: the keys of changed responses, and the command that sends them."""
