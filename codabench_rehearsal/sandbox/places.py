"""Which files a Python needs to run, as plain paths: nothing is started to find out."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

_SITES = ("site-packages", "dist-packages")
_FEW_PARTS = 3  # "/", "usr" or "opt", and a name: nothing shorter is shown as a whole
OUR_ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")


def interpreter_places(python: str) -> tuple[str, ...]:
    """The read-only paths that a Python needs: its prefix, its base's, where its links lead.

    python: a path, or a name to be found on PATH; a program that is no Python gives its own path
    alone. Folders of packages named in the environment's `.pth` files are among them, editable
    projects are not: the platform has none.
    """
    found = shutil.which(python)
    if found is None:
        return ()
    program = Path(found).absolute()
    links = _links(program)
    prefixes = _prefixes(links)
    prefixes |= _prefixes([link for prefix in prefixes for link in _base(prefix)])
    if program == Path(sys.executable):
        prefixes |= {Path(sys.prefix): None, Path(sys.base_prefix): None}
    wanted = [*links, *prefixes, *_linked_sites(prefixes)]
    return tuple(dict.fromkeys(str(path) for path in wanted))


def our_rooms() -> tuple[str, ...]:
    """The folders of this tool: the platform has none of them, so foreign code must not either."""
    place = Path(__file__).resolve().parents[2]
    return tuple(str(place / room) for room in OUR_ROOMS if (place / room).is_dir())


def _links(program: Path) -> list[Path]:
    """The program, and each place that its links lead to, as far as this user may look."""
    found = [program]
    while os.path.islink(found[-1]) and len(found) < 40:  # noqa: PTH114 - a closed folder is no error
        target = found[-1].parent / found[-1].readlink()
        found.append(Path(os.path.normpath(target)))
    return [*found, program.resolve()]


def _prefixes(programs: Iterable[Path]) -> dict[Path, None]:
    """The folders of programs in bin/ that hold an environment or an installed Python, in order."""
    folders = dict.fromkeys(program.parent.parent for program in programs)
    return {folder: None for folder in folders if _holds_a_python(folder)}


def _holds_a_python(folder: Path) -> bool:
    # os.path's questions find a folder that this user may not look into not there, and raise nothing.
    if len(folder.parts) < _FEW_PARTS or not os.path.isdir(folder):  # noqa: PTH112
        return False
    return (folder / "pyvenv.cfg").is_file() or any(folder.glob("lib/python3*/os.py"))


def _base(prefix: Path) -> list[Path]:
    """The Pythons that a virtual environment says it was made of."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    pairs = [line.partition("=") for line in lines]
    homes = [value.strip() for key, _, value in pairs if key.strip() == "home"]
    return [link for home in homes for link in _links(Path(home) / "python3")]


def _linked_sites(prefixes: Iterable[Path]) -> list[Path]:
    """Folders of packages that the environments' `.pth` files add."""
    files = [file for prefix in prefixes for file in prefix.glob("lib/python3*/*-packages/*.pth")]
    lines = [line.strip() for file in files for line in _text(file).splitlines()]
    return [Path(line) for line in lines if line.startswith("/") and Path(line).name in _SITES]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
