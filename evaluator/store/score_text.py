"""What people type of a score: the figure, the phase, the date, the size of the hidden set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

from codabench_rehearsal.console.words import cleaned
from evaluator.store.schema import StoreError

SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_DIGITS = 12
MOST_DECIMALS = 17  # a float64 has no more
_FIGURE = re.compile(r"([0-9]*)(?:[.,]([0-9]*))?\s*(%?)")
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b.*")
_PHASES: Mapping[str, str] = MappingProxyType(
    {
        "development": "dev",
        "development phase": "dev",
        "dev phase": "dev",
        "final phase": "final",
        "final test": "final",
    }
)


def read_score(text: str, *, percent: bool = False) -> tuple[float, int]:
    """A score as 0..1 and the decimals shown of it: "0.89", "0,89", "89 %" and "89" have 2.

    percent: the figure is one without saying so. Raises `StoreError`.
    """
    match = _FIGURE.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        raise _no_score(text)
    whole, rest = match[1] or "0", match[2] or ""
    value = Decimal(f"{whole}.{rest or '0'}")
    decimals = len(rest)
    if match[3] or percent or value >= 2:  # 1.5 is rather a slip than 1.5 %
        value, decimals = value / 100, decimals + 2
    if value > 1:
        raise _no_score(text)
    return float(value), min(decimals, MOST_DECIMALS)


def read_phase(text: str) -> str:
    """The phase's name in one spelling: "Development phase" is "dev"; others in small letters."""
    name = cleaned(" ".join(text.split())).casefold()
    if not name:
        raise StoreError("expected the name of a phase, such as dev or final, received nothing")
    return _PHASES.get(name, name)


def read_date(text: str) -> str:
    """A day as ISO text: from 2024-11-23, with a time or without, or 23/11/2024 (the day first).

    "" stays "". Raises `StoreError`.
    """
    text = text.strip()
    if not text:
        return ""
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year = (int(part) for part in match.groups())
            return date(year, month, day).isoformat()
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise StoreError(f"expected a date such as 2024-11-23, received {text!r}") from None


def read_images(text: str) -> int | None:
    """The size of a hidden set: "2000", "2.000" and "2,000" alike; None for "".

    Raises `StoreError`.
    """
    digits = re.sub(r"[.,'\s](?=\d{3}\b)", "", text.strip())
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS or int(digits) < 1:
        raise StoreError(f"expected a number of hidden images, received {text!r}")
    return int(digits)


def _no_score(text: str) -> StoreError:
    return StoreError(f"expected a score such as 0.89 or 89 %, received {text.strip()!r}")
