"""Bundles with images, made by hand, and submissions that train in `fit`."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codabench_rehearsal.challenge.bundle import Bundle, Column, Phase, Task
from codabench_rehearsal.challenge.worker.job import Machine
from evaluator.bundles.benchmark import Wanted, evaluate_in_bundle
from evaluator.bundles.report import BundleReport
from tests.challenge.bundles import Draft
from tests.challenge.worker.bundles import Files, program, written

Images = NDArray[np.uint8]
TRAINED, ASKED, SIDE = 40, 60, 12
ACCURACY = Column(0, "accuracy", "Accuracy")
LOSS = Column(0, "mse", "Mean squared error", sorting="asc")
MODEL = """
import numpy as np

class Model:
    def fit(self, X, y):
        flat = X.reshape(len(X), -1).astype(float)
        self.centres = np.array([flat[y == k].mean(0) for k in (0, 1)])

    def predict(self, X):
        flat = X.reshape(len(X), 1, -1).astype(float)
        return ((flat - self.centres) ** 2).sum(-1).argmin(1)
"""
# A model that sees damage: its mean brightness leaves what it was trained on.
BREAKS = (
    MODEL
    + """
    def _predict(self, X):
        return 0

plain = Model.predict
def predict(self, X):
    if abs(float(X.mean()) - float(self.centres.mean())) > 20:
        raise RuntimeError("brighter than all I know")
    return plain(self, X)
Model.predict = predict
"""
)
READ_ARRAYS = """
x, y, q = (np.load(f"/app/input_data/{name}.npy") for name in ("X_train", "y_train", "X_test"))
"""
READ_MEMBERS = """
d = np.load("/app/input_data/data.npz")
x, y, q = d["x_train"], d["y_train"], d["x_test"]
"""
READ_PICTURES = """
from pathlib import Path
from PIL import Image
def load(folder):
    files = sorted(Path("/app/input_data", folder).iterdir())
    return np.stack([np.asarray(Image.open(file)) for file in files])
x, y, q = load("train"), np.loadtxt("/app/input_data/y.csv"), load("test")
"""
INGEST = """
import sys
import zipfile
sys.path.insert(0, "/app/ingested_program")
import numpy as np
{read}
from model import Model
model = Model()
model.fit(x, y)
np.save("/app/output/predictions.npy", model.predict(q))
"""
SCORE = """
import json
import numpy as np
truth = np.load("/app/input/ref/labels.npy")
found = np.load("/app/input/res/predictions.npy")
figures = {"accuracy": float((truth == found).mean()), "mse": float(((truth - found) ** 2).mean())}
json.dump(figures, open("/app/output/scores.json", "w"))
"""


@dataclass(frozen=True)
class Drawn:
    """Two kinds of images, uint8 `(n, h, w, c)`: dark and bright on the left. labels 0 and 1."""

    train: Images
    train_labels: NDArray[np.int64]
    test: Images
    labels: NDArray[np.int64]


def drawn(channels: int = 3, seed: int = 0) -> Drawn:
    """Images that centroids tell apart when they are clean, most of them."""
    rng = np.random.default_rng(seed)

    def some(count: int) -> tuple[Images, NDArray[np.int64]]:
        labels = rng.integers(2, size=count)
        images = rng.normal(110, 40, (count, SIDE, SIDE, channels))
        images[:, :, : SIDE // 2] += 12 * labels[:, None, None, None]
        return np.clip(images, 0, 255).astype(np.uint8), labels

    return Drawn(*some(TRAINED), *some(ASKED))


def arrays(
    folder: Path, data: Drawn, shaped: Callable[[Images], NDArray[Any]] = lambda i: i
) -> Path:
    """Input data as .npy files. shaped: how images become arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "X_train.npy", shaped(data.train))
    np.save(folder / "X_test.npy", shaped(data.test))
    np.save(folder / "y_train.npy", data.train_labels)
    (folder / "split.csv").write_text("id,part\n0,test\n")
    return folder


def members(folder: Path, data: Drawn) -> Path:
    """The same as one .npz."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.npz"
    np.savez_compressed(path, x_train=data.train, y_train=data.train_labels, x_test=data.test)
    return folder


def pictures(folder: Path, data: Drawn, kind: str = "png") -> Path:
    """The same as folders of pictures."""
    for name, images in (("train", data.train), ("test", data.test)):
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(images):
            picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
            picture.save(folder / name / f"{number:03d}.{kind}")
    np.savetxt(folder / "y.csv", data.train_labels)
    return folder


def references(folder: Path, data: Drawn) -> Path:
    """Reference data."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "labels.npy", data.labels)
    return folder


def image_bundle(
    place: Path,
    inputs: Path | None = None,
    read: str = READ_ARRAYS,
    columns: tuple[Column, ...] = (ACCURACY,),
    copies: int = 1,
    data: Drawn | None = None,
    score: str = SCORE,
) -> Bundle:
    """A bundle that trains on its server. copies: tasks, all alike."""
    data = data or drawn()
    task = Task(
        0,
        "task 0",
        written(place / "scoring_program", program(score)),
        written(place / "ingestion_program", program(INGEST.format(read=read))),
        arrays(place / "input_data", data) if inputs is None else inputs,
        references(place / "reference", data),
    )
    tasks = tuple(replace(task, index=at, name=f"task {at}") for at in range(copies))
    phase = Phase(0, "development", tuple(range(copies)), seconds=60)
    return Bundle("hand-made", place, "Left and right", "", (phase,), tasks, columns)


def bundle_zip(place: Path) -> str:
    """The same as a bundle's zip, as organisers upload it, in a folder."""
    task, draft = image_bundle(place / "made").tasks[0], Draft()
    for name in [n for n in draft.files if n.startswith(("ingestion", "scoring", "input", "ref"))]:
        del draft.files[name]
    folders = {
        "ingestion_program": task.ingestion,
        "scoring_program": task.scoring,
        "input_data": task.input_data,
        "reference_data/dev": task.reference_data,
        "reference_data/final": task.reference_data,
    }
    for name, folder in folders.items():
        assert folder
        for path in folder.rglob("*"):
            if path.is_file():
                draft.add(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return str(draft.as_zip(place / "bundle.zip"))


def submitted(place: Path, files: Files) -> Path:
    """A zip, the same bytes whenever it is made."""
    path = place / "submission.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def evaluated(
    place: Path, bundle: Bundle, submission: Files | None = None, **wanted: Any
) -> BundleReport:
    """Evaluate a submission; fog:3 and whatever time it takes, if nothing else is said."""
    told: list[str] = wanted.pop("told", [])
    options = Wanted(**{"corrupt": "fog:3", "budget": 600.0, **wanted})
    archive = submitted(place, submission or {"model.py": MODEL})
    return evaluate_in_bundle(
        archive,
        bundle,
        bundle.phases[0],
        "2026-10",
        Machine(sys.executable),
        options,
        told.append,
    )
