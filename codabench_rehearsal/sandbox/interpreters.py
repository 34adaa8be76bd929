"""The Pythons of this machine: those on PATH, pyenv's, uv's and our own, each asked what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20.0  # for a Python to say what it is
NEEDED = (
    "ssl",
    "zlib",
    "ctypes",
)  # TensorFlow and Keras import them; a Python built by hand may lack them
# Old syntax: the Python asked may be any. A virtual environment's answers with its base.
QUESTION = """
import json, os, platform, sys
lacks = []
for name in ("ssl", "zlib", "ctypes", "venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        lacks.append(name)
base = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
print(json.dumps({"path": base, "version": platform.python_version(), "lacks": lacks,
                  "kind": platform.python_implementation(), "wide": sys.maxsize > 2**32}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs here. path: the real program; version: "3.11.7"; lacks: modules it has not."""

    path: str
    version: str
    lacks: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The version without its last part: "3.11"."""
        return ".".join(self.version.split(".")[:2])

    @property
    def has_venv(self) -> bool:
        """Whether it can make virtual environments by itself; Debian packs that apart."""
        return not {"venv", "ensurepip"} & set(self.lacks)


def find_interpreter(
    versions: Sequence[str], own: Path, *, needs_venv: bool = False
) -> Interpreter | None:
    """The first of the wanted versions ("3.11") that runs here and is complete, or None.

    own: a folder in which uv put Pythons for us. needs_venv: only one that has venv and ensurepip.
    """
    for version in versions:
        for path in dict.fromkeys(_candidates(version, own)):
            found = ask(path)
            if found and found.minor == version and _complete(found, needs_venv=needs_venv):
                return found
    return None


def ask(path: Path) -> Interpreter | None:
    """Run it and see what it is; None where it does not start, or is no 64-bit CPython."""
    try:
        done = subprocess.run(  # noqa: S603 - a Python of this machine, asked for its version
            [path, "-I", "-c", QUESTION],
            capture_output=True,
            timeout=SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        said = json.loads(done.stdout)
        if said["kind"] != "CPython" or not said["wide"]:
            return None
        return Interpreter(said["path"], said["version"], tuple(said["lacks"]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None  # a shim without a version behind it, a broken link, something else's program


def _complete(found: Interpreter, *, needs_venv: bool) -> bool:
    return not set(NEEDED) & set(found.lacks) and (found.has_venv or not needs_venv)


def _candidates(version: str, own: Path) -> Iterator[Path]:
    """Existing programs that may be this version, the surest first."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    name = f"python{version}"
    on_path = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    installed = [folder / "bin" for root in _roots(own) for folder in _versions(root, version)]
    named = [place / name for place in (*on_path, *installed)]
    plain = [place / "python3" for place in on_path]
    yield from (path for path in (*named, *plain) if path.is_file())


def _roots(own: Path) -> list[Path]:
    """Folders that hold one folder a Python: pyenv's, uv's and ours."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    pyenv = os.environ.get("PYENV_ROOT") or "~/.pyenv"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    return [Path(os.path.expanduser(place)) for place in (f"{pyenv}/versions", uv, str(own))]  # noqa: PTH111 - leaves "~" as it is where there is no home


def _versions(root: Path, version: str) -> list[Path]:
    """Its folders for this version, "3.11.7" or "cpython-3.11.7-linux-...", the newest first."""
    found = [*root.glob(f"{version}.*"), *root.glob(f"cpython-{version}.*")]
    return sorted(found, key=_patch, reverse=True)


def _patch(folder: Path) -> int:
    digits = folder.name.removeprefix("cpython-").split("-")[0].split(".")[-1]
    return int(digits) if digits.isdigit() else -1
