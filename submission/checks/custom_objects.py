"""Checks of custom classes and functions of saved networks: does the code give them to Keras."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from submission.backport_graph import Node, all_nodes, is_custom, is_guest
from submission.backport_keras2 import OWN_NAMES
from submission.checks.calls import signature_of
from submission.checks.imports import is_there
from submission.checks.modules import REGISTER, Function, Module, argument, called, last_name, words
from submission.checks.paths import Paths
from submission.checks.program import DYNAMIC
from submission.checks.subject import Subject, check
from submission.keras_files import KerasFile
from submission.keras_tables import is_keras_2, load_table, targets

SCOPES = words("custom_object_scope CustomObjectScope custom_objects")
REGISTRIES = words("get_custom_objects _get_custom_objects")
PACKAGES = words("keras_cv keras_hub keras_nlp tensorflow_addons keras_core transformers")
SHORT = words("mse mae mape acc accuracy kld bce")  # Keras's own names of losses and metrics


@dataclass(frozen=True)
class CustomObject:
    """What a file asks for. key: what Keras looks it up by; keys: of its config."""

    file: str
    key: str
    name: str
    module: str
    is_function: bool
    keys: frozenset[str] = frozenset()

    @property
    def bare(self) -> str:
        """The key without its package."""
        return self.key.rpartition(">")[2]

    def __str__(self) -> str:
        script = "the notebook or script that saved it"
        module = script if self.module == "__main__" else self.module
        home = f" of {module}" if module and module != "builtins" else ""
        return f"{self.file} asks for {self.name}{home}"


@check("S308", "error")
def custom_object_not_given(subject: Subject) -> Iterator[str]:
    """Put the class into the zip, import it, and register it:
    @keras.saving.register_keras_serializable().
    """
    for custom, home in _custom(subject):
        if home == "nowhere":
            yield f"{custom}, which no code of the zip gives to Keras"


@check("S309", "warning")
def custom_object_in_doubt(subject: Subject) -> Iterator[str]:
    """Register the class in the zip's own code: what is found only by its module's name, or
    computed, some Keras do not find.
    """
    for custom, home in _custom(subject):
        if home in ("perhaps", "module"):
            how = "by its module's name only" if home == "module" else "perhaps"
            yield f"{custom}, which is found {how}"


@check("S310", "error")
def config_does_not_fit(subject: Subject) -> Iterator[str]:
    """Let __init__ take **kwargs and hand them to super().__init__, and get_config return every
    argument; then save again.
    """
    for custom, home in _custom(subject):
        if home != "nowhere" and not custom.is_function and "input_layers" not in custom.keys:
            file = subject.file_of(custom.module) if custom.module else None
            modules = (subject.read(file),) if file else subject.modules
            faults = ((module.file, _misfit(module, custom)) for module in modules)
            for where, fault in ((where, fault) for where, fault in faults if fault):
                yield f"{custom.file}: {custom.name} of {where} {fault}"
                break


def _misfit(module: Module, custom: CustomObject) -> str:
    """Why a class's own __init__ cannot take the config that was saved of it, or ""."""
    found = [n for n in module.definitions.get(custom.bare, []) if isinstance(n, ast.ClassDef)]
    body = found[0].body if len(found) == 1 else []
    methods = {node.name: node for node in body if isinstance(node, Function)}
    init = methods.get("__init__")
    if init is None or "from_config" in methods or init.decorator_list:
        return ""
    takes = signature_of(init, 1)
    if missing := sorted(set(takes.needed) - custom.keys):
        return f"needs {', '.join(missing)}, which the saved config lacks"
    extra = [] if takes.any_name else sorted(custom.keys - {*takes.names, *takes.named})
    return f"takes no {', '.join(extra)}, which the saved config holds" if extra else ""


def _custom(subject: Subject) -> Iterator[tuple[CustomObject, str]]:
    """Each once, with where it is found: "given", "module", "perhaps" or "nowhere"."""
    given, seen = GivenObjects(subject), set()
    for weights in subject.models():
        unlisted = not weights.version or weights.version.startswith("1.")
        if weights.config is None or (weights.kind == "h5" and unlisted):
            continue  # names may be those of a Keras that nobody lists
        for custom in _asked_for(subject, weights):
            if (custom.file, custom.key, custom.module) not in seen:
                seen.add((custom.file, custom.key, custom.module))
                yield custom, _home(subject, given, custom, weights.kind)


def _asked_for(subject: Subject, weights: KerasFile) -> Iterator[CustomObject]:
    loads = [call for _, call in subject.live.calls if called(call) == "load_model"]
    off = [getattr(argument(call, "compile"), "value", True) is not True for call in loads]
    unread = ("build_config", "compile_config") if off and all(off) else ("build_config",)
    old = is_keras_2(weights.version)
    for node in all_nodes(weights.config, unread):
        found = _custom_object(weights.name, node)
        if found is not None and not (old and found.name in OWN_NAMES):
            yield found


