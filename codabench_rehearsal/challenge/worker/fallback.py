"""Where the kernel shows no folder at `/app`: whether it does, and which programs need it.

Without mounts a program runs in a copy, and the platform's words in its command stand for the real
folders. One that names `/app` in its own code cannot run so, and the user is told before it starts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from codabench_rehearsal.challenge.worker.metadata import Program, uses_legacy_words
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.sandbox import isolation
from codabench_rehearsal.sandbox.isolation import other_paths
from codabench_rehearsal.sandbox.job import Job, Limits, SandboxError
from codabench_rehearsal.sandbox.run import run
from codabench_rehearsal.sandbox.validate import read_left

IN_IMAGE = "run it in the challenge's image (--docker)"
WAY_OUT = f"{IN_IMAGE}, or where user namespaces are allowed"
LARGEST_SOURCE = 1 << 20  # bytes; what is longer was not written by hand
_SOURCES = {".py", ".sh", ".r", ".R", ".jl", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini"}
_PLATFORMS = re.compile(
    r"/app/(program|output|input_data|ingested_program|input/re[fs]|input|shared|data)\b"
)
_READ_ONLY = re.compile(r"Read-only file system: '(/[^']+)'")


def why_no_places() -> str:
    """Why folders cannot be shown at `/app` here; "" where they can. A child is asked, once."""
    return _asked(isolation.LEVEL)


def check_paths(folder: Path, name: str, program: Program) -> None:
    """Refuse a program that opens `/app/...` by its own code. Raises `SandboxError`.

    A command that is given its folders as words may have such paths as defaults, and is let pass.
    """
    why = why_no_places()
    if not why or not program.command:
        return
    if uses_legacy_words(program.command) and not _PLATFORMS.search(program.command):
        return
    found = next(_named(folder, program), None)
    if found:
        raise SandboxError(
            f"The {name} program cannot run here: {found}, and no folder can be shown there "
            f"({why}): {WAY_OUT}."
        )


def refused_here(log: str) -> str:
    """What of this machine explains a failure; "" for nothing.

    A file outside `/app` that cannot be written, as a container's own can; `/app` itself, where
    that cannot be shown.
    """
    last = log.rstrip().rpartition("\n")[2]
    if (found := _READ_ONLY.search(last)) and not found[1].startswith("/app/"):
        return f"it writes to {shown(found[1])}, which can only be read here: {IN_IMAGE}"
    why = why_no_places()
    if why and (found := _PLATFORMS.search(log)):
        return f"it needs {found[0]}, and no folder can be shown there ({why}): {WAY_OUT}"
    return ""


@functools.cache
def _asked(_level: str) -> str:
    with TemporaryFolder() as place:
        asking = Job(
            ("true",),
            {"program": str(place)},
            "program",
            limits=Limits(seconds=20.0),
            places={"program": "/app/program"},
        )
        said = other_paths(run(asking).limits)
    return said.rpartition("(")[2].rstrip(")")


def _named(folder: Path, program: Program) -> Iterator[str]:
    """Where a program names the platform's folders, its command first."""
    if found := _PLATFORMS.search(program.command):
        yield f"its command names {found[0]}"
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SOURCES and path.name != "metadata.yaml":
            text = (read_left(path, LARGEST_SOURCE) or b"").decode("utf-8", "replace")
            for number, line in enumerate(text.splitlines(), start=1):
                code = line.partition("#")[0] if path.suffix == ".py" else line
                if found := _PLATFORMS.search(code):
                    where = shown(str(path.relative_to(folder)))
                    yield f"{where} opens {found[0]} in line {number}"
