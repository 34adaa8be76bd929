"""Checks of sizes: against the limits given, and against what any server bears."""

from __future__ import annotations

from collections.abc import Iterator

from submission.amounts import human_bytes
from submission.checks.registry import Subject, check

QUOTA_BYTES = 15 * 10**9  # a Codabench user's quota for everything: facts/codabench.md, "Limits"
LARGE_ZIP_BYTES = 500 * 10**6
LARGE_LOAD_BYTES = 2 << 30
MEMORY_PER_WEIGHT_BYTE = 2.0  # the file's bytes while reading, and the model's own


@check("S401", "error")
def zip_over_limit(subject: Subject) -> Iterator[str]:
    """Shrink it: a smaller backbone, or weights saved without optimizer state."""
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


@check("S405", "warning")
def large_zip(subject: Subject) -> Iterator[str]:
    """Uploads of this size are slow and fail more often; the server's own limit is not known."""
    if LARGE_ZIP_BYTES < subject.archive.size <= QUOTA_BYTES:
        yield f"the zip has {human_bytes(subject.archive.size)}"


@check("S406", "warning")
def large_load(subject: Subject) -> Iterator[str]:
    """The server's memory is not known; a smaller model is safer."""
    needed = load_bytes(subject)
    if needed > LARGE_LOAD_BYTES:
        yield f"loading it needs about {human_bytes(needed)} of memory"


def load_bytes(subject: Subject) -> int:
    """A rough estimate of the memory needed to load the weights, in bytes."""
    return round(MEMORY_PER_WEIGHT_BYTE * subject.archive.unpacked_bytes)


def _over(what: str, size: int, limit: int | None) -> Iterator[str]:
    if limit is not None and size > limit:
        yield f"{what} has {human_bytes(size)}; the limit is {human_bytes(limit)}"
