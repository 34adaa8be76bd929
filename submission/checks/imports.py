"""Checks of imports: what the server may lack, and what the zip's own modules do not have."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from codabench_rehearsal.challenge.profile import Challenge
from submission.checks.modules import Module, imports
from submission.checks.subject import Subject, check

Import = tuple[Module, ast.stmt, str, str]
CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))


@check("S211", "warning")
def package_may_be_missing(subject: Subject) -> Iterator[str]:
    """Do without it, or put its code into the zip: what the server has installed is not known."""
    seen: set[str] = set()
    for module, node, base in _missing(subject, tried=False):
        top = base.split(".")[0]
        if top not in seen and top not in OWN_FILES:
            seen.add(top)
            near = next((f for f in subject.archive.names if f.lower() == f"{top.lower()}.py"), "")
            hint = f"; the zip has {near}, and names are case-sensitive" if near else ""
            yield f"{module.line(node)}: imports {top}, which is not in the zip and which the server may lack{hint}"


@check("S227", "error")
def own_file_missing(subject: Subject) -> Iterator[str]:
    """Put the file into the zip: make-submission ... --include FILE."""
    for module, node, base in _missing(subject, tried=False):
        if base.split(".")[0] in OWN_FILES:
            yield f"{module.line(node)}: imports {base}, a file of your own that is not in the zip"


@check("S212", "note")
def optional_package(subject: Subject) -> Iterator[str]:
    """Nothing, if the code does as well without it: the server may lack it."""
    for module, node, base in _missing(subject, tried=True):
        yield f"{module.line(node)}: tries to import {base.split('.')[0]}"


def _missing(subject: Subject, *, tried: bool) -> Iterator[tuple[Module, ast.stmt, str]]:
    """The imports of what is neither in the zip nor surely on the server; tried: those that may fail."""
    for module, node, base, _ in _imports(subject):
        known = _is_relative(node) or _is_known(subject, base.split(".")[0])
        if not known and _is_tried(module, node) == tried:
            yield module, node, base


def _is_known(subject: Subject, top: str) -> bool:
    own = subject.file_of(top) or any(n.startswith(f"{top}/") for n in subject.archive.names)
    own = own or (subject.moves_the_path and _is_somewhere(subject, top))
    return bool(own) or top in OURS or is_there(top, subject.challenge)


def _is_somewhere(subject: Subject, top: str) -> bool:
    """Whether any folder of the zip has a module of that name."""
    ends = (f"/{top}.py", f"/{top}/__init__.py")
    return any(name.endswith(ends) for name in subject.archive.names)


@check("S213", "error")
def our_own_rooms(subject: Subject) -> Iterator[str]:
    """Copy what you need into the zip: this tool is not installed on the platform."""
    for module, node, base, _ in _imports(subject):
        top = base.split(".")[0]
        own = any(n.startswith((f"{top}/", f"{top}.py")) for n in subject.archive.names)
        if top in OURS and not own and not _is_tried(module, node):
            yield f"{module.line(node)}: imports {base}, a part of codabench-rehearsal"


@check("S214", "error")
def relative_import(subject: Subject) -> Iterator[str]:
    """Write `from layers import ...`: the module is imported from a folder that is no package."""
    for module, node, _, _ in _imports(subject):
        if isinstance(node, ast.ImportFrom) and node.level > module.name.count(".") + _is_package(module) and not _is_tried(module, node):  # fmt: skip
            yield f"{module.line(node)}: a relative import, and {module.file} is in no package"


def _is_package(module: Module) -> int:
    return int(module.file.endswith("/__init__.py"))


@check("S215", "error")
def name_not_in_module(subject: Subject) -> Iterator[str]:
    """Define it in that file, or import it from where it is."""
    for module, node, base, taken in _imports(subject):
        other = subject.module_named(base)
        if not taken or taken == "*" or other is None or other.tree is None:
            continue
        if not _has(subject, other, base, taken) and not _is_tried(module, node):
            yield f"{module.line(node)}: {other.file} defines no {taken}"


def _has(subject: Subject, other: Module, base: str, name: str) -> bool:
    if name in other.stores or name.startswith("__") or subject.file_of(f"{base}.{name}"):
        return True
    folder = f"{base.replace('.', '/')}/{name}/"
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in other.nodes)
    made_up = any(
        isinstance(n, ast.Name) and n.id in ("globals", "exec", "__getattr__", "setattr")
        for n in other.nodes
    )
    return stars or made_up or "__getattr__" in other.stores or any(n.startswith(folder) for n in subject.archive.names)  # fmt: skip


def _imports(subject: Subject) -> Iterator[Import]:
    """The imports that run: module, statement, the module imported, the name taken from it."""
    for module in subject.modules:
        for node, base, taken in imports(module):
            if node in subject.live:
                yield module, node, base, taken


def _is_relative(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level > 0


def _is_tried(module: Module, node: ast.stmt) -> bool:
    """Whether the code is ready for the import to fail."""
    inner: ast.AST = node
    for outer in module.above(node):
        tried = isinstance(outer, ast.Try) and any(inner is part for part in outer.body)
        if tried and any(_catches(handler) for handler in getattr(outer, "handlers", ())):
            return True
        if isinstance(outer, ast.With) and "suppress" in ast.dump(outer.items[0].context_expr):
            return True
        if isinstance(outer, ast.If) and "version_info" in ast.dump(outer.test):
            return True
        inner = outer
    return False


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in CATCHES for n in ast.walk(handler.type))


# Which packages a server with the challenge's TensorFlow has.


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
