"""Systems to train: one page each under `recipes/systems/`, the shared parts once."""
