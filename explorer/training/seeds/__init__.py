"""Several seeds of one configuration as one vectorised computation."""
