"""Makes saved weights smaller: no optimizer state, no compile settings, half precision if asked.

The weights themselves stay as they are, unless `float16` stores them in half the bytes: loading
casts them back to the float32 of their variables. The same bytes in give the same bytes out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.backport import CONFIG, LARGEST_EXPANSION, METADATA, WEIGHTS
from submission.h5 import Notes, copy_h5
from submission.zipping import put

HDF5, ZIP = b"\x89HDF", b"PK"
SUFFIXES = (".keras", ".h5", ".hdf5")


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
    notes = Notes()
    if data.startswith(HDF5):
        after = copy_h5(data, notes, state=state, float16=float16)
    elif data.startswith(ZIP):
        after = _shrunk_keras(data, notes, state=state, float16=float16)
    else:
        raise SubmissionError(
            f"only {', '.join(SUFFIXES)} files can be shrunk. Save the model with "
            "model.save('model.keras'), or leave out --shrink and --float16."
        )
    return after, Shrunk(
        len(data), len(after), notes.state, notes.compiled, notes.rounding, notes.rounded
    )


def float16_copy(data: bytes) -> bytes:
    """The same file with its weights stored in half precision and all else as it was."""
    return shrink(data, state=False, float16=True)[0]


def _shrunk_keras(data: bytes, notes: Notes, *, state: bool, float16: bool) -> bytes:
    members = _members(data)
    changed = False
    if state:
        config = _without_compile(members[CONFIG], notes)
        changed = config is not members[CONFIG]
        members[CONFIG] = config
    if WEIGHTS in members:
        weights = copy_h5(members[WEIGHTS], notes, state=state, float16=float16)
        changed |= weights is not members[WEIGHTS]
        members[WEIGHTS] = weights  # the old ones are let go before the new zip is made
    return _zipped(members) if changed else data


def _members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            infos = [info for info in file.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > LARGEST_EXPANSION * len(data):
                raise SubmissionError("a .keras file that unpacks to far more than it holds.")
            members = {info.filename: file.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise SubmissionError(f"not a readable .keras file ({error}). {_SAVE_AGAIN}") from None
    if CONFIG not in members:
        raise SubmissionError(f"not a .keras file: its zip has no {CONFIG}. {_SAVE_AGAIN}")
    return members


_SAVE_AGAIN = "Save the model again with model.save('model.keras')."


def _zipped(members: Mapping[str, bytes]) -> bytes:
    """Keras's own three first; stored, as Keras unpacks them at every start."""
    first = [METADATA, CONFIG, WEIGHTS]
    names = [n for n in first if n in members] + sorted(n for n in members if n not in first)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name in names:
            put(file, name, members[name])
    return held.getvalue()


def _without_compile(config: bytes, notes: Notes) -> bytes:
    """The config without compile settings: they may name losses that the server cannot import."""
    try:
        parsed = parse_json(config)
        found = _drop_compile(parsed)
    except ValueError as error:
        raise SubmissionError(
            f"a .keras file whose {CONFIG} cannot be read ({error}). {_SAVE_AGAIN}"
        ) from None
    notes.compiled |= found > 0
    return json.dumps(parsed).encode() if found else config


def _drop_compile(value: Any) -> int:
    """Drop them in place, those of models inside the model too; return how many there were."""
    if isinstance(value, list):
        return sum(_drop_compile(inner) for inner in value)
    if not isinstance(value, dict):
        return 0
    here = "class_name" in value and bool(value.get("compile_config"))
    if here:
        del value["compile_config"]
    return here + sum(_drop_compile(inner) for inner in value.values())
