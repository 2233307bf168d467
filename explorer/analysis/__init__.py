"""Results about a trained classifier: what it predicts, how well, and which pixels decide. Nothing draws."""
