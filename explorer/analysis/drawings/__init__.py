"""What a model says of images that are not of its set, and what would change that."""
