"""The custom objects that the zip's code gives to Keras, by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from submission.checks.modules import DYNAMIC, Function, Module
from submission.checks.paths import Paths

if TYPE_CHECKING:
    from submission.checks.subject import Subject

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
