"""Opening foreign HDF5 files: other files are never followed, what never ends is refused.

An HDF5 file may lead out of itself in three ways (external links, virtual datasets, raw data in
further files), each of which would put a file of this machine into somebody's zip; it may hold
groups within themselves, a million of them, or arrays of terabytes that take no byte. No saved
network does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from codabench_rehearsal.console.words import shown

SIGN = b"\x89HDF"  # how such a file begins
MOST_OBJECTS = 20_000  # groups and arrays; the largest networks of Keras's have about 4,000
DEEPEST = 100  # groups within groups; a model within a model takes three
LARGEST_RATIO = 200  # bytes of an array for each that is stored
UNSUSPECTED = 64 << 20  # bytes that an array may have in any case


class ForeignError(OSError):
    """An HDF5 file of a kind that no saved network is; told as one that cannot be read."""


@contextmanager
def opened_h5(source: Any) -> Iterator[Any]:
    """The open `h5py.File` of a path or of a binary file, to read, once it is known to be harmless.

    Raises `ForeignError`, and what h5py raises: `ImportError`, `OSError`, `RuntimeError`,
    `KeyError`.
    """
    import h5py

    with h5py.File(source, "r") as file:
        _check(file.id, h5py)
        yield file


def hard_names(group: Any) -> list[str]:
    """The names in a group that hold something themselves; links by name are left out."""
    import h5py

    return [name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]


def address(item: Any) -> int:
    """What tells an object from all others in its file, whatever name it is met by."""
    import h5py

    return int(h5py.h5o.get_info(item.id).addr)


def check_size(item: Any) -> None:
    """Refuse an array that is far larger in memory than in the file. Raises `ForeignError`."""
    if item.nbytes > UNSUSPECTED + LARGEST_RATIO * item.id.get_storage_size():
        raise ForeignError(
            f"{shown(item.name)} has {item.nbytes:,} bytes, of which nearly none is there"
        )


def _check(root: Any, h5py: Any) -> None:
    """Look at every object once, without visiting what links lead to."""
    waiting, seen, count = [(root, "", 0)], set(), 0
    while waiting:
        group, place, depth = waiting.pop()
        found = h5py.h5o.get_info(group).addr
        if found in seen:
            continue
        seen.add(found)
        if depth > DEEPEST:
            raise ForeignError(f"its groups are nested more than {DEEPEST} deep")
        count += group.get_num_objs()
        if count > MOST_OBJECTS:
            raise ForeignError(f"it holds more than {MOST_OBJECTS:,} groups and arrays")
        for name in group:
            here = f"{place}/{name.decode('utf-8', 'replace')}"
            inner = _inner(group, name, here, h5py)
            if isinstance(inner, h5py.h5g.GroupID):
                waiting.append((inner, here, depth + 1))


def _inner(group: Any, name: bytes, place: str, h5py: Any) -> Any:
    """What a group holds under that name; None for a link by name, or for what is neither."""
    kind = group.links.get_info(name).type
    if kind == h5py.h5l.TYPE_EXTERNAL:
        raise ForeignError(f"{shown(place)} is a link to another file")
    if kind != h5py.h5l.TYPE_HARD:
        return None
    inner = h5py.h5o.open(group, name)
    if isinstance(inner, h5py.h5d.DatasetID):
        made = inner.get_create_plist()
        if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
            raise ForeignError(f"{shown(place)} keeps its numbers in another file")
    return inner
