"""Run one zip as the platform would, and judge it; make a challenge."""
