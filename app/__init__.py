"""Counterclaim: a register of sourced claims, served side by side."""

__version__ = "0.1.0"
