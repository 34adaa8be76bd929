"""Makes a `.keras` or `.h5` file of another Keras load on the server's, or refuses by name.

The config is rewritten (`backport_config`; files of Keras 2 first by `backport_keras2`), the arrays
are copied as they are. What comes out depends on nothing but what went in: the entries of a
`.keras` file come in a fixed order, stored, dated 1980.

In an `.h5` file layers do not say where they are from. Keras loads the arrays in the order of the
layers, so that new names do no harm. Layers of Keras's own say their module in the rewritten file:
otherwise Keras 3.4.1 forgets every `axis` that is a number. It stays an `.h5` file, though `.keras`
keeps a Normalization's mean and variance by itself: how arrays are filed in a `.keras` file follows
the attributes of each layer's class, which only Keras knows.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.backport_config import Rewriter
from submission.backport_graph import (
    BARE,
    Change,
    Node,
    Refusal,
    all_nodes,
    guests,
    handed_lists,
    nodes,
)
from submission.backport_keras2 import Moderniser
from submission.h5 import SIGN, opened_h5
from submission.keras_files import (
    CONFIG,
    H5_CONFIG,
    H5_VERSION,
    LARGEST_CONFIG,
    METADATA,
    SAVE_AGAIN,
    WEIGHTS,
    config_of,
    members_of,
    packed,
    text,
    unread_lists,
    unread_operations,
)
from submission.keras_tables import is_keras_2, is_newer, load_table, written_for

SHOWN = 6  # kinds of refusals
SAY_THEIR_MODULE = ("keras.layers", "keras.src.ops")
ONLY_KERAS = "only .keras files carry a config that can be rewritten."


@dataclass(frozen=True)
class Backport:
    """What rewriting a config for an older Keras changed, and what it could not."""

    target: str
    saved_with: str  # the version that wrote the file
    config: dict[str, Any] | None = None  # None: it is read as it is
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def report(self) -> str:
        """The refusals for people, one a line; each kind of layer once, the first few."""
        kinds: dict[str, list[Refusal]] = {}
        for refusal in self.refusals:
            kinds.setdefault(f"{refusal.value}: {refusal.advice}", []).append(refusal)
        lines = [
            f"- {same[0]}" + (f" ({len(same) - 1} more like it)" if len(same) > 1 else "")
            for same in kinds.values()
        ]
        more = [f"- and {len(lines) - SHOWN} more kinds"] if len(lines) > SHOWN else []
        return "\n".join([*lines[:SHOWN], *more])


class BackportError(SubmissionError):
    """The model uses what the target lacks; `backport.refusals` says what, one a line."""

    keeps_lines = True

    def __init__(self, backport: Backport) -> None:
        alone = len(backport.refusals) == 1
        super().__init__(
            f"saved with Keras {backport.saved_with}, and Keras {backport.target} cannot load it:"
            + (f" {backport.refusals[0]}" if alone else f"\n{backport.report}")
        )
        self.backport = backport


def backport_weights(data: bytes, keras: str) -> tuple[bytes, Backport | None]:
    """Return a `.keras` or `.h5` file as the server's Keras loads it, and the record.

    keras: the server's version, "" where unknown. The record is None where no table says what that
    version reads: then the file goes as it is. Raises as `backport_keras_file` does.
    """
    is_h5 = data.startswith(SIGN)
    version = read_h5_config(data)[1] if is_h5 else _version(_members(data))
    target = written_for(keras, version)
    if not target:
        return data, None
    return backport_h5_file(data, target) if is_h5 else backport_keras_file(data, target)


def backport_keras_file(
    data: bytes, target: str, *, keep_compile: bool = False
) -> tuple[bytes, Backport]:
    """Return the file as Keras `target` loads it, and the record.

    A file that it reads comes back as it is. Raises BackportError where the
    model uses what the target lacks, SubmissionError where the bytes are no `.keras` file.
    """
    backport = inspect_keras_file(data, target, keep_compile=keep_compile)
    if backport.refusals:
        raise BackportError(backport)
    if backport.config is None:
        return data, backport
    members = _members(data)
    metadata = {**_parsed(members, METADATA), "keras_version": target}
    members[METADATA] = json.dumps(metadata).encode()
    members[CONFIG] = json.dumps(backport.config).encode()
    return packed(members), backport


def inspect_keras_file(data: bytes, target: str, *, keep_compile: bool = False) -> Backport:
    """Return what rewriting would change and refuse; writes nothing, never raises BackportError."""
    members = _members(data)
    config, version = _parsed(members, CONFIG), _version(members)
    backport = backport_config(config, target, version, keep_compile=keep_compile)
    if not is_newer(version, target) or WEIGHTS not in members:
        return backport
    try:
        with opened_h5(io.BytesIO(members[WEIGHTS])) as file:
            return replace(backport, refusals=backport.refusals + unread_lists(file, target))
    except OSError as error:
        raise SubmissionError(
            f"a .keras file whose {WEIGHTS} is no readable HDF5 ({error}). Save the model again."
        ) from None


def backport_config(
    config: dict[str, Any], target: str, saved_with: str, *, keep_compile: bool = False
) -> Backport:
    """Rewrite the config alone.

    Newer ones lose what the target does not know, those of Keras 2 become ones of Keras 3; others
    are touched only where Keras does not read back what it wrote. Nodes say where their classes are
    from (`module`).
    """
    rewriter, modern = Rewriter(load_table(target), keep_compile=keep_compile), Moderniser()
    try:
        if not (
            is_keras_2(saved_with)
            or is_newer(saved_with, target)
            or guests(config)
            or any(handed_lists(node["config"]) for node in nodes(config))  # none reads them back
        ):
            return Backport(target, saved_with)
        rewritten = modern.rewrite(config) if is_keras_2(saved_with) else config
        rewritten = config if modern.refusals else rewriter.rewrite(rewritten)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
        raise SubmissionError(
            f"a .keras file whose {CONFIG} is not laid out as Keras does it ({error!r}). "
            f"{SAVE_AGAIN}"
        ) from None
    changes, refusals = (*modern.changes, *rewriter.changes), (*modern.refusals, *rewriter.refusals)
    return Backport(target, saved_with, rewritten, changes, refusals)


def _members(data: bytes) -> dict[str, bytes]:
    if data.startswith(SIGN):
        save = "Save the model with model.save('model.keras')."
        raise SubmissionError(f"an HDF5 file (.h5, .weights.h5): {ONLY_KERAS} {save}")
    return members_of(data, (METADATA, CONFIG), f"not a .keras file ({{}}): {ONLY_KERAS}")


def _version(members: dict[str, bytes]) -> str:
    return str(_parsed(members, METADATA).get("keras_version", ""))


def _parsed(members: dict[str, bytes], name: str) -> dict[str, Any]:
    try:
        if len(members[name]) > LARGEST_CONFIG:
            raise SubmissionError(f"a .keras file whose {name} has {len(members[name]):,} bytes.")
        parsed = parse_json(members[name])
    except ValueError as error:
        raise SubmissionError(f"a .keras file whose {name} is no JSON ({error}).") from None
    if not isinstance(parsed, dict):
        raise SubmissionError(f"a .keras file whose {name} holds no object.")
    return parsed


def backport_h5_file(data: bytes, target: str) -> tuple[bytes, Backport]:
    """Return the file as Keras `target` loads it, and the record.

    A file that it reads, and one that holds arrays only, comes back as it is. Raises BackportError
    where the model uses what the target lacks, SubmissionError where the bytes are no whole HDF5.
    """
    config, version = read_h5_config(data)
    if config is None:
        return data, Backport(target, version)
    backport = backport_config(config, target, version)
    if backport.refusals:
        raise BackportError(backport)
    rewritten = backport.config or (config if _needs_modules(config) else None)
    if rewritten is None:
        return data, backport
    held = io.BytesIO(data)
    with _h5py().File(held, "r+") as file:
        for name, value in ((H5_CONFIG, json.dumps(_unmarked(rewritten))), (H5_VERSION, target)):
            file.attrs.pop(name, None)
            file.attrs[name] = value
    return held.getvalue(), backport


def read_h5_config(data: bytes) -> tuple[Node | None, str]:
    """The model's config, with modules, and the version that wrote it; None without a model."""
    _h5py()
    try:
        with opened_h5(io.BytesIO(data)) as file:
            found, version = file.attrs.get(H5_CONFIG), text(file.attrs.get(H5_VERSION, ""))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise SubmissionError(
            f"no HDF5 file, or not the whole of one ({error}). Copy it again, or save the model "
            "again."
        ) from None
    config, problem = config_of(None if found is None else text(found))
    if problem:
        raise SubmissionError(f"{problem}. {SAVE_AGAIN}")
    return config, version


def _unmarked(value: Any, *, top: bool = True) -> Any:
    """The config as it goes into the file: only layers of Keras's own keep their module."""
    if isinstance(value, list):
        return [_unmarked(part, top=False) for part in value]
    if not isinstance(value, dict):
        return value
    own = {key: _unmarked(part, top=False) for key, part in value.items() if key != BARE}
    if BARE in value and (top or not str(value.get("module")).startswith(SAY_THEIR_MODULE)):
        return {key: part for key, part in own.items() if key not in ("module", "registered_name")}
    return own


def _needs_modules(config: Node) -> bool:
    """Whether an axis is not the last, or an operation could be taken for a layer."""
    bare = [node["config"] for node in all_nodes(config) if BARE in node]
    axes = [inner.get("axis") for inner in bare if isinstance(inner, dict)]
    several = any(isinstance(axis, list) and len(axis) != 1 for axis in axes)
    odd = any(isinstance(axis, int) and axis != -1 for axis in axes)
    return several or odd or bool(unread_operations(config))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise SubmissionError(
            "an HDF5 file, which takes h5py to read, and it is not installed here: pip install "
            "h5py."
        ) from None
    return h5py
