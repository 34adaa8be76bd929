"""What the code opens as it runs, and where the images go inside `predict`."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import PurePosixPath

from submission.checks.modules import (
    Function,
    Module,
    argument,
    called,
    constant,
    last_name,
    own_nodes,
    words,
)
from submission.checks.paths import FilePlace, Paths
from submission.checks.program import Program

OPENERS = words(
    "open load load_model load_weights File loadtxt genfromtxt fromfile read_csv read_text "
    "read_bytes imread ZipFile TFSMLayer Interpreter memmap read_parquet loadmat"
)
OBJECTS = words("read_text read_bytes")  # methods of the path itself; `open` may be one
ARGUMENTS = words("filepath file path filename model_path name fname fp")
TAKE_PATHS = words("io gzip bz2 lzma os codecs Image")  # whose `open` is a function, not a method
ASKS = words("exists isfile isdir is_file is_dir access")
# Where the platform unpacks the zip, and where one generation of its worker copies it to.
PLATFORM = {"/app/ingested_program/": "zip", "/app/output/": "output"}
WRITES = re.compile(r"[wax+]")
_SEARCHES = re.compile(r"\b(glob|rglob|iterdir|listdir|scandir|walk|json|yaml)\b")
_BUILDS = re.compile(r"f['\"]|\.format\(|%\s*[\w(]|\+\s*['\"]\.")
Move = tuple[Function | None, int, FilePlace]  # in which function, on which line, to which folder


@dataclass(frozen=True)
class OpenedFile:
    """A file that code opens. opener: the call's last name; checked: it asks first, or catches."""

    module: Module
    call: ast.Call
    place: FilePlace
    opener: str
    checked: bool

    @property
    def where(self) -> str:
        """File and line."""
        return self.module.line(self.call)


class OpenedFiles:
    """The files that the code opens. `surely` holds those whose names can be told."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._paths = cache(Paths)  # one reader a module: it remembers what it has read

    @cached_property
    def surely(self) -> tuple[OpenedFile, ...]:
        """One for each name that each call may be given."""
        return tuple(self._surely())

    def _surely(self) -> Iterator[OpenedFile]:
        moves = list(self._moves())
        for module, call in self.program.live.calls:
            name = called(call)
            if name not in OPENERS or _is_own(self.program, module, call) or _writes(call):
                continue
            for place in self._paths(module).of(_path_given(call, name)):
                after = _after(moves, module, call, place)
                yield OpenedFile(module, call, after, name, _is_checked(module, call))

    def _moves(self) -> Iterator[Move]:
        """The places where the code goes to a folder of the zip."""
        for module, call in self.program.live.calls:
            if module.full_name(call.func) == "os.chdir" and call.args:
                for place in self._paths(module).of(call.args[0]):
                    if place.anchor == "zip":
                        yield module.function_of(call), call.lineno, place

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(opened.place.plain for opened in self.surely)

    @cached_property
    def _texts(self) -> frozenset[str]:
        texts = self.program.texts
        ends = {posixpath.basename(text) for text in texts if text.startswith("/")}
        return (texts | ends) - {""}

    @cached_property
    def _ways(self) -> tuple[bool, bool]:
        """Whether the code finds files by a pattern, and whether it builds names."""
        text = self.program.source
        return bool(_SEARCHES.search(text)), bool(_BUILDS.search(text))

    def perhaps(self, name: str) -> bool:
        """Whether code may open the zip's file of that name.

        It names it, or a part of its name where names are built, or finds files by a pattern.
        """
        own, (searches, builds) = PurePosixPath(name).name, self._ways
        if searches or name in self._names or {own, name} & self._texts:
            return True
        parts = (text for text in self._texts if len(text) > 1)
        return builds and any(text in own or own in text for text in parts)


def _path_given(call: ast.Call, name: str) -> ast.expr | None:
    func = call.func
    if isinstance(func, ast.Attribute):
        is_method = name == "open" and getattr(func.value, "id", "") not in TAKE_PATHS
        if is_method or name in OBJECTS:
            return func.value
    elif name in OBJECTS:
        return None
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg in ARGUMENTS), None)


def _is_own(program: Program, module: Module, call: ast.Call) -> bool:
    """Whether it calls a function of the zip that only happens to have such a name."""
    name = module.full_name(call.func)
    first = name.split(".")[0]
    if first in ("self", "cls"):
        return name.count(".") == 1
    if program.file_of(name.rpartition(".")[0] or first) and first != program.asked.module:
        return True
    return name in module.definitions


def _writes(call: ast.Call) -> bool:
    texts = [constant(mode) for mode in (*call.args[:2], argument(call, "mode"))]
    return any(isinstance(text, str) and len(text) < 4 and WRITES.search(text) for text in texts)


def _after(moves: list[Move], module: Module, call: ast.Call, place: FilePlace) -> FilePlace:
    """The place once the code has gone to the zip's own folder, or named the platform's."""
    for root, anchor in PLATFORM.items() if place.anchor == "absolute" else ():
        if place.path.startswith(root):
            return FilePlace(anchor, place.path.removeprefix(root))
    for function, line, folder in moves if place.anchor in ("text", "cwd") else ():
        if function is None or (function is module.function_of(call) and line < call.lineno):
            return FilePlace("zip", posixpath.normpath(posixpath.join(folder.path, place.path)))
    return place


def _is_checked(module: Module, call: ast.Call) -> bool:
    for inner, outer in pairwise((call, *module.above(call))):
        if isinstance(outer, ast.Try) and outer.handlers and inner in outer.body:
            return True
        asks = outer.test if isinstance(outer, ast.If | ast.IfExp | ast.While) else None
        if asks and any(last_name(node) in ASKS for node in ast.walk(asks)):
            return True
    return False


CASTS = words(
    "asarray array ascontiguousarray astype cast convert_to_tensor convert_to_numpy constant "
    "float32 copy copyto clip squeeze preprocess_input to_numpy numpy"
)
MAKERS = words(
    "load_model Model Sequential Functional model_from_json clone_model TFSMLayer from_config"
)
DEEPEST = 4


@dataclass
class Flow:
    """One function on the way of the images. images: names that hold the whole set."""

    module: Module
    function: Function
    images: set[str] = field(default_factory=set)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """The function's own nodes."""
        return list(own_nodes(self.function))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """The calls among them."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    def is_whole(self, node: ast.AST) -> bool:
        """Whether an expression is the whole set of images, perhaps cast."""
        if isinstance(node, ast.Name):
            return node.id in self.images
        if isinstance(node, ast.BinOp):
            return self.is_whole(node.left) or self.is_whole(node.right)
        if called(node) not in CASTS or not isinstance(node, ast.Call):
            return False
        held = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return any(self.is_whole(holder) for holder in (*node.args[:1], *held))

    def spread(self) -> None:
        """Take in the names that the whole set is assigned to; twice, for loops."""
        for _ in range(2):
            for node in self.nodes:
                if isinstance(node, ast.Assign) and self.is_whole(node.value):
                    self.images |= {t.id for t in node.targets if isinstance(t, ast.Name)}


def follow_images(program: Program) -> tuple[Flow, ...]:
    """`predict`, and the zip's own functions that it hands the whole set to."""
    predict, found = program.predict, list[Flow]()
    if predict is None or program.main is None:
        return ()
    static = any(last_name(node) == "staticmethod" for node in predict.decorator_list)
    names = _parameters(predict)[0 if static else 1 :]
    waiting = [(Flow(program.main, predict, set(names[:1])), 0)]
    while waiting:
        flow, depth = waiting.pop()
        if depth <= DEEPEST and all(flow.function is not known.function for known in found):
            found.append(flow)
            flow.spread()
            further = [other for call in flow.calls if (other := _handed_to(program, flow, call))]
            waiting += [(other, depth + 1) for other in reversed(further)]
    return tuple(found)


