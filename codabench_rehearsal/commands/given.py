"""What a file is that was given in another's place; and the next command, as it is to be typed.

A data set looks like a zip to Python (`.npz` and `.keras` files are zips), so that without this a
mix-up ends in advice about a module that nobody meant to write.
"""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from codabench_rehearsal.console import DEFAULT_CHALLENGE, PHASE
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.guard import ARRAY_FILES, PICTURES, RESULT_FILES, WEIGHTS_FILES
from codabench_rehearsal.console.reading import require_file, special_kind
from codabench_rehearsal.console.words import quoted

FileKind = Literal[
    "zip", "data set", "weights file", "training folder", "folder", "Python file", "text file", ""
]
_BEGINNINGS: Mapping[bytes, FileKind] = MappingProxyType(
    {b"\x89HDF\r\n\x1a\n": "weights file", b"\x93NUMPY": "data set"}
)
_ENDINGS: Mapping[str, FileKind] = MappingProxyType(
    {
        **dict.fromkeys(RESULT_FILES, "text file"),  # but for arrays, below
        **dict.fromkeys(WEIGHTS_FILES, "weights file"),
        **dict.fromkeys(ARRAY_FILES, "data set"),
        ".py": "Python file",
    }
)
_MOST = 2000  # entries of a folder that are looked at
_IMAGES = ("data", "part", "held_out", "challenge")
_RUN = ("python", "time_limit", "memory_limit", "hidden_images")
# Which options of the command that ends here hold for the next one too. An option that a command
# does not have is passed over, so that commands with different options share this table.
CARRIED: Mapping[str, tuple[str, ...]] = {
    "local-eval": (*_IMAGES, *_RUN),
    "local-eval record": ("store", "phase", "not_mine"),
    "local-eval forget": ("store",),
    "local-eval forget --yes": ("store", "score", "phase", "answers", "name_only"),
    "make-submission": (*_IMAGES, *_RUN),
    "make-submission --check-only": (
        *(*_IMAGES, *_RUN, "packages", "seed", "docker", "ignore", "strict"),
        *("zip_limit", "unpacked_limit", "file_limit", "quota"),
    ),
}
_FLAGS = {"packages": "--with"}
_DEFAULTS: Mapping[str, object] = {"challenge": DEFAULT_CHALLENGE, "seed": 0, "phase": PHASE}


def kind_of(path: Path) -> FileKind:
    """What a file or folder is, by its contents first; "" where that cannot be told."""
    if path.is_dir():
        return _kind_of_folder(path)
    if special_kind(path):
        return ""
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except OSError:
        return ""
    found: FileKind = next((k for start, k in _BEGINNINGS.items() if begin.startswith(start)), "")
    if found or not zipfile.is_zipfile(path):
        return found or _ENDINGS.get(path.suffix.lower(), "")
    return _kind_of_zip(path)


def require_zip(path: Path, module: str = "model") -> None:
    """Raise `SubmissionError` for what is no submission, naming what it is and the command meant.

    A zip without its module passes: the checks say more about it. module: what the challenge
    imports; a zip that holds it is a submission, whatever it is called.
    """
    if not path.is_dir():
        require_file(path, SubmissionError)
    kind = "" if not path.exists() or _holds(path, f"{module}.py") else kind_of(path)
    if kind and kind != "zip":
        raise SubmissionError(f"{path}: expected a submission's zip, {_meant(path, kind)}")


def require_weights(path: Path) -> None:
    """Raise `SubmissionError` for a file that is surely something else than weights."""
    require_file(path, SubmissionError, or_folder=True)
    name = quoted(path)
    if path.is_file() and _holds(path, "model.py"):
        kind, advice = "submission's zip", f"to check it: make-submission --check-only {name}"
    elif path.suffix == ".py" and kind_of(path) == "Python file":
        kind = "Python file"
        advice = f"your own model.py goes by --model: make-submission WEIGHTS --model {name}"
    elif path.suffix == ".npz" and kind_of(path) == "data set" and _has_labels(path):
        kind = "data set"
        advice = f"give it beside them: make-submission WEIGHTS --data {name}"
    else:
        return
    raise SubmissionError(f"{path}: expected weights, received a {kind}; {advice}")


def require_images(path: Path | str) -> None:
    """Raise `SubmissionError` for a file that is surely something else than images."""
    path = Path(path)
    require_file(path, SubmissionError, or_folder=True)
    kind = "submission's zip" if _holds(path, "model.py") else kind_of(path)
    if kind in ("submission's zip", "weights file", "Python file"):
        raise SubmissionError(
            f"{path}: expected images with labels (.npz, .npy or a folder), received a {kind}."
        )


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


def _meant(path: Path, kind: FileKind) -> str:
    name = quoted(path)
    commands = {
        "data set": (
            f"local-eval submission.zip --data {name} (or, to look into it: "
            f"local-eval inspect {name})"
        ),
        "weights file": f"make-submission {name}",
        "training folder": f"make-submission {name}",
        "folder": f"(cd {name} && zip -r ../submission.zip .), then give that zip",
        "Python file": f"make-submission WEIGHTS --model {name}",
        "text file": (
            f"local-eval {name} --challenge BUNDLE (its zip, folder or number), if it holds "
            "predictions"
        ),
    }
    return f"received a {kind}: you meant {commands[kind]}"


def _kind_of_folder(path: Path) -> FileKind:
    if (path / "recipe.json").is_file():
        return "training folder"
    seen = 0
    for where, _, names in os.walk(path):
        seen += len(names)
        if any(name.lower().endswith(PICTURES) for name in names):
            return "data set"
        if seen > _MOST or len(Path(where).relative_to(path).parts) > 2:
            break
    return "folder"


def _kind_of_zip(path: Path) -> FileKind:
    names = _names(path)
    if names and all(name.endswith(".npy") for name in names):
        return "data set"
    is_keras = {"config.json", "metadata.json"} <= names or "model.weights.h5" in names
    is_torch = any(name.endswith("data.pkl") for name in names)
    if is_keras or is_torch:
        return "weights file"
    return "data set" if names and all(map(_is_picture, names)) else "zip"


def _has_labels(path: Path) -> bool:
    """Whether an archive of arrays holds images with labels, rather than weights."""
    return any(word in name.lower() for name in _names(path) for word in ("label", "image", "y_"))


def _is_picture(name: str) -> bool:
    return name.lower().endswith((*PICTURES, "/"))


def _holds(path: Path, name: str) -> bool:
    return path.is_file() and zipfile.is_zipfile(path) and name in _names(path)


def _names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as file:
            return set(file.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return set()


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
