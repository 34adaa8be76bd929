"""What our commands share in reading arguments: options, and types of their values."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console.roles import PROFILE, PYTHON
from codabench_rehearsal.console.words import parse_bytes

_UNITS = {"min": 60, "s": 1, "m": 60, "h": 3600}  # of a time, in seconds


def add_challenge(parser: argparse.ArgumentParser, *, bundles: bool = False) -> None:
    """Add --challenge, the same for every command; bundles: whether it may be a bundle."""
    what, usual = "NAME|FILE.toml" + "|BUNDLE|1234" * bundles, DEFAULT_CHALLENGE
    more = "; a bundle: the zip or folder of competition.yaml; 1234: on codabench.org" * bundles
    parser.add_argument(
        "--challenge", type=PROFILE, default=usual, metavar=what, help=f"default {usual}{more}"
    )


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add --part and --held-out: what is to be known of the images of a rehearsal."""
    add_part(parser, "val, else test")
    what = "none of these images was trained on, so figures are honest"
    parser.add_argument("--held-out", action="store_true", help=what)


def add_part(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --part alone; default: what is taken without it."""
    what = f"which part of a data file that has several (default: {default})"
    parser.add_argument("--part", choices=("train", "val", "test"), help=what)


def add_python(parser: argparse._ActionsContainer) -> None:
    """Add --python, the same for every command that runs a zip."""
    what = "the Python that runs the zip, or an environment's folder (default: the active one)"
    parser.add_argument("--python", type=PYTHON, metavar="PATH", help=what)


def positive(text: str) -> int:
    """An argument type: a whole number above 0."""
    return int(_read(text, _digits, lambda number: number > 0, "a whole number above 0"))


def count(text: str) -> int:
    """An argument type: a whole number, 0 included."""
    return int(_read(text, _digits, lambda _: True, "a whole number"))


def seed(text: str) -> int:
    """An argument type: a seed, a whole number below 2**32."""
    count(text)
    return int(_read(text, _digits, lambda number: number < 1 << 32, "a whole number below 2**32"))


def memory(text: str) -> int:
    """An argument type: an amount of memory; nothing runs in less than 1 MB."""
    size(text)
    return int(_read(text, parse_bytes, lambda amount: amount >= 1e6, "an amount such as 8GB"))


def seconds(text: str) -> float:
    """An argument type: a time above 0, in seconds: 90, 90s, 2m or 1.5h."""
    return float(_read(text, _time, _is_above_zero, "seconds above 0, such as 90, 2m or 1.5h"))


def factor(text: str) -> float:
    """An argument type: a number above 0."""
    return float(_read(text, float, _is_above_zero, "a number above 0"))


def share(text: str) -> float:
    """An argument type: a number from 0 to 1."""
    return float(_read(text, float, lambda value: 0 <= value <= 1, "a share from 0 to 1"))


def within(text: str) -> float:
    """An argument type: a number above 0 and below 1."""
    return float(_read(text, float, lambda value: 0 < value < 1, "a number between 0 and 1"))


def size(text: str) -> int:
    """An argument type: a size such as 500MB, in bytes."""
    return int(_read(text, parse_bytes, lambda _: True, "a size such as 500MB or 2GiB"))


def _read(text: str, read: Callable[[str], Any], fits: Callable[[Any], bool], what: str) -> Any:
    with suppress(ValueError):
        value = read(text)
        if fits(value):
            return value
    raise argparse.ArgumentTypeError(f"expected {what}, received {text!r}")


def _digits(text: str) -> int:
    """Without the signs, spaces and underscores that Python allows."""
    if not text.isdigit():
        raise ValueError
    return int(text)


def _time(text: str) -> float:
    """Seconds, whichever unit they are given in."""
    unit = next((one for one in _UNITS if text.endswith(one)), "")
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1)


def _is_above_zero(value: float) -> bool:
    return 0 < value < math.inf
