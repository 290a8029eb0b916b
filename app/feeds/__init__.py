"""What changed, for feed readers."""
