"""Predictions in the place of code: read as a table, and held against a sample."""
