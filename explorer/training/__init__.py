"""Training: configuration, optimizers, the loop, the worker and the queue."""
