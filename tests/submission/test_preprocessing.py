"""The preprocessing of Keras applications, written out, against Keras's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.console.errors import SubmissionError
from submission.model_page import APPLICATIONS, MODES, TEMPLATE, mode_of
from tests.submission.server import server_python

PROGRAM = str(Path(__file__).parent / "programs" / "preprocess_all.py")


def template_constants() -> dict[str, Any]:
    """What the shipped file has of it, without importing Keras."""
    text = TEMPLATE.read_text(encoding="utf-8")
    found = re.search(r"^PREPROCESSINGS = \{.*?^\}", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    scope: dict[str, Any] = {}
    exec(found[0], scope)
    return dict(scope["PREPROCESSINGS"])


def compare(python: str, folder: Path) -> None:
    """Compare every application of that Python's Keras, for both dtypes, to the last bit."""
    subprocess.run([python, PROGRAM, str(folder / "all.npz")], check=True, capture_output=True)
    found = dict(np.load(folder / "all.npz"))
    images = found.pop("images")
    names = {name.split("/")[0] for name in found}
    assert len(names) > 40
    for name, wanted in found.items():
        mode = MODES[mode_of(name.split("/")[0])]
        assert np.array_equal(mode.apply(images.astype(name.split("/")[1])), wanted), name
    plain = {re.sub("[-_ ]", "", name.lower()) for name in names}
    known = {name for several in APPLICATIONS.values() for name in several}
    assert plain == known


@pytest.mark.slow
@pytest.mark.keras
def test_as_todays_keras_has_it(tmp_path: Path) -> None:
    """Else a network sees images as it never saw them in training: one class for everything."""
    compare(sys.executable, tmp_path)


@pytest.mark.slow
def test_as_the_servers_keras_has_it(tmp_path: Path) -> None:
    """Else a network trained with the server's Keras is fed otherwise."""
    compare(server_python(), tmp_path)


def test_the_template_has_the_same_numbers() -> None:
    """Else the shipped file preprocesses otherwise than what was tested."""
    constants = template_constants()
    assert set(constants) == set(MODES) - {"none"}
    for name, (divisor, mean, deviation) in constants.items():
        mode = MODES[name]
        assert divisor == mode.divisor
        assert np.array_equal(np.broadcast_to(mean, 3), mode.mean)
        assert np.array_equal(np.broadcast_to(deviation, 3), mode.deviation)
        assert mode.reverse == (name == "caffe")


def test_the_images_given_stay_as_they_are() -> None:
    """Else the next network of an ensemble sees images that were scaled already."""
    for mode in MODES.values():
        images = np.full((1, 2, 2, 3), 200, "float32")
        mode.apply(images)
        assert (images == 200).all()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("resnet50", "caffe"), ("ResNet50", "caffe"), ("resnet-50", "caffe"), ("VGG16", "caffe"),
        ("resnet50v2", "tf"), ("ResNet50V2", "tf"), ("mobilenetv2", "tf"), ("mobilenet_v2", "tf"),
        ("efficientnetv2-s", "none"), ("EfficientNetV2S", "none"), ("MobileNetV3Large", "none"),
        ("convnext_tiny", "none"), ("densenet121", "torch"), ("caffe", "caffe"), ("tf", "tf"),
        ("none", "none"), ("identity", "none"),
    ],
)  # fmt: skip
def test_names_as_people_write_them(name: str, mode: str) -> None:
    """Else a user has to guess our spelling."""
    assert mode_of(name) == mode


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet5", "did you mean resnet50"),
        ("efficientnetv2-x", "efficientnetv2"),
        ("zzz", "one of none, caffe, torch, tf"),
        ("", "expected a Keras application"),
    ],
)
def test_a_name_that_is_none(name: str, said: str) -> None:
    """Else a typo would be some other preprocessing."""
    with pytest.raises(SubmissionError) as caught:
        mode_of(name)
    assert said in str(caught.value)
    assert repr(name) in str(caught.value)
