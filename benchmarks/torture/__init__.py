"""What clients were told is recorded must be recorded, once, whatever is killed, cut or full: `make torture`."""
