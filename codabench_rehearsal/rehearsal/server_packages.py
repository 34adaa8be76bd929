"""A package that a run did not find: whose fault that is, and what to do about it.

In an environment that we built nothing is known of it: nobody has published the server's packages.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable
from dataclasses import replace

from codabench_rehearsal.rehearsal.dry_run_places import HERE, Place
from codabench_rehearsal.sandbox.chosen_python import python_at
from codabench_rehearsal.sandbox.outcome import Problem
from submission.checks.packages import GONE, GONE_SINCE, OURS, OWN_FILES, PIP_NAMES
from submission.findings import Finding

# Those that pip calls by the same word.
SAME_NAMES = frozenset((
    "accelerate", "albumentations", "bm3d", "catboost", "cloudpickle", "cupy", "dask", "datasets", "diffusers",
    "dill", "efficientnet", "einops", "fastai", "flax", "h5py", "huggingface_hub", "imagecorruptions", "imagehash",
    "imageio", "imgaug", "jax", "jaxlib", "joblib", "kagglehub", "keras", "keras_tuner", "keras_core",
    "kornia", "lightgbm", "lightning", "lime", "matplotlib", "mahotas", "ml_dtypes", "monai", "mxnet",
    "networkx", "nibabel", "numba", "numexpr", "numpy", "onnx", "onnxruntime", "open_clip", "openpyxl",
    "optax", "optuna", "orjson", "packaging", "paddle", "pandas", "patsy", "plotly", "polars",
    "psutil", "pyarrow", "pydantic", "pydicom", "pytorch_lightning", "regex", "requests", "rich",
    "safetensors", "scipy", "seaborn", "sentencepiece", "shap", "simplejson", "six", "statsmodels",
    "sympy", "tabulate", "tensorboard", "tensorflow", "tensorflow_text", "termcolor", "tifffile",
    "timm", "tokenizers", "torch", "torchaudio", "torchinfo", "torchmetrics", "torchvision", "tqdm",
    "transformers", "typing_extensions", "ultralytics", "vit_keras", "wandb", "xgboost", "zarr",
)) - OWN_FILES  # fmt: skip
_NO_MODULE = re.compile(r"No module named '?([A-Za-z_]\w*)'?(?![\w.])")
# Libraries that look for another one themselves: "Could not import PIL.Image", "requires SciPy".
_NEEDS = re.compile(
    r"(?i)(?:could not import|requires?|needs?|please install|pip install|install) (?:the )?"
    r"[`'\"]?([A-Za-z][\w-]*)"
)


def missing_package(problem: Problem | None) -> str | None:
    """What pip calls the third-party package that was not found; None for any other problem.

    A name that is neither well known nor installed with this tool may as well be a file that the zip
    lacks: None.
    """
    if problem is None or problem.kind not in ("ModuleNotFoundError", "ImportError"):
        return None
    if found := _NO_MODULE.search(problem.message):
        return pip_name(found[1])
    asked = (pip_name(word) for word in _NEEDS.findall(problem.message))
    return next((name for name in asked if name), None)


def pip_name(module: str) -> str | None:
    """What pip calls the package that brings a top-level module; None for one that is not known."""
    spellings = {name.lower(): name for name in (*PIP_NAMES, *SAME_NAMES)}
    known = spellings.get(module.replace("-", "_").lower())
    if known:
        return PIP_NAMES.get(known, known.replace("_", "-"))
    if module in sys.stdlib_module_names or module in OWN_FILES | OURS | GONE_SINCE | GONE.keys():
        return None
    by_pip = {name.lower() for name in PIP_NAMES.values()}
    if module.lower() in by_pip:
        return module.lower()
    brings = importlib.metadata.packages_distributions().get(module)
    return brings[0].lower() if brings else None


def with_packages(
    findings: Iterable[Finding], problem: Problem | None, place: Place
) -> list[Finding]:
    """The findings of a run at a place, that of a missing package told as what it is.

    An image is its owner's word of what the server has: there it stays a failure like any other.
    """
    package = missing_package(problem)
    if package is None or not (place.is_built or place == HERE):
        return list(findings)
    return [
        _told(finding, package, place) if finding.code.startswith("S60") else finding
        for finding in findings
    ]


def unknown_package(problem: Problem | None, place: Place) -> str:
    """What is not checked because we do not know whether the server has a package; "" if nothing."""
    package = missing_package(problem) if place.is_built else None
    return (
        f"whether it runs {place.name}: {package} was missing (--with {package})" if package else ""
    )


def _told(finding: Finding, package: str, place: Place) -> Finding:
    if place.is_built:
        message = (
            f"the server's packages are not known; {package} is not in the environment we built: "
            f"--with {package}"
        )
        advice = (
            f"If the server has it, say so: --with {package}, best with its version there; if not, do "
            "without it."
        )
        return replace(finding, severity="warning", message=message, advice=advice, kind="unknown")
    install = python_at(place.python).install(package)
    advice = f"Install it here: {install}. The server may lack it: its packages are not known."
    return replace(finding, advice=advice)
