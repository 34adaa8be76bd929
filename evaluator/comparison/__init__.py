"""Submissions held against one another."""
