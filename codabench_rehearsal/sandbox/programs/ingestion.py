"""A Codabench ingestion program: imports the submission, asks it for predictions, saves them.

The folders INPUT, ANSWERS and SUBMISSION are named by environment variables, INGESTION_INPUT and so
on, which are gone before the submission is imported: it sees a `sys.argv` of one word.
ANSWERS/manifest.json names the module, class and method, and how they are called; INPUT/blocks.json
holds the number of blocks; block i is INPUT/block-000i.npy. The count and the blocks may arrive
while this runs: they are waited for, so that images can be made beside the loading and the
prediction. For each, ANSWERS/answers-000i.npy is written, and ANSWERS/status.json says how far it
got and what was seen. On failure ANSWERS/error.json holds stage, type, message and the submission's
own traceback, and the exit code is 1.

The submission runs in this very process, and can do whatever this program can, write answers too:
what it says and what is noted of it is its own word. Whoever started it checks that labels are
labels.

Imports nothing of the tool that ships it; needs numpy and whatever the submission needs.
"""

import contextlib
import importlib
import json
import mmap  # noqa: F401 - numpy's, later: a submission may have emptied sys.path by then
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# The file beside this one; no module of a package, so mypy does not find it.
from ingestion_watch import Leaving, changes, listing, peak_bytes, watch_network  # type: ignore[import-not-found]

WAIT_SECONDS = 0.005
MOST_CALLS = 500  # that are noted
LONGEST_MESSAGE, LONGEST_TRACE = 10_000, 100_000  # characters
Predict = Callable[[Any], Any]
_LOADERS = ("<frozen importlib", str(Path("importlib") / "__init__.py"))


def save_json(path: Path, value: object) -> None:
    """Write JSON in one step, so that a reader never sees half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def handed_over(name: str) -> Path:
    """A folder that the environment names; the submission does not find it there."""
    return Path(os.environ.pop(f"INGESTION_{name}")).resolve()


class Status:
    """How far the run got, kept in ANSWERS/status.json."""

    def __init__(self, output: Path, submission: Path) -> None:
        self.path, self.submission = output / "status.json", submission
        self.stage = "start"
        self.facts: dict[str, Any] = {"block": 0}

    def at(self, stage: str, **facts: object) -> None:
        """Enter a stage."""
        self.stage = stage
        self.facts.update(facts)
        save_json(self.path, {"stage": stage, **self.facts})


def versions() -> dict[str, str]:
    """The Python and the libraries that the submission has loaded."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("tensorflow", "keras"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(getattr(module, "__version__", "unknown"))
    return found


def load(manifest: dict[str, Any], submission: Path, status: Status) -> Predict:
    """Import the module, make the object; returns its predict method."""
    sys.path.insert(0, str(submission))
    status.at("import")
    module = importlib.import_module(manifest["module"])
    status.at("class")
    maker = getattr(module, manifest["class"])
    status.at("init")
    started = time.perf_counter()
    values = {"path": str(submission)}
    made = maker(*(values[name] for name in manifest.get("arguments", [])))
    status.at("method")
    predict: Predict = getattr(made, manifest["method"])
    if manifest.get("one_at_a_time"):
        predict = each_by_itself(predict)
    facts = {"load_seconds": time.perf_counter() - started, "loaded_bytes": peak_bytes()}
    status.at("loaded", loaded_at=time.time(), versions=versions(), **facts)
    return predict


def each_by_itself(predict: Predict) -> Predict:
    """A method that takes one image `(h, w, c)`, as one that takes many."""

    def ask(images: Any) -> Any:
        answers = [np.asarray(predict(image)) for image in images]
        shapes = sorted({answer.shape for answer in answers})
        if len(shapes) > 1:
            raise ValueError(f"the answers to single images have several shapes: {shapes}")
        return np.stack(answers) if answers else np.zeros(0, np.int64)

    return ask


def describe(answer: object) -> dict[str, str]:
    """What predict returned, before anything is made of it."""
    kind = type(answer)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "dtype": str(getattr(answer, "dtype", "")),
        "shape": str(getattr(answer, "shape", "")),
    }


