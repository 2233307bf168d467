"""Parts of the page Duel."""
