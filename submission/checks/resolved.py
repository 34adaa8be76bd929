"""What a name of the zip's program stands for, followed through imports, assignments and bases.

Three answers are kept apart: what was found, what is surely not there, and what the source does not
tell; of the last nothing may be said.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from submission.checks.calls import Signature, of_dataclass, of_function
from submission.checks.modules import (
    Function,
    Module,
    bound_names,
    called,
    own_nodes,
    words,
)
from submission.checks.predict import Returned
from submission.checks.program import Program
from submission.checks.subject import Subject

MADE_UP = words("globals vars locals exec setattr eval")
PLAIN_BASES = words("object abc.ABC")  # they give no method that anybody asks for
# Bases outside the zip, by what they surely do not give.
_NO_MODEL = words("fit predict predict_proba decision_function partial_fit solve act")
_PLAIN_MADE = _NO_MODEL | {"__init__", "__new__", "__call__"}
KNOWN_BASES = {
    "sklearn.base.BaseEstimator": _PLAIN_MADE | {"transform"},
    "sklearn.base.RegressorMixin": _PLAIN_MADE | {"transform"},
    "sklearn.base.ClassifierMixin": _PLAIN_MADE | {"transform"},
    "sklearn.base.TransformerMixin": _PLAIN_MADE,
    "torch.nn.Module": _NO_MODEL | {"__new__"},
}
PLAIN_METACLASSES = words("abc.ABCMeta")
DEEPEST = 8
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Found:
    """A function or class, and the module that defines it."""

    module: Module
    node: Function | ast.ClassDef

    @property
    def place(self) -> str:
        """File and line."""
        return self.module.line(self.node)


Told = Found | Literal["absent", "unknown"]


def resolve(program: Program, module: Module, name: str, depth: int = 0) -> Told:
    """What a name stands for at a module's own level, once it is imported."""
    if module.tree is None or depth > DEEPEST:
        return "unknown"
    bound = [node for node in module.nodes if name in bound_names(node)]
    level = [node for node in bound if _is_at_level(module, node)]
    if not level:
        return "unknown" if _may_come_otherwise(program, module, name) else "absent"
    definitions = [node for node in level if isinstance(node, Function | ast.ClassDef)]
    if len(definitions) == len(level):
        plain = len(level) == 1 or all(module.parents[node] is module.tree for node in level)
        return Found(module, definitions[-1]) if plain else "unknown"
    if len(level) > 1:
        return "unknown"
    further = _of_binding(program, module, level[0], name, depth)
    return "unknown" if further == "absent" else further  # an import's own fault: S215


def _is_at_level(module: Module, node: ast.AST) -> bool:
    """Whether a node binds its name in the module itself, under conditions too."""
    if isinstance(node, ast.arg):
        return False
    return not any(isinstance(n, _SCOPES + _COMPREHENSIONS) for n in module.above(node))


def _may_come_otherwise(program: Program, module: Module, name: str) -> bool:
    if module.has_stars or "__getattr__" in module.stores:
        return True
    if any(isinstance(node, ast.Global) and name in node.names for node in module.nodes):
        return True
    if _makes_names(module):
        return True
    folder = f"{module.name.replace('.', '/')}/{name}"
    return any(file.startswith((f"{folder}/", f"{folder}.")) for file in program.names)


def _makes_names(module: Module) -> bool:
    """Whether code may bind names that do not stand in it. Not so `net.eval()`."""
    return any(
        (isinstance(node, ast.Name) and node.id in MADE_UP)
        or (isinstance(node, ast.Attribute) and node.attr == "__dict__")
        or module.full_name(node) == "sys.modules"
        for node in module.nodes
    )


def _of_binding(program: Program, module: Module, node: ast.AST, name: str, depth: int) -> Told:
    """What is imported, or assigned as another name, under this one."""
    if isinstance(node, ast.ImportFrom):
        taken = next(one.name for one in node.names if name in (one.asname, one.name))
        for statement, base, what in module.imports:
            other = program.module_named(base) if statement is node and what == taken else None
            if other is not None:
                return resolve(program, other, taken, depth + 1)
    parent = module.parents.get(node)
    if isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Name):
        is_other = parent.targets == [node] and parent.value.id != name
        return resolve(program, module, parent.value.id, depth + 1) if is_other else "unknown"
    return "unknown"


