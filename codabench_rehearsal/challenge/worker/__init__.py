"""Codabench's worker: both jobs of every task, their folders and statuses, and the environment."""
