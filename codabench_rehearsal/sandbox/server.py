"""The server's own versions: a cached environment with a challenge's pins, built once by uv.

One folder an environment, built where it stays (its scripts name their place) under the cache's
lock. `complete.json`, written last, says that it is finished; the sizes noted there tell damage
apart in a few milliseconds, without starting anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.temporary import (
    BUILDING,
    BUILT,
    CACHE_VARIABLE,
    cache_folder,
    locked,
)
from codabench_rehearsal.sandbox.installing import (
    BuildError,
    Uv,
    bare_name,
    machine,
    refused,
    tried,
)
from codabench_rehearsal.sandbox.job import SandboxError

# TensorFlow's own docker images have 3.11; 2.17 has wheels for these four.
PYTHONS = ("3.11", "3.10", "3.12", "3.9")
SCHEMA = 1
BIGGEST = 5  # files of each package whose size is noted, beside its list and its __init__.py
# What `complete.json` holds, beside the schema.
_KEPT = {
    "packages": list,
    "python": str,
    "versions": dict,
    "site": str,
    "installed": list,
    "stamps": dict,
}
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:===?|!=|~=|<=?|>=?)[A-Za-z0-9][A-Za-z0-9.!+*_-]*"
_REQUIREMENT = re.compile(rf"{_NAME}(?:\[{_NAME}(?:,{_NAME})*\])?(?:{_VERSION}(?:,{_VERSION})*)?")


@dataclass(frozen=True)
class Pins:
    """What the server has: packages as requirements, and its possible Pythons, the likeliest first.

    extra: packages that it is said to have as well; they are installed, but not tried.
    """

    packages: tuple[str, ...]
    pythons: tuple[str, ...] = PYTHONS
    extra: tuple[str, ...] = ()

    @property
    def requirements(self) -> tuple[str, ...]:
        """All that is installed."""
        return (*self.packages, *self.extra)

    def folder(self, cache: Path, python: str) -> Path:
        """Where the environment on a Python ("3.11") is, named by all that decides its content."""
        decides = json.dumps([sorted(self.requirements), python, machine()])
        digest = hashlib.sha256(decides.encode()).hexdigest()[:12]
        return cache.absolute() / f"server-py{python}-{digest}"

    def begun(self, cache: Path) -> Iterator[Path]:
        """The environments with these pins, whole or not, the likeliest Python first."""
        folders = (self.folder(cache, version) for version in self.pythons)
        return (folder for folder in folders if folder.exists())


def keras_pins(tensorflow: str, keras: str, python: str = "") -> Pins:
    """The pins of a challenge's server; "" for a version that is not known."""
    wanted = [cpu_tensorflow(tensorflow)] if tensorflow else []
    wanted += [f"keras=={keras}"] if keras else []
    return Pins(tuple(wanted), (".".join(python.split(".")[:2]),) if python else PYTHONS)


def cpu_tensorflow(version: str) -> str:
    """TensorFlow without the GPU's half, where there is such a package."""
    small = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
    return f"tensorflow-cpu=={version}" if small else f"tensorflow=={version}"


def checked_requirement(line: str) -> str:
    """A plain requirement, such as "scipy==1.13" or "keras_cv>=0.9,<1", without spaces.

    Raises `SandboxError` for all else that an installer would take: options, addresses, paths.
    """
    plain = re.sub(r"[ \t]*([][,=!~<>]+)[ \t]*", r"\1", line.strip())
    if not _REQUIREMENT.fullmatch(plain):
        raise SandboxError(
            f"{line!r}: expected a package with or without a version, such as scipy==1.13"
        )
    return plain


def package_name(requirement: str) -> str:
    """The package that a requirement is about, in the spelling that package indexes compare."""
    return re.sub(r"[-_.]+", "-", bare_name(requirement)).lower()


def default_cache() -> Path:
    """$CODABENCH_REHEARSAL_CACHE, else a folder of ours in the user's cache."""
    try:
        return cache_folder()
    except RuntimeError as error:
        raise SandboxError(
            f"there is no home folder to keep the server's versions in: set {CACHE_VARIABLE}"
        ) from error


def find(pins: Pins, cache: Path) -> Path | None:
    """The Python of the environment with these pins, if it is built and whole; starts nothing."""
    whole = (folder for folder in pins.begun(cache) if not _fault(folder))
    return next((_python(folder) for folder in whole), None)


def build(pins: Pins, cache: Path, say: Callable[[str], None]) -> Path:
    """Build the environment, or repair it, or find it built; returns its Python.

    say: told each step. On a terminal uv draws its own progress on standard error.
    Raises `SandboxError` (`BuildError` with uv's words in `detail`), each one sentence.
    An interrupt leaves nothing that the next build cannot mend.
    """
    cache = cache.absolute()
    try:
        with _locked(cache, say) as lock:
            return find(pins, cache) or _build(pins, Uv(cache, lock, say))
    except OSError as error:
        raise refused(error, ", ".join(pins.requirements), cache) from error
    except BuildError as error:
        raise _with_extra(error, pins) from error


