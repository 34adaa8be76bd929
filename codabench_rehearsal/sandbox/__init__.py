"""The only door to foreign code: run it in a child process, under limits, and validate its answers."""
