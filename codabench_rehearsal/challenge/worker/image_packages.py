"""What an image holds, as an installer's words: its Python, and the packages for `uv`.

The public images' versions are a table (`checks/images.toml`); of another image nobody has told,
and what the programs ask for stands for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import LEGACY_IMAGE
from codabench_rehearsal.challenge.checks.programs import images
from codabench_rehearsal.challenge.program_source.packages import distribution
from codabench_rehearsal.console.words import few, shown
from codabench_rehearsal.sandbox.installing import BuildError, NoPythonError
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.server import Pins, build, checked_requirement, package_name

# That uv has or fetches, and these tools' newest packages are made for.
KNOWN_PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_TAG = re.compile(r"(?:py|gpu|python|cp)[-:]?(3)\.?(\d{1,2})\b")
_OPENCV = ("opencv-python", "opencv-contrib-python")  # they need libraries that servers lack
_NOT_HAD = (
    "the image has Python {}, which cannot be had here; Python {} stands for it, with the versions "
    "of packages that fit that"
)
Notes = tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What stands for an image. python: "3.9". packages: requirements. notes: for people."""

    python: str
    packages: tuple[str, ...]
    notes: Notes = ()


def contents(
    image: str, imported: Collection[str], listed: Iterable[str], more: Sequence[str] = ()
) -> Contents:
    """What `uv` has to install for an image.

    imported: names that programs and the submission import. listed: lines of requirements.txt;
    what is no plain requirement is left out and said. more: of the user's own, which come first.
    Raises `SandboxError` for one of these that is no plain requirement.
    """
    name = image.removeprefix("docker.io/") or LEGACY_IMAGE
    facts = images().get(name, {})
    lines, odd = _plain(listed)
    chosen = _by_name(checked_requirement(line) for line in more)
    for one in (_pinned(facts, imported), lines, _asked(facts, imported)):
        chosen = {**_by_name(one), **chosen}
    return Contents(
        facts.get("python") or _python_of(name),
        tuple(sorted(_without_windows(chosen))),
        tuple(_notes(name, facts, odd)),
    )


def built(wanted: Contents, cache: Path, say: Callable[[str], None]) -> tuple[Path, Notes]:
    """Build the environment, or one as near to it as can be had; returns its Python, and how far.

    Raises `SandboxError`.
    """
    loose = tuple(package_name(one) for one in wanted.packages)
    try:
        return build(_pins(wanted.packages, wanted.python), cache, say), ()
    except NoPythonError:
        nearest = sorted(KNOWN_PYTHONS, key=lambda one: (_distance(one, wanted.python), one))
        found = build(_pins(loose, *nearest), cache, say)
        has = found.parent.parent.name.split("-")[1].removeprefix("py")
        return found, (_NOT_HAD.format(wanted.python, has),)
    except BuildError as error:
        if loose == wanted.packages:
            raise
        say(f"{error}; trying without the versions")
        found = build(_pins(loose, wanted.python), cache, say)
        return found, (f"not the image's versions of packages, for {error}",)


def _pins(packages: tuple[str, ...], *pythons: str) -> Pins:
    """All as extras: what does not start is told where a program needs it."""
    return Pins((), pythons, packages)


def _pinned(facts: Mapping[str, Any], imported: Collection[str]) -> list[str]:
    """The image's own: all that is small, and of what is large that which is imported."""
    asked = {package_name(distribution(one)) for one in imported}
    large = [one for one in facts.get("more", ()) if _as_asked(one) & asked]
    return [*facts.get("packages", ()), *large]


def _as_asked(requirement: str) -> set[str]:
    name = package_name(requirement)
    return {name, f"{name}-headless", *(["keras"] if name == "tensorflow" else [])}


def _asked(facts: Mapping[str, Any], imported: Collection[str]) -> list[str]:
    """What is imported and may be there, by pip's names."""
    if "has" in facts:
        return []
    there = set(imported) - set(facts.get("lacks", ())) - set(sys.stdlib_module_names)
    return [distribution(one) for one in there]


def _without_windows(chosen: Mapping[str, str]) -> list[str]:
    """OpenCV without its windows: the same modules, and one of them alone."""
    named = (line for name, line in chosen.items() if name not in _OPENCV)
    return [*named, *(["opencv-python-headless"] if set(chosen) & set(_OPENCV) else [])]


def _plain(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """The plain requirements among lines, and what else stands there."""
    plain, odd = list[str](), list[str]()
    for line in lines:
        text = line.partition("#")[0].partition(";")[0].strip()
        try:
            plain += [checked_requirement(text)] if text else []
        except SandboxError:
            odd.append(text)
    return plain, odd


def _by_name(requirements: Iterable[str]) -> dict[str, str]:
    return {package_name(one): one for one in requirements}


def _notes(name: str, facts: Mapping[str, Any], odd: Sequence[str]) -> list[str]:
    notes = [f"requirements.txt: {few([shown(o) for o in odd])} left out"] if odd else []
    if not facts:
        told = f"what {shown(name)} holds is not public: what programs import stands for it"
        return [*notes, told]
    if "has" not in facts:
        notes.append(f"{name} holds more than was installed here: what is imported was")
    return notes


def _python_of(image: str) -> str:
    """The Python that an image's name tells, else our own."""
    found = _TAG.search(image)
    return f"3.{found[2]}" if found else f"3.{sys.version_info.minor}"


def _distance(one: str, other: str) -> int:
    return abs(int(one.partition(".")[2]) - int(other.partition(".")[2]))
