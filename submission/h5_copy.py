"""Copies an HDF5 weights file, leaving out what only training needs, halving floats if asked.

Three layouts are known: `.weights.h5` of Keras 3, also inside a `.keras` file (groups of layers with
`vars`), and the older whole-model `.h5` (`model_weights`, with the configs as attributes).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from submission.h5_reading import address, check_size, hard_names, opened_h5

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