def _parameters(function: Function) -> list[str]:
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


def _handed_to(program: Program, flow: Flow, call: ast.Call) -> Flow | None:
    """The own function that a call hands the whole set to, with the name it has there."""
    places = [i for i, arg in enumerate(call.args) if flow.is_whole(arg)]
    found, first = None, 0
    if not places:
        return None
    if isinstance(call.func, ast.Name):
        found = program.own_function(flow.module, call.func.id)
    elif isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "self":
        method, first = program.method(call.func.attr), 1
        found = (program.main, method) if program.main and method else None
    if found is None:
        return None
    names = _parameters(found[1])[first:]
    return Flow(*found, {names[i] for i in places if i < len(names)})


def find_networks(program: Program) -> frozenset[str]:
    """Names of attributes and variables that hold Keras networks, or lists of them."""
    nodes = [(module, node) for module in program.modules for node in module.nodes]
    found = {name for module, node in nodes for name in _made(module, node)}
    found |= {name for _, node in nodes for name in _taken(node, found)}
    return frozenset(found - {""})


def _made(module: Module, node: ast.AST) -> Iterator[str]:
    """The names that a network is put under: assigned, or appended to a list of that name."""
    if isinstance(node, ast.Assign) and _makes_network(module, node.value):
        yield from map(last_name, node.targets)
    elif called(node) == "append" and isinstance(node, ast.Call):
        appends = any(_makes_network(module, arg) for arg in node.args)
        yield from [last_name(getattr(node.func, "value", None))] if appends else []


def _taken(node: ast.AST, known: set[str]) -> Iterator[str]:
    """The names that stand for a known network: of a loop over them, or another name for one."""
    if isinstance(node, ast.For | ast.comprehension):
        if any(last_name(inner) in known for inner in ast.walk(node.iter)):
            yield from (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
    elif isinstance(node, ast.Assign) and last_name(node.value) in known:
        yield from map(last_name, node.targets)


def _makes_network(module: Module, value: ast.AST) -> bool:
    return any(
        called(node) in MAKERS or module.full_name(node.func).startswith("keras.applications.")
        for node in ast.walk(value)
        if isinstance(node, ast.Call)
    )


def is_network_call(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether an expression asks a network, as `self.net.predict(...)` or `net(...)`."""
    if not isinstance(node, ast.Call):
        return False
    asked: ast.expr = node.func
    if isinstance(asked, ast.Attribute) and asked.attr in ("predict", "predict_on_batch", "call"):
        asked = asked.value
    return last_name(asked.value if isinstance(asked, ast.Subscript) else asked) in names
