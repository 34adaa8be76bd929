"""Checks of programs: how the worker starts them, and whether the image can run them."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from codabench_rehearsal.challenge.bundle import LEGACY_IMAGE
from codabench_rehearsal.challenge.checks.program import LEGACY, METADATA, Program, parsed
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.challenge.program_source.packages import installs, needed
from codabench_rehearsal.console.fields import nearest
from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import few, shown

_SHELL = re.compile(r"&&|\|\||[;|<>`]|\$\(|(?<!\S)[*?]|\*\.|^\s*(cd|export|source)\s|2>&1")
_WORD = re.compile(r"\$\{?\w+\}?")


@check("B140", "error")
def no_metadata(subject: Subject) -> Iterator[str]:
    """Put metadata.yaml with a command at the root of the program: the worker starts no other."""
    for program in subject.programs:
        if not program.metadata_file:
            near = [n for n in program.tree.sizes if n.rpartition("/")[2].startswith("metadata")]
            where = f"; there is {few(sorted(near)[:3])}" if near else ""
            yield f"{program.name}: there is no {METADATA[0]} at its root{where}"


@check("B141", "error")
def no_command(subject: Subject) -> Iterator[str]:
    """Write command: python3 FILE.py into it: the worker starts nothing without."""
    for program in subject.programs:
        if program.metadata_file and not program.command.strip():
            keys = [str(key) for key in program.metadata]
            why = program.metadata_problem.rstrip(".") or nearest("command", keys)
            where = f"{program.name}/{program.metadata_file}"
            yield f"{where} has no command{f': {why}' if why else ''}"


@check("B142", "warning")
def commands_for_a_shell(subject: Subject) -> Iterator[str]:
    """Put it into a script: the command is split into words and started, no shell reads it."""
    for program in subject.programs:
        if found := _SHELL.search(program.command):
            what = shown(found.group().strip())
            yield f"{program.name}: {what} in its command arrives as it stands: {program.command}"


@check("B143", "warning")
def unknown_words(subject: Subject) -> Iterator[str]:
    """Write the place itself, as /app/ingested_program: the worker replaces $input, $output,
    $program, $ingestion_program, $submission_program, $hidden, $predictions, $shared and $tmp.
    """
    for program in subject.programs:
        for word in _WORD.findall(program.command):
            if word not in LEGACY:
                start = next((one for one in LEGACY if word.startswith(one)), "")
                how = f"is read as {start} with something behind it" if start else "stays as it is"
                yield f"{program.name}: {word} in its command {how}: {program.command}"


@check("B144", "error")
def no_such_script(subject: Subject) -> Iterator[str]:
    """Name a file of the program: the command runs in its folder, /app/program."""
    for program in subject.programs:
        name = program.script
        if name and program.tree.kind(name) != "file":
            last = name.rpartition("/")[2].lower()
            near = [n for n in program.tree.sizes if n.rpartition("/")[2].lower() == last]
            hint = (
                f"there is {few(sorted(near)[:3])}" if near else nearest(name, program.tree.sizes)
            )
            what = f"its command starts {shown(name)}, which is not in it"
            yield f"{program.name}: {what}{f'; {hint}' if hint else ''}"


@check("B145", "error")
def code_that_does_not_parse(subject: Subject) -> Iterator[str]:
    """Fix it: Python ends at once, with every submission."""
    for program in subject.programs:
        for name in program.used:
            if program.modules[name] is None and program.texts.get(name):
                yield f"{program.name}: {name} is no Python"


@check("B146", "warning")
def code_too_new_for_the_image(subject: Subject) -> Iterator[Said]:
    """Name an image with a newer Python (docker_image), or write it as the older one reads it."""
    image, facts = _image(subject)
    if not facts:
        return
    major, minor = (int(part) for part in facts["python"].split("."))
    for program in subject.programs:
        for name in program.used:
            if program.modules[name] and not parsed(program.texts[name], (major, minor)):
                has = f"{image} has Python {facts['python']}"
                yield Said(f"{program.name}: {name} needs a newer Python than the image: {has}")


@check("B147", "warning")
def packages_that_the_image_lacks(subject: Subject) -> Iterator[str]:
    """Name an image that has them (docker_image): nothing is installed before a program starts."""
    image, facts = _image(subject)
    for program in subject.programs if facts else ():
        missing = sorted(_needs(program) & lacking(facts, _needs(program)))
        if missing and not installs(program):
            named = "" if subject.image else " (docker_image names none)"
            yield f"{program.name} imports {few(missing)}, which {image}{named} does not have"


@check("B148", "warning")
def installs_while_it_runs(subject: Subject) -> Iterator[str]:
    """Name an image that has the packages: an install takes its time from the limit in every run,
    and fails on workers without a network.
    """
    for program in subject.programs:
        if installs(program):
            yield f"{program.name} installs packages while it runs"


@check("B149", "note")
def two_metadata_files(subject: Subject) -> Iterator[str]:
    """Keep one: the worker reads metadata.yaml and passes over the other."""
    for program in subject.programs:
        if all(program.tree.kind(name) == "file" for name in METADATA):
            yield f"{program.name} has both {METADATA[0]} and {METADATA[1]}"


_PYTHON_IMAGE = re.compile(r"(?:library/)?python:(3\.\d+)?[\w.-]*")
_PLAIN = ("pip", "setuptools", "wheel", "pkg_resources")  # what Python's own images have


@functools.cache
def images() -> Mapping[str, Mapping[str, Any]]:
    """What public images have, by their names."""
    home = resources.files("codabench_rehearsal.challenge.checks")
    return parse_toml((home / "images.toml").read_text(encoding="utf-8"))


def _image(subject: Subject) -> tuple[str, Mapping[str, Any]]:
    return image_facts(subject.image)


def _needs(program: Program) -> frozenset[str]:
    """The packages that a program cannot do without."""
    return frozenset(needed(program)) - set(sys.stdlib_module_names)


def image_facts(named: str) -> tuple[str, Mapping[str, Any]]:
    """An image's name, the usual one for "", and what is known of it: none of most images."""
    name = (named or LEGACY_IMAGE).removeprefix("docker.io/")
    plain = _PYTHON_IMAGE.fullmatch(name)
    return name, {"python": plain[1] or "", "has": _PLAIN} if plain else images().get(name, {})


def lacking(facts: Mapping[str, Any], needed: frozenset[str]) -> frozenset[str]:
    """Those of some packages that an image has not, as far as that is known."""
    if "has" in facts:
        return needed - set(facts["has"])
    return needed & set(facts["lacks"])
