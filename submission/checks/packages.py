"""Which packages a server with the challenge's TensorFlow has."""

from __future__ import annotations

import re
import sys

from codabench_rehearsal.challenge.profile import Challenge

# Top-level names that `pip install tensorflow==2.17.0` brings, counted in an empty environment.
SHIPPED = frozenset((
    "absl", "astunparse", "certifi", "charset_normalizer", "clang", "flatbuffers", "gast",
    "google", "grpc", "h5py", "idna", "keras", "libclang", "markdown", "markdown_it",
    "markupsafe", "mdurl", "ml_dtypes", "namex", "numpy", "opt_einsum", "optree", "packaging",
    "pasta", "pip", "pkg_resources", "pygments", "requests", "rich", "setuptools", "six",
    "tensorboard", "tensorboard_data_server", "tensorflow", "tensorflow_io_gcs_filesystem",
    "termcolor", "typing_extensions", "urllib3", "werkzeug", "wheel", "wrapt",
))  # fmt: skip
# The same of `pip install keras==3.4.1`: its back end comes apart. Keras 2 brings nothing.
SHIPPED_BY_KERAS = frozenset((
    "absl", "h5py", "keras", "markdown_it", "mdurl", "ml_dtypes", "namex", "numpy", "optree",
    "packaging", "pip", "pygments", "rich", "typing_extensions",
))  # fmt: skip
OURS = frozenset(("codabench_rehearsal", "corruptions", "evaluator", "submission"))
# Names that people give to files of their own; no server has a package of such a name for them.
OWN_FILES = frozenset((
    "architecture", "augment", "augmentation", "augmentations", "blocks", "callbacks", "common",
    "config", "configs", "constants", "custom", "custom_layers", "custom_losses",
    "custom_objects", "data", "dataset", "datasets", "ensemble", "functions", "helper",
    "helpers", "layers", "losses", "metrics", "models", "net", "network", "networks",
    "preprocess", "preprocessing", "settings", "train", "training", "tta", "util", "utils",
))  # fmt: skip
# Import name -> what pip calls it, where that is another word.
PIP_NAMES = {
    "Bio": "biopython",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "imblearn": "imbalanced-learn",
    "keras_cv": "keras-cv",
    "keras_hub": "keras-hub",
    "keras_nlp": "keras-nlp",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "setuptools",
    "pywt": "pywavelets",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
    "tensorflow_addons": "tensorflow-addons",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_hub": "tensorflow-hub",
    "tensorflow_io": "tensorflow-io",
    "tensorflow_models": "tf-models-official",
    "tensorflow_probability": "tensorflow-probability",
    "tf_keras": "tf-keras",
    "tflite_runtime": "tflite-runtime",
    "torch_geometric": "torch-geometric",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
OLDEST, NEWEST = (3, 9), (3, 12)  # Pythons that TensorFlow 2.17 has wheels for
# Of the standard library: the first version that has it, and the first that no longer does.
SINCE = {"tomllib": (3, 11)}
GONE = {
    "formatter": (3, 10), "parser": (3, 10), "symbol": (3, 10), "binhex": (3, 11),
    "asynchat": (3, 12), "asyncore": (3, 12), "distutils": (3, 12), "imp": (3, 12), "smtpd": (3, 12),
}  # fmt: skip
# In all of 3.9-3.12, and gone from the 3.13 that this may run on.
GONE_SINCE = frozenset((
    "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap",
    "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib",
    "uu", "xdrlib",
))  # fmt: skip


def pythons(known: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The oldest and the newest Python that the server may have; known: the challenge's, or ""."""
    parts = known.split(".")
    if len(parts) >= 2 and parts[0].isdecimal() and parts[1].isdecimal():
        version = (int(parts[0]), int(parts[1]))
        return version, version
    return OLDEST, NEWEST


def is_there(package: str, challenge: Challenge) -> bool:
    """Whether the challenge's server surely has a top-level package."""
    oldest, newest = pythons(challenge.python)
    if package in SINCE or package in GONE:
        return SINCE.get(package, oldest) <= oldest and newest < GONE.get(package, (99, 0))
    standard = (
        package in sys.stdlib_module_names or package in GONE_SINCE or package == "__future__"
    )
    return standard or package in _installed(challenge) or _pip_name(package) in _told(challenge)


def _told(challenge: Challenge) -> frozenset[str]:
    """The packages that the server has by somebody's word, as pip calls them, without versions."""
    names = (re.split(r"[\s\[<>=!~;]", line.strip(), maxsplit=1)[0] for line in challenge.packages)
    return frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in names)


def _pip_name(package: str) -> str:
    return PIP_NAMES.get(package, package).replace("_", "-").lower()


def _installed(challenge: Challenge) -> frozenset[str]:
    """What the versions that the profile names bring along."""
    if challenge.tensorflow:
        return SHIPPED
    if challenge.keras.startswith(("1.", "2.")):
        return frozenset(("keras", "numpy"))
    return SHIPPED_BY_KERAS if challenge.keras else frozenset(("numpy",))
