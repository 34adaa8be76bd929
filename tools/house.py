"""The house in figures: `python tools/house.py [--ways | --picture]`.

Modules, lines, thin files, circles of imports, the longest chain of imports behind
`make-submission`, and the length of functions, over all rooms (programs that run elsewhere, and the
page that ships, left out). --ways also runs `make-submission` and `local-eval` on drawn cells and
follows the zip and the images: the files whose functions are given them, in order. A return is a
file entered again after another one. --picture prints the rooms as CONTRIBUTING.md shows them, from
the code: the topmost first, each with the rooms right below it, its modules and the data they read.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
LEFT_OUT = {"programs", "template", "__pycache__"}
THIN = 60
COMMAND = "codabench_rehearsal.commands.make_submission"
Graph = Mapping[str, set[str]]

FOLLOW = """
import importlib, sys
root, kind, prefix, command, *words = sys.argv[1:]
way = []
def is_it(value):
    name = type(value).__name__
    if kind == "zip":
        return name == "Archive" or (name in ("PosixPath", "Path") and value.suffix == ".zip")
    return name == "Dataset" or (name == "ndarray" and value.ndim == 4 and value.dtype.kind == "u")
def follow(frame, event, _):
    code = frame.f_code
    if event != "call" or not code.co_filename.startswith(root + prefix) or code.co_name[0] == "<":
        return
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    name = code.co_filename[len(root):]
    if (not way or way[-1] != name) and any(is_it(frame.f_locals.get(one)) for one in given):
        way.append(name)
main = importlib.import_module(f"codabench_rehearsal.commands.{command}").main
sys.setprofile(follow)
try:
    main(words)
finally:
    sys.setprofile(None)
    sys.stderr.write("\\nway " + " ".join(way))
"""
MODEL = """
import numpy as np
class Model:
    def __init__(self):
        self.weights = np.load("w.npy")
    def predict(self, X):
        return np.asarray(X).reshape(len(X), -1).mean(1).astype(int) % 8
"""
WAYS = {
    "zip": ("", "make_submission", "w.npy --model model.py --data cells.npz --out s.zip"),
    "images": ("evaluator/", "local_eval", "s.zip --data cells.npz --store none"),
}


def modules() -> dict[str, ast.Module]:
    """Every module of the rooms, by its dotted name."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    kept = [path.relative_to(ROOT) for path in paths if not LEFT_OUT & set(path.parts)]
    return {
        ".".join(path.with_suffix("").parts): ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for path in kept
    }


