"""The only door to foreign code: it runs in a child process, and its answers are validated."""
