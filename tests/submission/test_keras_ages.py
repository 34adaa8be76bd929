"""Files of every Keras, as people have them: what is made of each, and what it then scores.

The files lie in `shared/cases` with their right value: 0.9225 on 400 held-out cells, fed 0..255.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import Archive
from submission.backport import backport_weights
from submission.checks.subject import examine
from submission.packager import pack
from submission.training_folder import Packing
from tests.submission.server import KERAS, keras_2_python, server_python

SHARED = Path(__file__).parents[3] / "shared"
FILES, DATA = SHARED / "cases", SHARED / "data" / "training_set.npz"
PROGRAM = str(Path(__file__).parent / "programs" / "run_model.py")
RIGHT = 0.9225
# file, what a zip of somebody's own model.py is told of it, whether the bytes change
MENDED = [
    ("k2_plain.h5", "S313", True),
    ("k2_mixed.h5", "S313", True),
    ("k2_plain.keras", "S303", True),
    ("k315_normalization.h5", "S313", True),
    ("k315_single_dict.keras", "S303", True),
    ("k34_kerascv.keras", "S325", True),
    ("k34_normalization.h5", "S323", False),
    ("k34_nested_norm.h5", "S323", False),
]
NAMES = [name for name, _, _ in MENDED]
OWN = """
from pathlib import Path
import keras


class Model:
    def __init__(self):
        self.net = keras.models.load_model(Path(__file__).parent / {name!r}, compile=False)

    def predict(self, X):
        return self.net.predict(X).argmax(axis=1)
"""
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason="needs ../shared/cases")


def told_of(path: Path, folder: Path) -> dict[str, str]:
    """Errors and warnings about a zip of somebody's own model.py with this file, as code -> message."""
    import zipfile

    with zipfile.ZipFile(folder / "s.zip", "w") as file:
        file.writestr("model.py", OWN.format(name=path.name))
        file.write(path, path.name)
    with Archive(folder / "s.zip") as archive:
        found = examine(archive, load_challenge())
    return {finding.code: finding.message for finding in found if finding.severity != "note"}


@needs_files
@pytest.mark.parametrize(("name", "code", "changes"), MENDED)
def test_what_is_said_and_done_without_a_run(
    tmp_path: Path, name: str, code: str, *, changes: bool
) -> None:
    """Else a file that the server cannot load is said to look right, or a rewritten one still wrong."""
    assert code in told_of(FILES / name, tmp_path)
    data = (FILES / name).read_bytes()
    mended, record = backport_weights(data, KERAS)
    assert record is not None
    assert (mended != data) == changes
    assert backport_weights(data, KERAS)[0] == mended  # the same bytes every time
    again, _ = backport_weights(mended, KERAS)
    assert again == mended
    (tmp_path / name).write_bytes(mended)
    left = set(told_of(tmp_path / name, tmp_path))
    assert not left & {"S303", "S313", "S321", "S325"}, left


@needs_files
def test_operations_of_tensorflow_are_refused_by_name(tmp_path: Path) -> None:
    """Else people learn from thirty lines of Keras's traceback, on the platform."""
    path = FILES / "k2_operators.h5"
    message = told_of(path, tmp_path)["S313"]
    with pytest.raises(SubmissionError) as caught:
        pack(Packing((path,)), load_challenge(), tmp_path / "zip.zip")
    for said in (message, str(caught.value)):
        for part in ("tf.math.truediv", "math.truediv", "Rescaling", "set_weights"):
            assert part in said
    assert not (tmp_path / "zip.zip").exists()


@needs_files
@pytest.mark.parametrize(
    ("keras", "tensorflow", "changes"),
    [("", "", True), ("3.9.0", "2.19.0", True), ("2.15.0", "2.15.1", False), ("", "2.15.1", False)],
)
def test_other_servers(tmp_path: Path, keras: str, tensorflow: str, *, changes: bool) -> None:
    """Else a file of Keras 2 is spoilt for a server with Keras 2, or useless for one with Keras 3."""
    challenge = replace(load_challenge(), keras=keras, tensorflow=tensorflow)
    packed = pack(Packing((FILES / "k2_plain.h5",)), challenge, tmp_path / "s.zip")
    with Archive(tmp_path / "s.zip") as archive:
        archive.extract(tmp_path / "out")
    shipped = (tmp_path / "out" / "k2_plain.h5").read_bytes()
    assert (shipped != (FILES / "k2_plain.h5").read_bytes()) == changes
    assert bool(packed.backports) == changes


def scored(python: str, folder: Path, names: Sequence[str] = NAMES) -> dict[str, float | str]:
    """Pack every file, run the zips under that Python; accuracies, or what went wrong."""
    with np.load(DATA) as data:
        rows = np.random.default_rng(0).permutation(4799)[1600:2000]
        images, labels = data["images"][rows], data["labels"][rows].ravel()
    for name in names:
        here = folder / name.replace(".", "_")
        pack(Packing((FILES / name,), scale_given=False), load_challenge(), folder / "s.zip")
        with Archive(folder / "s.zip") as archive:
            archive.extract(here)
        np.save(here / "X.npy", images)
    subprocess.run([python, PROGRAM, str(folder)], check=True, capture_output=True)
    found: dict[str, float | str] = {}
    for name in names:
        here = folder / name.replace(".", "_")
        labelled = here / "labels.npy"
        fault = here / "error.txt"
        found[name] = (
            float((np.load(labelled) == labels).mean()) if labelled.exists() else fault.read_text()
        )
        shutil.rmtree(here)
    return found


@needs_files
@pytest.mark.slow
@pytest.mark.keras
def test_scores_under_todays_keras(tmp_path: Path) -> None:
    """Else the rehearsal here fails or scores another network than the one that was saved."""
    assert scored(sys.executable, tmp_path) == dict.fromkeys(NAMES, RIGHT)


@needs_files
@pytest.mark.slow
def test_scores_under_the_servers_keras(tmp_path: Path) -> None:
    """Else what is packed fails or scores less on the platform."""
    assert scored(server_python(), tmp_path) == dict.fromkeys(NAMES, RIGHT)


@pytest.mark.slow
def test_networks_of_keras_2_answer_as_they_did(tmp_path: Path) -> None:
    """Else a file of Keras 2 loads, but with its weights in other places, or not at all."""
    zoo = str(Path(__file__).parent / "programs" / "keras2_zoo.py")
    subprocess.run([keras_2_python(), zoo, "save", str(tmp_path)], check=True, capture_output=True)
    for path in (*tmp_path.glob("*.h5"), *tmp_path.glob("*.keras")):
        path.write_bytes(backport_weights(path.read_bytes(), KERAS)[0])
    for python in (server_python(), sys.executable):
        asked = subprocess.run([python, zoo, "ask", str(tmp_path)], check=True, capture_output=True)
        found = json.loads(asked.stdout.decode().splitlines()[-1])
        assert len(found) >= 34
        wrong = {name: said for name, said in found.items() if isinstance(said, str)}
        assert not wrong
        assert not {n: e for n, e in found.items() if e > (0.02 if "mixed" in n else 1e-3)}