def imports(tree: ast.Module, *, at_once: bool) -> set[str]:
    """The modules that a tree imports; at_once: when it is loaded, not later in a function."""
    found: set[str] = set()
    for node, late in _imports(tree, late=False):
        if at_once and late:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _imports(node: ast.AST, *, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        later = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        later |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, late
        yield from _imports(child, late=later)


def graph(trees: Mapping[str, ast.Module], *, at_once: bool) -> Graph:
    """Which of the modules each of them imports."""
    return {
        name: {one for one in imports(tree, at_once=at_once) if one in trees} - {name}
        for name, tree in trees.items()
    }


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that all lead to each other."""
    below = {name: reached(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in below[name] if name in below[other])) for name in graph
    }
    return sorted((list(group) for group in groups if len(group) > 1), key=len, reverse=True)


def reached(graph: Graph, start: str) -> set[str]:
    """All that a module imports, and what that imports."""
    found, waiting = set[str](), [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def longest_chain(graph: Graph, start: str) -> list[str]:
    """The longest way through imports that are made at once; they have no circles."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *max((below(one) for one in graph[name]), key=len, default=()))

    return list(below(start))


def report() -> Iterator[str]:
    """The figures, a line each."""
    trees = modules()
    sizes = {name: len(_text(name).splitlines()) for name in trees}
    thin = [n for n, size in sizes.items() if size < THIN and not n.endswith("__init__")]
    found = circles(graph(trees, at_once=False))
    chain = longest_chain(graph(trees, at_once=True), COMMAND)
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    yield f"modules {len(trees)}, lines {sum(sizes.values()):,}, under {THIN} lines {len(thin)}"
    yield f"circles {len(found)}{''.join(f' ({len(one)}: {one[0]} ...)' for one in found)}"
    yield f"longest chain of make-submission {len(chain)}: {' > '.join(chain)}"
    median, p90 = lengths[len(lengths) // 2], lengths[len(lengths) * 9 // 10]
    yield f"functions {len(lengths)}, median {median}, p90 {p90}"


def ways() -> Iterator[str]:
    """The zip's way through `make-submission`, the images' through the evaluator."""
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from codabench_rehearsal.images import save, synthetic

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save(synthetic(64, seed=1), folder / "cells.npz")
        (folder / "model.py").write_text(MODEL, encoding="utf-8")
        np.save(folder / "w.npy", np.zeros(3))
        for kind, (prefix, command, words) in WAYS.items():
            given = [f"{ROOT}/", kind, prefix, command, *words.split()]
            done = subprocess.run(
                [sys.executable, "-c", FOLLOW, *given],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            way = done.stderr.rpartition("\nway ")[2].split()
            yield f"{kind}: {len(way) - len(set(way))} returns on {' > '.join(way)}"


def picture() -> Iterator[str]:
    """The rooms, topmost first: what each is for, what it stands on, its files."""
    trees = modules()
    rooms: dict[str, list[str]] = {}
    for name in trees:
        rooms.setdefault(_room(name), []).append(name)
    names = {room: room.rpartition(".")[2] for room in rooms}
    below = {
        room: {_room(m) for n in inside for m in imports(trees[n], at_once=False) if m in trees}
        - {room}
        for room, inside in rooms.items()
    }
    beneath = {room: reached(below, room) for room in rooms}
    for room in sorted(rooms, key=lambda one: (-len(beneath[one]), one)):
        direct = below[room] - {far for near in below[room] for far in beneath[near]}
        stands = f"  on {', '.join(sorted(names[one] for one in direct))}" if direct else ""
        yield f"{room.replace('.', '/')}/{stands}"
        yield f"    {_said(trees, room)}"
        for wing, files in sorted(_wings(room, rooms).items()):
            lead = f"{wing}/: " if wing else ""
            yield from textwrap.wrap(
                lead + " ".join(files), 96, initial_indent=" " * 4, subsequent_indent=" " * 6
            )


def _wings(room: str, rooms: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """A room's files by folder: modules, data they read, and programs that run elsewhere."""
    place, found = Path(*room.split(".")), dict[str, list[str]]()
    inside = {Path(*other.split(".")) for other in rooms if other.startswith(f"{room}.")}
    for path in sorted((ROOT / place).rglob("*")):
        name = path.relative_to(ROOT)
        shown = name.name != "__init__.py" and name.suffix in {".py", ".toml", ".css"}
        if shown and inside.isdisjoint(name.parents):
            wing = str(name.parent.relative_to(place)).removeprefix(".")
            found.setdefault(wing, []).append(name.name.removesuffix(".py"))
    return found


def _room(name: str) -> str:
    parts = name.split(".")
    inner = parts[0] == "codabench_rehearsal" and len(parts) > 2
    return ".".join(parts[: 2 if inner else 1])


def _said(trees: Mapping[str, ast.Module], room: str) -> str:
    return (ast.get_docstring(trees[f"{room}.__init__"]) or "").partition("\n")[0]


def _text(name: str) -> str:
    return (ROOT / Path(*name.split("."))).with_suffix(".py").read_text(encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", action="store_true")
    parser.add_argument("--picture", action="store_true")
    options = parser.parse_args()
    for line in picture() if options.picture else (*report(), *(ways() if options.ways else ())):
        print(line)
