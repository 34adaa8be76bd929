"""Measurements against the reference and against peers, each side in the same run.

`python -m bench.corruptions` and `python -m bench.kerascv`; README.md here says what is measured.
"""
