"""What stands behind `compare`, `rank` and `ensemble`: statistics and tables."""
