"""Checks of what lies in the zip beside the module and the weights, by name."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes
from submission.archive import Member
from submission.checks.imports import SHIPPED
from submission.checks.subject import Subject, check
from submission.findings import Said

LONGEST_NAME = 64
JUNK = frozenset(
    ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints", "__pycache__", ".git", ".idea", ".vscode", ".venv", ".mypy_cache", ".pytest_cache")
)  # fmt: skip
TABLES = (".csv", ".tsv", ".xlsx", ".parquet", ".feather", ".tfrecord", ".zip", ".tar", ".gz")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
MANY_PICTURES = 10
ANSWERS = re.compile(
    r"(y_?pred|y_?hat|predictions?|answers?|results?|submission|output|labels?_pred)([_-]?\d*)?"
    r"\.(csv|tsv|txt|json|npy|npz|pkl|parquet|h5)"
    r"|scores?\.(json|txt)|.*\.(predict|solution)"
)
DATA_ARRAYS = frozenset(("images", "labels", "X", "y", "x_train", "y_train", "X_train", "data"))


@check("S109", "error")
def long_zip_name(subject: Subject) -> Iterator[str]:
    """Rename the zip: Codabench refuses file names over 64 characters."""
    if len(subject.zip_name) > LONGEST_NAME:
        yield f"the zip's name has {len(subject.zip_name)} characters"


@check("S110", "note")
def junk(subject: Subject) -> Iterator[str]:
    """Leave it out: it does no harm, but it is uploaded and counted."""
    found = [n for n in sorted(subject.archive.names) if _is_junk(n)]
    if found:
        yield f"{len(found)} file(s) the platform has no use for, such as {found[0]}"


def _is_junk(name: str) -> bool:
    return not JUNK.isdisjoint(PurePosixPath(name).parts)


@check("S111", "warning")
def names_by_case(subject: Subject) -> Iterator[str]:
    """Rename one of them: Linux keeps both, but other systems have one overwrite the other."""
    seen: dict[str, str] = {}
    for name in sorted(subject.archive.names):
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield f"{other} and {name} differ by upper and lower case only"


@check("S112", "warning")
def metadata_present(subject: Subject) -> Iterator[str | Said]:
    """Leave it out, unless the challenge asks for it: it changes how the platform runs the zip."""
    names = subject.archive.names
    for file in ("metadata.yaml", "metadata"):
        if file in names:
            yield _by_worker(subject, "2026-03", f"{file} is in the zip: {_changes(subject, file)}")
            return
    if any(name.startswith(("metadata/", "metadata.yaml/")) for name in names):
        yield "a folder metadata/ stands where the platform looks for a file of that name"


def _by_worker(subject: Subject, worker: str, message: str) -> Said:
    """What one generation of Codabench's worker does: a note where the challenge has another."""
    if worker not in subject.challenge.workers:
        return Said(f"{message} (Codabench's worker of {worker}, not this challenge's)", "note")
    return Said(f"{message} (Codabench's worker of {worker})")


def _changes(subject: Subject, file: str) -> str:
    try:
        text = subject.archive.read(file).decode("utf-8", "replace")
    except SubmissionError:
        return "it cannot be read"
    if re.search(r"^[ \t]*command[ \t]*:\s*\S", text, re.MULTILINE):
        return "its command is started as a program of its own beside ingestion"
    return "the submission is then not copied into the output folder"


@check("S113", "warning")
def taken_for_predictions(subject: Subject) -> Iterator[Said]:
    """Leave it out: the platform copies the zip to where scoring looks for answers."""
    roots = {name.split("/")[0] for name in (*subject.archive.names, *subject.archive.folders)}
    found = [name for name in sorted(roots) if _is_answer(name)]
    if not found:
        return
    if "2026-10" in subject.challenge.workers:
        message = (
            f"{found[0]} is copied over what the run itself answered, if scoring reads that name"
        )
        yield _by_worker(subject, "2026-10", message)
    else:
        message = f"{found[0]} is taken for the run's answers where the run gives none"
        yield Said(message, "note")


def _is_answer(name: str) -> bool:
    return "/" not in name and not name.endswith(".py") and bool(ANSWERS.fullmatch(name.lower()))


@check("S114", "warning")
def names_not_utf8(subject: Subject) -> Iterator[str]:
    """Use plain ASCII names: this one is unpacked under another name on the platform."""
    found = [member.name for member in subject.archive.members if not member.is_utf8]
    if found:
        yield f"the name {found[0]!r} is not in UTF-8"


@check("S116", "note")
def left_over_data(subject: Subject) -> Iterator[str]:
    """Leave out what the model does not open: it is uploaded and counts against your quota."""
    members = [m for m in subject.archive.members if not _is_junk(m.name)]
    pictures = [m for m in members if m.name.lower().endswith(PICTURES)]
    found = [m for m in members if _is_data(subject, m)]
    found += pictures if len(pictures) >= MANY_PICTURES else []
    found = [m for m in found if not _is_named(subject, m)]
    if found:
        size = human_bytes(sum(member.size for member in found))
        yield f"{len(found)} notebook(s), data set(s) or picture(s) that no code names, {size}, such as {found[0].name}"


def _is_data(subject: Subject, member: Member) -> bool:
    name = member.name.lower()
    if name.endswith((".ipynb", *TABLES)) and not _is_answer(member.name):
        return True
    return name.endswith(".npz") and _holds_data_set(subject, member)


def _holds_data_set(subject: Subject, member: Member) -> bool:
    try:
        with zipfile.ZipFile(subject.archive.look_into(member.name)) as inner:
            names = {PurePosixPath(name).stem for name in inner.namelist()}
    except (SubmissionError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return len(names & DATA_ARRAYS) > 1


def _is_named(subject: Subject, member: Member) -> bool:
    """Whether code that runs names the file, or finds files by a pattern."""
    path = PurePosixPath(member.name)
    texts = subject.texts
    return path.name in texts or any(text.endswith(path.name) or text == f"*{path.suffix}" for text in texts)  # fmt: skip


@check("S117", "warning")
def hides_a_package(subject: Subject) -> Iterator[str]:
    """Rename the file: where your folder comes first on the path, every import gets yours instead."""
    packages = SHIPPED | sys.stdlib_module_names
    for name in sorted(subject.archive.names):
        module = name.removesuffix(".py").removesuffix("/__init__")
        if name.endswith(".py") and module in packages and module != subject.challenge.module:
            yield f"{name} has the name of the package {module}"


@check("S118", "warning")
def backslashes(subject: Subject) -> Iterator[str]:
    """Zip it with another tool: on Linux a backslash is part of the name, not a folder."""
    found = [m.name for m in subject.archive.members if "\\" in m.name]
    if found:
        yield f"{found[0]!r} has backslashes in its name"
