"""Data sets of the user's: reading, writing, checking what is foreign."""
