"""A Codabench ingestion program: imports the submission, asks it for predictions, saves them.

`python ingestion.py INPUT OUTPUT SUBMISSION`, on folders as the platform lays them out.
INPUT/manifest.json names the module, class and method, INPUT/blocks.json the number of blocks;
block i is INPUT/block-000i.npy. The count and the blocks may arrive while this runs: they are waited
for, so that images can be made beside the loading and the prediction. For each, OUTPUT/answers-000i.npy is written, and
OUTPUT/status.json says how far it got. On failure OUTPUT/error.json holds stage, type, message and
the submission's own traceback, and the exit code is 1.

Imports nothing of the tool that ships it; needs numpy and whatever the submission needs.
"""

import importlib
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WAIT_SECONDS = 0.005
LONGEST_MESSAGE, LONGEST_TRACE = 10_000, 100_000  # characters
Predict = Callable[[Any], Any]
_LOADERS = ("<frozen importlib", str(Path("importlib") / "__init__.py"))


def save_json(path: Path, value: object) -> None:
    """Write JSON in one step, so that a reader never sees half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


class Status:
    """How far the run got, kept in OUTPUT/status.json."""

    def __init__(self, output: Path) -> None:
        self.path = output / "status.json"
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
    made = maker()
    status.at("method")
    predict: Predict = getattr(made, manifest["method"])
    loading = time.perf_counter() - started
    status.at("loaded", load_seconds=loading, loaded_at=time.time(), versions=versions())
    return predict


def describe(answer: object) -> dict[str, str]:
    """What predict returned, before anything is made of it."""
    kind = type(answer)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "dtype": str(getattr(answer, "dtype", "")),
        "shape": str(getattr(answer, "shape", "")),
    }


def wait_for(path: Path) -> None:
    """Wait until a block is there; the caller's time limit ends a wait in vain."""
    while not path.exists():
        time.sleep(WAIT_SECONDS)


def answer_block(predict: Predict, source: Path, target: Path, status: Status) -> float:
    """Predict one block and save what came back; returns the seconds that predict took."""
    wait_for(source)
    # Mapped, not copied; private pages, so that a submission may change them as on the platform.
    images = np.asarray(np.load(source, mmap_mode="c", allow_pickle=False))
    status.at("predict")
    started = time.perf_counter()
    answer = predict(images)
    seconds = time.perf_counter() - started
    status.at("answer", returned=describe(answer))
    part = target.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, np.asarray(answer), allow_pickle=False)
    part.replace(target)
    return seconds


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
    return loader or Path(filename).resolve() == Path(__file__).resolve()


def save_error(output: Path, status: Status, error: BaseException) -> None:
    """Leave what went wrong in OUTPUT/error.json and in the log."""
    facts = {
        "stage": status.stage,
        "block": status.facts["block"],
        "type": type(error).__name__,
        "message": str(error)[:LONGEST_MESSAGE],
        "traceback": own_frames(error)[-LONGEST_TRACE:],
    }
    save_json(output / "error.json", facts)
    sys.stderr.write(facts["traceback"])


def main() -> int:
    """Run the submission over all blocks."""
    source, output, submission = (Path(path).resolve() for path in sys.argv[1:4])
    status = Status(output)
    seconds = 0.0
    try:
        manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
        predict = load(manifest, submission, status)
        wait_for(source / "blocks.json")
        blocks = json.loads((source / "blocks.json").read_text(encoding="utf-8"))["blocks"]
        for index in range(blocks):
            status.at("waiting", block=index)
            names = (source / f"block-{index:04d}.npy", output / f"answers-{index:04d}.npy")
            seconds += answer_block(predict, *names, status)
            status.at("answered", predict_seconds=seconds)
        status.at("done", versions=versions())
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a submission is to be reported too
        save_error(output, status, error)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that the submission left behind must not hold the run open
