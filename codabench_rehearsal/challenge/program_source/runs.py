"""What of a program surely runs, by its source: in every run that comes to its end.

Left out is what is tried, under a condition, in a handler, or in a function that nobody names.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

from codabench_rehearsal.challenge.program_source.submission_imports import last_of, text_of

_ENDS = ("exit", "_exit", "abort", "quit")
_ASKS = ("hasattr", "getattr", "dir")
_COMPARES: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class Runs:
    """A program's trees, by their files' names. nodes: each with its file."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.trees = trees
        self.nodes = [(file, node) for file, tree in trees.items() for node in ast.walk(tree)]
        self.parents = {c: node for _, node in self.nodes for c in ast.iter_child_nodes(node)}

    @cached_property
    def named(self) -> frozenset[str]:
        """Every name that is used anywhere."""
        return frozenset(
            last_of(node)
            for _, node in self.nodes
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
        )

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of its functions and methods."""
        return frozenset(
            node.name
            for _, node in self.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )

    @cached_property
    def _settings(self) -> dict[str, float]:
        """Names that are bound once, to a number."""
        found: dict[str, list[object]] = {}
        for _, node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                parent = self.parents.get(node)
                value = getattr(parent, "value", None) if isinstance(parent, ast.Assign) else None
                plain = value.value if isinstance(value, ast.Constant) else None
                found.setdefault(last_of(node), []).append(plain)
            elif isinstance(node, ast.arg):
                found.setdefault(node.arg, []).append(None)
        once = {name: values[0] for name, values in found.items() if len(values) == 1}
        return {name: float(one) for name, one in once.items() if isinstance(one, int | float)}

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node lies in, from the inside outwards."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def is_sure(self, node: ast.AST) -> bool:
        """Whether a node runs in every run that comes to its end."""
        ways = pairwise((node, *self.above(node)))
        return not any(self._is_doubtful(inner, outer) for inner, outer in ways)

    def _is_doubtful(self, inner: ast.AST, outer: ast.AST) -> bool:
        if isinstance(outer, ast.If):
            return inner is not outer.test and not (inner in outer.body and self._holds(outer.test))
        if isinstance(outer, ast.IfExp):
            return inner is not outer.test
        if isinstance(outer, ast.Try):
            return inner in outer.body and not all(_ends(one.body) for one in outer.handlers)
        if isinstance(outer, ast.BoolOp):
            return inner is not outer.values[0]
        if isinstance(outer, ast.With):
            return "suppress" in ast.dump(outer.items[0].context_expr)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            dunder = outer.name.startswith("__")
            return inner in outer.body and not dunder and outer.name not in self.named
        return isinstance(outer, ast.ExceptHandler | ast.Match | ast.Lambda)

    def _holds(self, test: ast.expr) -> bool:
        """Whether a condition is `__name__ == "__main__"`, or one of the program's own settings."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            return all(map(self._holds, test.values))
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            return False
        sides = [test.left, test.comparators[0]]
        if any(last_of(side) == "__name__" for side in sides):
            return isinstance(test.ops[0], ast.Eq)
        compare = _COMPARES.get(type(test.ops[0]))
        left, right = map(self._setting, sides)
        return compare is not None and left is not None is not right and compare(left, right)

    def _setting(self, node: ast.expr) -> float | None:
        """The number that a constant is, or a name that is bound once."""
        if not isinstance(node, ast.Constant):
            return self._settings.get(last_of(node))
        return float(node.value) if isinstance(node.value, int | float) else None

    def is_asked_for(self, name: str) -> bool:
        """Whether a program asks whether there is such a name, and goes on where there is none."""
        for _, node in self.nodes:
            if isinstance(node, ast.Call) and last_of(node.func) in _ASKS:
                if any(text_of(arg) == name for arg in node.args) and not self._insists(node):
                    return True
            elif isinstance(node, ast.Compare) and text_of(node.left) == name:
                return True
        return False

    def _insists(self, call: ast.Call) -> bool:
        """Whether it is `if not hasattr(...)`, and the program ends then."""
        denied = self.parents.get(call)
        asked = self.parents.get(denied) if isinstance(denied, ast.UnaryOp) else None
        return isinstance(asked, ast.If) and asked.test is denied and _ends(asked.body)


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether statements end the program."""
    last = body[-1]
    value = last.value if isinstance(last, ast.Expr) else None
    stops = isinstance(value, ast.Call) and last_of(value.func) in _ENDS
    return isinstance(last, ast.Raise) or stops
