"""What every submission answered, and what the platform said of it."""
