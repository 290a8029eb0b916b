"""How a claim is cited: a sentence that can be printed, references for bibliographies, one cell for a spreadsheet."""
