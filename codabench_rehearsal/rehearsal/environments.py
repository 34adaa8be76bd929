"""Where a dry run takes place: with this Python, with the server's versions, or in a docker image."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.outcome import Problem
from codabench_rehearsal.sandbox.places import python_at
from codabench_rehearsal.sandbox.server import (
    Pins,
    build,
    checked_requirement,
    default_cache,
    find,
    keras_pins,
    package_name,
)
from submission.checks.imports import GONE, OURS, OWN_FILES, PIP_NAMES
from submission.findings import Finding


@dataclass(frozen=True)
class Place:
    """name: for people, as in "under TensorFlow 2.17.0 / Keras 3.4.1". is_server: the last word."""

    name: str
    python: str = field(default=sys.executable, compare=False)  # "here" is one place with any
    image: str | None = None
    is_server: bool = False

    @property
    def is_built(self) -> bool:
        """Whether it is an environment that we built: its packages are the server's only in part."""
        return self.is_server and self.image is None


HERE = Place("here")


def server_name(challenge: Challenge) -> str:
    """The server's versions as they are shown, "" where the challenge names none."""
    named = (("TensorFlow", challenge.tensorflow), ("Keras", challenge.keras))
    return " / ".join(f"{what} {version}" for what, version in named if version)


def server_pins(challenge: Challenge, packages: Sequence[str] = ()) -> Pins:
    """What has to be installed to run as the challenge's server does.

    packages: requirements beside the challenge's own, which they replace where both name one. Raises
    `SandboxError` for one that is no plain requirement, or that contradicts the server's versions.
    """
    known = (*challenge.packages, *packages)
    extra = {package_name(line): checked_requirement(line) for line in known}
    pins = keras_pins(challenge.tensorflow, challenge.keras, challenge.python)
    for pinned in pins.packages:
        name = package_name(pinned).replace("tensorflow-cpu", "tensorflow")
        if line := extra.get(name) or extra.get(package_name(pinned)):
            raise SandboxError(
                f"{line}: the challenge's server has {pinned.replace('-cpu', '')}; leave it out"
            )
    return replace(pins, extra=tuple(extra.values()))


def server_if_built(challenge: Challenge, packages: Sequence[str] = ()) -> Place | None:
    """The server's versions, if they were built before."""
    name = server_name(challenge)
    pins = server_pins(challenge, packages)
    python = find(pins, default_cache()) if name else None
    return _server(name, pins, python) if python else None


def build_server(
    challenge: Challenge, say: Callable[[str], None], packages: Sequence[str] = ()
) -> Place | None:
    """The server's versions, built now if need be; None where the challenge names none."""
    name = server_name(challenge)
    if not name:
        return None
    pins = server_pins(challenge, packages)
    return _server(name, pins, build(pins, default_cache(), say))


def in_image(image: str) -> Place:
    """A docker image, run with its own Python."""
    return Place(f"in the image {image}", "python3", image, is_server=True)


def _server(name: str, pins: Pins, python: Path) -> Place:
    more = f" with {', '.join(pins.extra)}" if pins.extra else ""
    return Place(f"under {name}{more}", str(python), is_server=True)


# A package that a run did not find: whose fault that is, and what to do about it.
#
# In an environment that we built nothing is known of it: nobody has published the server's packages.


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
    if module in sys.stdlib_module_names or module in OWN_FILES | OURS | GONE.keys():
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
