"""The next command, as it is to be typed: the real file names, and the options that still hold."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codabench_rehearsal.console.arguments import DEFAULT_CHALLENGE
from codabench_rehearsal.console.words import quoted

_IMAGES = ("data", "part", "held_out", "challenge")
_RUN = ("python", "time_limit", "memory_limit", "hidden_images")
# Which options of the command that ends here hold for the next one too. An option that a command
# does not have is passed over, so that commands with different options share this table.
CARRIED: Mapping[str, tuple[str, ...]] = {
    "local-eval": (*_IMAGES, *_RUN),
    "local-eval record": ("store", "phase"),
    "local-eval forget": ("store",),
    "local-eval forget --yes": ("store", "score", "phase", "answers", "name_only"),
    "make-submission": (*_IMAGES, *_RUN),
    "make-submission --check-only": (
        *(*_IMAGES, *_RUN, "packages", "seed", "docker", "ignore", "strict"),
        *("zip_limit", "unpacked_limit", "file_limit", "quota"),
    ),
}
_FLAGS = {"packages": "--with"}
_DEFAULTS: Mapping[str, object] = {"challenge": DEFAULT_CHALLENGE, "seed": 0, "phase": "dev"}


def next_command(
    command: str, files: Sequence[Path | str], options: argparse.Namespace, *further: str
) -> str:
    """One line for a shell.

    command: a key of `CARRIED`. files: what it is about. options: those of the command that ends.
    further: words to add as they are.
    """
    plain = (os.fspath(file) for file in files)
    names = (quoted(f"./{name}" if name.startswith("-") else name) for name in plain)
    return " ".join([command, *names, *_carried(command, options), *further])


def rehearsal_command(zip_path: Path | str, options: argparse.Namespace) -> str:
    """`local-eval` for a zip; FILE stands for images where none were given and none lie here."""
    given = getattr(options, "data", None) is not None or Path("training_set.npz").is_file()
    return next_command("local-eval", [zip_path], options, *(() if given else ("--data", "FILE")))


def _carried(command: str, options: argparse.Namespace) -> Iterator[str]:
    for name in CARRIED[command]:
        value = getattr(options, name, None)
        if value is None or value is False or value == _DEFAULTS.get(name):
            continue
        flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        if value is True:
            yield flag
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            text = f"{one:g}" if isinstance(one, float) else str(one)
            # One word where the value could be taken for an option.
            yield from [f"{flag}={quoted(text)}"] if text.startswith("-") else [flag, quoted(text)]