def _custom_object(file: str, node: Node) -> CustomObject | None:
    """The custom object that a node is, if it is one."""
    name, config = node.get("class_name"), node.get("config")
    if not isinstance(name, str) or name.startswith("__") or "config" not in node:
        return None
    module, registered = str(node.get("module") or ""), node.get("registered_name")
    if name == "function":
        own = str(config) not in _builtins() | SHORT and not module.startswith("keras")
        found = CustomObject(file, str(config), str(config), module, is_function=True)
        return found if own and registered == "function" else None
    if not is_custom(node) or "registered_name" not in node or is_guest(node):
        return None
    keys = frozenset(config) if isinstance(config, dict) else frozenset()
    return CustomObject(file, str(registered or name), name, module, is_function=False, keys=keys)


@cache
def _builtins() -> frozenset[str]:
    """Functions of Keras's own that it writes by their bare names."""
    tables = [load_table(target) for target in targets()]
    lists = [(*table.functions, *table.activations, *table.new_activations) for table in tables]
    return frozenset(name.rpartition(".")[2] for names in lists for name in names)


def _home(subject: Subject, given: GivenObjects, custom: CustomObject, kind: str) -> str:
    bare, by_name = custom.bare, custom.is_function or kind == "h5"
    keys = {custom.key, f"*>{bare}"} | ({bare, f"Custom>{bare}"} if by_name else set())
    if keys & given.names or (by_name and any(n.endswith(f">{bare}") for n in given.names)):
        return "given"
    if subject.main is None or subject.main.tree is None:
        return "perhaps"
    file = subject.file_of(custom.module) if custom.module else None
    if kind == "keras" and file and custom.name in subject.read(file).stores:
        return "module"  # which Keras imports by itself
    if given.unknown and any(bare in module.stores for module in subject.modules):
        return "given"  # computed, as in {c.__name__: c for c in CLASSES}
    package = custom.module.split(".")[0]
    own = package in ("", "builtins", "__main__") or subject.file_of(package) is not None
    imported = {name.split(".")[0] for m in subject.modules for name in m.aliases.values()}
    installed = package in imported | PACKAGES or is_there(package, subject.challenge)
    return "perhaps" if given.unknown or (installed and not own) else "nowhere"


class GivenObjects:
    """The custom objects that the zip's code gives to Keras.

    names: the keys that it looks up; unknown: whether some are computed, not named by the text.
    """

    def __init__(self, subject: Subject) -> None:
        self.names: set[str] = set()
        self.unknown = False
        for module, node in subject.live:
            if isinstance(node, Function | ast.ClassDef):
                keys = (module.registered_key(one, node.name) for one in node.decorator_list)
                self.names.update(filter(None, keys))
            elif isinstance(node, ast.Call):
                self._called(module, node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Subscript) and _is_registry(target):
                        self._keys([target.slice])

    def _called(self, module: Module, call: ast.Call) -> None:
        name = called(call)
        self.unknown |= name in DYNAMIC and not _is_told(module, call)
        handed = [k.value for k in call.keywords if k.arg in ("custom_objects", "objects")]
        if name in SCOPES or (name == "update" and _is_registry(call.func)):
            self.names.update(keyword.arg for keyword in call.keywords if keyword.arg)
            handed += call.args
        for value in handed:
            self._dict(module, value)
        if called(call.func) == REGISTER and isinstance(call.func, ast.Call) and call.args:
            given = last_name(call.args[0])
            self.names.add(module.registered_key(call.func, given))
            self.unknown |= not given

    def _dict(self, module: Module, node: ast.expr) -> None:
        """Take in the keys of a dict, given itself or by a name."""
        if isinstance(node, ast.Name):
            meant = module.values.get(node.id)
            node = node if meant is None or isinstance(meant, ast.Name) else meant
        if called(node) == "dict" and isinstance(node, ast.Call) and not node.args:
            self.names.update(keyword.arg for keyword in node.keywords if keyword.arg)
            self.unknown |= not all(keyword.arg for keyword in node.keywords)
        elif isinstance(node, ast.Dict):
            self._keys(node.keys)
        elif not (isinstance(node, ast.Constant) and node.value is None):
            self.unknown = True

    def _keys(self, keys: list[ast.expr | None] | list[ast.expr]) -> None:
        constants = [key.value for key in keys if isinstance(key, ast.Constant)]
        self.names.update(map(str, constants))
        self.unknown |= len(constants) < len(keys)


def _is_told(module: Module, call: ast.Call) -> bool:
    """Whether it is clear which module a call imports; `for name in []` imports none."""
    arg = call.args[0] if call.args else None
    if arg is None:
        return False
    loops = [
        n for n in module.nodes if isinstance(n, ast.For) and last_name(n.target) == last_name(arg)
    ]
    names = {last_name(loop.iter) for loop in loops} - {""}
    assigned = [n for n in module.nodes if isinstance(n, ast.Assign)]
    lists = [n.value for n in assigned if last_name(n.targets[0]) in names]
    if lists and all(isinstance(v, ast.List | ast.Tuple) and not v.elts for v in lists):
        return True
    return bool(Paths(module).of(arg))


def _is_registry(node: ast.AST) -> bool:
    """Whether an expression ends in `get_custom_objects()` and something of it."""
    return called(getattr(node, "value", None)) in REGISTRIES
