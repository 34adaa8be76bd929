"""Checks of custom classes and functions in the weights' configs: does the zip's code give them to Keras."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

from submission.backport import load_table, targets
from submission.backport_config import is_custom
from submission.backport_graph import Node, is_guest
from submission.backport_keras2 import OWN_NAMES, is_keras_2
from submission.checks.imports import is_there
from submission.checks.keras_files import Weights
from submission.checks.modules import DYNAMIC, Function, Module, read_module
from submission.checks.paths import Paths
from submission.checks.subject import Subject, check
from submission.checks.weights import is_loaded


@dataclass(frozen=True)
class Custom:
    """A custom object that a file asks for. key: what Keras looks it up by; keys: of its config."""

    file: str
    key: str
    name: str
    module: str
    is_function: bool
    keys: frozenset[str]


@check("S308", "error")
def custom_object_not_given(subject: Subject) -> Iterator[str]:
    """Put the class into the zip, import it, and register it: @keras.saving.register_keras_serializable()."""
    for custom, home in _custom(subject):
        if home == "nowhere":
            yield f"{custom.file} asks for {custom.name}{_from(custom)}, which no code of the zip gives to Keras"


@check("S309", "warning")
def custom_object_in_doubt(subject: Subject) -> Iterator[str]:
    """Register the class in the zip's own code: what is found only by its module's name, or computed, some Keras do not find."""
    for custom, home in _custom(subject):
        if home in ("perhaps", "module"):
            how = "by its module's name only" if home == "module" else "perhaps"
            yield f"{custom.file} asks for {custom.name}{_from(custom)}, which is found {how}"


def _from(custom: Custom) -> str:
    module = (
        "the notebook or script that saved it" if custom.module == "__main__" else custom.module
    )
    return f" of {module}" if module and module != "builtins" else ""


def _custom(subject: Subject) -> Iterator[tuple[Custom, str]]:
    """Each custom object once, with where it is found: "given", "module", "perhaps" or "nowhere"."""
    objects, seen = Objects(subject), set()
    for weights in subject.weights:
        readable = weights.config is not None and not weights.problem and not _is_unknown(weights)
        if readable and is_loaded(subject, weights.name):
            for custom in _asked_for(subject, weights):
                if (custom.file, custom.key, custom.module) not in seen:
                    seen.add((custom.file, custom.key, custom.module))
                    yield custom, _home(subject, objects, custom, weights)


def _asked_for(subject: Subject, weights: Weights) -> Iterator[Custom]:
    unread = {"build_config"} if _compiles(subject) else {"build_config", "compile_config"}
    waiting: deque[object] = deque([weights.config])
    old = is_keras_2(weights.version)
    while waiting:
        node = waiting.popleft()
        if isinstance(node, dict):
            found = _of(weights.name, node)
            if found is not None and not (old and found.name in OWN_NAMES):
                yield found
            waiting += [value for key, value in node.items() if key not in unread]
        elif isinstance(node, list):
            waiting += node


def _of(file: str, node: Node) -> Custom | None:
    """The custom object that a node is, if it is one."""
    name, config = node.get("class_name"), node.get("config")
    if not isinstance(name, str) or name.startswith("__") or "config" not in node:
        return None
    module, registered = str(node.get("module") or ""), node.get("registered_name")
    if name == "function":
        return _of_function(file, str(config), module, str(registered))
    if not is_custom(node) or "registered_name" not in node or is_guest(node):
        return None
    keys = frozenset(config) if isinstance(config, dict) else frozenset()
    return Custom(file, str(registered or name), name, module, is_function=False, keys=keys)


def _of_function(file: str, name: str, module: str, registered: str) -> Custom | None:
    if module.startswith("keras") or registered != "function" or _is_builtin(name):
        return None
    return Custom(file, name, name, module, is_function=True, keys=frozenset())


def _is_builtin(name: str) -> bool:
    """Whether Keras writes a function of its own by that bare name: activations, losses, metrics."""
    return name in _builtins() or name in ("mse", "mae", "mape", "acc", "accuracy", "kld", "bce")


@cache
def _builtins() -> frozenset[str]:
    tables = [load_table(target) for target in targets()]
    lists = [(*table.functions, *table.activations, *table.new_activations) for table in tables]
    return frozenset(name.rpartition(".")[2] for names in lists for name in names)


def _compiles(subject: Subject) -> bool:
    """Whether a load_model call leaves compile at its default, True."""
    calls = [
        c
        for _, c in subject.live.calls
        if getattr(c.func, "attr", getattr(c.func, "id", "")) == "load_model"
    ]
    off = [
        any(k.arg == "compile" and getattr(k.value, "value", True) is not True for k in c.keywords)
        for c in calls
    ]
    return not calls or not all(off)


def _home(subject: Subject, objects: Objects, custom: Custom, weights: Weights) -> str:
    unknown = objects.unknown
    bare = custom.key.rpartition(">")[2]
    by_name = custom.is_function or weights.kind == "h5"
    keys = {custom.key, f"*>{bare}"} | ({bare, f"Custom>{bare}"} if by_name else set())
    if keys & objects.names or (by_name and any(n.endswith(f">{bare}") for n in objects.names)):
        return "given"
    if subject.main is None or subject.main.tree is None:
        return "perhaps"
    if weights.kind == "keras" and _in_module(subject, custom):
        return "module"
    package = custom.module.split(".")[0]
    outside = package not in ("", "builtins", "__main__") and subject.file_of(package) is None and _is_package(subject, package)  # fmt: skip
    defined = any(bare in module.stores for module in subject.modules)
    if unknown and defined:
        return "given"  # computed, as in {c.__name__: c for c in CLASSES}
    return "perhaps" if unknown or outside else "nowhere"


def _is_unknown(weights: Weights) -> bool:
    """Whether names in the file may be those of a Keras that nobody lists: Keras 1, or no version at all."""
    return weights.kind == "h5" and (not weights.version or weights.version.startswith("1."))


def _is_package(subject: Subject, package: str) -> bool:
    """Whether the module is one of an installed package that the code imports, or a known one."""
    imported = any(package == n.split(".")[0] for m in subject.modules for n in m.aliases.values())
    known = (
        "keras_cv",
        "keras_hub",
        "keras_nlp",
        "tensorflow_addons",
        "keras_core",
        "transformers",
    )
    return imported or package in known or is_there(package, subject.challenge)


def _in_module(subject: Subject, custom: Custom) -> bool:
    """Whether Keras finds the class by importing the module that the config names."""
    file = subject.file_of(custom.module) if custom.module else None
    return file is not None and custom.name in read_module(subject.archive, file).stores


@check("S310", "error")
def config_does_not_fit(subject: Subject) -> Iterator[str]:
    """Let __init__ take **kwargs and hand them to super().__init__, and get_config return every argument; then save again."""
    for custom, home in _custom(subject):
        if home == "nowhere" or custom.is_function or "input_layers" in custom.keys:
            continue
        for module in _candidates(subject, custom):
            if fault := _misfit(module, custom):
                yield f"{custom.file}: {custom.name} of {module.file} {fault}"
                break


def _candidates(subject: Subject, custom: Custom) -> list[Module]:
    own = [subject.file_of(custom.module)] if custom.module else []
    read = [read_module(subject.archive, file) for file in own if file]
    return read or list(subject.modules)


def _misfit(module: Module, custom: Custom) -> str:
    """Why a class's own __init__ cannot take the config that was saved of it, or ""."""
    body = module.tree.body if module.tree else []
    found = [
        n for n in body if isinstance(n, ast.ClassDef) and n.name == custom.key.rpartition(">")[2]
    ]
    methods = (
        {n.name: n for n in found[0].body if isinstance(n, Function)} if len(found) == 1 else {}
    )
    init = methods.get("__init__")
    if init is None or "from_config" in methods or init.decorator_list:
        return ""
    spec = init.args
    names = [arg.arg for arg in (*spec.posonlyargs, *spec.args)][1:]
    needed = (
        set(names[: len(names) - len(spec.defaults)]) if len(spec.defaults) < len(names) else set()
    )
    needed |= {a.arg for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is None}
    if missing := sorted(needed - custom.keys):
        return f"needs {', '.join(missing)}, which the saved config lacks"
    known = {*names, *(arg.arg for arg in spec.kwonlyargs)}
    extra = sorted(custom.keys - known) if spec.kwarg is None else []
    return f"takes no {', '.join(extra)}, which the saved config holds" if extra else ""


