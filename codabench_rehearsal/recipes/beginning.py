"""A folder before its training: what an earlier one left there, and whether it goes on from it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.files import alone_in
from codabench_rehearsal.console.reading import read_json
from codabench_rehearsal.recipes.checkpoint import Checkpoint, require_same
from codabench_rehearsal.recipes.folder import FINISHED, finished
from codabench_rehearsal.recipes.progress import Say
from codabench_rehearsal.recipes.system import RecipeError

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
