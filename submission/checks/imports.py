"""Checks of what the code asks for: packages, the network, a person, names of its own modules."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.challenge.program_source.packages import PIP_NAMES
from codabench_rehearsal.console.reading import parse_toml
from submission.checks.modules import Module, argument, called, constant, words
from submission.checks.subject import Subject, check

Version = tuple[int, int]
KNOWN = parse_toml(
    (resources.files("submission.checks") / "known_names.toml").read_text(encoding="utf-8")
)
SHIPPED, SHIPPED_BY_KERAS, OURS, OWN_FILES = (
    frozenset(map(str, KNOWN["packages"][key]))
    for key in ("tensorflow", "keras", "ours", "own_files")
)
OLDEST, NEWEST = (3, 9), (3, 12)  # Pythons that TensorFlow 2.17 has wheels for
CATCHES = words("ImportError ModuleNotFoundError Exception BaseException")
PERSON = words("input breakpoint pdb.set_trace getpass.getpass code.interact IPython.embed")


def by_version(kind: str) -> dict[str, Version]:
    """Names of the standard library of one kind in the table -> the Python that changed them."""
    found: dict[str, Version] = {}
    for text, changes in KNOWN["python"].items():
        major, minor = map(int, text.split("."))
        for name in changes.get(kind, ()):
            found[name if isinstance(name, str) else " ".join(name)] = (major, minor)
    return found


SINCE, GONE = by_version("modules"), by_version("gone")


def pythons(known: str) -> tuple[Version, Version]:
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
    if package in sys.stdlib_module_names or package == "__future__":
        return True
    told = (re.split(r"[\s\[<>=!~;]", line.strip(), maxsplit=1)[0] for line in challenge.packages)
    by_pip = PIP_NAMES.get(package, package).replace("_", "-").lower()
    named = by_pip in {re.sub(r"[-_.]+", "-", name).lower() for name in told}
    return named or package in _installed(challenge)


def _installed(challenge: Challenge) -> frozenset[str]:
    """What the versions that the profile names bring along."""
    if challenge.tensorflow:
        return SHIPPED
    if challenge.keras.startswith(("1.", "2.")):
        return words("keras numpy")
    return SHIPPED_BY_KERAS if challenge.keras else words("numpy")


@check("S211", "warning")
def package_may_be_missing(subject: Subject) -> Iterator[str]:
    """Do without it, or put its code into the zip: what the server has installed is not known."""
    seen: set[str] = set()
    for where, base in _missing(subject, tried=False):
        top = base.split(".")[0]
        if top not in seen and top not in OWN_FILES:
            seen.add(top)
            near = next((f for f in subject.names if f.lower() == f"{top.lower()}.py"), "")
            hint = f"; the zip has {near}, and names are case-sensitive" if near else ""
            lacks = "which is not in the zip and which the server may lack"
            yield f"{where}: imports {top}, {lacks}{hint}"


@check("S227", "error")
def own_file_missing(subject: Subject) -> Iterator[str]:
    """Put the file into the zip: make-submission ... --include FILE."""
    for where, base in _missing(subject, tried=False):
        if base.split(".")[0] in OWN_FILES:
            yield f"{where}: imports {base}, a file of your own that is not in the zip"


@check("S212", "note")
def optional_package(subject: Subject) -> Iterator[str]:
    """Nothing, if the code does as well without it: the server may lack it."""
    for where, base in _missing(subject, tried=True):
        yield f"{where}: tries to import {base.split('.')[0]}"


def needed_packages(subject: Subject) -> Iterator[tuple[str, str]]:
    """Place and name of each package that the code takes from outside the zip, and surely needs."""
    for module, node, base, _ in _imports(subject):
        top, relative = base.split(".")[0], isinstance(node, ast.ImportFrom) and node.level > 0
        if not relative and not _is_in_zip(subject, top) and not _is_tried(module, node):
            yield module.line(node), top


def _missing(subject: Subject, *, tried: bool) -> Iterator[tuple[str, str]]:
    """Place and module of imports neither in the zip nor surely there; tried: they may fail."""
    for module, node, base, _ in _imports(subject):
        relative = isinstance(node, ast.ImportFrom) and node.level > 0
        known = relative or _is_known(subject, base.split(".")[0])
        if not known and _is_tried(module, node) == tried:
            yield module.line(node), base


def _is_known(subject: Subject, top: str) -> bool:
    return _is_in_zip(subject, top) or top in OURS or is_there(top, subject.challenge)


def _is_in_zip(subject: Subject, top: str) -> bool:
    own = subject.file_of(top) or any(name.startswith(f"{top}/") for name in subject.names)
    anywhere = (f"/{top}.py", f"/{top}/__init__.py")
    found = subject.moves_the_path and any(name.endswith(anywhere) for name in subject.names)
    return bool(own) or found


@check("S213", "error")
def our_own_rooms(subject: Subject) -> Iterator[str]:
    """Copy what you need into the zip: this tool is not installed on the platform."""
    for module, node, base, _ in _imports(subject):
        top = base.split(".")[0]
        own = any(name.startswith((f"{top}/", f"{top}.py")) for name in subject.names)
        if top in OURS and not own and not _is_tried(module, node):
            yield f"{module.line(node)}: imports {base}, a part of codabench-rehearsal"


@check("S214", "error")
def relative_import(subject: Subject) -> Iterator[str]:
    """Write `from layers import ...`: the module is imported from a folder that is no package."""
    for module, node, _, _ in _imports(subject):
        depth = module.name.count(".") + module.is_package
        above = isinstance(node, ast.ImportFrom) and node.level > depth
        if above and not _is_tried(module, node):
            yield f"{module.line(node)}: a relative import, and {module.file} is in no package"


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
    if other.has_stars or "__getattr__" in other.stores:
        return True
    makers = words("globals exec __getattr__ setattr")
    made_up = any(isinstance(node, ast.Name) and node.id in makers for node in other.nodes)
    folder = f"{base.replace('.', '/')}/{name}/"
    return made_up or any(file.startswith(folder) for file in subject.names)


def _imports(subject: Subject) -> Iterator[tuple[Module, ast.stmt, str, str]]:
    """The imports that run: module, statement, the module imported, the name taken from it."""
    for module in subject.modules:
        for node, base, taken in module.imports:
            if node in subject.live:
                yield module, node, base, taken


def _is_tried(module: Module, node: ast.stmt) -> bool:
    """Whether the code is ready for the import to fail."""
    for inner, outer in pairwise((node, *module.above(node))):
        if (
            isinstance(outer, ast.Try)
            and inner in outer.body
            and any(map(_catches, outer.handlers))
        ):
            return True
        if isinstance(outer, ast.With) and "suppress" in ast.dump(outer.items[0].context_expr):
            return True
        if isinstance(outer, ast.If) and "version_info" in ast.dump(outer.test):
            return True
    return False


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in CATCHES for n in ast.walk(handler.type))


@check("S216", "warning")
def network_access(subject: Subject) -> Iterator[str]:
    """Put what it downloads into the zip: the platform may have no network, and each run would wait
    for it.
    """
    for module, call in subject.live.calls:
        if what := _reaches_out(module.full_name(call.func), call):
            yield f"{module.line(call)}: {what}"


def _reaches_out(name: str, call: ast.Call) -> str:
    last = name.rpartition(".")[2] or called(call)
    if name in KNOWN["network"]["calls"] and constant(argument(call, "pretrained")) is not False:
        return f"{name} needs the network"
    if last in ("from_pretrained", "from_preset") and not argument(call, "local_files_only"):
        # What is computed is perhaps a folder.
        by_name = bool(call.args) and isinstance(call.args[0], ast.Constant)
        return f"{last} downloads weights" if by_name else ""
    if name.startswith("keras.applications.") and last[:1].isupper() and _downloads(call):
        return f"{last} downloads its weights: say weights=None before loading your own"
    if name in KNOWN["network"]["commands"] and (tool := _tool(call)):
        return f"{name} starts {tool}"
    return ""


def _downloads(call: ast.Call) -> bool:
    """Whether a Keras application is given no weights of its own, or ImageNet's by name."""
    if any(keyword.arg is None for keyword in call.keywords):
        return False
    value = argument(call, "weights", 1)
    return value is None or constant(value) in ("imagenet", "noisy-student")


def _tool(call: ast.Call) -> str:
    """The downloading tool that a command starts, or ""."""
    texts = [constant(node) for arg in call.args[:1] for node in ast.walk(arg)]
    told = [word for text in texts if isinstance(text, str) for word in text.split()]
    return next((w for w in told if w.rpartition("/")[2] in KNOWN["network"]["tools"]), "")


@check("S226", "warning")
def waits_for_a_person(subject: Subject) -> Iterator[str]:
    """Remove it: on the platform nobody can type."""
    for module, call in subject.live.calls:
        name = module.full_name(call.func)
        if name in PERSON and not module.stores[name]:
            yield f"{module.line(call)}: {name}() waits for somebody to type"
