"""What a network's config says of its input and its outputs, and what packing makes of it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import Archive
from submission.checks.subject import examine
from submission.network_config import outputs_of, read_config, scales_itself
from submission.packager import Packed
from submission.packing import asks_for_scale, refuse_impossible
from submission.training_folder import Packing
from tests.submission.corpus.keras_zip import dense, entry, keras_zip, layer, older_hdf5
from tests.submission.test_backport import call, graph
from tests.submission.zips import build_zip

TO_ONE, TO_SIGNS = layer("Rescaling", scale=1 / 255), layer("Rescaling", scale=1 / 127.5, offset=-1)
MEAN = [120.0, 110.0, 130.0]
INPUTS: list[tuple[str, list[Any], bool]] = [
    ("a rescaling", [entry(), TO_ONE, dense()], True),
    ("a rescaling to -1..1", [entry(), TO_SIGNS, dense()], True),
    ("behind augmentations", [entry(), layer("RandomFlip"), layer("RandAugment", "keras_cv.layers", "keras_cv>RandAugment"), TO_ONE, dense()], True),
    ("behind a resizing", [entry(), layer("Resizing", height=8, width=8), TO_ONE, dense()], True),
    ("a mean of bytes", [entry(), layer("Normalization", mean=MEAN, variance=[9.0] * 3), dense()], True),
    ("a mean of shares", [entry(), layer("Normalization", mean=[0.4, 0.5, 0.4], variance=[0.1] * 3), dense()], False),
    ("a mean that nobody told", [entry(), layer("Normalization", mean=None, variance=None), dense()], False),
    ("a rescaling upwards", [entry(), layer("Rescaling", scale=255.0), dense()], False),
    ("one that changes nothing", [entry(), layer("Rescaling", scale=1.0, offset=0.0), dense()], False),
    ("too late", [entry(), layer("Conv2D", filters=2), TO_ONE, dense()], False),
    ("none", [entry(), dense()], False),
    ("in a model inside", [entry(), {"class_name": "Sequential", "module": "keras", "config": {"name": "s", "layers": [entry(), TO_ONE]}}, dense()], True),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize(("layers", "scales"), [i[1:] for i in INPUTS], ids=[i[0] for i in INPUTS])
def test_who_scales(tmp_path: Path, layers: list[Any], kind: str, *, scales: bool) -> None:
    """Else people are asked for --scale who need not say it, or not asked who must."""
    path = tmp_path / f"w.{kind}"
    path.write_bytes(keras_zip(*layers) if kind == "keras" else older_hdf5(layers))
    assert scales_itself(path) == scales
    assert asks_for_scale(Packing((path,), scale_given=False)) != scales
    assert not asks_for_scale(Packing((path,)))


def with_means(path: Path, mean: list[float]) -> None:
    """A network that starts with a Normalization that learnt this mean."""
    layers = [entry(), layer("Normalization", mean=None, variance=None), dense()]
    arrays = {"mean": mean, "variance": [1.0] * 3, "count": 0}
    if path.suffix == ".h5":
        path.write_bytes(older_hdf5(layers, arrays=arrays))
        return
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        for number, values in enumerate(arrays.values()):
            file[f"layers/normalization/vars/{number}"] = np.asarray(values)
    path.write_bytes(keras_zip(*layers, weights=held.getvalue()))


@pytest.mark.parametrize("name", ["w.h5", "w.keras"])
@pytest.mark.parametrize(("mean", "scales"), [(MEAN, True), ([0.4, 0.5, 0.4], False)])
def test_a_mean_that_was_learnt(
    tmp_path: Path, name: str, mean: list[float], *, scales: bool
) -> None:
    """Else a network that learnt the range of its images is asked about it."""
    with_means(tmp_path / name, mean)
    assert scales_itself(tmp_path / name) == scales


def test_a_graph_is_followed_from_its_input() -> None:
    """Else layers are taken in the order in which they happen to be listed."""
    model = graph(layer("InputLayer", name="in"), layer("Rescaling", name="r", scale=1 / 255), layer("Dense", name="d", units=8), end="d")  # fmt: skip
    assert outputs_of(model) == {"d": 8}
    model["config"]["output_layers"] = {"cls": ["d", 0, 0], "map": ["r", 0, 0]}
    assert outputs_of(model) == {"cls": 8, "map": None}
    model["config"]["output_layers"] = [["d", 0, 0], ["d", 1, 0]]
    assert outputs_of(model) == {"0": 8, "1": 8}


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n", b"x" * 99]
)
@pytest.mark.parametrize("name", ["w.keras", "w.h5"])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    """Else a broken file ends in our traceback before the check that names it."""
    (tmp_path / name).write_bytes(content)
    assert read_config(tmp_path / name) is None
    assert not scales_itself(tmp_path / name)


def two_headed(path: Path, units: tuple[int, int]) -> Path:
    """A network with two heads of that many columns."""
    model = graph(layer("InputLayer", name="in"), layer("Dense", name="cls", units=units[0]), layer("Dense", name="aux", units=units[1]), end="aux")  # fmt: skip
    model["config"]["layers"][2]["inbound_nodes"] = [call("in")]
    model["config"]["output_layers"] = [["cls", 0, 0], ["aux", 0, 0]]
    whole = keras_zip(**model)
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        assert b'"aux"' in file.read("config.json")
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(
    ("units", "output", "said"),
    [
        ((8, 3), "auto", ""),
        ((8, 8), "auto", "cls, aux, and not one alone of 8 columns: say which with --output NAME"),
        ((3, 4), "auto", "--output NAME"),
        ((8, 8), "cls", ""),
        ((8, 8), "1", ""),
        ((8, 8), "2", "has the outputs cls, aux"),
        ((8, 3), "logit", "--output logit: .* has the outputs cls, aux; expected one of them, or"),
    ],
)
def test_an_unclear_output_is_refused_when_packing(
    tmp_path: Path, units: tuple[int, int], output: str, said: str
) -> None:
    """Else it shows only in a run, or on the platform."""
    packing = Packing((two_headed(tmp_path / "w.keras", units),), output=output)
    if not said:
        refuse_impossible(packing, load_challenge())
        return
    with pytest.raises(SubmissionError, match=said):
        refuse_impossible(packing, load_challenge())


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ("logits", ['OUTPUT = "logits"', "HEAD = None"]),
        ("cls", ['OUTPUT = "auto"', 'HEAD = "cls"']),
        (("cls", "logits"), ['OUTPUT = ["auto", "logits"]', 'HEAD = ["cls", None]']),
    ],
)
def test_an_output_is_a_kind_or_a_name(
    tmp_path: Path, output: str | tuple[str, ...], lines: list[str]
) -> None:
    """Else --output NAME is taken for a kind of output, and model.py refuses it."""
    first = two_headed(tmp_path / "w.keras", (8, 3))
    (tmp_path / "v.keras").write_bytes(keras_zip())
    second = () if isinstance(output, str) else (tmp_path / "v.keras",)
    packing = Packing((first, *second), output=output)
    with Packed(packing, load_challenge(), tmp_path / "s.zip") as packed:
        packed.publish()
    with Archive(tmp_path / "s.zip") as archive:
        page = archive.read("model.py").decode().splitlines()
    for line in lines:
        assert [found for found in page if found.startswith(f"{line}  # ")]


def found_by(code: str, folder: Path, files: dict[str, str | bytes], **challenge: str) -> list[str]:
    """What one check says of a zip of these files."""
    build_zip(folder / "z.zip", files)
    with Archive(folder / "z.zip") as archive:
        found = examine(archive, replace(load_challenge(), **challenge), only=[code])  # type: ignore[arg-type]  # fields of text
    return [finding.message for finding in found]


def test_a_server_without_keras_gets_no_advice_of_keras(tmp_path: Path) -> None:
    """Else somebody on a PyTorch server is told to convert to Keras."""
    files: dict[str, str | bytes] = {"model.py": "import torch\n", "w.pt": b"PK"}
    assert found_by("S317", tmp_path, files)
    assert not found_by("S317", tmp_path, files, keras="", tensorflow="")


@pytest.mark.parametrize("where", ["/app/output/w.pt", "/app/ingested_program/w.pt", "w.pt"])
def test_a_file_named_by_the_platforms_path_is_named(tmp_path: Path, where: str) -> None:
    """Else the user is told to leave out the weights."""
    init = f'import torch\n        self.net = torch.load("{where}")'
    page = f"class Model:\n    def __init__(self):\n        {init}\n\n    def predict(self, X):\n        return X\n"
    assert not found_by("S318", tmp_path, {"model.py": page, "w.pt": b"PK"})
    assert found_by("S318", tmp_path, {"model.py": page, "v.pt": b"PK", "w.pt": b"PK"})
