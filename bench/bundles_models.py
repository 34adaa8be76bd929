"""Minimal submissions: no more than the names that a bundle's ingestion program asks for.

For bundles without a sample of their own, or whose sample needs packages or downloads that are
beside the point, or hours.
"""

from __future__ import annotations

from collections.abc import Mapping

_SUBMISSION = """
import numpy as np
class Model:
    def fit(self, *given):
        return self
    def predict(self, X):
        {predict}
def get_model():
    return Model()
"""
_SEQUENCE = """
import torch
class Mean(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.last = torch.nn.Linear(features, 1)
    def forward(self, x):
        return torch.sigmoid(self.last(x.mean(dim=1))).squeeze(-1)
def get_model(loader):
    return Mean(next(iter(loader))[0].shape[-1])
"""
_INTERVALS = """
class Model:
    def __init__(self, train_set=None, test_sets=None, systematics=None):
        self.sets = test_sets
    def fit(self):
        pass
    def predict(self):
        many = len(self.sets)
        return {
            "mu_hats": [1.0] * many, "delta_mu_hats": [0.5] * many,
            "p16": [0.75] * many, "p84": [1.25] * many,
        }
"""
_GRAINS = """
import numpy as np
class Model:
    def fit(self, train_data):
        self.usual = int(np.bincount(train_data["y"]).argmax())
    def predict(self, test_data):
        return np.full(len(test_data["filepaths"]), self.usual)
"""
_INSECTS = """
import numpy as np
class Model:
    def fit(self, X, y):
        pass
    def predict(self, X):
        return np.arange(len(X)) % 2
"""
_WALL = """
import numpy as np
class Model:
    def fit(self, X, y):
        self.mean = float(y.mean())
    def predict(self, X):
        return np.full(len(X), self.mean)
"""
_PICTURES = """
import numpy as np
class Model:
    def load(self):
        self.count = 0
    def predict(self, picture):
        self.count += 1
        return (self.count * 37 % 100) / 100
"""
_WEAK = """
import numpy as np, pandas as pd
class Model:
    def __init__(self, *given):
        pass
    def train(self, data, labels):
        pass
    def predict(self, data):
        return pd.Series(np.linspace(0, 1, len(data)))
    def save(self, folder):
        pass
    def load(self, folder):
        pass
"""
_UNSEEN = {
    "data_processor.py": "class DataProcessor:\n    pass\n",
    "nas.py": "class NAS:\n    pass\n",
    "trainer.py": "class Trainer:\n    pass\n",
}
_SNOW = _SUBMISSION.format(predict="return np.zeros(len(X))")
_AUDIO = _SUBMISSION.format(predict="return [{'start': 0.25, 'end': 0.75}]")
_PEOPLE = """
def program(lines):
    found = {}
    for line in lines[1:]:
        key, first, last, address, date = line.strip().split(",")
        found[key] = {"first_name": first, "last_name": last, "address": address, "date": date}
    return found
"""
_STYLES = """
import numpy as np
class model:
    def __init__(self, classes, shape):
        pass
    def fit(self, X, y):
        self.usual = np.asarray(y).ravel()[0]
    def predict(self, X):
        return np.full(len(X), self.usual)
"""
_GROUP = "codalab/competition-examples/codabench"
SUBMISSIONS: Mapping[str, Mapping[str, str]] = {
    "Akawalid/nas_automl_challenge/bundle": _UNSEEN,
    "Akawalid/onera_468_crm_wall_distribution_regression_challenge_v2/bundle": {"model.py": _WALL},
    "AntoineGilsonGH/DataChallengeCreation": {"solution/submission.py": _SNOW},
    "Imageomics/HDR-anomaly-challenge": {"model.py": _PICTURES},
    "LubinLgp/CreationAiChallenge_Group1/Competition_Bundle": {"model.py": _GRAINS},
    "Nazim-fad/Emergency-Audio-Event-Detection-Challenge": {"submission.py": _AUDIO},
    "Nazim-fad/codabench-bundle-for-ML-competition": {"submission.py": _AUDIO},
    "NicolasNoya/Autoregressive_Forecasting_SP500": {"submission.py": _SEQUENCE},
    f"{_GROUP}/autowsl/code_submission/code_submission_bundle": {"model.py": _WEAK},
    f"{_GROUP}/example_GPU/Example-GPU-Competition": {"anything.txt": "nothing is read"},
    "fnachalearn/style-trans-fair": {"model.py": _STYLES},
    "ihsaan-ullah/fair-universe/Competition_Bundles/HEP_Scores_Stability": {"model.py": _INTERVALS},
    "nicomy/DC-CSV-parsing/bundle": {"program.py": _PEOPLE},
    "vladihnat/AI-Challenge-2025-26-Group-3-/Competition_Bundle": {"model.py": _INSECTS},
}
