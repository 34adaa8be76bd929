"""What the `model.py` that ships makes of images and networks."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.console.errors import SubmissionError
from submission.model_page import TEMPLATE, model_page

PROGRAMS = Path(__file__).parent / "programs"
Scores = Callable[[Any], Any]
IMAGES = np.random.default_rng(1).integers(0, 256, (10, 6, 6, 3), dtype="uint8")


class Network:
    """A network made of a function; it notes what it was shown."""

    def __init__(self, function: Scores) -> None:
        self.function = function
        self.seen: list[Any] = []

    def predict_on_batch(self, images: Any) -> Any:
        """Answer as Keras does, with an array."""
        self.seen.append(images)
        return self.function(images)


def nearest(images: Any, size: tuple[int, int]) -> Any:
    """Resize by picking pixels."""
    rows = np.arange(size[0]) * images.shape[1] // size[0]
    return images[:, rows][:, :, np.arange(size[1]) * images.shape[2] // size[1]]


def load(folder: Path, networks: list[Network], **settings: Any) -> Any:
    """Import a model.py with these settings, with functions for its networks, and make a Model."""
    names = [f"{index}.keras" for index in range(len(networks))]
    (folder / "model.py").write_text(model_page({"WEIGHTS": names, **settings}), encoding="utf-8")
    keras: Any = ModuleType("keras")
    keras.models = SimpleNamespace(
        load_model=lambda path, compile: networks[_index(path, folder, compile)]  # noqa: A006
    )
    keras.ops = SimpleNamespace(image=SimpleNamespace(resize=nearest))
    spec = importlib.util.spec_from_file_location("model_under_test", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "keras", keras)
        spec.loader.exec_module(module)
        return module.Model()


def _index(path: Path, folder: Path, compiled: bool) -> int:
    """Which network a path stands for; it has to be beside model.py."""
    assert path.parent == folder
    assert compiled is False
    return int(path.stem)


def softmax(scores: Any) -> Any:
    """Rows to probabilities."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def colours(images: Any) -> Any:
    """The mean of each channel: scores that no turn or flip changes."""
    return images.mean(axis=(1, 2))


def corner(images: Any) -> Any:
    """Scores that every turn and flip changes: four corners of the red channel."""
    return images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0]


def always(*scores: float) -> Network:
    """A network that says the same of every image."""
    return Network(lambda images: np.tile(np.asarray(scores, "float32"), (len(images), 1)))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_labels(tmp_path: Path, dtype: str, batch_size: int) -> None:
    """Else the server scores garbage."""
    model = load(tmp_path, [Network(lambda x: softmax(colours(x)))], BATCH_SIZE=batch_size)
    labels = model.predict(IMAGES.astype(dtype))
    assert isinstance(labels, np.ndarray)
    assert (labels.shape, labels.dtype) == ((10,), np.int64)
    assert labels.tolist() == colours(IMAGES).argmax(axis=1).tolist()
    assert {seen.dtype for seen in model.networks[0].seen} == {np.dtype("float32")}
    assert max(len(seen) for seen in model.networks[0].seen) == min(batch_size, 10)


@pytest.mark.parametrize("empty", [np.zeros((0, 6, 6, 3), "uint8"), np.zeros(0), []])
def test_no_images(tmp_path: Path, empty: Any) -> None:
    """Else an empty block of images ends in an error."""
    labels = load(tmp_path, [Network(colours)]).predict(empty)
    assert (labels.shape, labels.dtype) == ((0,), np.int64)


