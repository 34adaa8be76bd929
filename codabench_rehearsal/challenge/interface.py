"""What an ingestion program takes from a submission: read from its source, never imported.

Told by names: a value is followed into variables, attributes, parameters and returned values of
the same name anywhere in the program. Where a program finds the submission in a way that its source
does not show (a computed name, a process of its own), nothing is said.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
_ROUNDS = 6  # a value that goes through more hands is lost
_MOST = 40
_LONGEST = 60  # characters of an argument


@dataclass(frozen=True)
class Imported:
    """A module of the submission, and the name taken from it ("" for the module itself)."""

    module: str
    name: str
    place: str


@dataclass(frozen=True)
class Called:
    """A call of what was imported, or of a method of what that gave. arguments: as source."""

    name: str
    arguments: tuple[str, ...]
    place: str

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class Interface:
    """imports: of the submission. made: calls of them. methods: of what those calls gave.

    Places are "ingestion.py:94". Nothing in it means that the source does not tell.
    """

    imports: tuple[Imported, ...] = ()
    made: tuple[Called, ...] = ()
    methods: tuple[Called, ...] = ()

    @property
    def module(self) -> str:
        """The module that a submission must have, as `model`; "" where that is not told."""
        return self.imports[0].module if self.imports else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the module must define."""
        taken = [one.name for one in self.imports if one.module == self.module and one.name]
        return tuple(dict.fromkeys(taken))


