"""The training folder: all that `make-submission` and the next reader need, each file in one step.

`weights.keras` (or `weights_1.keras` ... of an ensemble), `recipe.json`, `split.json`,
`history.csv`, `history.png`, and `recipe_layers.py` where a network has a layer of ours.
docs/training_folder.md describes it.
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
from codabench_rehearsal.images.splitting import Split
from codabench_rehearsal.recipes.augment import recorded
from codabench_rehearsal.recipes.backbones import preprocessing
from codabench_rehearsal.recipes.checkpoint import Checkpoint, require_same
from codabench_rehearsal.recipes.loading import repeats
from codabench_rehearsal.recipes.progress import Say
from codabench_rehearsal.recipes.system import RecipeError, System

RECIPE_SCHEMA = 1
LAYERS = "recipe_layers.py"
FINISHED = "trained.json"
NO_PLOT = "history.png was not drawn: it needs matplotlib, pip install 'codabench-rehearsal[plots]'"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """A trained network, float32, with its own system and the rows of its history."""

    model: Any
    system: System
    history: Sequence[Row]


@dataclass(frozen=True)
class Facts:
    """What recipe.json records of a training. shape: of an image as it comes."""

    shape: tuple[int, ...]
    classes: int
    seed: int


def write_folder(
    out: Path, system: System, members: Sequence[Member], split: Split, facts: Facts
) -> tuple[str, ...]:
    """Write it all; returns what could not be done, a sentence each."""
    names = weight_names(len(members))
    for name, member in zip(names, members, strict=True):
        save_model(member.model, out / name)
    split.save(out / "split.json")
    include = _copy_layers(out, members)
    write_text(out / "history.csv", history_csv([member.history for member in members]))
    recipe = recipe_json(system, members, names, include, facts)
    write_text(out / "recipe.json", json.dumps(recipe, indent=1) + "\n")
    return _plot(out / "history.png", [member.history for member in members])


def weight_names(count: int) -> tuple[str, ...]:
    """The files of so many networks."""
    if count == 1:
        return ("weights.keras",)
    return tuple(f"weights_{number}.keras" for number in range(1, count + 1))


def recipe_json(
    system: System,
    members: Sequence[Member],
    names: Sequence[str],
    include: Sequence[str],
    facts: Facts,
) -> dict[str, Any]:
    """The content of recipe.json; a list where the networks differ."""
    preprocessed = [_preprocess(member.system) for member in members]
    return {
        "schema": RECIPE_SCHEMA,
        "name": system.name,
        "weights": list(names),
        "scale": "0..255",
        "preprocess": _one_or_each(preprocessed),
        "resize": _one_or_each([member.system.side for member in members]),
        "tta": system.tta,
        "ensemble": system.ensemble,
        "include": list(include),
        "augmentation": list(recorded(n for one in members for n in one.system.augmentations)),
        "shape": list(facts.shape),
        "classes": facts.classes,
        "seed": facts.seed,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "note": f"trained again with this data and seed: equal {repeats()}",
    }


def in_float32(model: Any) -> Any:
    """The model itself, or a float32 twin with its layers and weights if it computes in less.

    The twin is made layer by layer of the model, not built anew: with ImageNet's weights Keras gives
    some networks a layer more than without, and a layer without weights would be missed in silence.
    """
    if all(layer.compute_dtype == "float32" for layer in every_layer(model)):
        return model
    inputs = keras.tree.map_structure(
        lambda one: keras.Input(batch_shape=one.shape, name=model.layers[0].name), model.input
    )
    twin = keras.models.clone_model(model, inputs, clone_function=_layer_in_float32)
    twin.set_weights(model.get_weights())
    for layer in every_layer(twin):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with what it took from its weights before
    return twin


def _layer_in_float32(layer: Any) -> Any:
    return type(layer).from_config({**layer.get_config(), "dtype": "float32"})


def every_layer(model: Any) -> Iterator[Any]:
    """All layers, those of models inside the model too."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from every_layer(layer)


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


