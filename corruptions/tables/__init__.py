"""Severity tables by name, beside the default one: operators with other numbers, and their variants."""
