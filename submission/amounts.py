"""Sizes as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_bytes(text: str) -> int:
    """Read "500MB", "2 GiB" or "1000" as bytes. Raises ValueError saying what was expected."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise ValueError(f"expected a size such as 500MB or 2GiB, received {text!r}")
    return round(float(found[1]) * _UNITS[found[2] or ""])


def human_bytes(count: float) -> str:
    """A size for people, in decimal units: 1.2 MB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
