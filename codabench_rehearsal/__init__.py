"""What the rooms share; the rooms themselves stand beside it."""
