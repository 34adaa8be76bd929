"""A program's `metadata.yaml`: its command, with YAML's own traps, as words without a shell.

Source: Codabench's compute worker of March 2026 and the one of autumn 2026 (read, not copied).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.console.reading import LARGEST_SETTINGS
from codabench_rehearsal.sandbox.validate import read_left

Kind = Literal["ingestion", "scoring", "submission"]
METADATA = ("metadata.yaml", "metadata")  # the first that is there is read, the other one never
APP = "/app"
_WORD = re.compile(
    r"\$(input|output|program|ingestion_program|hidden|shared|submission_program|tmp|predictions)"
)
_MISSING: Mapping[Worker, str] = {
    "2026-03": "Program directory missing 'metadata.yaml/metadata'",
    "2026-10": "{0} for {0} missing 'metadata.yaml/metadata' file.",
}
_NO_COMMAND: Mapping[Worker, str] = {
    "2026-03": "Program directory missing 'command' in metadata",
    "2026-10": "Missing 'command' for {0} in metadata or metadata format is not correct!",
}


@dataclass(frozen=True)
class Program:
    """What a program's folder says of how it is started.

    described: it has a metadata file. command: as written there, "" for none. fault: why the worker
    cannot start it, in its own words; "" where it can, or needs not. remark: what it says of a file
    that is no YAML, and goes on without; "" for nothing.
    """

    described: bool
    command: str = ""
    fault: str = ""
    remark: str = ""


def read_program(folder: Path, kind: Kind, worker: Worker) -> Program:
    """Read a program's metadata as this generation does.

    The older worker takes the scoring program for a submission's: without metadata, or without a
    command in it, it is started no more than that, and nobody is told.
    """
    file = next((folder / name for name in METADATA if (folder / name).exists()), None)
    silent = worker == "2026-03" and kind != "ingestion"
    if file is None:
        return Program(described=False, fault="" if silent else _said(_MISSING, kind, worker))
    try:
        command, remark = _command(file)
    except (OSError, ValueError) as error:  # UnicodeDecodeError is one
        return Program(described=True, fault=f"{type(error).__name__}: {error}")
    if not command:
        fault = "" if silent else _said(_NO_COMMAND, kind, worker)
        return Program(described=True, fault=fault, remark=remark)
    if not isinstance(command, str):
        fault = f"AttributeError: '{type(command).__name__}' object has no attribute 'replace'"
        return Program(described=True, fault=fault)
    return _split(command)


def legacy_places(kind: Kind, *, is_scoring: bool, only_during_scoring: bool) -> dict[str, str]:
    """The old words of a command, without their `$` -> the path that the worker puts there."""
    moved = is_scoring and only_during_scoring
    return {
        "input": f"{APP}/input_data" if kind == "ingestion" else f"{APP}/input",
        "output": f"{APP}/output",
        "program": f"{APP}/ingestion_program" if moved else f"{APP}/program",
        "ingestion_program": f"{APP}/program",
        "hidden": f"{APP}/input/ref",
        "shared": f"{APP}/shared",
        "submission_program": f"{APP}/ingested_program",
        "tmp": f"{APP}/output",
        "predictions": f"{APP}/input/res" if is_scoring else f"{APP}/output",
    }


def command_words(
    command: str, places: Mapping[str, str], folders: Mapping[str, str]
) -> tuple[str, ...]:
    """The command as words of a `Job`: whoever starts it knows where its folders are.

    places: of `legacy_places`. folders: name -> its path on the platform, as the job has them.
    A path that none of them is or holds stays as it is: the platform has nothing there either.
    """
    names = {path: name for name, path in folders.items()}

    def filled(found: re.Match[str]) -> str:
        path = places[found[1]]
        if path in names:
            return f"${names[path]}"
        above, _, last = path.rpartition("/")
        return f"${names[above]}/{last}" if above in names else path

    return tuple(shlex.split(_WORD.sub(filled, command)))


def uses_legacy_words(command: str) -> bool:
    """Whether the worker puts paths into a command."""
    return bool(_WORD.search(command))


def is_python(word: str, among: Collection[str] = ("python",)) -> bool:
    """Whether the first word of a command names a Python of the image, by whatever path."""
    return bool(re.fullmatch(rf"({'|'.join(among)})[\d.]*", word.rpartition("/")[2]))


def _said(sentences: Mapping[Worker, str], kind: Kind, worker: Worker) -> str:
    return sentences[worker].format(f"{kind}_program")


def _command(file: Path) -> tuple[Any, str]:
    """Whatever stands behind `command:`, and the remark; None for what is no YAML or no mapping."""
    import yaml

    if file.is_dir():
        raise IsADirectoryError(f"Is a directory: '{file.name}'")
    left = read_left(file.resolve(), LARGEST_SETTINGS)
    if left is None:
        raise OSError(f"{file.name} is no regular file of at most {LARGEST_SETTINGS} bytes")
    try:
        found = yaml.safe_load(left.decode("utf-8"))
    except (yaml.YAMLError, RecursionError) as error:
        return None, f"Error parsing YAML file: {error}"
    return (found.get("command") if isinstance(found, dict) else None), ""


def _split(command: str) -> Program:
    """Docker's client splits it: no closing quote, no container."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return Program(described=True, fault=str(error))
    return Program(described=True, command=command, fault="" if words else "the command is empty")
