"""Checks of what lies in the zip beside the module, by name; and of what its weights weigh."""

from __future__ import annotations

import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes
from submission.archive import Member
from submission.checks.imports import SHIPPED
from submission.checks.modules import words
from submission.checks.subject import Subject, check
from submission.findings import Said

LONGEST_ZIP_NAME = 64
JUNK = words(
    "__MACOSX .DS_Store Thumbs.db desktop.ini .ipynb_checkpoints __pycache__ .git .idea .vscode "
    ".venv .mypy_cache .pytest_cache"
)
NOTEBOOKS_AND_TABLES = (
    *(".ipynb", ".csv", ".tsv", ".xlsx", ".parquet", ".feather", ".tfrecord"),
    *(".zip", ".tar", ".gz"),
)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
MANY_PICTURES = 10
ANSWERS = re.compile(
    r"(y_?pred|y_?hat|predictions?|answers?|results?|submission|output|labels?_pred)([_-]?\d*)?"
    r"\.(csv|tsv|txt|json|npy|npz|pkl|parquet|h5)"
    r"|scores?\.(json|txt)|.*\.(predict|solution)"
)
DATA_ARRAYS = words("images labels X y x_train y_train X_train data")
LARGE_LOAD_BYTES = 2 << 30
ARRAYS = (".keras", ".h5", ".hdf5", ".npy", ".npz", ".pkl", ".joblib", ".tflite", ".bin")
# Estimating what packing would save: pieces of this size from the start, middle and end.
PIECE, PIECES = 1 << 16, 4
WORTH_BYTES, WORTH_SHARE = 1_000_000, 0.03  # smaller savings are not worth a word


@check("S109", "error")
def long_zip_name(subject: Subject) -> Iterator[str]:
    """Rename the zip: Codabench refuses file names over 64 characters."""
    if len(subject.zip_name) > LONGEST_ZIP_NAME:
        yield f"the zip's name has {len(subject.zip_name)} characters"


@check("S110", "note")
def junk(subject: Subject) -> Iterator[str]:
    """Leave it out: it does no harm, but it is uploaded and counted."""
    found = [name for name in subject.sorted_names if _is_junk(name)]
    if found:
        yield f"{len(found)} file(s) the platform has no use for, such as {found[0]}"


def _is_junk(name: str) -> bool:
    return not JUNK.isdisjoint(PurePosixPath(name).parts)


@check("S111", "warning")
def names_by_case(subject: Subject) -> Iterator[str]:
    """Rename one of them: Linux keeps both, but other systems have one overwrite the other."""
    for one, other in subject.archive.alike:
        yield f"{one} and {other} differ by upper and lower case only"


@check("S112", "warning")
def metadata_present(subject: Subject) -> Iterator[str | Said]:
    """Leave it out, unless the challenge asks for it: it changes how the platform runs the zip."""
    names = subject.names
    if file := next((name for name in ("metadata.yaml", "metadata") if name in names), ""):
        yield _by_worker(subject, "2026-03", f"{file} is in the zip: {_changes(subject, file)}")
    elif any(name.startswith(("metadata/", "metadata.yaml/")) for name in names):
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
    roots = {name.split("/")[0] for name in (*subject.names, *subject.archive.folders)}
    found = next((name for name in sorted(roots) if _is_answer(name)), None)
    if found is None:
        return
    if "2026-10" in subject.challenge.workers:
        over = f"{found} is copied over what the run itself answered, if scoring reads that name"
        yield _by_worker(subject, "2026-10", over)
    else:
        yield Said(f"{found} is taken for the run's answers where the run gives none", "note")


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
    found = [m for m in members if _is_data(subject, m.name)]
    found += pictures if len(pictures) >= MANY_PICTURES else []
    found = [m for m in found if not _is_named(subject, PurePosixPath(m.name))]
    if found:
        yield (
            f"{len(found)} notebook(s), data set(s) or picture(s) that no code names, "
            f"{human_bytes(sum(m.size for m in found))}, such as {found[0].name}"
        )


