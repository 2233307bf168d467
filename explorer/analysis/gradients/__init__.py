"""Input gradients of a whole split."""