def read_interface(program: Path, data: Path | None = None) -> Interface:
    """What the ingestion program in a folder imports of a submission. Raises `OSError`.

    data: the input data, whose own modules are none of the submission's: where data are sent in,
    the model lies there.
    """
    found: dict[str, ast.Module | None] = {}
    for path in sorted(program.rglob("*.py")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in other people's texts
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found[path.relative_to(program).as_posix()] = tree
    beside = {path.name: ast.Module([], []) for path in data.glob("*.py")} if data else {}
    return read_interface_of({**found, **{n: t for n, t in beside.items() if n not in found}})


def read_interface_of(modules: Mapping[str, ast.Module | None]) -> Interface:
    """The same of syntax trees by their files' names; None for what did not parse."""
    trees = {name: tree for name, tree in modules.items() if tree is not None}
    imports = _imports(trees)
    if not imports:
        return Interface()
    follower = _Follower(trees, imports)
    return Interface(tuple(imports), *follower.calls())


def _imports(trees: Mapping[str, ast.Module]) -> list[Imported]:
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
                usual = any(word in module.lower() for word in _USUAL)
                if usual or id(node) not in top:
                    one = Imported(module, name, f"{file}:{getattr(node, 'lineno', 1)}")
                    found.setdefault(one, 0 if usual and name else 1 if usual else ODD)
    return found


def moves_the_path(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node lets Python look for modules in further folders: `sys.path.insert(0, ...)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("insert", "append") and _last(node.func.value) == "path"


def _taken(node: ast.AST, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The modules that a node imports, and the names that are taken from them."""
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from ((node.module, alias.name) for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.Call):
        match _last(node.func):
            case "import_module" | "__import__" if node.args:
                text = _text(node.args[0])
                yield from [(text, name) for name in _attributes(tree)] if text else []
            case "spec_from_file_location":
                module = _module_of(node, tree)
                yield from [(module, name) for name in _attributes(tree)] if module else []


def _module_of(call: ast.Call, tree: ast.Module) -> str:
    """The module that a file is loaded as: the file's own name, as far as it stands there."""
    for argument in (*call.args[1:], *(word.value for word in call.keywords)):
        inner = list(ast.walk(argument))
        names = {node.id for node in inner if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and names & {_last(one) for one in node.targets}:
                inner += ast.walk(node.value)
        files = [text for node in inner if (text := _text(node)).endswith(".py")]
        if files:
            return files[0].rpartition("/")[2].removesuffix(".py")
    text = _text(call.args[0]) if call.args else ""
    return text if text.isidentifier() else ""


def _attributes(tree: ast.Module) -> list[str]:
    """The names that are taken from modules that a file loads by a call; [""] for none."""
    loaded = {
        _last(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _last(getattr(node.value, "func", None)) in _LOADERS
        for target in node.targets
    }
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _last(node.value) in loaded:
            found[node.attr] = None
        elif isinstance(node, ast.Call) and _last(node.func) in ("getattr", "hasattr"):
            holder, name = (*node.args, ast.Constant(""), ast.Constant(""))[:2]
            found |= {_text(name): None} if _last(holder) in loaded else {}
    return [name for name in found if name and not name.startswith("__")] or [""]


@dataclass
class _Follower:
    """Follows what was imported through a program's trees, by names."""

    trees: Mapping[str, ast.Module]
    imports: list[Imported]
    callables: dict[str, str] = field(default_factory=dict)  # name in the program -> the real one
    values: set[str] = field(default_factory=set)  # names of what those calls gave
    givers: set[str] = field(default_factory=set)  # functions of the program that return it

    def __post_init__(self) -> None:
        wanted = {(one.module, one.name) for one in self.imports}
        self.nodes = [(f, node) for f, tree in self.trees.items() for node in ast.walk(tree)]
        self.functions = {
            node.name: node
            for _, node in self.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.callables |= {one.name: one.name for one in self.imports if one.name}
        for _, node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (node.module, alias.name) in wanted:
                        self.callables[alias.asname or alias.name] = alias.name
        self.modules = {one.module.split(".")[-1] for one in self.imports if not one.name}
        for _ in range(_ROUNDS):
            before = (len(self.callables), len(self.values), len(self.givers))
            for _, node in self.nodes:
                self._step(node)
            if before == (len(self.callables), len(self.values), len(self.givers)):
                break

    def calls(self) -> tuple[tuple[Called, ...], tuple[Called, ...]]:
        """The calls of what was imported, and those of methods of what they gave."""
        made: dict[tuple[str, tuple[str, ...]], Called] = {}
        methods: dict[tuple[str, tuple[str, ...]], Called] = {}
        for file, node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            one, place = self._called(node), f"{file}:{node.lineno}"
            if one:
                made.setdefault((one, ()), Called(one, _arguments(node), place))
                continue
            name, given = self._method(node), _arguments(node)
            if name:
                methods.setdefault((name, given), Called(name, given, place))
        return tuple(made.values())[:_MOST], tuple(methods.values())[:_MOST]

    def _method(self, call: ast.Call) -> str:
        """The method that a call asks of what the submission gave; "" for another call."""
        if isinstance(call.func, ast.Attribute) and self._is_value(call.func.value):
            return call.func.attr
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        return "__call__" if name in self.values and name not in self.functions else ""

    def _step(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self._bind({_last(one) for one in targets} - {""}, node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            gives = (n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
            if any(self._is_value(value) for value in gives):
                self.givers.add(node.name)
        elif isinstance(node, ast.Call):
            self._pass_on(node)

    def _bind(self, names: set[str], value: ast.expr) -> None:
        if self._is_value(value):
            self.values |= names
        elif _last(value) in self.callables and not isinstance(value, ast.Call):
            self.callables |= dict.fromkeys(names, self.callables[_last(value)])

    def _pass_on(self, call: ast.Call) -> None:
        """What is given to a function of the program has the parameter's name there."""
        function = self.functions.get(_last(call.func))
        if function is None:
            return
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if names[:1] == ["self"]:
            names = names[1:]
        given = [*zip(names, call.args, strict=False)]
        given += [(word.arg, word.value) for word in call.keywords if word.arg]
        for name, value in given:
            self._bind({name}, value)

    def _is_value(self, node: ast.AST | None) -> bool:
        """Whether an expression stands for what a call of the submission gave."""
        if isinstance(node, ast.Call):
            name = self._called(node)
            if name:
                return _is_maker(name)
            fits = isinstance(node.func, ast.Attribute) and node.func.attr == "fit"
            inner = fits and self._is_value(getattr(node.func, "value", None))
            return bool(inner) or _last(node.func) in self.givers
        return isinstance(node, ast.Name | ast.Attribute) and _last(node) in self.values

    def _called(self, node: ast.Call) -> str:
        """The submission's own name for what a call calls; "" for another."""
        if isinstance(node.func, ast.Name):
            return self.callables.get(node.func.id, "")
        if isinstance(node.func, ast.Attribute):
            if _last(node.func.value) in self.modules:
                return node.func.attr
            is_plain = isinstance(node.func.value, ast.Name)
            taken = self.callables.get(node.func.attr, "")
            return taken if is_plain and _last(node.func.value) not in self.values else ""
        return ""


def _is_maker(name: str) -> bool:
    """Whether a name makes a model, rather than predictions."""
    plain = name.lower()
    return name[:1].isupper() or "model" in plain or "estimator" in plain or plain == "submission"


def _arguments(call: ast.Call) -> tuple[str, ...]:
    given = [ast.unparse(one) for one in call.args]
    given += [f"{word.arg or '**'}={ast.unparse(word.value)}" for word in call.keywords]
    return tuple(one if len(one) <= _LONGEST else f"{one[:_LONGEST]}..." for one in given)


def _last(node: ast.AST | None) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _text(node: ast.AST) -> str:
    value = getattr(node, "value", "") if isinstance(node, ast.Constant) else ""
    return value if isinstance(value, str) else ""
