"""`codabench-challenge show`: what a submission must be, phases, limits, columns, contents.

Of a bundle; of a challenge on a site, see `site_show`.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.challenge.site.address import is_address
from codabench_rehearsal.commands.evaluation_arguments import add_json
from codabench_rehearsal.commands.site_arguments import add_record_http
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import BUNDLE
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import as_json, counted, few, human_bytes, one_line, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.bundle import Bundle, Column, Phase, Task
    from codabench_rehearsal.challenge.program_source.interface import Interface

EXAMPLES = """\
examples:
  codabench-challenge show bundle.zip
  codabench-challenge show my_challenge/ --json -
  codabench-challenge show 1234                                  what codabench.org tells anybody
  codabench-challenge show https://www.codabench.org/competitions/1234/

What a submission must be is read from the source of the ingestion program, which is not run: a name
that it computes is not found.
"""
_MOST_ENDINGS = 3
_MOST_METHODS = 6


def parser() -> Parser:
    """The command's options."""
    what = "Show what a challenge asks for: a submission's form, phases, limits, columns."
    made = Parser("codabench-challenge show", what, EXAMPLES)
    what = "a bundle's zip or folder; or a challenge's number or address on the web"
    made.add_argument("bundle", type=BUNDLE, metavar="BUNDLE|1234|ADDRESS", help=what)
    add_json(made, "also write it as JSON")
    add_record_http(made)
    add_force(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Read, and show."""
    if is_address(options.bundle):
        from codabench_rehearsal.commands import site_show

        return site_show.run(options, options.bundle)
    from codabench_rehearsal.challenge.bundle import read_bundle

    with TemporaryFolder("bundle-") as folder:
        bundle = read_bundle(options.bundle.path, folder)
        found = interfaces(bundle)
        if options.json:
            write_or_print(options.json, as_json(document(bundle, found)))
        if options.json != STDOUT:
            print_lines(lines(bundle, found))
    return Exit.FINE


def interfaces(bundle: Bundle) -> dict[Path, Interface]:
    """What each ingestion program takes from a submission, by the program's folder."""
    from codabench_rehearsal.challenge.program_source.interface import read_interface

    data = {task.ingestion: task.input_data for task in bundle.tasks if task.ingestion}
    return {program: read_interface(program, data[program]) for program in sorted(data)}


def document(bundle: Bundle, found: dict[Path, Interface]) -> dict[str, Any]:
    """All of it for machines; paths are left out, what lies there is counted."""
    return {
        "schema": 1,
        "bundle": bundle.source,
        "title": bundle.title,
        "image": bundle.image,
        "detailed_results": bundle.detailed_results,
        "submission": [
            {
                "imports": [vars(one) for one in interface.imports],
                "calls": [vars(one) for one in (*interface.made, *interface.methods)],
            }
            for interface in found.values()
        ],
        "phases": [_plain(phase) for phase in bundle.phases],
        "tasks": [
            {**_plain(task), "inside": {k: _inside(p)[0] for k, p in _data(task)}}
            for task in bundle.tasks
        ],
        "columns": [_plain(column) for column in bundle.columns],
    }


def _plain(value: Phase | Task | Column) -> dict[str, Any]:
    return {key: one for key, one in vars(value).items() if not isinstance(one, Path)}


def lines(bundle: Bundle, found: dict[Path, Interface]) -> Iterator[str]:
    """The same for people."""
    from codabench_rehearsal.challenge.bundle import LEGACY_IMAGE

    yield f"{one_line(bundle.title)} ({shown(bundle.source)})"
    default = ", where a bundle names none" if bundle.image == LEGACY_IMAGE else ""
    yield f"image       {shown(bundle.image)}{default}"
    yield from _headed("submission", _submission(bundle, found))
    yield from _headed("phases", (_phase(phase) for phase in bundle.phases))
    yield from _headed("columns", (_column(column) for column in bundle.columns))
    yield from _headed("inside", _contents(bundle))


def _headed(head: str, told: Iterator[str]) -> Iterator[str]:
    """Lines with a head before the first."""
    for at, line in enumerate(told):
        yield f"{head if at == 0 else '':12}{line}"


def _submission(bundle: Bundle, found: dict[Path, Interface]) -> Iterator[str]:
    if not any(task.ingestion or "ingestion_program" in task.missing for task in bundle.tasks):
        yield from _predictions(bundle)
        return
    if not found:
        yield "not known: the ingestion program is not in the bundle"
    for interface in dict.fromkeys(found.values()):
        if not interface.imports:
            yield "not told by the ingestion program's source: it names no module to import"
            continue
        yield from _modules(interface)
        yield from _calls(interface)


def _predictions(bundle: Bundle) -> Iterator[str]:
    """The files of a zip that scoring opens."""
    from codabench_rehearsal.rehearsal.bundle.scoring_reads import GAP, reads_of

    programs = dict.fromkeys(task.scoring for task in bundle.tasks if task.scoring)
    every = [one for program in programs for one in reads_of(program).files]
    named = dict.fromkeys(f"{one.name} ({one.place})" for one in every if GAP not in one.name)
    yield "predictions: no ingestion program, the scoring program reads the zip's files"
    if named:
        yield f"it opens {few([shown(one) for one in named], 5)}"


def _modules(interface: Interface) -> Iterator[str]:
    for at, module in enumerate(dict.fromkeys(one.module for one in interface.imports)):
        taken = [one for one in interface.imports if one.module == module]
        names = few(list(dict.fromkeys(one.name for one in taken if one.name)))
        defines = f" that defines {names}" if names else ""
        start = "and with" if at else "a zip with"
        yield f"{start} {module.replace('.', '/')}.py{defines} ({shown(taken[0].place)})"


def _calls(interface: Interface) -> Iterator[str]:
    for made in interface.made[:3]:
        yield f"called as {shown(made)} ({shown(made.place)})"
    methods = list(dict.fromkeys(str(one) for one in interface.methods))
    if methods:
        more = f" and {len(methods) - _MOST_METHODS} more" * (len(methods) > _MOST_METHODS)
        yield f"then called: {', '.join(shown(one) for one in methods[:_MOST_METHODS])}{more}"


def _phase(phase: Phase) -> str:
    when = f"{phase.start or '?'} to {phase.end or 'no end'}"
    each = [f"{phase.seconds:,} s a program"]
    each += [f"{counted(phase.per_day, 'submission')} a day"] if phase.per_day else []
    each += [f"{phase.in_all:,} in all"] if phase.in_all else []
    tasks = counted(len(phase.tasks), "task")
    return f"{phase.index} {shown(phase.name)}: {when}; {', '.join(each)}; {tasks}"


def _column(column: Column) -> str:
    order = "smallest first" if column.sorting == "asc" else "largest first"
    computed = f", {column.computation} of {few([str(i) for i in column.of])}" if column.of else ""
    hidden = ", hidden" if column.hidden else ""
    digits = counted(column.precision, "decimal")
    return f"{shown(column.key)} ({shown(column.title)}): {order}, {digits}{computed}{hidden}"


def _contents(bundle: Bundle) -> Iterator[str]:
    alike: dict[str, list[Task]] = {}
    for task in bundle.tasks:
        held = [f"{key.replace('_', ' ')} {_inside(path)[1]}" for key, path in _data(task)]
        held += [f"{key} ({value}) not in the bundle" for key, value in task.missing.items()]
        alike.setdefault("; ".join(held), []).append(task)
    for held_by_all, tasks in alike.items():
        named = few([f"{task.index} {task.name}" for task in tasks], 3)
        yield f"{'task' if len(tasks) == 1 else 'tasks'} {named}: {shown(held_by_all)}"
    for phase in bundle.phases:
        parts = (("starting kit", phase.starting_kit), ("public data", phase.public_data))
        if held := [f"{what} {_inside(path)[1]}" for what, path in parts if path]:
            yield f"phase {phase.index}: {'; '.join(held)}"


def _data(task: Task) -> list[tuple[str, Path]]:
    every = (
        ("ingestion_program", task.ingestion),
        ("scoring_program", task.scoring),
        ("input_data", task.input_data),
        ("reference_data", task.reference_data),
    )
    return [(key, path) for key, path in every if path]


def _inside(folder: Path) -> tuple[dict[str, int], str]:
    """Files and bytes below a folder, as figures and in words."""
    endings: Counter[str] = Counter()
    size = 0
    for where, _, names in os.walk(folder):
        for name in names:
            endings[Path(name).suffix.lower() or name] += 1
            size += (Path(where) / name).lstat().st_size
    count = endings.total()
    kinds = few([ending for ending, _ in endings.most_common(_MOST_ENDINGS)])
    return {"files": count, "bytes": size}, (
        f"{counted(count, 'file')}, {human_bytes(size)}{f' ({kinds})' if kinds else ''}"
    )
