"""The rules of comparison, as pure functions over plain values."""
