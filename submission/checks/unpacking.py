"""Checks of the zip as a whole: can it be unpacked, is the module in its place, is it too large."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from codabench_rehearsal.console.words import human_bytes
from submission.archive import MOST_FILES, READABLE, SUSPECT_BYTES
from submission.checks.subject import Subject, check
from submission.findings import Said

TOTAL_RATIO = 100
LONGEST_PART, LONGEST_PATH = 255, 4000  # bytes of a name; of a path, less the folder it goes to
DEEPEST = 900  # os.makedirs calls itself once a folder, and Python allows 1,000 calls
QUOTA_BYTES = 15 * 10**9  # a Codabench user's quota for everything: facts/codabench.md, "Limits"
LARGE_ZIP_BYTES = 500 * 10**6


@check("S101", "error")
def empty(subject: Subject) -> Iterator[str]:
    """Build it from your weights: make-submission WEIGHTS."""
    if not subject.archive.members:
        yield "the zip holds no files"


@check("S102", "error")
def module_at_root(subject: Subject) -> Iterator[str | Said]:
    """Zip the files, not the folder around them: the module is imported from the zip's root."""
    wanted, names = subject.module_file, subject.sorted_names
    if not names or subject.file_of(subject.asked.module) or _compiled(subject):
        return
    nested = [name for name in names if PurePosixPath(name).name == wanted]
    other = [name for name in names if name.lower() == wanted.lower()]
    near = [n for n in names if n.replace(" ", "").startswith(wanted) and "/" not in n]
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
    name, folder = subject.asked.class_name, f"{subject.asked.module}/"
    missing = f"there is no {wanted} in the zip"
    for file in (file for file in subject.python_files if "/" not in file):
        if name in subject.read(file).stores:
            advice = f"Rename it to {wanted}: that is what {subject.challenge.name} imports."
            return Said(f"{missing}; {file} defines {name}", advice=advice)
    if any(file.startswith(folder) for file in subject.names):
        advice = f"Put the file {wanted} at the root, or an __init__.py into the folder."
        return Said(f"a folder {folder} stands where {wanted} is expected", advice=advice)
    build = "build it from your weights: make-submission WEIGHTS."
    return Said(missing, advice=f"Put {wanted} into it, or {build}")


def _compiled(subject: Subject) -> str:
    """A file that Python imports in the place of the module's source, "" if there is none."""
    module = re.escape(subject.asked.module)
    kind = re.compile(rf"{module}(/__init__)?(\.pyc|(\.[\w-]+)?\.so)")
    return next((name for name in subject.sorted_names if kind.fullmatch(name)), "")


@check("S120", "warning")
def compiled_module(subject: Subject) -> Iterator[str]:
    """Put the .py file in: a compiled one works only with the Python that made it."""
    if subject.file_of(subject.asked.module) is None and (name := _compiled(subject)):
        yield f"{name} is the module, without its source"


@check("S103", "error")
def folder_named_like_the_module(subject: Subject) -> Iterator[str]:
    """Rename the folder: Python imports it instead of the file."""
    module, wanted = subject.asked.module, {subject.asked.class_name, "__getattr__"}
    if {subject.module_file, f"{module}/__init__.py"} <= subject.names:
        package = subject.read(f"{module}/__init__.py")
        if not package.has_stars and wanted.isdisjoint(package.stores):
            yield (
                f"Python imports the folder {module}/ and not {subject.module_file}: "
                "it holds an __init__.py"
            )


@check("S104", "warning")
def unusual_names(subject: Subject) -> Iterator[Said]:
    """Build the zip anew from plain files: names that lead out of it are unpacked elsewhere."""
    for member in subject.archive.members:
        if member.is_link:
            yield _link(subject, member.name)
        elif member.is_moved:
            yield Said(f"{member.written!r} is unpacked as {member.name!r}", kind="rules")


def _link(subject: Subject, name: str) -> Said:
    used = {m.file for m in subject.modules} | {opened.place.path for opened in subject.opened}
    message = f"{name} is a symbolic link: it is unpacked as a text file that holds where it leads"
    return Said(message, "error" if name in used else "note", "Put the file itself into the zip.")


