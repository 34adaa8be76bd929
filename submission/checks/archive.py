"""Checks of the zip itself: can it be unpacked, and is the module where it is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from submission.checks.registry import Subject, check

LARGEST_RATIO = 200  # deflate reaches about 1,000 on zeros; weights and code stay below 10
SUSPECT_BYTES = 100 << 20
MOST_FILES = 20_000
LONGEST_NAME = 64
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", ".ipynb_checkpoints", "__pycache__")


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
    if other:
        yield f"{wanted} is called {other[0]}: the platform's file names are case-sensitive"
    elif nested:
        yield f"{wanted} is not at the root of the zip but at {nested[0]}"
    else:
        yield f"there is no {wanted} in the zip"


@check("S103", "error")
def folder_named_like_the_module(subject: Subject) -> Iterator[str]:
    """Rename the folder, and put the file there: Python would import the folder, which is empty."""
    module = subject.challenge.module
    if subject.module_file in subject.archive.names:
        return
    folders = {PurePosixPath(name).parts[0] for name in subject.archive.names if "/" in name}
    if module in folders:
        yield f"a folder {module}/ stands where {subject.module_file} is expected"


@check("S104", "error")
def unsafe_names(subject: Subject) -> Iterator[str]:
    """Build the zip anew from plain files: links and names that leave the folder are unsafe."""
    for member in subject.archive.members:
        if member.is_unsafe:
            what = "a symbolic link" if member.is_link else "a path outside the zip's folder"
            yield f"{member.name!r} is {what}"


@check("S105", "error")
def bomb(subject: Subject) -> Iterator[str]:
    """Look at what you zipped: no weights or code compress like this."""
    for member in subject.archive.members:
        ratio = member.size / max(member.packed, 1)
        if ratio > LARGEST_RATIO and member.size > SUSPECT_BYTES:
            yield f"{member.name} unpacks to {member.size:,} bytes, {ratio:,.0f} times its packed size"
    if len(subject.archive.members) > MOST_FILES:
        yield f"the zip holds {len(subject.archive.members):,} files"


@check("S106", "error")
def encrypted(subject: Subject) -> Iterator[str]:
    """Zip it without a password: the platform has none to give."""
    names = [member.name for member in subject.archive.members if member.is_encrypted]
    if names:
        yield f"{names[0]} is encrypted"


@check("S107", "error")
def damaged(subject: Subject) -> Iterator[str]:
    """Build the zip anew, and copy it whole: the platform answers `Bad or empty zip file`."""
    if any(member.is_encrypted for member in subject.archive.members) or list(bomb(subject)):
        return
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


@check("S109", "error")
def long_zip_name(subject: Subject) -> Iterator[str]:
    """Rename the zip: Codabench refuses file names over 64 characters."""
    if len(subject.zip_name) > LONGEST_NAME:
        yield f"the zip's name has {len(subject.zip_name)} characters"


@check("S110", "note")
def junk(subject: Subject) -> Iterator[str]:
    """Leave it out: it does no harm, but it is uploaded and counted."""
    found = [n for n in sorted(subject.archive.names) if set(PurePosixPath(n).parts) & set(JUNK)]
    if found:
        yield f"{len(found)} file(s) the platform has no use for, such as {found[0]}"
