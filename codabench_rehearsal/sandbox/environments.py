"""One built environment: its folder, what it holds, and whether it is still whole.

A virtual environment cannot be moved (its scripts name their place), so it is built where it stays,
and `complete.json`, written last, says that it is finished. Sizes noted there tell damage apart
without starting anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.console.temporary import BUILT

if TYPE_CHECKING:
    from importlib.metadata import Distribution

SCHEMA = 1
BIGGEST = 5  # files of each package whose size is noted, beside its list and its __init__.py


@dataclass(frozen=True)
class Contents:
    """What was installed.

    packages: the requirements asked for. python: its full version. versions: package -> version,
    as seen by importing it. installed: the names of all metadata folders. stamps: file -> bytes.
    """

    packages: tuple[str, ...]
    python: str
    versions: Mapping[str, str]
    site: str
    installed: tuple[str, ...]
    stamps: Mapping[str, int]

    @classmethod
    def from_json(cls, text: str) -> Contents:
        """Read what `Environment.seal` wrote; ValueError, KeyError or TypeError if it is not that."""
        data = json.loads(text)
        if data.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        return cls(
            tuple(map(str, data["packages"])),
            str(data["python"]),
            dict(data["versions"]),
            str(data["site"]),
            tuple(map(str, data["installed"])),
            {str(name): int(size) for name, size in dict(data["stamps"]).items()},
        )


@dataclass(frozen=True)
class Environment:
    """A folder for one environment, built or not."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter: a link to the Python that it was built on."""
        return self.folder / "bin" / "python"

    @property
    def begun(self) -> bool:
        """Whether there is anything at all."""
        return self.folder.exists()

    def contents(self) -> Contents | None:
        """What `complete.json` says; None where it is missing or damaged."""
        try:
            return Contents.from_json((self.folder / BUILT).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def fault(self) -> str:
        """Why it cannot be used, or "" if it is whole. Looks at files only: a few milliseconds."""
        contents = self.contents()
        if contents is None:
            return "it was never finished"
        if not os.access(self.python, os.X_OK):  # follows the link
            return "the Python that it was built on is gone"
        if _installed(self.folder / contents.site) != contents.installed:
            return "packages were added or taken away"
        for name, size in contents.stamps.items():
            if _size(self.folder / name) != size:
                return f"{name} is missing or was changed"
        return ""

    def seal(self, packages: Sequence[str], python: str, versions: Mapping[str, str]) -> None:
        """Note what it holds and mark it as finished, in one step.

        python: its full version, "3.11.7". Raises OSError.
        """
        site = f"lib/python{'.'.join(python.split('.')[:2])}/site-packages"
        place = self.folder / site
        stamps = {"pyvenv.cfg": _size(self.folder / "pyvenv.cfg"), **_stamps(self.folder, place)}
        contents = Contents(tuple(packages), python, versions, site, _installed(place), stamps)
        part = self.folder / f"{BUILT}.part"
        text = json.dumps({"schema": SCHEMA, **asdict(contents)}, indent=1, sort_keys=True)
        part.write_text(text, encoding="utf-8")
        part.replace(self.folder / BUILT)

    def size(self) -> int:
        """Bytes on disk; files that uv's own cache shares with it count in full."""
        walk = os.walk(self.folder)
        paths = (os.path.join(where, name) for where, _, names in walk for name in names)  # noqa: PTH118 - tens of thousands of them
        return sum(os.lstat(path).st_blocks * 512 for path in paths)


def _installed(site: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(name for name in os.listdir(site) if name.endswith(".dist-info")))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return ()


def _stamps(folder: Path, site: Path) -> dict[str, int]:
    """The sizes of the files of each package whose loss would matter most."""
    from importlib.metadata import distributions  # 13 ms, and only a build needs it

    chosen = {path for found in distributions(path=[str(site)]) for path in _telling(found)}
    return {os.path.relpath(path, folder): _size(path) for path in sorted(chosen) if path.is_file()}


def _telling(package: Distribution) -> Iterator[Path]:
    files = list(package.files or ())
    biggest = sorted(files, key=lambda file: file.size or 0)[-BIGGEST:]
    doors = [f for f in files if f.name == "RECORD" or f.parts[1:] == ("__init__.py",)]
    for file in (*biggest, *doors):
        yield Path(str(file.locate()))


def _size(path: Path) -> int:
    """Its bytes, or -1 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
