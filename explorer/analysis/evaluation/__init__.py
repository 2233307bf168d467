"""How good a classifier is: predictions, and the results that derive from them."""
