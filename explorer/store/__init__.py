"""What lies on disk: run directories and self-describing checkpoints."""