def history_csv(histories: Sequence[Sequence[Row]]) -> str:
    """Every network's epochs, a row each; with a column `member` if there are several."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    several = len(histories) > 1
    writer.writerow([*(["member"] if several else []), *histories[0][0]])
    for member, rows in enumerate(histories, start=1):
        for row in rows:
            writer.writerow([*([member] if several else []), *map(_cell, row.values())])
    return text.getvalue()


def mark_finished(out: Path, belongs: Mapping[str, str], figures: Mapping[str, Any]) -> None:
    """Say that the training here is done, of what it is, and what came of it."""
    content = {"schema": 1, "belongs": dict(belongs), "figures": dict(figures)}
    write_text(out / FINISHED, json.dumps(content, indent=1) + "\n")


def finished(out: Path) -> Mapping[str, Any] | None:
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


def _preprocess(system: System) -> str | None:
    return None if system.backbone is None else preprocessing(system.backbone)


def _one_or_each(values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else values


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _copy_layers(out: Path, members: Sequence[Member]) -> tuple[str, ...]:
    """Lay our layers' file beside the weights if a network needs it; the files to include."""
    ours = any(
        type(layer).__module__ == "codabench_rehearsal.recipes.layers"
        for member in members
        for layer in every_layer(member.model)
    )
    if not ours:
        return ()
    write_text(out / LAYERS, Path(__file__).with_name("layers.py").read_text(encoding="utf-8"))
    return (LAYERS,)


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
    """One quantity over the epochs, in training and validation, with a line where a phase begins."""
    marker = "o" if len(rows) == 1 else ""  # a line of one point shows nothing
    for column, label in ((name, "training"), (f"val_{name}", "validation")):
        points = [(row["epoch"], row[column]) for row in rows if row[column] is not None]
        if points:
            panel.plot(*zip(*points, strict=True), label=label, marker=marker)
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None or before["phase"] != row["phase"]:
            panel.axvline(row["epoch"] - 0.5, color="0.7", linewidth=0.8)
            panel.annotate(
                row["phase"], (row["epoch"] - 0.4, 1.01), xycoords=("data", "axes fraction"),
                va="bottom", rotation=90, fontsize=7, color="0.4",
            )  # fmt: skip
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.set_xlabel("epoch")
    panel.set_ylabel(name)
    panel.legend(loc="best", fontsize=8)


# A folder before its training: what an earlier one left there, and whether it goes on from it.


SEARCH = "search"  # the folder of the trials of `codabench_rehearsal.recipes.search`


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
    done = finished(out)
    if resume and done is not None:
        require_same(out, done["belongs"], belongs)
        clear(out)
        say(f"The training in {out} is finished; nothing was done.")
        figures: Mapping[str, Any] = done["figures"]
        return figures
    if resume and not begun:
        say(f"{out} has no checkpoint, so the training begins.")
    make_folder(out)
    if not begun:
        clear(out)  # before the mark of the end, without which these would be a training cut off
        (out / FINISHED).unlink(missing_ok=True)
    return None


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
    counts = ((epochs, "epoch"), (folds, "fold"))
    said = [f"{count} {name}{'s' * (count != 1)}" for count, name in counts if count]
    if not begun and (out / SEARCH).is_dir() and not (out / FINISHED).exists():
        said = ["the search's trials are"]
    return " and ".join(said)


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


def clear(out: Path) -> None:
    """Remove the checkpoints of a finished training; files that are not ours stay."""
    for folder in (out / "checkpoint").glob("*/"):
        if folder.name.isdigit():
            Checkpoint(folder, {}).remove()
    with suppress(OSError):  # absent, or not empty
        (out / "checkpoint").rmdir()


def _begun(out: Path) -> list[Path]:
    """The networks' checkpoints of a training cut off; what a finished one left of them is none."""
    if (out / FINISHED).exists():
        return []
    return sorted(path.parent for path in (out / "checkpoint").glob("*/state.json"))
