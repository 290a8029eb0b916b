"""The register's clock and its log."""
