"""Checks of the files that code opens: are they in the zip, and found from any working folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from submission.checks.modules import Module, constant, words
from submission.checks.opened import ASKS
from submission.checks.subject import Subject, check
from submission.findings import Said

# Endings of weights files; some are others' as well.
SURE_SUFFIXES = tuple(
    words(".keras .h5 .hdf5 .tflite .npz .npy .pkl .pickle .joblib .pt .pth .onnx .safetensors")
)
SUFFIXES = (*SURE_SUFFIXES, ".ckpt", ".pb", ".sav")
# Places of the server.
FOREIGN = ("/app/", "/dev/", "/proc/", "/sys/", "/tmp/", "/etc/", "/var/", "/usr/")  # noqa: S108
WRITERS = words(
    "save save_weights endswith ModelCheckpoint savez dump to_csv download urlretrieve get_file "
    "replace split"
)


@check("S301", "error")
def opened_but_missing(subject: Subject) -> Iterator[str]:
    """Make the names equal: the file in the zip and the name that the code opens."""
    seen: set[str] = set()
    for opened in subject.opened:
        path = opened.place.plain
        told = path in seen or opened.checked or opened.place.anchor not in ("zip", "text", "cwd")
        odd = (
            path.startswith("..") or set(path) & set("*?\n") or "." not in PurePosixPath(path).name
        )
        if not told and not odd and not is_there(subject, path):
            seen.add(path)
            suffix = PurePosixPath(path).suffix.lower()
            same = [n for n in subject.sorted_names if PurePosixPath(n).suffix.lower() == suffix]
            others = same or subject.ending(SUFFIXES)
            instead = f"; the zip has {', '.join(others[:3])}" if others else ""
            yield f"{opened.where} opens {path!r}, which is not in the zip{instead}"


def is_there(subject: Subject, path: str) -> bool:
    """Whether the zip has that file, or a folder of that name."""
    folder = any(name.startswith(f"{path}/") for name in subject.names)
    return path in subject.names or path in (".", "") or folder


@check("S305", "error")
def path_of_another_machine(subject: Subject) -> Iterator[str]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    for opened in subject.opened:
        place = opened.place
        foreign = place.anchor == "absolute" and not place.path.startswith(FOREIGN)
        if not opened.checked and (foreign or place.anchor == "home"):
            path = place.path or "a file in the home folder"
            yield f"{opened.where} opens {path!r}, a path of another machine"


@check("S326", "warning")
def found_by_one_worker_only(subject: Subject) -> Iterator[Said]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    workers = subject.challenge.workers
    for opened in subject.opened:
        if opened.place.anchor == "output":
            path = f"/app/output/{opened.place.path}"
            weight = None if len(workers) > 1 else "error"
            yield Said(
                f"{opened.where} opens {path}, where Codabench's worker of 2026-10 puts nothing",
                weight if "2026-10" in workers else "note",  # type: ignore[arg-type]
            )


@check("S306", "warning")
def found_from_one_folder_only(subject: Subject) -> Iterator[str]:
    """Open it beside the module, Path(__file__).parent / NAME: which folder the platform stands in
    is not known.
    """
    told: dict[str, str] = {}
    for opened in subject.opened:
        path = opened.place.plain
        if opened.place.anchor in ("text", "cwd") and path in subject.names:
            told.setdefault(path, f"{opened.where} opens {path!r} by the working folder")
    yield from told.values()


@check("S318", "note")
def weights_not_opened(subject: Subject) -> Iterator[str]:
    """Leave it out, if the model does not need it."""
    if subject.predict is None or list(opened_but_missing(subject)):
        return  # it is not said what is opened, or under which name
    found = [n for n in subject.ending(SUFFIXES) if not subject.opened_files.perhaps(n)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"no code names {found[0]}{more}"


@check("S322", "warning")
def named_but_missing(subject: Subject) -> Iterator[str]:
    """Put the file in, or remove the name, if something opens it."""
    told = {opened.place.name for opened in subject.opened}
    told |= {PurePosixPath(name).name for name in subject.names}
    for module, node in subject.live:
        text = constant(node)
        if not isinstance(text, str) or not text.lower().endswith(SURE_SUFFIXES):
            continue
        odd = text.startswith(".") or set(text) & set(" \n*{%:")
        if not odd and not _is_saved(module, node):
            name = PurePosixPath(text.replace("\\", "/")).name
            if name not in told:
                told.add(name)
                yield f"{module.line(node)} names {text!r}, which is not in the zip"


def _is_saved(module: Module, node: ast.AST) -> bool:
    """Whether the name is part of a longer one, or of a call that writes or asks for it."""
    return any(
        isinstance(outer, ast.JoinedStr | ast.Compare)
        or getattr(getattr(outer, "func", None), "attr", "") in WRITERS | ASKS
        for outer in module.above(node)
    )