# The custom objects that the zip's code gives to Keras, by name.


SCOPES = frozenset(("custom_object_scope", "CustomObjectScope", "custom_objects"))
REGISTER = "register_keras_serializable"


@dataclass(frozen=True)
class Objects:
    """What Keras would find. names: the keys it looks up; unknown: whether some are computed."""

    subject: Subject
    names: set[str] = field(default_factory=set)

    @cached_property
    def unknown(self) -> bool:
        """Whether objects are handed over that the text does not name. Fills `names`."""
        computed = False
        for module, node in self.subject.live:
            if isinstance(node, Function | ast.ClassDef):
                self.names.update(_decorated(module, node))
            elif isinstance(node, ast.Call):
                computed |= self._call(module, node)
            elif isinstance(node, ast.Assign):
                computed |= self._item(node)
        return computed

    def _call(self, module: Module, call: ast.Call) -> bool:
        """Take in what a call hands over; whether some of it is computed."""
        name = _last(call.func)
        computed = name in DYNAMIC and not _is_told(module, call)
        for keyword in call.keywords:
            if keyword.arg in ("custom_objects", "objects"):
                computed |= not self._dict(module, keyword.value)
        if name in SCOPES or (name == "update" and _is_registry(call.func)):
            self.names.update(keyword.arg for keyword in call.keywords if keyword.arg)
            told = [self._dict(module, arg) for arg in call.args]  # all of them are taken in
            computed |= not all(told)
        if isinstance(call.func, ast.Call) and _last(call.func.func) == REGISTER and call.args:
            computed |= not self._registered(call.func, _last(call.args[0]))
        return computed

    def _registered(self, decorator: ast.Call, name: str) -> bool:
        self.names.update(_keys(decorator, name))
        return bool(name)

    def _item(self, node: ast.Assign) -> bool:
        for target in node.targets:
            if isinstance(target, ast.Subscript) and _is_registry(target):
                if isinstance(target.slice, ast.Constant):
                    self.names.add(str(target.slice.value))
                else:
                    return True
        return False

    def _dict(self, module: Module, node: ast.expr) -> bool:
        """Take in the keys of a dict; whether all of them are told."""
        if isinstance(node, ast.Constant) and node.value is None:
            return True
        if isinstance(node, ast.Name) and module.stores.get(node.id) == 1:
            values = [
                n.value
                for n in module.nodes
                if isinstance(n, ast.Assign) and _last(n.targets[0]) == node.id
            ]
            return (
                bool(values)
                and not isinstance(values[0], ast.Name)
                and self._dict(module, values[0])
            )
        if isinstance(node, ast.Call) and _last(node.func) == "dict" and not node.args:
            self.names.update(keyword.arg for keyword in node.keywords if keyword.arg)
            return all(keyword.arg for keyword in node.keywords)
        if not isinstance(node, ast.Dict):
            return False
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        self.names.update(str(key) for key in keys)
        return len(keys) == len(node.keys)


