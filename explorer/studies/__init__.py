"""Named comparisons of runs, and the tools that show many runs at once."""
