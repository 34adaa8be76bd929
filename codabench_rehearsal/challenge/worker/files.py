"""What the worker does with files: unpack a zip, zip an output and unpack it elsewhere.

On their way folders pass through a zip: regular files alone come through, none of them executable,
links as what they lead to within the same folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from codabench_rehearsal.console.errors import SubmissionError, room_for
from codabench_rehearsal.console.words import human_bytes, shown

BAD_ZIP = "Bad or empty zip file"
MOST_UNPACKED = 50_000_000_000  # bytes; the platform's own quota is 15 GB, zips included


def unpack(archive: Path, folder: Path) -> str:
    """Extract all, as the worker does; returns the sentence with which it fails, "" for none.

    A zip without an entry makes no folder. Raises `SubmissionError` for what would fill the disk,
    and for no file at all; `NoRoomError` for a full disk.
    """
    if not archive.is_file():
        raise SubmissionError(f"{shown(archive)}: expected a zip file, and it is not there.")
    with room_for(folder):
        try:
            with zipfile.ZipFile(archive) as file:
                _check_size(archive, file)
                file.extractall(folder)
        except zipfile.BadZipFile:
            return BAD_ZIP
        except (RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error) as error:
            if isinstance(error, SubmissionError):
                raise
            return f"{type(error).__name__}: {error}"  # encrypted, a method unknown, a bad name
    return ""


def carry(source: Path, target: Path) -> tuple[str, ...]:
    """Bring a folder's content to another, over what is there; returns what could not be brought.

    source: it may hold whatever foreign code left there.
    """
    failed = []
    top = os.path.realpath(source)
    target.mkdir(parents=True, exist_ok=True)
    for found, name in _entries(top):
        to = target / name
        try:
            if found.is_dir():
                to.mkdir(parents=True, exist_ok=True)
            elif _is_regular(found, top):
                shutil.copyfile(found, to)
        except OSError as error:
            failed.append(f"{name}: {error.strerror}")
    return tuple(failed)


def exit_notes(codes: Mapping[str, int | None], seconds: Mapping[str, float | None]) -> str:
    """The file `metadata` that the worker puts into each output, YAML.

    codes, seconds: of "program" (a submission's own, or scoring) and "ingestion"; None for none.
    """
    figures = {
        "elapsedTime": seconds.get("program") or seconds.get("ingestion"),
        "exitCode": codes.get("program"),
        "ingestionElapsedTime": seconds.get("ingestion"),
        "ingestionExitCode": codes.get("ingestion"),
    }
    return "".join(
        f"{key}: {'null' if value is None else value}\n" for key, value in figures.items()
    )


def _check_size(archive: Path, file: zipfile.ZipFile) -> None:
    size = sum(entry.file_size for entry in file.infolist())
    if size > MOST_UNPACKED:
        most = human_bytes(MOST_UNPACKED)
        raise SubmissionError(
            f"{shown(archive)}: expected at most {most} unpacked, received {human_bytes(size)}; "
            "leave out what the challenge does not need."
        )


def _entries(top: str) -> Iterator[tuple[Path, str]]:
    """All folders and files below, each with its name from the top; linked folders are not."""
    for place, folders, files in os.walk(top):
        for name in (*folders, *files):
            found = Path(place, name)
            if name in files or not found.is_symlink():
                yield found, os.path.relpath(found, top)


def _is_regular(found: Path, top: str) -> bool:
    """Whether it is a file of this folder, directly or by a link that stays within."""
    real = os.path.realpath(found)
    return real.startswith(f"{top}{os.sep}") and stat.S_ISREG(Path(real).stat().st_mode)