def method_of(program: Program, found: Found, name: str, depth: int = 0) -> Told:
    """A class's method of that name, its own or that of a base in the zip."""
    cls, module = found.node, found.module
    if not isinstance(cls, ast.ClassDef) or depth > DEEPEST:
        return "unknown"
    bound = [node for node in _of_body(cls) if name in bound_names(node)]
    own = [node for node in cls.body if isinstance(node, Function) and node.name == name]
    if bound:
        return Found(module, own[-1]) if len(own) == len(bound) else "unknown"
    if name in program.replaced_names or _makes_attributes(program, module, cls):
        return "unknown"
    for base in cls.bases:
        told = _of_base(program, module, base, name, depth)
        if told != "absent":
            return told
    return "absent"


def _of_base(program: Program, module: Module, base: ast.expr, name: str, depth: int) -> Told:
    full = module.full_name(base)
    if full in PLAIN_BASES or name in KNOWN_BASES.get(full, ()):
        return "absent"
    told = resolve(program, module, base.id) if isinstance(base, ast.Name) else "unknown"
    return method_of(program, told, name, depth + 1) if isinstance(told, Found) else "unknown"


def _of_body(cls: ast.ClassDef) -> Iterator[ast.AST]:
    """The nodes of a class's body, without what lies in its functions and classes."""
    waiting: list[ast.AST] = list(cls.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)


def _makes_attributes(program: Program, module: Module, cls: ast.ClassDef) -> bool:
    """Whether a class may have more than its body shows."""
    asks = {"__getattr__", "__getattribute__"} & {getattr(node, "name", "") for node in cls.body}
    metaclasses = [module.full_name(one.value) for one in cls.keywords if one.arg == "metaclass"]
    strange = len(metaclasses) < len(cls.keywords) or not PLAIN_METACLASSES.issuperset(metaclasses)
    sets = any(map(_makes_names, program.modules))
    return bool(asks or cls.decorator_list or strange or sets)


def signature(program: Program, found: Found) -> Signature | None:
    """What a function, or a class's constructor, is called with; None where that is not told."""
    if not isinstance(found.node, ast.ClassDef):
        return of_function(found.module, found.node)
    if found.node.decorator_list:
        plain = not found.node.bases and not found.node.keywords
        own = any(isinstance(n, Function) and n.name == "__init__" for n in found.node.body)
        return of_dataclass(found.module, found.node) if plain and not own else None
    if method_of(program, found, "__new__") != "absent":
        return None
    return method_signature(method_of(program, found, "__init__"))


def method_signature(told: Told) -> Signature | None:
    """What a method takes beside its object; nothing for a constructor that is absent."""
    if told == "absent":
        return Signature()
    if not isinstance(told, Found) or isinstance(told.node, ast.ClassDef):
        return None
    names = {told.module.full_name(one) for one in told.node.decorator_list}
    return of_function(told.module, told.node, 0 if "staticmethod" in names else 1)


def classes_given(subject: Subject, found: Found) -> list[Found]:
    """The zip's classes that a class's call, or a function, gives objects of; none if unsure."""
    if isinstance(found.node, ast.ClassDef):
        return [found] if method_of(subject, found, "__new__") == "absent" else []
    if found.node.decorator_list or not isinstance(found.node, ast.FunctionDef):
        return []
    own = {name for node in own_nodes(found.node) for name in bound_names(node)}
    gives = [value for _, value in Returned(subject, found.module, found.node).returns()]
    names = [called(value) if isinstance(value, ast.Call) else "" for value in gives]
    told = [resolve(subject, found.module, n) if n and n not in own else "unknown" for n in names]
    classes = [one for one in told if isinstance(one, Found) and isinstance(one.node, ast.ClassDef)]
    plain = all(isinstance(getattr(value, "func", None), ast.Name) for value in gives)
    return classes if plain and len(classes) == len(told) else []


def gives_nothing(found: Found) -> bool:
    """Whether a function or method surely returns None, however it ends."""
    if not isinstance(found.node, ast.FunctionDef) or found.node.decorator_list:
        return False
    nodes = list(own_nodes(found.node))
    given = any(isinstance(n, ast.Return) and n.value is not None for n in nodes)
    gives = given or any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes)
    return not gives and not _is_a_stub(found.node)


def _is_a_stub(function: Function) -> bool:
    """Whether it only raises: an abstract one, which another class may fill."""
    return isinstance(function.body[-1], ast.Raise)
