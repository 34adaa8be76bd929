"""Checks of sizes: against the limits given, and against what any server bears."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes
from submission.archive import Member
from submission.checks.subject import Subject, check

QUOTA_BYTES = 15 * 10**9  # a Codabench user's quota for everything: facts/codabench.md, "Limits"
LARGE_ZIP_BYTES = 500 * 10**6
LARGE_LOAD_BYTES = 2 << 30
WEIGHTS = (".keras", ".h5", ".hdf5", ".npy", ".npz", ".pkl", ".joblib", ".tflite", ".bin")
# Estimating what packing would save: pieces of this size from the start, middle and end.
PIECE, PIECES = 1 << 16, 4
WORTH_BYTES, WORTH_SHARE = 1_000_000, 0.03  # smaller savings are not worth a word


@check("S401", "error")
def zip_over_limit(subject: Subject) -> Iterator[str]:
    """Shrink it: make-submission --shrink, a smaller backbone, or weights saved without optimizer state."""
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


@check("S407", "error")
def over_quota_left(subject: Subject) -> Iterator[str]:
    """Delete old submissions on Codabench (they, their predictions and logs count), or shrink the zip."""
    size, left = subject.archive.size, subject.challenge.sizes.quota_bytes
    if left is not None and size > left:
        yield f"the zip has {human_bytes(size)}; {human_bytes(left)} of the quota are left"


@check("S405", "warning")
def large_zip(subject: Subject) -> Iterator[str]:
    """Uploads of this size are slow and fail more often; the server's own limit is not known."""
    if LARGE_ZIP_BYTES < subject.archive.size <= QUOTA_BYTES:
        yield f"the zip has {human_bytes(subject.archive.size)}"


@check("S406", "warning")
def large_load(subject: Subject) -> Iterator[str]:
    """The server's memory is not known; a smaller model is safer."""
    needed = load_bytes(subject)
    limit = subject.challenge.memory_bytes
    if needed > LARGE_LOAD_BYTES and (limit is None or needed <= limit):
        yield f"loading the weights needs about {human_bytes(needed)} of memory"


@check("S409", "error")
def load_over_memory(subject: Subject) -> Iterator[str]:
    """Use a smaller model: its weights alone do not fit into the memory that there is."""
    needed, limit = load_bytes(subject), subject.challenge.memory_bytes
    if limit is not None and needed > limit:
        yield f"loading the weights needs at least {human_bytes(needed)} of memory; the limit is {human_bytes(limit)}"


def load_bytes(subject: Subject) -> int:
    """The least memory that loading takes, in bytes: all arrays, and the largest one once more.

    Keras reads one array after the other into variables that exist already. What TensorFlow itself
    takes (some hundred MB) is not counted.
    """
    told = {weights.name: weights.arrays for weights in subject.weights if weights.arrays}
    total = sum(arrays.bytes + arrays.largest for arrays in told.values())
    others = [
        m
        for m in subject.archive.members
        if m.name.lower().endswith(WEIGHTS) and m.name not in told
    ]
    return total + sum(member.size for member in others)


@check("S408", "note")
def could_be_smaller(subject: Subject) -> Iterator[str]:
    """Pack it with make-submission --shrink: it drops optimizer state and compresses what gains by it."""
    archive = subject.archive
    saved = sum(_saving(subject, member) for member in archive.members if not member.is_encrypted)
    if saved > max(WORTH_BYTES, WORTH_SHARE * archive.size):
        yield f"the zip has {human_bytes(archive.size)}, of which --shrink would save about {human_bytes(saved)}"


def _saving(subject: Subject, member: Member) -> int:
    """By dropping optimizer state or by compressing, the larger one: state may compress to nothing."""
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


def _over(what: str, size: int, limit: int | None) -> Iterator[str]:
    if limit is not None and size > limit:
        yield f"{what} has {human_bytes(size)}; the limit is {human_bytes(limit)}"
