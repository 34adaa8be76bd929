"""Which modules an ingestion program imports of a submission: told by their names and places.

What is neither the program's own, Python's nor a known package, and is imported where a path was
moved, in a function, or under a usual name.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

_USUAL = ("model", "submission", "solution", "predict", "classifier", "agent", "estimator", "algo")
# Packages that programs import inside functions; a submission is called otherwise.
_PACKAGES = (
    "numpy scipy pandas sklearn torch torchvision torchaudio tensorflow keras jax flax "
    "xgboost lightgbm catboost matplotlib seaborn plotly PIL cv2 skimage imageio h5py yaml "
    "joblib tqdm psutil requests statsmodels networkx numba transformers datasets polars "
    "pyarrow rdkit librosa soundfile openpyxl nibabel rpy2 anndata scanpy dateutil pytz "
    "setuptools pkg_resources pip gymnasium gym stable_baselines3 timm albumentations nltk "
    "spacy gensim bs4 lxml xarray netCDF4 geopandas shapely rasterio cloudpickle dill ray "
    "optuna shap polyaxon wandb mlflow docker iminuit HiggsML hdf5storage tables fsspec "
    "zstandard IPython jupyter nbformat markdown jinja2 sympy cvxpy pulp ortools onnx "
    "onnxruntime einops pytorch_lightning lightning monai prettytable tabulate colorama "
    "humanize benchopt dotenv google pydantic huggingface_hub "
)
_LOADERS = ("import_module", "__import__", "module_from_spec", "load_module", "load_source")
ODD = 2  # how unsure a name is that nobody usually gives to a submission


@dataclass(frozen=True)
class Imported:
    """A module of the submission, and the name taken from it ("" for the module itself)."""

    module: str
    name: str
    place: str


def imports_of(trees: Mapping[str, ast.Module]) -> list[Imported]:
    """What is imported of the submission, what is most surely so first."""
    found = candidates(trees)
    ranked = sorted(found, key=lambda one: found[one])
    best = [one for one in ranked if found[one] == found[ranked[0]]]
    return [one for one in ranked if one in best or one.module == best[0].module]


def candidates(trees: Mapping[str, ast.Module]) -> dict[Imported, int]:
    """What may be imported of the submission -> how unsure that is."""
    known = {part for name in trees for part in name.removesuffix(".py").split("/")}
    known |= {*_PACKAGES.split(), *sys.stdlib_module_names}
    found: dict[Imported, int] = {}
    for file, tree in trees.items():
        paths = [node.lineno for node in ast.walk(tree) if moves_the_path(node)]
        top = {id(node) for node in tree.body if node.lineno < min(paths, default=1 << 30)}
        for node in ast.walk(tree):
            for module, name in _taken(node, tree):
                first = module.split(".")[0]
                if first in known:
                    continue
                usual = is_usual(module)
                if usual or id(node) not in top:
                    one = Imported(module, name, f"{file}:{getattr(node, 'lineno', 1)}")
                    found.setdefault(one, 0 if usual and name else 1 if usual else ODD)
    return found


def is_usual(module: str) -> bool:
    """Whether a module is called as participants' modules are: its name says so by itself."""
    return any(word in module.lower() for word in _USUAL)


def moves_the_path(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node lets Python look for modules in further folders: `sys.path.insert(0, ...)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("insert", "append") and last_of(node.func.value) == "path"


def _taken(node: ast.AST, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The modules that a node imports, and the names that are taken from them."""
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from ((node.module, alias.name) for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.Call):
        match last_of(node.func):
            case "import_module" | "__import__" if node.args:
                text = text_of(node.args[0]) or _assigned(node.args[0], tree)
                yield from [(text, name) for name in _attributes(tree)] if text else []
            case "spec_from_file_location":
                module = _module_of(node, tree)
                yield from [(module, name) for name in _attributes(tree)] if module else []
            case "run_path" if node.args:
                files = [t for inner in ast.walk(node.args[0]) if (t := text_of(inner))]
                names = [t.rpartition("/")[2] for t in files if t.endswith(".py")]
                yield from [(names[-1].removesuffix(".py"), "")] if names else []


def _assigned(node: ast.AST, tree: ast.Module) -> str:
    """The one text that a name stands for in a file; "" for none, or several."""
    found = {
        text_of(one.value)
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign) and last_of(node) in map(last_of, one.targets)
    }
    return found.pop() if isinstance(node, ast.Name) and len(found) == 1 else ""


def _module_of(call: ast.Call, tree: ast.Module) -> str:
    """The module that a file is loaded as: the file's own name, as far as it stands there."""
    for argument in (*call.args[1:], *(word.value for word in call.keywords)):
        inner = list(ast.walk(argument))
        names = {node.id for node in inner if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and names & {last_of(one) for one in node.targets}:
                inner += ast.walk(node.value)
        files = [text for node in inner if (text := text_of(node)).endswith(".py")]
        if files:
            return files[0].rpartition("/")[2].removesuffix(".py")
    text = text_of(call.args[0]) if call.args else ""
    return text if text.isidentifier() else ""


def _attributes(tree: ast.Module) -> list[str]:
    """The names that are taken from modules that a file loads by a call; [""] for none."""
    loaded = {
        last_of(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and last_of(getattr(node.value, "func", None)) in _LOADERS
        for target in node.targets
    }
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and last_of(node.value) in loaded:
            found[node.attr] = None
        elif isinstance(node, ast.Call) and last_of(node.func) in ("getattr", "hasattr"):
            holder, name = (*node.args, ast.Constant(""), ast.Constant(""))[:2]
            found |= {text_of(name): None} if last_of(holder) in loaded else {}
    return [name for name in found if name and not name.startswith("__")] or [""]


def last_of(node: ast.AST | None) -> str:
    """The last name of `a.b.c`, or a name itself; "" for what has none."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def text_of(node: ast.AST) -> str:
    """A text that stands in the source; "" for what is none."""
    value = getattr(node, "value", "") if isinstance(node, ast.Constant) else ""
    return value if isinstance(value, str) else ""
