"""API keys over HTTP: list, create and revoke them. Only administrators may."""
