"""What a challenge is and what its platform does."""
