"""Copies an HDF5 weights file, leaving out what only training needs, halving floats if asked.

Three layouts are known: `.weights.h5` of Keras 3, also inside a `.keras` file (groups of layers with
`vars`), and the older whole-model `.h5` (`model_weights`, with the configs as attributes).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import shown

LARGEST_FLOAT16 = 65504.0
TRAINING = "training_config"


@dataclass
class Notes:
    """What was found on the way; as in `submission.shrink.Shrunk`."""

    state: int = 0
    compiled: bool = False
    rounding: float = 0.0
    rounded: str = ""


def copy_h5(data: bytes, notes: Notes, *, state: bool, float16: bool) -> bytes:
    """Return the file's bytes copied, or as they are where there is nothing to do.

    state: leave out optimizer state and compile settings. float16: as in `submission.shrink`.
    The same bytes in give the same bytes out: HDF5 writes no times into these objects.
    """
    h5py, held = _h5py(), io.BytesIO()
    try:
        with opened_h5(io.BytesIO(data)) as source:
            optimizers = _optimizers(source, h5py)
            compiled = state and TRAINING in source.attrs
            notes.compiled |= compiled
            if not (
                compiled or (state and optimizers) or (float16 and _any_whole(source, optimizers))
            ):
                return data
            with h5py.File(held, "w") as target:
                copy = _Copy(optimizers, notes, h5py, state=state, float16=float16)
                copy.group(source, target)
    except (OSError, KeyError, RuntimeError) as error:
        raise SubmissionError(
            f"the weights are no readable HDF5 ({error}). Save the model again."
        ) from None
    return held.getvalue()


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise SubmissionError(
            "--shrink and --float16 read HDF5 files, and h5py is not installed here: "
            "pip install h5py, or leave them out."
        ) from None
    return h5py


def _optimizers(file: Any, h5py: Any) -> frozenset[str]:
    """The paths of the groups that hold optimizer state, of models inside the model too."""
    found = {f"/{name}" for name in ("optimizer", "optimizer_weights") if name in file}

    def visit(path: str, item: Any) -> None:
        inner = path.rpartition("/")[2] == "optimizer" and isinstance(item, h5py.Group)
        if inner and _counts_steps(item.get("vars/0")):
            found.add(f"/{path}")

    file.visititems(visit)
    return frozenset(found)


def _counts_steps(item: Any) -> bool:
    """Whether it is an optimizer's first variable: its number of steps, one integer."""
    return item is not None and getattr(item, "shape", None) == () and item.dtype.kind in "iu"


def _any_whole(file: Any, optimizers: frozenset[str]) -> bool:
    """Whether any array of a layer is of floats that could be halved."""
    within = tuple(f"{path}/" for path in optimizers)
    return bool(
        file.visititems(
            lambda _, item: (_is_whole(item) and not item.name.startswith(within)) or None
        )
    )


def _is_whole(item: Any) -> bool:
    """Whether it is an array of floats of more than two bytes each."""
    dtype = getattr(item, "dtype", None)
    return dtype is not None and dtype.kind == "f" and dtype.itemsize > 2


class _Copy:
    """Walks a file and writes what is kept of it."""

    def __init__(
        self, optimizers: frozenset[str], notes: Notes, h5py: Any, *, state: bool, float16: bool
    ) -> None:
        self.optimizers, self.notes, self.h5py = optimizers, notes, h5py
        self.state, self.float16 = state, float16
        self.copied: dict[int, Any] = {}

    def group(self, source: Any, target: Any) -> None:
        """Copy a group's attributes and what it holds."""
        for name in source.attrs:
            if not (self.state and source.name == "/" and name == TRAINING):
                _copy_attribute(source, target, name)
        self.copied[address(source)] = target
        for name in hard_names(source):
            item = source[name]
            if isinstance(item, self.h5py.Group) and address(item) in self.copied:
                target[name] = self.copied[address(item)]  # a group under a second name
            elif item.name in self.optimizers:
                self.optimizer(item, target, name)
            elif isinstance(item, self.h5py.Group):
                self.group(item, target.create_group(name))
            elif self.float16 and _is_whole(item):
                self.halved(item, target, name)
            else:
                source.copy(item, target, name)

    def optimizer(self, item: Any, target: Any, name: str) -> None:
        """Leave an optimizer's state out, or copy it whole: float16 does not hold its values."""
        if self.state:
            self.notes.state += _bytes(item)
        else:
            item.parent.copy(item, target, name)

    def halved(self, item: Any, target: Any, name: str) -> None:
        """Copy an array in half precision, and note the largest change."""
        check_size(item)
        values = item[()]
        largest = float(abs(values).max()) if values.size else 0.0
        if not largest <= LARGEST_FLOAT16:  # also where it is no number
            raise SubmissionError(
                f"the layer {_layer(item)!r} has a weight of {largest:.3g}, and float16 ends at "
                f"{LARGEST_FLOAT16:.0f}: leave out --float16."
            )
        half = values.astype("float16")
        new = target.create_dataset(name, data=half)
        for attribute in item.attrs:
            _copy_attribute(item, new, attribute)
        if largest:
            share = float(abs(values - half).max()) / largest
            if share > self.notes.rounding:
                self.notes.rounding, self.notes.rounded = share, _layer(item)


def _copy_attribute(source: Any, target: Any, name: str) -> None:
    """Copy one attribute with its very type: texts come in more than one."""
    dtype = source.attrs.get_id(name).dtype
    target.attrs.create(name, source.attrs[name], dtype=dtype)


def _layer(item: Any) -> str:
    """The name of the layer that a variable belongs to."""
    name = item.parent.attrs.get("name")
    if isinstance(name, str) and name:
        return name
    parts = str(item.name).strip("/").split("/")
    if "vars" in parts[1:]:
        return parts[parts.index("vars") - 1]
    return parts[1] if len(parts) > 1 else parts[0]


def _bytes(item: Any) -> int:
    """The bytes of the arrays in a group."""
    found: list[int] = []
    item.visititems(lambda _, inner: found.append(int(getattr(inner, "nbytes", 0))))
    return sum(found)


# Opening foreign HDF5 files: what lies in other files is never followed, what never ends is refused.
#
# An HDF5 file may lead out of itself in three ways (external links, virtual datasets, raw data in
# further files), each of which would put a file of this machine into somebody's zip; it may hold groups
# within themselves, a million of them, or arrays of terabytes that take no byte. No saved network does.


MOST_OBJECTS = 20_000  # groups and arrays; the largest networks of Keras's have about 4,000
DEEPEST = 100  # groups within groups; a model within a model takes three
LARGEST_RATIO = 200  # bytes of an array for each that is stored
UNSUSPECTED = 64 << 20  # bytes that an array may have in any case


class ForeignError(OSError):
    """An HDF5 file of a kind that no saved network is; told as one that cannot be read."""


@contextmanager
def opened_h5(source: Any) -> Iterator[Any]:
    """The open `h5py.File` of a path or of an open binary file, to read, once it is known to be harmless.

    Raises `ForeignError`, and what h5py raises: `ImportError`, `OSError`, `RuntimeError`, `KeyError`.
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
