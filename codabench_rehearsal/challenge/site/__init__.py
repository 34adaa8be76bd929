"""A Codabench site: what it says, what is uploaded to it, and what becomes of an upload."""