def is_asked(source: Path, index: int) -> bool:
    """Wait for block `index`: True when it is there, False when the blocks were fewer.

    The caller's time limit ends a wait in vain.
    """
    block, count = source / f"block-{index:04d}.npy", source / "blocks.json"
    while not block.exists():
        if count.exists() and json.loads(count.read_text(encoding="utf-8"))["blocks"] <= index:
            return False
        time.sleep(WAIT_SECONDS)
    return True


def answer_block(predict: Predict, source: Path, part: Path, status: Status) -> float:
    """Predict one block and save what came back; returns the seconds that predict took."""
    # Mapped, not copied; private pages, so that a submission may change them as on the platform.
    images = np.asarray(np.load(source, mmap_mode="c", allow_pickle=False))
    status.at("predict")
    started = time.perf_counter()
    answer = predict(images)
    seconds = time.perf_counter() - started
    status.at("answer", returned=describe(answer))
    with part.open("wb") as file:
        np.save(file, as_numbers(answer), allow_pickle=False)
    return seconds


def as_numbers(answer: object) -> Any:
    """The answer as the array that `np.save` makes of it; refuses Python objects in our words."""
    array = np.asanyarray(answer)
    if array.dtype.hasobject:
        name = type(answer).__name__
        first = type(array.flat[0]).__name__ if array.size and array.ndim else ""
        held = f", which holds {first} objects" if first else ""
        raise TypeError(f"expected labels as numbers, received {name}{held}")
    return array


def own_frames(error: BaseException) -> str:
    """The traceback without this program's frames and the import machinery's."""
    shown = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = shown
    while link is not None:
        kept = [frame for frame in link.stack if not _is_ours(frame.filename)]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__
    return "".join(shown.format())


def _is_ours(filename: str) -> bool:
    loader = filename.startswith(_LOADERS[0]) or filename.endswith(_LOADERS[1])
    return loader or Path(filename).resolve().parent == Path(__file__).resolve().parent


def save_error(output: Path, status: Status, error: BaseException) -> None:
    """Leave what went wrong in ANSWERS/error.json and in the log."""
    own = f'File "{status.submission}{os.sep}'
    facts = {
        "stage": status.stage,
        "block": status.facts["block"],
        "type": type(error).__name__,
        "message": str(error)[:LONGEST_MESSAGE],
        "traceback": own_frames(error).replace(own, 'File "')[-LONGEST_TRACE:],
    }
    save_json(output / "error.json", facts)
    status.at(status.stage)
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(facts["traceback"])


def answer_all(source: Path, output: Path, status: Status) -> None:
    """Load the submission's own way in, and ask it block after block."""
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    predict = load(manifest, status.submission, status)
    calls: list[list[float]] = []
    index, seconds = 0, 0.0
    status.at("waiting")
    while is_asked(source, index):
        target = output / f"answers-{index:04d}.npy"
        part = target.with_suffix(".part")
        took = answer_block(predict, source / f"block-{index:04d}.npy", part, status)
        index, seconds = index + 1, seconds + took
        if index <= MOST_CALLS:
            calls.append([took, peak_bytes()])
        status.at("waiting", block=index, predict_seconds=seconds, calls=calls)
        part.replace(target)  # last: whoever sees the answer finds its time noted


def leave(status: Status, done: Path) -> None:
    """End as Python would, but not wait for ever; notes what would have held the platform's run."""

    def finish(left: dict[str, list[str]]) -> None:
        status.at("done", **left)
        flush()

    status.at("done", versions=versions())
    done.touch()  # a library that crashes at its exit has given all answers before
    Leaving(finish).wait()


def flush() -> None:
    """Hand over what was printed; the submission may have closed the streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def main() -> int:
    """Run the submission over all blocks."""
    source, output, submission = map(handed_over, ("INPUT", "ANSWERS", "SUBMISSION"))
    status = Status(output, submission)
    code = 0
    try:
        before, folder = listing(submission), str(Path.cwd())
        status.facts["hosts"] = watch_network()
        try:
            answer_all(source, output, status)
            status.at("output")
            print("all blocks are answered", flush=True)  # as the platform's own program would
        finally:
            status.facts.update(changes(submission, before, folder))
        leave(status, output / "done")
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a submission is to be reported too
        save_error(output, status, error)
        code = 1
    return code


if __name__ == "__main__":
    code = main()
    flush()
    os._exit(code)  # threads that the submission left behind must not hold the run open
