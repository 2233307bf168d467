"""Whether an attribution map may be believed."""
