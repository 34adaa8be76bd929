"""The benchmark on a challenge's bundle: its programs run again on damaged input data."""
