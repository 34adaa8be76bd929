"""A zip rehearsed in a challenge's bundle: looked at, run in both jobs, and judged."""
