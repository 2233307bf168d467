"""Runs that are compared with each other: the same seeds with other settings."""
