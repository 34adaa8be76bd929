"""Systems to train: one file each under `recipes/systems/`, the shared parts once."""
