"""Makes a `.keras` file of another Keras load on the server's, or refuses by name.

The config is rewritten (`backport_config`; files of Keras 2 first by `backport_keras2`), the weights
are copied as they are. A `.keras` file is a zip with metadata.json, config.json and model.weights.h5;
`.h5` files are `backport_h5`'s. What comes out depends on nothing but what went in: entries in a
fixed order, stored, dated 1980.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.backport_config import Change, Refusal, Rewriter
from submission.backport_graph import guests, handed_lists, nodes
from submission.backport_keras2 import FIRST_KERAS_3, Moderniser, is_keras_2
from submission.h5 import opened_h5

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
LARGEST_CONFIG = 64 << 20
SHOWN = 6  # kinds of refusals
LARGEST_EXPANSION = 50  # Keras stores its files as they are; more is a bomb
FIRST_WITH_NESTED_LISTS = "3.15.0"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Backport:
    """What rewriting a config for an older Keras changed, and what it could not."""

    target: str
    saved_with: str  # the version that wrote the file
    config: dict[str, Any] | None  # None: it is read as it is
    changes: tuple[Change, ...]
    refusals: tuple[Refusal, ...]

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
    return _packed(members), backport


def saved_with(data: bytes) -> str:
    """Return the version of Keras that wrote a `.keras` file. Raises SubmissionError for another file."""
    return str(_parsed(_members(data), METADATA).get("keras_version", ""))


def inspect_keras_file(data: bytes, target: str, *, keep_compile: bool = False) -> Backport:
    """Return what rewriting would change and refuse; writes nothing, raises as the other does not."""
    members = _members(data)
    config, version = _parsed(members, CONFIG), _parsed(members, METADATA).get("keras_version", "")
    backport = backport_config(config, target, str(version), keep_compile=keep_compile)
    if not is_newer(backport.saved_with, target) or WEIGHTS not in members:
        return backport
    return replace(backport, refusals=backport.refusals + unread_weights(members[WEIGHTS], target))


def backport_config(
    config: dict[str, Any], target: str, saved_with: str, *, keep_compile: bool = False
) -> Backport:
    """Rewrite the config alone.

    Newer ones lose what the target does not know, those of Keras 2 become ones of Keras 3; others
    are touched only where Keras does not read back what it wrote. Nodes say where their classes are from (`module`).
    """
    rewriter, modern = Rewriter(load_table(target), keep_compile), Moderniser()
    try:
        if not (is_keras_2(saved_with) or is_newer(saved_with, target) or _stumbles(config)):
            return Backport(target, saved_with, None, (), ())
        rewritten = modern.rewrite(config) if is_keras_2(saved_with) else config
        rewritten = config if modern.refusals else rewriter.rewrite(rewritten)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
        raise SubmissionError(
            f"a .keras file whose {CONFIG} is not laid out as Keras does it ({error!r}). "
            "Save the model again with model.save('model.keras')."
        ) from None
    return Backport(
        target,
        saved_with,
        rewritten,
        (*modern.changes, *rewriter.changes),
        (*modern.refusals, *rewriter.refusals),
    )


def _stumbles(config: dict[str, Any]) -> bool:
    """Whether even the Keras that wrote it does not read it back."""
    return bool(guests(config)) or any(handed_lists(node["config"]) for node in nodes(config))


def written_for(keras: str, saved_with: str) -> str:
    """The version to rewrite a file for, "" where it has to go as it is.

    keras: the server's, "" where unknown. Where no table says what it reads, files of Keras 2 are
    still written as the oldest Keras 3 with a table reads them, which all later ones do, too.
    """
    if keras in targets():
        return keras
    is_three = not keras or is_newer(keras, FIRST_KERAS_3) or keras == FIRST_KERAS_3
    return targets()[0] if is_three and is_keras_2(saved_with) else ""


def unread_weights(weights: bytes, target: str) -> tuple[Refusal, ...]:
    """Return the weights that the target would pass over without a word.

    A layer's lists of layers are stored alike in all versions, but lists of lists of layers only
    since Keras 3.15: as groups called `container`. Other layouts were found to be the same.
    """
    if not needs_flat_lists(target):
        return ()

    try:
        with opened_h5(io.BytesIO(weights)) as file:
            return unread_lists(file, target)
    except OSError as error:
        raise SubmissionError(
            f"a .keras file whose {WEIGHTS} is no readable HDF5 ({error}). Save the model again."
        ) from None


def unread_lists(file: Any, target: str) -> tuple[Refusal, ...]:
    """Return the same of an open `h5py.File`."""
    if not needs_flat_lists(target):
        return ()
    return tuple(_refused_list(file, path, target) for path in _nested_lists(file))


def needs_flat_lists(target: str) -> bool:
    """Whether that version leaves lists of lists of layers out of its files."""
    return is_newer(FIRST_WITH_NESTED_LISTS, target)


def _nested_lists(file: Any) -> list[str]:
    """Return the paths of the lists: groups of a `container` that belong to no layer themselves."""
    found: list[str] = []

    def visit(path: str) -> None:
        parent, _, name = path.rpartition("/")
        if re.fullmatch(r"container(_\d+)?", name) and "vars" not in file[parent or "/"]:
            found.append(parent)

    file.visit(visit)
    return sorted(set(found))


def _refused_list(file: Any, path: str, target: str) -> Refusal:
    owner, _, attribute = path.rpartition("/")
    layer = (
        str(file[f"{owner}/vars"].attrs.get("name", owner)) if f"{owner}/vars" in file else owner
    )
    return Refusal(
        f"{WEIGHTS}:{path}", layer, attribute, None,
        f"keeps layers in a list of lists ({attribute!r}), where Keras {target} does not look: their "
        "weights would stay at random values, without an error.",
        "Keep them in one flat list, or as attributes of their own, and save the model again.",
    )  # fmt: skip


def is_newer(version: str, than: str) -> bool:
    """Whether the first version is the later one; one that does not say what it is counts as later."""
    return not version or _numbers(version) > _numbers(than)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def _members(data: bytes) -> dict[str, bytes]:
    """Unpack, after a look at the sizes."""
    if data.startswith(b"\x89HDF"):
        raise SubmissionError(
            "an HDF5 file (.h5, .weights.h5): only .keras files carry a config that can be rewritten. "
            "Save the model with model.save('model.keras')."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            infos = [info for info in file.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > LARGEST_EXPANSION * len(data):
                raise SubmissionError("a .keras file that unpacks to far more than it holds.")
            members = {info.filename: file.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise SubmissionError(
            f"not a .keras file ({error}): only .keras files carry a config that can be rewritten. "
            "Save the model again with model.save('model.keras')."
        ) from None
    missing = [name for name in (METADATA, CONFIG) if name not in members]
    if missing:
        raise SubmissionError(
            f"not a .keras file: its zip has no {' and no '.join(missing)}. "
            "Save the model again with model.save('model.keras')."
        )
    return members


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


def _packed(members: dict[str, bytes]) -> bytes:
    """Zip the members: Keras's own three first, the rest by name."""
    first = [METADATA, CONFIG, WEIGHTS]
    names = [n for n in first if n in members] + sorted(n for n in members if n not in first)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in names:
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3  # Unix, whatever this runs on
            file.writestr(info, members[name])
    return buffer.getvalue()


