"""Who makes or relays claims, and the documents they are read in."""