@pytest.mark.parametrize("shape", [(10, 108), (10, 6, 6), (2, 5, 6, 6, 3)])
def test_a_wrong_rank(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Else the error is Keras's, about a layer nobody knows."""
    with pytest.raises(ValueError, match=r"height, width, channels\), not \("):
        load(tmp_path, [Network(colours)]).predict(np.zeros(shape))


@pytest.mark.parametrize(
    ("scale", "least", "most"), [("0..255", 0, 255), ("0..1", 0, 1), ("-1..1", -1, 1)]
)
def test_scale(tmp_path: Path, scale: str, least: float, most: float) -> None:
    """Else the network sees values it never saw in training."""
    model = load(tmp_path, [Network(colours)], SCALE=scale)
    images = np.array([0, 255], dtype="uint8").reshape(1, 1, 2, 1).repeat(3, axis=3)
    model.predict(images)
    (seen,) = model.networks[0].seen
    assert np.allclose([seen.min(), seen.max()], [least, most], atol=1e-6)


@pytest.mark.parametrize(("size", "shape"), [(None, (6, 6)), (6, (6, 6)), (4, (4, 4))])
def test_resize(tmp_path: Path, size: int | None, shape: tuple[int, int]) -> None:
    """Else a network trained on another size refuses the images."""
    model = load(tmp_path, [Network(colours)], RESIZE=size)
    model.predict(IMAGES)
    assert model.networks[0].seen[0].shape[1:3] == shape


@pytest.mark.parametrize(("tta", "views"), [("none", 1), ("flips", 4), ("rot90", 4), ("d4", 8)])
def test_views(tmp_path: Path, tta: str, views: int) -> None:
    """Else some views come twice and others never."""
    model = load(tmp_path, [Network(lambda x: softmax(corner(x) / 50))], TTA=tta, BATCH_SIZE=4)
    model.predict(IMAGES)
    seen = model.networks[0].seen
    assert [len(batch) for batch in seen] == [4] * 3 * views
    assert len({batch.tobytes() for batch in seen}) == 3 * views
    assert np.array_equal(seen[0], IMAGES[:4])


@pytest.mark.parametrize("tta", ["flips", "rot90", "d4"])
def test_views_form_a_group(tmp_path: Path, tta: str) -> None:
    """Else the labels depend on which way up an image comes."""
    model = load(tmp_path, [Network(lambda x: softmax(corner(x) / 50))], TTA=tta)
    turned = np.rot90(IMAGES, 2, axes=(1, 2))
    scores = [model.scores(images.astype("float32")) for images in (IMAGES, turned)]
    assert np.allclose(*scores)


HEADS = [
    ("softmax", "auto", lambda x: softmax(colours(x)), 3),
    ("logits", "auto", lambda x: colours(x) - 300, 3),
    ("logits, said", "logits", colours, 3),
    ("half precision", "auto", lambda x: softmax(colours(x)).astype("float16"), 3),
    ("maps of one pixel", "auto", lambda x: softmax(colours(x))[:, None, None, :], 3),
    ("two columns", "auto", lambda x: softmax(colours(x)[:, :2]), 2),
]


@pytest.mark.parametrize(
    ("output", "head", "classes"), [h[1:] for h in HEADS], ids=[h[0] for h in HEADS]
)
def test_heads(tmp_path: Path, output: str, head: Scores, classes: int) -> None:
    """Else logits and probabilities are averaged as if they were the same."""
    model = load(tmp_path, [Network(head)], OUTPUT=output, NUM_CLASSES=classes)
    scores = model.scores(IMAGES.astype("float32"))
    assert scores.shape == (10, classes)
    assert np.allclose(scores.sum(axis=1), 1, atol=0.01)
    found = model.predict(IMAGES)
    assert found.tolist() == colours(IMAGES)[:, :classes].argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("output", "values", "labels"),
    [("auto", [0.2, 0.5, 0.7], [0, 0, 1]), ("logits", [-2.0, 0.3, 8.0], [0, 1, 1])],
)
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_column(
    tmp_path: Path, output: str, values: list[float], labels: list[int], shape: tuple[int, ...]
) -> None:
    """Else a binary network calls everything class 0."""
    network = Network(lambda _: np.asarray(values, "float32").reshape(shape))
    model = load(tmp_path, [network], OUTPUT=output, NUM_CLASSES=2)
    assert model.predict(IMAGES[:3]).tolist() == labels


