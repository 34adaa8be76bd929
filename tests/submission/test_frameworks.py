"""What a submission was made with, told from its code, else from its files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from submission.archive import Archive
from submission.checks.frameworks import frameworks

ROWS: tuple[tuple[Mapping[str, str], tuple[str, ...]], ...] = (
    ({"model.py": "import keras\n"}, ("keras",)),
    ({"model.py": "import tensorflow as tf\nfrom sklearn import metrics\n"}, ("keras",)),
    ({"model.py": "from tensorflow.keras import layers\n", "w.pkl": "x"}, ("keras",)),
    ({"model.py": "import torch.nn as nn\nimport joblib\n", "w.h5": "x"}, ("torch",)),
    ({"model.py": "import keras\nimport torch\n"}, ("keras", "torch")),
    ({"model.py": "from sklearn.svm import SVC\n"}, ("sklearn",)),
    ({"model.py": "def f():\n    import xgboost\n"}, ("sklearn",)),
    ({"model.py": "from net import Net\n", "net.py": "import torch\n"}, ("torch",)),
    ({"model.py": "import mine\n", "old/train.py": "import torch\n", "w.keras": "x"}, ("keras",)),
    ({"model.py": "import mine\n", "best.PTH": "x", "scaler.pkl": "x"}, ("torch",)),
    ({"model.py": "import pickle\n", "forest.pkl": "x"}, ("sklearn",)),
    ({"model.py": "import numpy\n", "means.npz": "x"}, ()),
    ({"model.py": "import torch(\n", "w.keras": "x"}, ("keras",)),
    ({"weights.keras": "x"}, ("keras",)),
    ({"notes.txt": "import torch"}, ()),
)


@pytest.mark.parametrize(("files", "expected"), ROWS)
def test_it_is_told_from_code_then_files(
    files: Mapping[str, str], expected: tuple[str, ...], tmp_path: Path
) -> None:
    """Else people who work with PyTorch would be shown code for Keras, or the other way round."""
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    with Archive(path) as archive:
        assert frameworks(archive, load_challenge()) == expected
