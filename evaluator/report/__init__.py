"""What was measured, as data, and rendered for a terminal, a page and programs."""
