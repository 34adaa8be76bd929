"""One file a system; each holds one value, `SYSTEM`."""
