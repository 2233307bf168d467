"""Measured comparisons, every one within one run: `python -m benchmarks.analysis`, `python -m benchmarks.training`."""
