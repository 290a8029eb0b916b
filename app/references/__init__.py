"""Formatted references to a claim: sentence, cell, CSL-JSON and BibTeX."""
