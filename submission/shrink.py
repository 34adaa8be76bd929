"""Makes saved weights smaller: no optimizer state, no compile settings, half precision if asked.

The weights themselves stay as they are, unless `float16` stores them in half the bytes: loading
casts them back to the float32 of their variables. The same bytes in give the same bytes out: HDF5
writes no times into these objects. Three layouts are known: `.weights.h5` of Keras 3, also inside a
`.keras` file (groups of layers with `vars`), and the older whole-model `.h5` (`model_weights`, with
the configs as attributes).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.backport_graph import all_nodes
from submission.h5 import SIGN, address, check_size, hard_names, opened_h5
from submission.keras_files import CONFIG, LOADABLE, SAVE_AGAIN, WEIGHTS, members_of, packed

LARGEST_FLOAT16 = 65504.0
TRAINING = "training_config"


@dataclass(frozen=True)
class Shrunk:
    """What became of one weights file.

    before, after: its bytes; zipped: those it takes in the zip, once it is there. state: bytes of
    optimizer state that were left out. compiled: whether compile settings were left out.
    rounding: the largest change of a weight by float16, as a share of the largest weight of its
    array, in the layer `rounded`; 0 where nothing was rounded.
    """

    before: int
    after: int
    state: int = 0
    compiled: bool = False
    rounding: float = 0.0
    rounded: str = ""
    zipped: int = 0


def shrink(data: bytes, *, state: bool = True, float16: bool = False) -> tuple[bytes, Shrunk]:
    """Return a `.keras`, `.h5` or `.weights.h5` file's bytes made smaller, and what was done.

    state: leave out optimizer state and compile settings. float16: store float weights in half the
    bytes. A file with nothing to do comes back as it is. Raises `SubmissionError` for bytes that
    are none of these, and for a weight that float16 cannot hold, naming its layer.
    """
    if data.startswith(SIGN):
        after, done = _shrunk_h5(data, state=state, float16=float16)
    elif data.startswith(b"PK"):
        after, done = _shrunk_keras(data, state=state, float16=float16)
    else:
        raise SubmissionError(
            f"only {', '.join(LOADABLE)} files can be shrunk. Save the model with "
            "model.save('model.keras'), or leave out --shrink and --float16."
        )
    return after, replace(done, before=len(data), after=len(after))


def _shrunk_keras(data: bytes, *, state: bool, float16: bool) -> tuple[bytes, Shrunk]:
    members = members_of(data, (CONFIG,), "not a readable .keras file ({}).")
    config = _without_compile(members[CONFIG]) if state else None
    done, changed = Shrunk(0, 0), config is not None
    if WEIGHTS in members:
        weights, done = _shrunk_h5(members[WEIGHTS], state=state, float16=float16)
        changed |= weights is not members[WEIGHTS]
        members[WEIGHTS] = weights  # the old ones are let go before the new zip is made
    if config is not None:
        members[CONFIG], done = config, replace(done, compiled=True)
    return packed(members) if changed else data, done


def _without_compile(config: bytes) -> bytes | None:
    """The config without compile settings: they may name losses that the server cannot import."""
    try:
        parsed = parse_json(config)
    except ValueError as error:
        raise SubmissionError(
            f"a .keras file whose {CONFIG} cannot be read ({error}). {SAVE_AGAIN}"
        ) from None
    found = [n for n in all_nodes(parsed) if "class_name" in n and n.get("compile_config")]
    for node in found:
        del node["compile_config"]
    return json.dumps(parsed).encode() if found else None


def _shrunk_h5(data: bytes, *, state: bool, float16: bool) -> tuple[bytes, Shrunk]:
    """The file's bytes copied, or as they are where there is nothing to do."""
    try:
        import h5py
    except ImportError:
        raise SubmissionError(
            "--shrink and --float16 read HDF5 files, and h5py is not installed here: "
            "pip install h5py, or leave them out."
        ) from None
    held = io.BytesIO()
    try:
        with opened_h5(io.BytesIO(data)) as source:
            copy = _Copy(source, h5py, state=state, float16=float16)
            if not copy.changes_something(source):
                return data, Shrunk(0, 0, compiled=copy.compiled)
            with h5py.File(held, "w") as target:
                copy.group(source, target)
    except (OSError, KeyError, RuntimeError) as error:
        raise SubmissionError(
            f"the weights are no readable HDF5 ({error}). Save the model again."
        ) from None
    return held.getvalue(), Shrunk(0, 0, copy.left_out, copy.compiled, copy.rounding, copy.rounded)


class _Copy:
    """Walks a file and writes what is kept of it."""

    def __init__(self, source: Any, h5py: Any, *, state: bool, float16: bool) -> None:
        self.h5py, self.state, self.float16 = h5py, state, float16
        self.optimizers = _optimizers(source, h5py)
        self.compiled = state and TRAINING in source.attrs
        self.copied: dict[int, Any] = {}
        self.left_out, self.rounding, self.rounded = 0, 0.0, ""

    def changes_something(self, source: Any) -> bool:
        """Whether anything is left out or halved."""
        if self.compiled or (self.state and self.optimizers):
            return True
        within = tuple(f"{path}/" for path in self.optimizers)

        def visit(_: str, item: Any) -> bool | None:
            return (_is_whole(item) and not item.name.startswith(within)) or None

        return self.float16 and bool(source.visititems(visit))

    def group(self, source: Any, target: Any) -> None:
        """Copy a group's attributes and what it holds."""
        for name in source.attrs:
            if not (self.state and source.name == "/" and name == TRAINING):
                _copy_attribute(source, target, name)
        self.copied[address(source)] = target
        for name in hard_names(source):
            item = source[name]
            is_group = isinstance(item, self.h5py.Group)
            if is_group and address(item) in self.copied:
                target[name] = self.copied[address(item)]  # a group under a second name
            elif self.state and item.name in self.optimizers:
                item.visititems(self._leave_out)
            elif is_group and item.name not in self.optimizers:
                self.group(item, target.create_group(name))
            elif self.float16 and _is_whole(item):
                self._halve(item, target, name)
            else:  # an optimizer's too: float16 does not hold its values
                source.copy(item, target, name)

    def _leave_out(self, _: str, item: Any) -> None:
        self.left_out += int(getattr(item, "nbytes", 0))

    def _halve(self, item: Any, target: Any, name: str) -> None:
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
        share = float(abs(values - half).max()) / largest if largest else 0.0
        if share > self.rounding:
            self.rounding, self.rounded = share, _layer(item)


def _optimizers(file: Any, h5py: Any) -> frozenset[str]:
    """The paths of the groups that hold optimizer state, of models inside the model too."""
    found = {f"/{name}" for name in ("optimizer", "optimizer_weights") if name in file}

    def visit(path: str, item: Any) -> None:
        if path.rpartition("/")[2] == "optimizer" and isinstance(item, h5py.Group):
            first = item.get("vars/0")  # its number of steps, one integer
            if (
                first is not None
                and getattr(first, "shape", None) == ()
                and first.dtype.kind in "iu"
            ):
                found.add(f"/{path}")

    file.visititems(visit)
    return frozenset(found)


def _is_whole(item: Any) -> bool:
    """Whether it is an array of floats of more than two bytes each."""
    dtype = getattr(item, "dtype", None)
    return dtype is not None and dtype.kind == "f" and dtype.itemsize > 2


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