def _is_told(module: Module, call: ast.Call) -> bool:
    """Whether it is clear which module a call imports; `for name in []` imports none."""
    arg = call.args[0] if call.args else None
    loops = (
        [n for n in module.nodes if isinstance(n, ast.For) and _last(n.target) == _last(arg)]
        if arg
        else []
    )
    names = {_last(loop.iter) for loop in loops}
    empty = [
        n for n in module.nodes if isinstance(n, ast.Assign) and _last(n.targets[0]) in names - {""}
    ]
    if empty and all(isinstance(n.value, ast.List | ast.Tuple) and not n.value.elts for n in empty):
        return True
    return arg is not None and bool(Paths(module).of(arg))


def _decorated(module: Module, node: Function | ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if module.full_name(call.func if call else decorator).rpartition(".")[2] == REGISTER:
            yield from _keys(call, node.name) if call else (f"Custom>{node.name}",)


def _keys(call: ast.Call, name: str) -> Iterator[str]:
    """The key under which a registration puts an object; the bare name too where it is computed."""
    given: dict[str, ast.expr] = dict(zip(("package", "name"), call.args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in call.keywords if keyword.arg})
    values = {key: getattr(value, "value", None) for key, value in given.items()}
    package, own = values.get("package", "Custom"), values.get("name", name) or name
    yield f"{package}>{own}" if package is not None else f"*>{own}"


def _is_registry(node: ast.AST) -> bool:
    """Whether an expression ends in `get_custom_objects()` and something of it."""
    held = getattr(node, "value", None)
    return isinstance(held, ast.Call) and _last(held.func) in (
        "get_custom_objects",
        "_get_custom_objects",
    )


def _last(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))
