"""Reads files of the service with the programs that people use: `make clients`."""