@check("S105", "error")
def bomb(subject: Subject) -> Iterator[str]:
    """Look at what you zipped: no weights or code compress like this."""
    members = subject.archive.members
    found = [member for member in members if member.is_bomb]
    for member in found:
        size, ratio = f"{member.size:,} bytes", f"{member.ratio:,.0f} times its packed size"
        yield f"{member.name} unpacks to {size}, {ratio}"
    total, packed = subject.archive.unpacked_bytes, max(sum(m.packed for m in members), 1)
    if not found and total > SUSPECT_BYTES and total > TOTAL_RATIO * packed:
        yield f"the zip unpacks to {total:,} bytes, {total / packed:,.0f} times its packed size"
    if len(members) > MOST_FILES:
        yield f"the zip holds {len(members):,} files"


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
    """Build the zip anew from plain files and folders: the platform's unzip fails on it as ours
    does.
    """
    names, folders = subject.names, set(subject.archive.folders)
    faults = filter(None, map(_unusable, sorted(names | folders)))
    if fault := next(faults, ""):
        yield fault
        return  # such names are slow to take apart as well
    for member in subject.archive.members:
        if not member.name:
            yield f"{member.written!r} names no file"
    # Files that others lie in: in order of their parts, they come right before those.
    pairs = itertools.pairwise(sorted(name.split("/") for name in names))
    holders = {"/".join(one) for one, other in pairs if other[: len(one)] == one}
    for name in sorted(names & folders | holders):
        if name:
            yield f"{name} is a file and a folder in the zip"


def _unusable(name: str) -> str:
    """Why no file can have that name, by the limits of Linux and of Python's os.makedirs."""
    parts = name.split("/")
    longest = max(len(part.encode("utf-8", "surrogateescape")) for part in parts)
    if longest > LONGEST_PART:
        return f"a name of {longest:,} bytes is in the zip; Linux allows {LONGEST_PART}"
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        return f"a path of {len(name):,} characters is in the zip; Linux allows about 4,000"
    if len(parts) > DEEPEST:
        depth = f"{len(parts) - 1:,} deep"
        return f"folders are nested {depth} in the zip; Python's unzip gives up at {DEEPEST}"
    return ""


@check("S115", "error")
def unreadable_method(subject: Subject) -> Iterator[str]:
    """Zip it with the usual method (deflate), or without compression."""
    found = [member for member in subject.archive.members if member.method not in READABLE]
    if found:
        more = f" and {len(found) - 1} more are" if len(found) > 1 else " is"
        method = f"method {found[0].method}, which Python's zipfile does not know"
        yield f"{found[0].name}{more} packed by {method}"


@check("S401", "error")
def zip_over_limit(subject: Subject) -> Iterator[str]:
    """Shrink it: make-submission --shrink, a smaller backbone, or weights saved without optimizer
    state.
    """
    yield from _over("the zip", subject.archive.size, subject.challenge.sizes.zip_bytes)


@check("S402", "error")
def unpacked_over_limit(subject: Subject) -> Iterator[str]:
    """Leave out what the model does not open, or shrink the weights."""
    limit = subject.challenge.sizes.unpacked_bytes
    yield from _over("the zip unpacked", subject.archive.unpacked_bytes, limit)


@check("S403", "error")
def file_over_limit(subject: Subject) -> Iterator[str]:
    """Leave the file out, or save the weights in smaller parts."""
    for member in subject.archive.members:
        yield from _over(member.name, member.size, subject.challenge.sizes.file_bytes)


@check("S404", "error")
def over_quota(subject: Subject) -> Iterator[str]:
    """Nothing of this size can be uploaded: Codabench's 15 GB quota counts all your files."""
    yield from _over("the zip", subject.archive.size, QUOTA_BYTES)


def _over(what: str, size: int, limit: int | None) -> Iterator[str]:
    if limit is not None and size > limit:
        yield f"{what} has {human_bytes(size)}; the limit is {human_bytes(limit)}"


@check("S407", "error")
def over_quota_left(subject: Subject) -> Iterator[str]:
    """Delete old submissions on Codabench (they, their predictions and logs count), or shrink the
    zip.
    """
    size, left = subject.archive.size, subject.challenge.sizes.quota_bytes
    if left is not None and size > left:
        yield f"the zip has {human_bytes(size)}; {human_bytes(left)} of the quota are left"


@check("S405", "warning")
def large_zip(subject: Subject) -> Iterator[str]:
    """Uploads of this size are slow and fail more often; the server's own limit is not known."""
    if LARGE_ZIP_BYTES < subject.archive.size <= QUOTA_BYTES:
        yield f"the zip has {human_bytes(subject.archive.size)}"
