"""The server's own versions: a cached environment with a challenge's pins, built once by uv.

`find` tells in a few milliseconds whether it is there and whole; `build` makes or repairs it. One
folder an environment, finished when its `complete.json` stands; one build at a time in a cache.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.console.temporary import CACHE_VARIABLE, cache_folder
from codabench_rehearsal.sandbox.building import choose_python, fill, locked, refused
from codabench_rehearsal.sandbox.environments import Environment
from codabench_rehearsal.sandbox.installers import BuildError, Workshop, machine
from codabench_rehearsal.sandbox.job import SandboxError

# TensorFlow's own docker images have 3.11; 2.17 has wheels for these four.
PYTHONS = ("3.11", "3.10", "3.12", "3.9")
_UNRESOLVED = ("No solution found", "No matching distribution", "ResolutionImpossible")
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


@dataclass(frozen=True)
class Built:
    """One environment of the cache. fault: why it cannot be used, "" if it is whole."""

    folder: Path
    packages: tuple[str, ...]
    python: str
    bytes: int
    fault: str


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
    name = re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0]
    return re.sub(r"[-_.]+", "-", name).lower()


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
    for environment in _environments(pins, cache):
        if environment.begun and not environment.fault():
            return environment.python
    return None


def build(pins: Pins, cache: Path, say: Callable[[str], None]) -> Path:
    """Build the environment, or repair it, or find it built; returns its Python.

    say: told each step. On a terminal the installer draws its own progress on standard error.
    Raises `SandboxError` (`BuildError` with the installer's words in `detail`), each one sentence.
    An interrupt leaves nothing that the next build cannot mend.
    """
    cache = cache.absolute()
    try:
        with locked(cache, say) as held:
            return find(pins, cache) or _build(pins, Workshop(cache, held, say))
    except OSError as error:
        raise refused(error, ", ".join(pins.requirements), cache) from error
    except BuildError as error:
        raise _with_extra(error, pins) from error


def _with_extra(error: BuildError, pins: Pins) -> BuildError:
    """What an installer could not bring together, where packages were added to the server's."""
    said = " ".join(error.detail.split())
    if not pins.extra or not any(sign in said for sign in _UNRESOLVED):
        return error
    why = said.partition("Because ")[2].partition(", we can conclude")[0] or said[-300:].strip()
    extra, own = ", ".join(pins.extra), ", ".join(pins.packages)
    return BuildError(f"{extra} cannot be installed beside {own}: {why}", error.detail)


def built(cache: Path) -> tuple[Built, ...]:
    """All environments of the cache, those that are damaged or half-built as well."""
    found = []
    for folder in sorted(cache.glob("server-*/")):
        environment = Environment(folder)
        contents = environment.contents()
        packages, python = (contents.packages, contents.python) if contents else ((), "")
        found.append(Built(folder, packages, python, environment.size(), environment.fault()))
    return tuple(found)


def remove(pins: Pins, cache: Path) -> int:
    """Remove the environments with these pins; with the last one goes all that was fetched for it.

    Returns the bytes that they held. Waits for a build that is going on.
    """
    if not cache.is_dir():
        return 0
    with locked(cache, lambda _: None):
        gone = [found for found in _environments(pins, cache) if found.begun]
        freed = sum(found.size() for found in gone)
        for found in gone:
            shutil.rmtree(found.folder, ignore_errors=True)
        if not any(cache.glob("server-*/")):
            freed += Environment(cache / "tools").size()
            shutil.rmtree(cache / "tools", ignore_errors=True)
    return freed


def _build(pins: Pins, workshop: Workshop) -> Path:
    _clear_away(pins, workshop)
    installer = workshop.installer()
    python = choose_python(pins.pythons, installer, workshop)
    environment = _environment(pins.requirements, python.minor, workshop.cache)
    try:
        fill(environment, pins.requirements, len(pins.packages), python, installer, workshop)
    except BaseException:  # an interrupt too: gigabytes, and on a full disk the reason itself
        shutil.rmtree(environment.folder, ignore_errors=True)
        raise
    return environment.python


def _clear_away(pins: Pins, workshop: Workshop) -> None:
    """Remove what interrupted builds left, and what is damaged of ours: nobody else is building."""
    ours = [found for found in _environments(pins, workshop.cache) if found.begun]
    others = (Environment(folder) for folder in workshop.cache.glob("server-*/"))
    for found in dict.fromkeys((*ours, *(other for other in others if not other.contents()))):
        workshop.say(f"{found.folder.name} in the cache cannot be used ({found.fault()}); removed")
        shutil.rmtree(found.folder)


def _environments(pins: Pins, cache: Path) -> Iterator[Environment]:
    """Where the environments with these pins are or would be, the likeliest Python first."""
    for version in pins.pythons:
        yield _environment(pins.requirements, version, cache.absolute())


def _environment(packages: Sequence[str], version: str, cache: Path) -> Environment:
    """Named by everything that decides what is in it."""
    decides = json.dumps([sorted(packages), version, machine()])
    digest = hashlib.sha256(decides.encode()).hexdigest()[:12]
    return Environment(cache / f"server-py{version}-{digest}")


__all__ = [
    "BuildError",
    "Built",
    "Pins",
    "build",
    "built",
    "checked_requirement",
    "cpu_tensorflow",
    "default_cache",
    "find",
    "keras_pins",
    "package_name",
    "remove",
]