# What the server's Keras takes, read from `backport_tables/`.


TABLES = resources.files("submission") / "backport_tables"


@dataclass(frozen=True)
class Table:
    """Names and keys that one version of Keras knows, and what newer ones write beyond them."""

    target: str
    accepts: dict[str, frozenset[str]]  # class -> keys its config may have
    defaults: dict[
        str, dict[str, list[Any]]
    ]  # class -> key the target lacks -> values without effect
    differs: dict[str, str]  # class -> why the target does something else with it
    idle: frozenset[str]  # augmentations: they do nothing outside training
    operations: frozenset[str]  # keras.ops as classes: nothing refers to their own name
    new_classes: frozenset[str]
    activations: frozenset[str]
    new_activations: frozenset[str]
    functions: frozenset[str]


def targets() -> list[str]:
    """Return the versions of Keras that files can be rewritten for."""
    names = [path.name for path in TABLES.iterdir() if path.name.startswith("keras-")]
    return sorted(name.removeprefix("keras-").removesuffix(".json") for name in names)


@cache
def load_table(target: str) -> Table:
    """Return the table of that version; SubmissionError where there is none."""
    if target not in targets():
        raise SubmissionError(
            f"No table says what Keras {target} reads; there are tables for "
            f"{', '.join(targets())}. Take one of these, or make one with "
            "tools/make_backport_table.py."
        )
    raw = json.loads((TABLES / f"keras-{target}.json").read_text(encoding="utf-8"))
    names = ("idle", "operations", "new_classes", "activations", "new_activations", "functions")
    return Table(
        target=target,
        accepts={
            name: _spelled_out(keys, raw["layer_keys"]) for name, keys in raw["accepts"].items()
        },
        defaults=raw["defaults"],
        differs=raw["differs"],
        **{name: frozenset(raw[name]) for name in names},
    )


def _spelled_out(keys: list[str], layer_keys: list[str]) -> frozenset[str]:
    """Put the keys of the base class for "*"."""
    return frozenset(keys) | (frozenset(layer_keys) if "*" in keys else frozenset())
