"""Runs computed in processes of their own: the queue, the supervisor and its workers."""
