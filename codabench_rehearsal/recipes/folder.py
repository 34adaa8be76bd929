"""The training folder: all that `make-submission` and the next reader need, each file in one step.

`weights.keras` (or `weights_1.keras` ... of an ensemble), `recipe.json`, `split.json`,
`history.csv`, `history.png`, and `recipe_layers.py` where a network has a layer of ours.
docs/training_folder.md describes it. Before a training: whether it may begin here, or goes on.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.files import alone_in, draft, publish, replacing, write_text
from codabench_rehearsal.console.reading import read_json
from codabench_rehearsal.console.words import counted
from codabench_rehearsal.images.splitting import Split
from codabench_rehearsal.recipes.augment import recorded
from codabench_rehearsal.recipes.backbones import preprocessing
from codabench_rehearsal.recipes.checkpoint import Checkpoint, require_same
from codabench_rehearsal.recipes.loading import repeats
from codabench_rehearsal.recipes.models import every_layer
from codabench_rehearsal.recipes.own_layer import OverlayMask
from codabench_rehearsal.recipes.schedule import Say
from codabench_rehearsal.recipes.system import RecipeError, System

RECIPE_SCHEMA = 1
OWN_LAYER = "recipe_layers.py"  # what the file of our layer is called beside the weights
FINISHED = "trained.json"
SEARCH = "search"  # the folder of the trials of `recipes.search`
NO_PLOT = "history.png was not drawn: it needs matplotlib, pip install 'codabench-rehearsal[plots]'"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrainedMember:
    """A trained network, float32, with its own system and the rows of its history."""

    model: Any
    system: System
    history: Sequence[Row]


def write_folder(
    out: Path,
    system: System,
    members: Sequence[TrainedMember],
    split: Split,
    facts: Mapping[str, Any],
) -> tuple[str, ...]:
    """Write it all; returns what could not be done, a sentence each. facts: see `recipe_json`."""
    names = weight_names(len(members))
    for name, member in zip(names, members, strict=True):
        save_model(member.model, out / name)
    split.save(out / "split.json")
    include = _copy_own_layer(out, members)
    histories = [member.history for member in members]
    several = len(histories) > 1
    rows = [
        {"member": number, **row} if several else row
        for number, history in enumerate(histories, start=1)
        for row in history
    ]
    write_text(out / "history.csv", table(rows))
    recipe = recipe_json(system, members, include, facts)
    write_text(out / "recipe.json", json.dumps(recipe, indent=1) + "\n")
    return _plot(out / "history.png", histories)


def weight_names(count: int) -> list[str]:
    """The files of so many networks."""
    if count == 1:
        return ["weights.keras"]
    return [f"weights_{number}.keras" for number in range(1, count + 1)]


def recipe_json(
    system: System,
    members: Sequence[TrainedMember],
    include: Sequence[str],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of recipe.json; a list where the networks differ.

    facts: what else it records: shape of an image as it comes, classes, seed.
    """
    systems = [member.system for member in members]
    return {
        "schema": RECIPE_SCHEMA,
        "name": system.name,
        "weights": weight_names(len(members)),
        "scale": "0..255",
        "preprocess": _one_or_each([preprocessing(one.backbone) for one in systems]),
        "resize": _one_or_each([one.side for one in systems]),
        "tta": system.tta,
        "ensemble": system.ensemble,
        "include": list(include),
        "augmentation": list(recorded(name for one in systems for name in one.augmentations)),
        **facts,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "note": f"trained again with this data and seed: equal {repeats()}",
    }


def table(rows: Sequence[Row]) -> str:
    """Rows of one kind as CSV: numbers with six digits, None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(f"{one:.6g}" if isinstance(one, float) else one for one in row.values())
    return text.getvalue()


def save_model(model: Any, path: Path) -> None:
    """Write a `.keras` file without optimizer and loss. Raises `RecipeError` where it cannot."""
    bare = keras.Model(model.inputs, model.outputs, name=model.name)  # never compiled
    try:
        with draft(path) as part:  # of the same name: Keras looks at its end
            bare.save(part)
            publish(part, path)
    except OSError as error:
        raise RecipeError(
            f"{path} cannot be written ({error.strerror or error}). Make room, then --resume."
        ) from None


def _one_or_each(values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else values


def _copy_own_layer(out: Path, members: Sequence[TrainedMember]) -> tuple[str, ...]:
    """Lay our layer's file beside the weights if a network needs it; the files to include."""
    layers = [layer for member in members for layer in every_layer(member.model)]
    if not any(isinstance(layer, OverlayMask) for layer in layers):
        return ()
    source = Path(__file__).with_name("own_layer.py").read_text(encoding="utf-8")
    write_text(out / OWN_LAYER, source)
    return (OWN_LAYER,)


def _plot(path: Path, histories: Sequence[Sequence[Row]]) -> tuple[str, ...]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return (NO_PLOT,)
    figure = Figure(figsize=(9, 3.4 * len(histories)), layout="constrained")
    panels = figure.subplots(len(histories), 2, squeeze=False)
    for number, rows in enumerate(histories):
        for panel, name in zip(panels[number], ("loss", "accuracy"), strict=True):
            _draw(panel, rows, name)
            if len(histories) > 1:
                panel.set_ylabel(f"network {number + 1}: {name}")
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
    return ()