def _build(pins: Pins, uv: Uv) -> Path:
    _clear_away(pins, uv)
    program, python = uv.python(pins.pythons)
    folder = pins.folder(uv.cache, ".".join(python.split(".")[:2]))
    asked = ", ".join(pins.requirements)
    try:
        uv.say(f"building {asked} on Python {python} in {folder}")
        uv.run("venv", "--quiet", "--python", program, str(folder), asked=f"Python {python}")
        uv.install(_python(folder), pins.requirements, asked=f"{asked} for Python {python}")
        uv.say("trying it once")
        _seal(folder, pins.requirements, python, tried(_python(folder), pins.packages))
    except BaseException:  # an interrupt too: gigabytes, and on a full disk the reason itself
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _python(folder)


def _clear_away(pins: Pins, uv: Uv) -> None:
    """Remove what interrupted builds left, and what is damaged of ours: nobody else is building."""
    unfinished = (folder for folder in uv.cache.glob("server-*/") if not _note(folder))
    for folder in dict.fromkeys((*pins.begun(uv.cache), *unfinished)):
        uv.say(f"{folder.name} in the cache cannot be used ({_fault(folder)}); removed")
        shutil.rmtree(folder)


@contextmanager
def _locked(cache: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold the cache's lock; yields its open file. Waits for another holder, and says so.

    The kernel frees it when its holders have ended, however they end. Raises OSError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / BUILDING).open("a") as file:
        held = locked(file.fileno())
        if held is False:
            say(f"another build is going on in {cache}; waiting for its end")
            locked(file.fileno(), wait=True)
        elif held is None:
            say(f"{cache} lies on a disk without locks: start no second build beside this one")
        yield file.fileno()


def _with_extra(error: BuildError, pins: Pins) -> BuildError:
    """What uv could not bring together, where packages were added to the server's."""
    said = " ".join(error.detail.split())
    if not pins.extra or not pins.packages or "No solution found" not in said:
        return error
    why = said.partition("Because ")[2].partition(", we can conclude")[0] or said[-300:].strip()
    extra, own = ", ".join(pins.extra), ", ".join(pins.packages)
    return BuildError(f"{extra} cannot be installed beside {own}: {why}", error.detail)


def _python(folder: Path) -> Path:
    """An environment's interpreter: a link to the Python that it was built on."""
    return folder / "bin" / "python"


def _note(folder: Path) -> dict[str, Any] | None:
    """What `complete.json` says; None where it is missing, damaged or of another schema."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        note: dict[str, Any] = json.loads((folder / BUILT).read_text(encoding="utf-8"))
        if note["schema"] == SCHEMA and all(type(note[key]) is kind for key, kind in _KEPT.items()):
            return note
    return None


def _fault(folder: Path) -> str:
    """Why an environment cannot be used, or "" if it is whole. Looks at files only."""
    note = _note(folder)
    if note is None:
        return "it was never finished"
    if not os.access(_python(folder), os.X_OK):  # follows the link
        return "the Python that it was built on is gone"
    if _installed(folder / note["site"]) != note["installed"]:
        return "packages were added or taken away"
    changed = (name for name, size in note["stamps"].items() if _size(folder / name) != size)
    return "".join(f"{name} is missing or was changed" for name in islice(changed, 1))


def _seal(folder: Path, packages: Sequence[str], python: str, versions: Mapping[str, str]) -> None:
    """Note what an environment holds and mark it as finished, in one step. python: "3.11.7"."""
    site = f"lib/python{python.rpartition('.')[0]}/site-packages"
    stamped = [folder / "pyvenv.cfg", *sorted(_telling(folder / site))]
    note = {
        "schema": SCHEMA,
        "packages": list(packages),
        "python": python,
        "versions": dict(versions),  # package -> version, as seen by importing it
        "site": site,
        "installed": _installed(folder / site),  # the names of all metadata folders
        "stamps": {os.path.relpath(path, folder): _size(path) for path in stamped},
    }
    part = folder / f"{BUILT}.part"
    part.write_text(json.dumps(note, indent=1, sort_keys=True), encoding="utf-8")
    part.replace(folder / BUILT)


def _installed(site: Path) -> list[str]:
    return sorted(path.name for path in site.glob("*.dist-info"))


def _telling(site: Path) -> set[Path]:
    """The files of each package whose loss would matter most: the biggest, its list, its door."""
    from importlib.metadata import distributions  # 13 ms, and only a build needs it

    chosen = set()
    for package in distributions(path=[str(site)]):
        files = sorted(package.files or (), key=lambda file: file.size or 0)
        doors = [f for f in files if f.name == "RECORD" or f.parts[1:] == ("__init__.py",)]
        chosen |= {Path(str(file.locate())) for file in (*files[-BIGGEST:], *doors)}
    return {path for path in chosen if path.is_file()}


def _size(path: Path) -> int:
    """Its bytes, or -1 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
