"""Checks of the files that the code opens: are they in the zip, and found from any working folder."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from submission.checks.modules import Module
from submission.checks.opened import ASKS
from submission.checks.subject import Subject, check
from submission.findings import Said

SUFFIXES = (".keras", ".h5", ".hdf5", ".tflite", ".npz", ".npy", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".onnx", ".safetensors", ".ckpt", ".pb", ".sav")  # fmt: skip
FOREIGN = ("/app/", "/dev/", "/proc/", "/sys/", "/tmp/", "/etc/", "/var/", "/usr/")  # noqa: S108  places of the server


@check("S301", "error")
def opened_but_missing(subject: Subject) -> Iterator[str]:
    """Make the names equal: the file in the zip and the name that the code opens."""
    seen: set[str] = set()
    for opened in subject.opened:
        path = posixpath.normpath(opened.place.path)
        known = path in seen or opened.checked or opened.place.anchor not in ("zip", "text", "cwd")
        if not known and not _is_there(subject, path) and _is_file(path):
            seen.add(path)
            yield f"{opened.where} opens {path!r}, which is not in the zip{_instead(subject, path)}"


def _is_file(path: str) -> bool:
    return (
        "." in PurePosixPath(path).name
        and not path.startswith("..")
        and not set(path) & set("*?\n")
    )


def _is_there(subject: Subject, path: str) -> bool:
    names = subject.archive.names
    return path in names or path in (".", "") or any(n.startswith(f"{path}/") for n in names)


def _instead(subject: Subject, path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    same = sorted(n for n in subject.archive.names if PurePosixPath(n).suffix.lower() == suffix)
    others = sorted(n for n in subject.archive.names if n.lower().endswith(SUFFIXES))
    found = same or others
    return f"; the zip has {', '.join(found[:3])}" if found else ""


@check("S305", "error")
def path_of_another_machine(subject: Subject) -> Iterator[str]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    for opened in subject.opened:
        place = opened.place
        foreign = place.anchor == "absolute" and not place.path.startswith(FOREIGN)
        if not opened.checked and (foreign or place.anchor == "home"):
            yield f"{opened.where} opens {place.path or 'a file in the home folder'!r}, a path of another machine"


@check("S326", "warning")
def found_by_one_worker_only(subject: Subject) -> Iterator[Said]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    for opened in subject.opened:
        if opened.place.anchor == "output":
            message = f"{opened.where} opens /app/output/{opened.place.path}, where Codabench's worker of 2026-10 puts nothing"
            if "2026-10" not in subject.challenge.workers:
                yield Said(message, "note")
            else:
                yield Said(message, None if len(subject.challenge.workers) > 1 else "error")


@check("S306", "warning")
def found_from_one_folder_only(subject: Subject) -> Iterator[str]:
    """Open it beside the module, Path(__file__).parent / NAME: which folder the platform stands in is not known."""
    seen: set[str] = set()
    for opened in subject.opened:
        path = posixpath.normpath(opened.place.path)
        if opened.place.anchor in ("text", "cwd") and path not in seen and path in subject.archive.names:  # fmt: skip
            seen.add(path)
            yield f"{opened.where} opens {path!r} by the working folder"


@check("S318", "note")
def weights_not_opened(subject: Subject) -> Iterator[str]:
    """Leave it out, if the model does not need it."""
    if subject.predict is None or list(opened_but_missing(subject)):
        return  # it is not said what is opened, or under which name
    named = Naming(subject)
    found = [
        n
        for n in sorted(subject.archive.names)
        if n.lower().endswith(SUFFIXES) and not named.has(n)
    ]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"no code names {found[0]}{more}"


class Naming:
    """Tells whether code may open a file: it names it, a part of its name, or finds files by a pattern."""

    def __init__(self, subject: Subject) -> None:
        self.opened = {posixpath.normpath(o.place.path) for o in subject.opened}
        self.texts = {text for text in subject.texts if text}
        self.texts |= {posixpath.basename(text) for text in self.texts if text.startswith("/")} - {
            ""
        }
        text = "\n".join(module.text or "" for module in subject.modules)
        self.searches = bool(
            re.search(r"\b(glob|rglob|iterdir|listdir|scandir|walk|json|yaml)\b", text)
        )
        self.built = bool(re.search(r"f['\"]|\.format\(|%\s*[\w(]|\+\s*['\"]\.", text))

    def has(self, name: str) -> bool:
        """Whether the file of that name in the zip may be opened."""
        path = PurePosixPath(name)
        if self.searches or name in self.opened or path.name in self.texts or name in self.texts:
            return True
        parts = [p for p in self.texts if len(p) > 1 and (p in path.name or path.name in p)]
        return self.built and bool(parts)


@check("S322", "warning")
def named_but_missing(subject: Subject) -> Iterator[str]:
    """Put the file in, or remove the name, if something opens it."""
    told = {posixpath.basename(o.place.path) for o in subject.opened}
    names = {PurePosixPath(name).name for name in subject.archive.names}
    for module, node in subject.live:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _is_weights_name(text) and not _is_saved(module, node):
            name = PurePosixPath(text.replace("\\", "/")).name
            if name not in names | told:
                told.add(name)
                yield f"{module.line(node)} names {text!r}, which is not in the zip"


def _is_weights_name(text: str) -> bool:
    return text.lower().endswith(SUFFIXES[:-3]) and not text.startswith(".") and not set(text) & set(" \n*{%:")  # fmt: skip


def _is_saved(module: Module, node: ast.AST) -> bool:
    """Whether the name is part of a longer one, or of a call that writes."""
    for outer in module.above(node):
        if isinstance(outer, ast.JoinedStr | ast.Compare):
            return True
        name = getattr(getattr(outer, "func", None), "attr", "")
        if name in ("save", "save_weights", "endswith", "ModelCheckpoint", "savez", "dump", "to_csv", "download", "urlretrieve", "get_file", "replace", "split") or name in ASKS:  # fmt: skip
            return True
    return False