def _is_data(subject: Subject, name: str) -> bool:
    if name.lower().endswith(NOTEBOOKS_AND_TABLES) and not _is_answer(name):
        return True
    if not name.lower().endswith(".npz"):
        return False
    try:
        with zipfile.ZipFile(subject.archive.look_into(name)) as inner:
            arrays = {PurePosixPath(array).stem for array in inner.namelist()}
    except (SubmissionError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return len(arrays & DATA_ARRAYS) > 1


def _is_named(subject: Subject, path: PurePosixPath) -> bool:
    """Whether code names the file, or finds files by a pattern."""
    wanted = f"*{path.suffix}"
    return any(text.endswith(path.name) or text == wanted for text in subject.texts)


@check("S117", "warning")
def hides_a_package(subject: Subject) -> Iterator[str]:
    """Rename the file: where your folder comes first on the path, every import gets
    yours instead.
    """
    packages = SHIPPED | sys.stdlib_module_names
    for name in subject.sorted_names:
        module = name.removesuffix(".py").removesuffix("/__init__")
        if name.endswith(".py") and module in packages and module != subject.asked.module:
            yield f"{name} has the name of the package {module}"


@check("S118", "warning")
def backslashes(subject: Subject) -> Iterator[str]:
    """Zip it with another tool: on Linux a backslash is part of the name, not a folder."""
    found = [member.name for member in subject.archive.members if "\\" in member.name]
    if found:
        yield f"{found[0]!r} has backslashes in its name"


@check("S406", "warning")
def large_load(subject: Subject) -> Iterator[str]:
    """The server's memory is not known; a smaller model is safer."""
    needed, limit = load_bytes(subject), subject.challenge.memory_bytes
    if needed > LARGE_LOAD_BYTES and (limit is None or needed <= limit):
        yield f"loading the weights needs about {human_bytes(needed)} of memory"


@check("S409", "error")
def load_over_memory(subject: Subject) -> Iterator[str]:
    """Use a smaller model: its weights alone do not fit into the memory that there is."""
    needed, limit = load_bytes(subject), subject.challenge.memory_bytes
    if limit is not None and needed > limit:
        least = f"loading the weights needs at least {human_bytes(needed)} of memory"
        yield f"{least}; the limit is {human_bytes(limit)}"


def load_bytes(subject: Subject) -> int:
    """The least memory that loading takes, in bytes: all arrays, and the largest one once more.

    Keras reads one array after the other into variables that exist already. What TensorFlow itself
    takes (some hundred MB) is not counted.
    """
    told = {weights.name: weights.arrays for weights in subject.weights if weights.arrays}
    members = [m for m in subject.archive.members if m.name.lower().endswith(ARRAYS)]
    total = sum(arrays.bytes + arrays.largest for arrays in told.values())
    return total + sum(member.size for member in members if member.name not in told)


@check("S408", "note")
def could_be_smaller(subject: Subject) -> Iterator[str]:
    """Pack it with make-submission --shrink: it drops optimizer state and compresses what gains by
    it.
    """
    archive = subject.archive
    saved = sum(_saving(subject, member) for member in archive.members if not member.is_encrypted)
    if saved > max(WORTH_BYTES, WORTH_SHARE * archive.size):
        size = f"the zip has {human_bytes(archive.size)}"
        yield f"{size}, of which --shrink would save about {human_bytes(saved)}"


def _saving(subject: Subject, member: Member) -> int:
    """By dropping optimizer state or by compressing: state may compress to nothing."""
    told = (w.arrays for w in subject.weights if w.name == member.name and w.arrays)
    optimizer = sum(arrays.optimizer_bytes for arrays in told)
    return max(round(optimizer * member.packed / max(1, member.size)), _gain(subject, member))


def _gain(subject: Subject, member: Member) -> int:
    """What compressing a stored file would save, estimated from a few pieces of it."""
    if member.packed < member.size or member.size < WORTH_BYTES:
        return 0
    try:
        file = subject.archive.look_into(member.name)
    except SubmissionError:
        return 0
    held = packed = 0
    for i in range(PIECES):
        file.seek(i * max(0, member.size - PIECE) // (PIECES - 1))
        piece = file.read(PIECE)
        held += len(piece)
        packed += len(zlib.compress(piece, 6))
    return max(0, round(member.size * (1 - packed / max(1, held))))
