"""Small linear algebra on one thread.

OpenBLAS, which NumPy brings, gives matrices of a few hundred rows to all cores, and its threads
wait for each other by spinning. On a machine that is busy otherwise (with the submission, say) that
took thirty times the processor time of the work itself: 6 s instead of 0.2. Where the library is another, or
cannot be told, nothing is changed.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MAPS = Path("/proc/self/maps")  # Linux: which libraries are loaded
_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads")
_NAMES_ELSEWHERE = ("openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, and for functions that it decorates, OpenBLAS uses one thread; before as after."""
    libraries = _libraries()
    before = [get() for get, _ in libraries]
    try:
        for _, set_to in libraries:
            set_to(1)
        yield
    finally:
        for (_, set_to), count in zip(libraries, before, strict=True):
            set_to(count)


@functools.cache
def _libraries() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Of every OpenBLAS that is loaded: what tells and what sets its number of threads."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    paths = {line.split(maxsplit=5)[-1] for line in lines if "openblas" in line}
    found = []
    for path in sorted(paths):
        try:
            found += _settings(ctypes.CDLL(path))
        except OSError:  # replaced on the disk meanwhile, or a name that is no library's
            continue
    return tuple(found)


def _settings(library: ctypes.CDLL) -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    for name in (*_NAMES, *_NAMES_ELSEWHERE):
        if hasattr(library, name.format("set")):
            return [(getattr(library, name.format("get")), getattr(library, name.format("set")))]
    return []


__all__ = ["one_thread"]