SURE, UNSURE = (0.9, 0.1, 0.0), (0.3, 0.4, 0.3)
ENSEMBLES: list[tuple[str, list[int] | None, list[tuple[float, ...]], int]] = [
    ("mean", None, [SURE, UNSURE, UNSURE], 0),
    ("vote", None, [SURE, UNSURE, UNSURE], 1),
    ("mean", [1, 9, 9], [SURE, UNSURE, UNSURE], 1),
    ("vote", [5, 1, 1], [SURE, UNSURE, UNSURE], 0),
    ("vote", None, [UNSURE, SURE], 0),  # a tie: the surer one wins
    ("mean", None, [(20.0, -20.0, 0.0), (0.1, 0.8, 0.1)], 0),  # logits beside probabilities
]


@pytest.mark.parametrize(("ensemble", "weights", "members", "label"), ENSEMBLES)
def test_ensembles(
    tmp_path: Path,
    ensemble: str,
    weights: list[int] | None,
    members: list[tuple[float, ...]],
    label: int,
) -> None:
    """Else several networks score less than one."""
    networks = [always(*scores) for scores in members]
    model = load(tmp_path, networks, ENSEMBLE=ensemble, MEMBER_WEIGHTS=weights)
    assert model.predict(IMAGES).tolist() == [label] * 10


def test_faults_of_the_settings(tmp_path: Path) -> None:
    """Else a network for another challenge, or one weight too few, goes unnoticed."""
    with pytest.raises(ValueError, match="tells 3 classes, not 8"):
        load(tmp_path, [Network(colours)], NUM_CLASSES=8).predict(IMAGES)
    with pytest.raises(ValueError, match="has to have 2 values"):
        load(tmp_path, [Network(colours), Network(colours)], MEMBER_WEIGHTS=[1])
    with pytest.raises(TypeError, match="several outputs"):
        load(tmp_path, [Network(lambda x: [x, x])]).predict(IMAGES)


def test_a_page_is_the_template_with_other_values() -> None:
    """Else what ships is not what was read and tested."""
    settings = {
        "WEIGHTS": ['a"b\\.keras', "c.keras"],
        "SCALE": "0..1",
        "MEMBER_WEIGHTS": [2, 0.5],
        "RESIZE": 224,
    }
    page, template = model_page(settings), TEMPLATE.read_text(encoding="utf-8")
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(page).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in settings
    }
    assert values == settings
    changed = [a for a, b in zip(page.splitlines(), template.splitlines(), strict=True) if a != b]
    assert len(changed) == len(settings)
    assert model_page({}) == template


@pytest.mark.parametrize(
    ("settings", "message"), [({"SIZE": 3}, "no setting SIZE"), ({"TTA": {1}}, "TTA is set to")]
)
def test_settings_that_do_not_exist(settings: dict[str, Any], message: str) -> None:
    """Else a typing error is lost."""
    with pytest.raises(SubmissionError, match=message):
        model_page(settings)


def test_the_page_runs_where_only_keras_is() -> None:
    """Else the server lacks a package, or its Python is too old for the syntax."""
    source = TEMPLATE.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name
                for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)}  # fmt: skip
    assert imported == {"importlib", "sys", "pathlib", "keras", "numpy"}


@pytest.mark.slow
@pytest.mark.keras
def test_with_todays_keras(tmp_path: Path) -> None:
    """Else it works with functions only."""
    zoo, run = str(PROGRAMS / "keras_zoo.py"), str(PROGRAMS / "run_model.py")
    subprocess.run([sys.executable, zoo, str(tmp_path), "plain", "residual", "binary"], check=True)
    for here in tmp_path.iterdir():
        page = model_page({"WEIGHTS": ["saved.keras"], "BATCH_SIZE": 2, "RESIZE": 96})
        (here / "model.py").write_text(page, encoding="utf-8")
    subprocess.run([sys.executable, run, str(tmp_path)], check=True)
    for here in tmp_path.iterdir():
        assert not (here / "error.txt").exists(), (here / "error.txt").read_text()
        scores = np.load(here / "scores.npy")
        wanted = scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] > 0.5
        assert np.load(here / "labels.npy").tolist() == wanted.tolist()
