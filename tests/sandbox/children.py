"""Helpers of the tests: run a few lines as a child at some level, and find processes."""

from __future__ import annotations

import functools
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.sandbox import isolation
from codabench_rehearsal.sandbox.ingest import Block, Fill, Outcome, Session
from codabench_rehearsal.sandbox.job import Job, JobResult, Limits
from codabench_rehearsal.sandbox.run import Running, run, start

LEVELS = ("namespaces", "fences", "none")
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="built of what Linux's kernel offers"
)


def job(place: Path, code: str, *more: str, **limits: Any) -> Job:
    """Python code as a job: `sub` is its own copy, `in` is to be read, `out` may be written."""
    for name in ("sub", "in", "out"):
        (place / name).mkdir(exist_ok=True)
    folders = {name: str(place / name) for name in ("sub", "in", "out")}
    return Job(
        (sys.executable, "-S", "-c", textwrap.dedent(code), *more),
        folders,
        "sub",
        limits=Limits(**{"seconds": 20.0, **limits}),
        writable=("out",),
        copied=("sub",),
    )


def child(place: Path, code: str, *more: str, **limits: Any) -> JobResult:
    """Run code to its end."""
    return run(job(place, code, *more, **limits))


@contextmanager
def running(place: Path, code: str, *more: str, **limits: Any) -> Iterator[Running]:
    """Start code."""
    with start(job(place, code, *more, **limits)) as started:
        yield started


def ask(session: Session, shape: Sequence[int], sizes: Sequence[int], fill: Fill) -> Outcome:
    """One question of blocks of so many images (h, w, channels), and the end."""
    session.pose([Block((size, *shape)) for size in sizes], fill)
    return session.finish()


def at_level(level: str, patch: pytest.MonkeyPatch, *, walled: bool = False) -> None:
    """Let the next jobs try this level at most; skips where the kernel does not offer it.

    walled: files must be hidden as well.
    """
    patch.setattr(isolation, "LEVEL", level)
    held = _held(level)
    if "namespaces" in held:
        pytest.skip(f"namespaces are {held['namespaces']}")
    if walled and "not held" in held["files"]:
        pytest.skip(held["files"])


@functools.cache
def _held(_: str) -> dict[str, str]:
    """What a job says held at this level."""
    with tempfile.TemporaryDirectory() as place:
        return dict(child(Path(place), "pass").limits)


def carrying(mark: str) -> list[int]:
    """The living processes, ours apart, whose command line holds the mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in words and state not in "ZX":
            found.append(int(place.name))
    return found


def wait_until(true: Any, seconds: float = 10.0) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not (held := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(held)
