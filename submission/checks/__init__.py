"""Looking into a submission without running it."""
