"""What a source said: figures, periods, their comparison, and the claims themselves."""
