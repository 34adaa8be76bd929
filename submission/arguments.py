"""What our commands share in reading arguments and writing files."""

from __future__ import annotations

import argparse
import fcntl
import glob
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codabench_rehearsal.console.words import parse_bytes
from submission.challenge import DEFAULT
from submission.command import is_closed
from submission.errors import SubmissionError

_DRAFT = ".draft"
_YOUNG_SECONDS = 60.0  # a draft without a lock may be one that is just being made


def add_challenge(parser: argparse.ArgumentParser) -> None:
    """Add --challenge, the same for every command."""
    parser.add_argument(
        "--challenge", default=DEFAULT, metavar="NAME|FILE.toml", help=f"default {DEFAULT}"
    )


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


def check_writable(*targets: str | None) -> None:
    """Raise `SubmissionError` for a file that cannot be written, before anything long begins."""
    for target in targets:
        if target == "-":
            if is_closed(sys.stdout):
                raise SubmissionError("- stands for standard output, which is closed: name a file.")
        elif target:
            _check_place(Path(target))


def _check_place(path: Path) -> None:
    with written(path):
        folder = path.absolute().parent
        if path.is_dir():
            raise SubmissionError(f"{path}: expected a file to write, received a folder.")
        if not folder.is_dir():
            raise SubmissionError(f"{path} cannot be written: there is no folder {folder}.")
        if not os.access(folder, os.W_OK):
            raise SubmissionError(f"{path} cannot be written: {folder} may only be read.")


@contextmanager
def written(target: Path) -> Iterator[None]:
    """Say what the system refuses inside as `SubmissionError` about this file."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise SubmissionError(
            f"{target} cannot be written: {why}. Choose a place that exists, may be written to "
            "and has room."
        ) from None


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A place for a file of the target's name, in a new folder beside it that nobody else knows.

    The block moves the file to the target (`Path.replace`), or leaves it to be removed. Several runs
    may write one target at once: the last to move its draft wins whole. What killed runs left is
    removed by the next. Raises `SubmissionError` where no file can be.
    """
    _check_place(target)
    _remove_abandoned(target)
    with written(target):
        made = tempfile.mkdtemp(_DRAFT, _draft_prefix(target), target.absolute().parent)
    folder = target.with_name(Path(made).name)
    try:
        with _locked(folder, fcntl.LOCK_EX):
            yield folder / target.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold other runs of ours off while several files that belong together are put into a folder.

    wait: until the other is done; else yields False where there is one.
    """
    with _locked(folder, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
        yield held is not False


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool | None]:
    """Hold a folder's lock; yields whether it is held, None where the disk has no locks (some NFS)."""
    number = os.open(folder, os.O_RDONLY)
    held: bool | None = None
    try:
        with suppress(OSError):
            try:
                fcntl.flock(number, how)
                held = True
            except BlockingIOError:
                held = False
        yield held
    finally:
        os.close(number)


def _draft_prefix(target: Path) -> str:
    return f".{target.name[:32]}."


def _remove_abandoned(target: Path) -> None:
    """Remove drafts whose run was killed: nobody holds their lock, and they are not new."""
    beside = target.absolute().parent
    for path in beside.glob(f"{glob.escape(_draft_prefix(target))}*{_DRAFT}"):
        with suppress(OSError), _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
            if held and time.time() - path.stat().st_mtime > _YOUNG_SECONDS:
                shutil.rmtree(path)


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: a reader, or a kill, never meets half of it."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step. Raises `SubmissionError` where it cannot be written."""
    with draft(path) as part, written(path):
        part.write_bytes(content)
        part.replace(path)


def write_or_print(target: str, text: str) -> None:
    """Write to a file, or to standard output for "-"."""
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)
