"""What our commands share in reading arguments and writing files."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from submission.amounts import parse_bytes
from submission.challenge import DEFAULT
from submission.errors import SubmissionError


def add_challenge(parser: argparse.ArgumentParser) -> None:
    """Add --challenge, the same for every command."""
    parser.add_argument(
        "--challenge", default=DEFAULT, metavar="NAME|FILE.toml", help=f"default {DEFAULT}"
    )


def add_python(parser: argparse._ActionsContainer) -> None:
    """Add --python, the same for every command that runs a zip."""
    parser.add_argument(
        "--python", metavar="PATH",
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


def check_writable(*targets: str | None) -> None:
    """Raise `SubmissionError` for a file that cannot be written, before anything long begins."""
    for path in (Path(target) for target in targets if target and target != "-"):
        folder = path.absolute().parent
        if path.is_dir():
            raise SubmissionError(f"{path}: expected a file to write, received a folder.")
        if not folder.is_dir():
            raise SubmissionError(f"{path} cannot be written: there is no folder {folder}.")
        if not os.access(folder, os.W_OK):
            raise SubmissionError(f"{path} cannot be written: {folder} may only be read.")


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: a reader, or a kill, never meets half of it."""
    part = path.with_name(f"part-{path.name}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SubmissionError(f"{path} cannot be written: {error.strerror}.") from None


def write_or_print(target: str, text: str) -> None:
    """Write to a file, or to standard output for "-"."""
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)
