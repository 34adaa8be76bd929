"""What our commands share in reading arguments."""

from __future__ import annotations

import argparse

from codabench_rehearsal.console.guard import PROFILE, PYTHON
from codabench_rehearsal.console.words import parse_bytes

DEFAULT_CHALLENGE = "an2dl-2024"


def add_challenge(parser: argparse.ArgumentParser) -> None:
    """Add --challenge, the same for every command."""
    parser.add_argument(
        "--challenge", type=PROFILE, default=DEFAULT_CHALLENGE, metavar="NAME|FILE.toml",
        help=f"default {DEFAULT_CHALLENGE}",
    )  # fmt: skip


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add --part and --held-out: what is to be known of the images of a rehearsal."""
    add_part(parser, "val, else test")
    parser.add_argument(
        "--held-out", action="store_true",
        help="none of these images was trained on, so figures are honest",
    )  # fmt: skip


def add_part(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --part alone; default: what is taken without it."""
    parser.add_argument(
        "--part", choices=("train", "val", "test"),
        help=f"which part of a data file that has several (default: {default})",
    )  # fmt: skip


def add_python(parser: argparse._ActionsContainer) -> None:
    """Add --python, the same for every command that runs a zip."""
    parser.add_argument(
        "--python", type=PYTHON, metavar="PATH",
        help="the Python that runs the zip, or an environment's folder (default: the active one)",
    )  # fmt: skip


def positive(text: str) -> int:
    """An argument type: a whole number above 0."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, received {text!r}")
    return int(text)


def count(text: str) -> int:
    """An argument type: a whole number, 0 included."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, received {text!r}")
    return int(text)


def seed(text: str) -> int:
    """An argument type: a seed, a whole number below 2**32."""
    if count(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number below 2**32, received {text!r}")
    return count(text)


def memory(text: str) -> int:
    """An argument type: an amount of memory; nothing runs in less than 1 MB."""
    if size(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"expected an amount such as 8GB, received {text!r}")
    return size(text)


def seconds(text: str) -> float:
    """An argument type: seconds above 0."""
    return _above_zero(text, "seconds")


def factor(text: str) -> float:
    """An argument type: a number above 0."""
    return _above_zero(text, "a number")


def _above_zero(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected {what} above 0, received {text!r}")
    return value


def share(text: str) -> float:
    """An argument type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, received {text!r}")
    return value


def size(text: str) -> int:
    """An argument type: a size such as 500MB, in bytes."""
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
