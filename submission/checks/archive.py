"""Checks of the zip itself: can it be unpacked, and is the module where it is looked for."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from submission.archive import MOST_FILES, READABLE, SUSPECT_BYTES, Member, is_safe
from submission.checks.modules import read_module
from submission.checks.registry import Subject, check

TOTAL_RATIO = 100
LONGEST_NAME = 255  # bytes of one file's or folder's name on Linux' disks
LONGEST_PATH = 4000  # bytes: 4,096 less the folder that it is unpacked in
DEEPEST = 950  # Python's zipfile makes folders one inside the other, and gives up at about 1,000


@check("S101", "error")
def empty(subject: Subject) -> Iterator[str]:
    """Build it from your weights: make-submission WEIGHTS."""
    if not subject.archive.members:
        yield "the zip holds no files"


@check("S102", "error")
def module_at_root(subject: Subject) -> Iterator[str]:
    """Zip the files, not the folder around them: the module is imported from the zip's root."""
    wanted, names = subject.module_file, subject.archive.names
    if wanted in names or not names:
        return
    nested = sorted(name for name in names if PurePosixPath(name).name == wanted)
    other = sorted(name for name in names if name.lower() == wanted.lower())
    near = sorted(n for n in names if n.replace(" ", "").startswith(wanted) and "/" not in n)
    if other:
        yield f"{wanted} is called {other[0]}: the platform's file names are case-sensitive"
    elif nested:
        yield f"{wanted} is not at the root of the zip but at {nested[0]}"
    elif near:
        yield f"{wanted} is called {near[0]!r}"
    else:
        yield f"there is no {wanted} in the zip"


@check("S103", "error")
def folder_named_like_the_module(subject: Subject) -> Iterator[str]:
    """Rename the folder, and put the file at the root: Python would import the folder instead."""
    module, names = subject.challenge.module, subject.archive.names
    package = f"{module}/__init__.py"
    if subject.module_file not in names:
        if any(name.startswith(f"{module}/") for name in names):
            yield f"a folder {module}/ stands where {subject.module_file} is expected"
    elif package in names and not _binds(subject, package):
        yield f"Python imports the folder {module}/ and not {subject.module_file}: it holds an __init__.py"


def _binds(subject: Subject, file: str) -> bool:
    """Whether a package's own file has the class, by import or definition, or could have."""
    module = read_module(subject.archive, file)
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in module.nodes)
    return stars or subject.challenge.class_name in module.stores


@check("S104", "error")
def unsafe_names(subject: Subject) -> Iterator[str]:
    """Build the zip anew from plain files: links and names that leave the folder are unsafe."""
    for member in subject.archive.members:
        if member.is_unsafe:
            what = "a symbolic link" if member.is_link else "a path outside the zip's folder"
            yield f"{member.name!r} is {what}"
    for name in subject.archive.folders:
        if not is_safe(name):
            yield f"the folder {name!r} is a path outside the zip's folder"


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


@check("S108", "error")
def duplicate_names(subject: Subject) -> Iterator[str]:
    """Keep one of them: which one the platform unpacks last is not yours to choose."""
    seen: set[str] = set()
    for member in subject.archive.members:
        if member.name in seen:
            yield f"{member.name} is in the zip twice"
        seen.add(member.name)
    folders = {str(parent) for name in seen for parent in PurePosixPath(name).parents}
    for name in sorted(seen & folders):
        yield f"{name} is a file and a folder in the zip"


@check("S120", "error")
def names_that_no_disk_takes(subject: Subject) -> Iterator[str]:
    """Give it a shorter place in the zip: the platform unpacks it with Python's zipfile on Linux."""
    for name in (*subject.archive.folders, *(member.name for member in subject.archive.members)):
        parts = name.split("/")
        longest = max(len(os.fsencode(part)) for part in parts)
        if longest > LONGEST_NAME:
            yield f"{name[:40]}... has a part of {longest:,} bytes in its name, of at most {LONGEST_NAME}"
        elif len(os.fsencode(name)) > LONGEST_PATH:
            yield f"{name[:40]}... is {len(os.fsencode(name)):,} bytes long, of at most about {LONGEST_PATH:,}"
        elif len(parts) > DEEPEST:
            yield f"{name[:40]}... lies {len(parts) - 1:,} folders deep, of at most about {DEEPEST}"
        else:
            continue
        return  # one says it


@check("S115", "error")
def unreadable_method(subject: Subject) -> Iterator[str]:
    """Zip it with the usual method (deflate), or without compression."""
    found = [member for member in subject.archive.members if member.method not in READABLE]
    if found:
        yield f"{_named(found)} packed by method {found[0].method}, which Python's zipfile does not know"


def _named(found: list[Member]) -> str:
    more = f" and {len(found) - 1} more are" if len(found) > 1 else " is"
    return f"{found[0].name}{more}"
