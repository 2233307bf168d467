"""Fashion-MNIST Explorer: train a small image classifier and look inside it."""

__version__ = "0.1.0"
