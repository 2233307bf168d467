"""Changes too small to matter to people that make a model err."""
