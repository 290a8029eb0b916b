"""The starter claims that ship with the service."""