def _draw(panel: Any, rows: Sequence[Row], name: str) -> None:
    """One quantity over the epochs, in training and validation; a line where a phase begins."""
    marker = "o" if len(rows) == 1 else ""  # a line of one point shows nothing
    for column, label in ((name, "training"), (f"val_{name}", "validation")):
        points = [(row["epoch"], row[column]) for row in rows if row[column] is not None]
        if points:
            panel.plot(*zip(*points, strict=True), label=label, marker=marker)
    beside = ("data", "axes fraction")
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None or before["phase"] != row["phase"]:
            panel.axvline(row["epoch"] - 0.5, color="0.7", linewidth=0.8)
            place, look = (row["epoch"] - 0.4, 1.01), {"rotation": 90, "fontsize": 7}
            panel.annotate(row["phase"], place, xycoords=beside, va="bottom", color="0.4", **look)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.set_xlabel("epoch")
    panel.set_ylabel(name)
    panel.legend(loc="best", fontsize=8)


def begin(
    out: Path, belongs: Mapping[str, str], say: Say, *, resume: bool
) -> Mapping[str, Any] | None:
    """Make the folder ready; the figures of the training if it is resumed after its end.

    belongs: what the training is of. Raises `RecipeError` for a training cut off that is not
    resumed, for another one that would be, and for a folder that cannot be.
    """
    refuse_cut_off(out, resume=resume)
    begun = _begun(out)
    for folder in begun:
        Checkpoint(folder, belongs).check()
    done = _finished(out)
    if resume and done is not None:
        require_same(out, done["belongs"], belongs)
        clear(out)
        say(f"The training in {out} is finished; nothing was done.")
        figures: Mapping[str, Any] = done["figures"]
        return figures
    if resume and not begun:
        say(f"{out} has no checkpoint, so the training begins.")
    if not begun:
        clear(out)  # before the mark of the end, without which these would be a training cut off
        (out / FINISHED).unlink(missing_ok=True)
    return None


def mark_finished(out: Path, belongs: Mapping[str, str], figures: Mapping[str, Any]) -> None:
    """Say that the training here is done, of what it is, and what came of it."""
    content = {"schema": 1, "belongs": dict(belongs), "figures": dict(figures)}
    write_text(out / FINISHED, json.dumps(content, indent=1) + "\n")


@contextmanager
def only_training(out: Path) -> Iterator[None]:
    """Make the folder and hold it. Raises `RecipeError` where another training writes to it now."""
    make_folder(out)
    with alone_in(out, wait=False) as alone:
        if not alone:
            raise RecipeError(
                f"--out {out}: another training writes there now; let it end, or choose another."
            )
        yield


def make_folder(out: Path) -> None:
    """Make the training folder. Raises `RecipeError` where that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(
            f"--out {out}: no folder can be made there ({error.strerror}); choose another."
        ) from None
    if not os.access(out, os.W_OK):
        raise RecipeError(f"--out {out}: the folder may only be read; choose another.")


def refuse_cut_off(out: Path, *, resume: bool) -> None:
    """Raise `RecipeError` if a run that is not to resume would overwrite a training cut off."""
    if _begun(out) and not resume:
        raise RecipeError(
            f"{out} holds a training that was cut off: go on with it by --resume, or choose "
            "another --out."
        )


def kept(out: Path) -> str:
    """What of a training cut off lies in a folder, in words; "" where nothing does."""
    epochs = folds = 0
    begun = _begun(out)
    for folder in begun:
        with suppress(UserError, OSError, ValueError, KeyError, TypeError):
            state = read_json(folder / "state.json")["state"]
            epochs, folds = epochs + state["epochs"], folds + len(state["folds"])
    if not begun and (out / SEARCH).is_dir() and not (out / FINISHED).exists():
        return "the search's trials are"
    counts = ((epochs, "epoch"), (folds, "fold"))
    return " and ".join(counted(count, name) for count, name in counts if count)


def clear(out: Path) -> None:
    """Remove the checkpoints of a finished training; files that are not ours stay."""
    for folder in (out / "checkpoint").glob("*/"):
        if folder.name.isdigit():
            Checkpoint(folder, {}).remove()
    with suppress(OSError):  # absent, or not empty
        (out / "checkpoint").rmdir()


def _finished(out: Path) -> Mapping[str, Any] | None:
    """What `mark_finished` wrote, or None."""
    path = out / FINISHED
    if not path.is_file():
        return None
    try:
        content = read_json(path, wrong=RecipeError)
        known: Mapping[str, Any] = {name: content[name] for name in ("belongs", "figures")}
    except (OSError, ValueError, KeyError, TypeError):
        raise RecipeError(f"{path} cannot be read. Delete it to train anew.") from None
    return known


def _begun(out: Path) -> list[Path]:
    """The networks' checkpoints of a training cut off; what a finished one left is none."""
    if (out / FINISHED).exists():
        return []
    return sorted(path.parent for path in (out / "checkpoint").glob("*/state.json"))
