"""Run a command as nobody, in a view of this machine where nobody may reach the given places.

`as_nobody.py PLACE... -- COMMAND...`: a Python below /root, say, is shown there without the rest.
Exit code 77 where this is not possible.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from codabench_rehearsal.sandbox.programs import kernel

NOBODY = 65534
NOT_POSSIBLE = 77


def closed_folder(place: Path) -> Path | None:
    """The first folder on the way to a place that nobody may not enter."""
    for folder in reversed(place.parents):
        if not folder.stat().st_mode & 1:
            return folder
    return None


def open_ways(places: list[Path]) -> None:
    """Replace closed folders by ones that hold the places alone; here and in our children only."""
    kernel.call({"x86_64": 272, "aarch64": 97}[kernel.MACHINE], kernel.NEW_MOUNTS)  # unshare
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    stage = Path(tempfile.mkdtemp())
    ways: dict[Path, list[Path]] = {}
    for place in places:
        if folder := closed_folder(place):
            ways.setdefault(folder, []).append(place)
    flags = kernel.BIND | kernel.RECURSIVE
    for folder, kept in ways.items():
        for number, place in enumerate(kept):
            (stage / str(number)).mkdir(exist_ok=True)
            kernel.mount(str(place), str(stage / str(number)), flags=flags)
        kernel.mount("none", str(folder), "tmpfs", 0, "mode=755")
        for number, place in enumerate(kept):
            place.mkdir(parents=True, exist_ok=True)
            kernel.mount(str(stage / str(number)), str(place), flags=flags)


def main() -> None:
    """Open the ways, become nobody, become the command."""
    split = sys.argv.index("--")
    try:
        open_ways([Path(word) for word in sys.argv[1:split]])
    except (OSError, KeyError) as error:
        print(error)
        sys.exit(NOT_POSSIBLE)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.environ["HOME"] = "/nonexistent"
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])


main()
