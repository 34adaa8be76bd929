"""All submissions of a store, or of a course, side by side."""
