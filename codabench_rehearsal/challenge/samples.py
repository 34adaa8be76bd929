"""A bundle's own sample submissions: found by what ingestion imports, and by their names.

Organisers put them in many places: `solutions` of competition.yaml, the starting kit, a folder
"sample_code_submission" beside it, a notebook's folder. What holds the module that the ingestion
program imports is one; without ingestion, what is called so.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.challenge.bundle import in_order, tables
from codabench_rehearsal.challenge.bundle_files import Tree, opened_tree, plain_name
from codabench_rehearsal.challenge.manifest import read_manifest
from codabench_rehearsal.challenge.program_source.interface import read_interface
from codabench_rehearsal.challenge.setting import Setting
from codabench_rehearsal.console.errors import SubmissionError, room_for
from codabench_rehearsal.console.words import shown

_NAMES = (r"sample", r"baseline", r"example", r"solution", r"submission", r"starting|kit|template")
_KEYS = ("scoring_program", "ingestion_program", "input_data", "reference_data")
LARGEST = 2 << 30  # bytes of one sample
MOST = 20


@dataclass(frozen=True)
class Sample:
    """name: where in the bundle it lies. path: a zip of it, as a participant would upload it."""

    name: str
    path: Path


def samples(setting: Setting, folder: Path) -> tuple[Sample, ...]:
    """The sample submissions of a setting's phase, likeliest first, zipped below `folder`.

    Raises as `read_bundle` does, and `NoRoomError`.
    """
    modules = _modules(setting)
    with opened_tree(Path(setting.bundle.source)) as tree, ExitStack() as stack:
        manifest = read_manifest(tree)
        named = [one.get("path") for one in tables(manifest.values.get("solutions"))]
        named += [one.get("starting_kit") for one in in_order(manifest.values.get("phases"))]
        homes = [home for one in named if (home := _named(one))]
        closed = {
            _named(task.get(key)) for task in tables(manifest.values.get("tasks")) for key in _KEYS
        }
        found = list(_places(manifest.tree, stack, modules, closed))
        found.sort(key=lambda one: (_rank(one[0], homes), one[0].count("/"), one[0]))
        return tuple(
            Sample(name, _zipped(inside, folder / f"sample-{at}.zip"))
            for at, (name, inside) in enumerate(found[:MOST])
        )


def _modules(setting: Setting) -> frozenset[str]:
    """The files that a submission must have, "" where no ingestion program tells."""
    programs = {task.ingestion: task.input_data for task in setting.tasks if task.ingestion}
    names = (read_interface(program, data).module for program, data in programs.items())
    return frozenset(name.replace(".", "/") + ".py" for name in names if name)


def _places(
    tree: Tree, stack: ExitStack, modules: frozenset[str], closed: set[str]
) -> Iterator[tuple[str, Tree]]:
    """Folders and zips that can be a submission. closed: programs and data of tasks."""
    for folder in ("", *sorted(tree.folders)):
        if _is_open(folder, closed) and _holds(tree.below(folder), folder, modules):
            yield folder or ".", tree.below(folder)
    for name in sorted(tree.sizes):
        if name.lower().endswith(".zip") and _is_open(name, closed):
            inside = tree.in_zip(name, stack)
            if inside is None:
                continue
            if _holds(inside, name, modules):
                yield name, inside
            elif modules:
                yield from (
                    (f"{name}/{folder}", inside.below(folder))
                    for folder in sorted(inside.folders)
                    if _holds(inside.below(folder), folder, modules)
                )


def _is_open(name: str, closed: set[str]) -> bool:
    return not any(name == one or name.startswith(f"{one}/") for one in closed if one)


def _holds(inside: Tree, name: str, modules: frozenset[str]) -> bool:
    if sum(inside.sizes.values()) > LARGEST:
        return False
    if modules:
        return any(module in inside.sizes for module in modules)
    last = name.rpartition("/")[2].lower()
    return bool(inside.sizes) and bool(re.search("|".join(_NAMES[:5]), last))


def _rank(name: str, homes: list[str]) -> int:
    """The likelier, the lower: what competition.yaml names, then by words in its name."""
    if any(name == home or name.startswith(f"{home}/") for home in homes):
        return 0
    words = (at for at, word in enumerate(_NAMES, 1) if re.search(word, name.lower()))
    return next(words, len(_NAMES) + 1)


def _named(value: object) -> str:
    return plain_name(value) if isinstance(value, str) else ""


def _zipped(inside: Tree, path: Path) -> Path:
    with room_for(path.parent, sum(inside.sizes.values())), zipfile.ZipFile(path, "w") as out:
        for name in sorted(inside.sizes):
            try:
                with inside.opened(name) as source, out.open(name, "w") as target:
                    while data := source.read(1 << 20):
                        target.write(data)
            except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
                raise SubmissionError(f"{shown(name)} cannot be read: {error}.") from None
    return path
