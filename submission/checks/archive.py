"""Checks of the zip itself: can it be unpacked, and is the module where it is looked for."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from submission.archive import MOST_FILES, READABLE, SUSPECT_BYTES, Member
from submission.checks.modules import read_module
from submission.checks.subject import Subject, check
from submission.findings import Said

TOTAL_RATIO = 100
LONGEST_PART, LONGEST_PATH = 255, 4000  # bytes of a name; of a path, less the folder it goes to
DEEPEST = 900  # os.makedirs calls itself once a folder, and Python allows 1,000 calls


@check("S101", "error")
def empty(subject: Subject) -> Iterator[str]:
    """Build it from your weights: make-submission WEIGHTS."""
    if not subject.archive.members:
        yield "the zip holds no files"


@check("S102", "error")
def module_at_root(subject: Subject) -> Iterator[str | Said]:
    """Zip the files, not the folder around them: the module is imported from the zip's root."""
    wanted, names = subject.module_file, subject.archive.names
    if not names or subject.file_of(subject.challenge.module) or _compiled(subject):
        return
    nested = sorted(name for name in names if PurePosixPath(name).name == wanted)
    other = sorted(name for name in names if name.lower() == wanted.lower())
    near = sorted(n for n in names if n.replace(" ", "").startswith(wanted) and "/" not in n)
    if other:
        message = f"{wanted} is called {other[0]}: the platform's file names are case-sensitive"
        yield Said(message, advice=f"Rename it: {wanted}.")
    elif nested:
        yield f"{wanted} is not at the root of the zip but at {nested[0]}"
    elif near:
        yield Said(f"{wanted} is called {near[0]!r}", advice=f"Rename it: {wanted}.")
    else:
        yield _no_module(subject, wanted)


def _no_module(subject: Subject, wanted: str) -> Said:
    """No module at all: perhaps one of another name has the class."""
    name = subject.challenge.class_name
    for file in (file for file in subject.python_files if "/" not in file):
        if name in read_module(subject.archive, file).stores:
            advice = f"Rename it to {wanted}: that is what {subject.challenge.name} imports."
            return Said(f"there is no {wanted} in the zip; {file} defines {name}", advice=advice)
    folder = f"{subject.challenge.module}/"
    if any(file.startswith(folder) for file in subject.archive.names):
        advice = f"Put the file {wanted} at the root, or an __init__.py into the folder."
        return Said(f"a folder {folder} stands where {wanted} is expected", advice=advice)
    advice = f"Put {wanted} into it, or build it from your weights: make-submission WEIGHTS."
    return Said(f"there is no {wanted} in the zip", advice=advice)


def _compiled(subject: Subject) -> str:
    """A file that Python imports in the place of the module's source, "" if there is none."""
    module = re.escape(subject.challenge.module)
    kind = re.compile(rf"{module}(/__init__)?(\.pyc|(\.[\w-]+)?\.so)")
    return next((name for name in sorted(subject.archive.names) if kind.fullmatch(name)), "")


@check("S120", "warning")
def compiled_module(subject: Subject) -> Iterator[str]:
    """Put the .py file in: compiled ones work with the very Python only that they were made by."""
    if subject.file_of(subject.challenge.module) is None and (name := _compiled(subject)):
        yield f"{name} is the module, without its source"


@check("S103", "error")
def folder_named_like_the_module(subject: Subject) -> Iterator[str]:
    """Rename the folder: Python imports it instead of the file."""
    module, names = subject.challenge.module, subject.archive.names
    package = f"{module}/__init__.py"
    if subject.module_file in names and package in names and not _binds(subject, package):
        yield f"Python imports the folder {module}/ and not {subject.module_file}: it holds an __init__.py"


def _binds(subject: Subject, file: str) -> bool:
    """Whether a package's own file has the class, by import or definition, or could have."""
    module = read_module(subject.archive, file)
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in module.nodes)
    wanted = (subject.challenge.class_name, "__getattr__")
    return stars or any(name in module.stores for name in wanted)


@check("S104", "warning")
def unusual_names(subject: Subject) -> Iterator[str | Said]:
    """Build the zip anew from plain files: names that lead out of it are unpacked elsewhere."""
    for member in subject.archive.members:
        if member.is_link:
            yield _link(subject, member)
        elif member.is_moved:
            yield Said(f"{member.written!r} is unpacked as {member.name!r}", kind="rules")


