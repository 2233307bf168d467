"""Data sets: what they are, how they are read, split, augmented and drawn."""