def _link(subject: Subject, member: Member) -> Said:
    message = (
        f"{member.name} is a symbolic link: it is unpacked as a text file that holds where it leads"
    )
    used = member.name in {module.file for module in subject.modules} or any(
        opened.place.path == member.name for opened in subject.opened
    )
    return Said(message, "error" if used else "note", "Put the file itself into the zip.")


@check("S105", "error")
def bomb(subject: Subject) -> Iterator[str]:
    """Look at what you zipped: no weights or code compress like this."""
    archive = subject.archive
    found = [member for member in archive.members if member.is_bomb]
    for member in found:
        yield f"{member.name} unpacks to {member.size:,} bytes, {member.ratio:,.0f} times its packed size"
    total = archive.unpacked_bytes
    packed = sum(member.packed for member in archive.members)
    if not found and total > SUSPECT_BYTES and total > TOTAL_RATIO * max(packed, 1):
        yield f"the zip unpacks to {total:,} bytes, {total / max(packed, 1):,.0f} times its packed size"
    if len(archive.members) > MOST_FILES:
        yield f"the zip holds {len(archive.members):,} files"


@check("S106", "error")
def encrypted(subject: Subject) -> Iterator[str]:
    """Zip it without a password: the platform has none to give."""
    names = [member.name for member in subject.archive.members if member.is_encrypted]
    if names:
        yield f"{names[0]} is encrypted"


@check("S107", "error")
def damaged(subject: Subject) -> Iterator[str]:
    """Build the zip anew, and copy it whole: the platform answers `Bad or empty zip file`."""
    members = subject.archive.members
    if any(m.is_encrypted or m.method not in READABLE for m in members) or list(bomb(subject)):
        return
    _ = subject.weights  # what is unpacked to be looked into is checked on the way
    name = subject.archive.damaged()
    if name is not None:
        yield f"{name} is damaged (wrong checksum or cut short)"


@check("S108", "warning")
def duplicate_names(subject: Subject) -> Iterator[Said]:
    """Keep one of them: the last one counts, the others are uploaded for nothing."""
    seen = Counter(member.name for member in subject.archive.members)
    for name, count in seen.items():
        if count > 1 and name:
            times = "twice" if count == 2 else f"{count} times"
            yield Said(f"{name} is in the zip {times}: the last one is used", kind="rules")


@check("S119", "error")
def cannot_be_unpacked(subject: Subject) -> Iterator[str]:
    """Build the zip anew from plain files and folders: the platform's unzip fails on it as ours does."""
    names = {member.name for member in subject.archive.members}
    for name in sorted(names | set(subject.archive.folders)):
        if fault := _unusable(name):
            yield fault
            return  # such names are slow to take apart as well
    for member in subject.archive.members:
        if not member.name:
            yield f"{member.written!r} names no file"
    for name in sorted(names & set(subject.archive.folders) | _also_folders(names)):
        if name:
            yield f"{name} is a file and a folder in the zip"


def _also_folders(names: set[str]) -> set[str]:
    """The files that others lie in: in order of their parts, they come right after it."""
    parted = sorted(name.split("/") for name in names)
    pairs = itertools.pairwise(parted)
    return {"/".join(one) for one, other in pairs if other[: len(one)] == one}


def _unusable(name: str) -> str:
    """Why no file can have that name, by the limits of Linux and of Python's os.makedirs."""
    parts = name.split("/")
    longest = max(len(part.encode("utf-8", "surrogateescape")) for part in parts)
    if longest > LONGEST_PART:
        return f"a name of {longest:,} bytes is in the zip; Linux allows {LONGEST_PART}"
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        return f"a path of {len(name):,} characters is in the zip; Linux allows about 4,000"
    if len(parts) > DEEPEST:
        return f"folders are nested {len(parts) - 1:,} deep in the zip; Python's unzip gives up at {DEEPEST}"
    return ""


@check("S115", "error")
def unreadable_method(subject: Subject) -> Iterator[str]:
    """Zip it with the usual method (deflate), or without compression."""
    found = [member for member in subject.archive.members if member.method not in READABLE]
    if found:
        yield f"{_named(found)} packed by method {found[0].method}, which Python's zipfile does not know"


def _named(found: list[Member]) -> str:
    more = f" and {len(found) - 1} more are" if len(found) > 1 else " is"
    return f"{found[0].name}{more}"
