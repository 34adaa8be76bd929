"""Build the zip: weights the server can load, a `model.py` that uses them, the same bytes every time."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from submission.archive import Archive
from submission.backport import EPOCH, Backport, backport_keras_file
from submission.backport_table import targets
from submission.challenge import Challenge
from submission.checks.registry import examine
from submission.errors import SubmissionError
from submission.findings import Finding, has_errors
from submission.model_page import model_page
from submission.training_folder import Packing


@dataclass(frozen=True)
class Packed:
    """What `pack` made. zip_path is None when errors were found: then nothing was written.

    files: name -> bytes in the zip. backports: weights file -> what was rewritten for the server.
    split: the split copied beside the zip, if the weights had one.
    """

    zip_path: Path | None
    sha256: str
    size: int
    files: Mapping[str, int]
    backports: Mapping[str, Backport]
    findings: tuple[Finding, ...]
    split: Path | None


def pack(packing: Packing, challenge: Challenge, out: Path) -> Packed:
    """Build `out`, check it, and put it in place if no check finds an error.

    The same inputs give the same bytes. Raises `SubmissionError` for files that cannot be used.
    """
    contents, backports = _contents(packing, challenge)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"part-{out.name}"[-64:])
    try:
        _write_zip(part, contents)
        findings = (*_assumptions(packing, challenge), *_examined(part, out, challenge))
        with Archive(part) as archive:
            sha256, size = archive.sha256, archive.size
        fine = not has_errors(findings)
        if fine:
            part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    split = _copy_split(packing.split, out) if fine else None
    sizes = {name: len(data) for name, data in contents.items()}
    return Packed(out if fine else None, sha256, size, sizes, backports, findings, split)


def _contents(
    packing: Packing, challenge: Challenge
) -> tuple[dict[str, bytes], dict[str, Backport]]:
    names, included = _zip_names(packing.weights), _zip_names(packing.include)
    contents = {f"{challenge.module}.py": _model_file(packing, names, included, challenge)}
    backports: dict[str, Backport] = {}
    for name, path in names.items():
        contents[name] = _read(path)
        if path.suffix == ".keras" and challenge.keras in targets():
            contents[name], backports[name] = _for_server(contents[name], path, challenge.keras)
    for name, path in included.items():
        if name in contents:
            raise SubmissionError(f"two files would be called {name} in the zip: rename {path}.")
        contents[name] = _read(path)
    return contents, backports


def _for_server(data: bytes, path: Path, keras: str) -> tuple[bytes, Backport]:
    try:
        return backport_keras_file(data, keras)
    except SubmissionError as error:
        raise SubmissionError(f"{path}: {error}") from None


def _model_file(
    packing: Packing,
    weights: Mapping[str, Path],
    included: Mapping[str, Path],
    challenge: Challenge,
) -> bytes:
    """The user's own module, or our page with its settings and the challenge's names."""
    if packing.model is not None:
        return _read(packing.model)
    settings = {
        "WEIGHTS": list(weights),
        "MODULES": [path.stem for path in included.values() if path.suffix == ".py"],
        "SCALE": packing.scale,
        "RESIZE": packing.resize,
        "NUM_CLASSES": challenge.classes,
        "TTA": packing.tta,
        "ENSEMBLE": packing.ensemble,
    }
    page = model_page(settings).replace("class Model:", f"class {challenge.class_name}:")
    return page.replace("def predict(self, X):", f"def {challenge.method}(self, X):").encode()


def _zip_names(paths: tuple[Path, ...]) -> dict[str, Path]:
    """The files' own names; numbered where several files have the same one."""
    plain = [path.name for path in paths]
    numbered = [f"{i:02d}-{name}" for i, name in enumerate(plain, start=1)]
    names = plain if len(set(plain)) == len(plain) else numbered
    return dict(zip(names, paths, strict=True))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    """Stored, dated 1980, in the given order: nothing of this machine or hour gets in."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            file.writestr(info, data)


def _examined(part: Path, out: Path, challenge: Challenge) -> list[Finding]:
    with Archive(part) as archive:
        return examine(archive, challenge, out.name)


def _assumptions(packing: Packing, challenge: Challenge) -> list[Finding]:
    """What packing took for granted, because nobody said."""
    found = []
    if not packing.scale_given and packing.model is None:
        message = "--scale was not given: the weights are fed 0..255, as the platform sends it"
        advice = "Trained on images / 255? Say --scale 0..1; a mismatch is silent on the platform."
        found.append(Finding("S501", "warning", message, advice))
    keras_files = [path.name for path in packing.weights if path.suffix == ".keras"]
    if keras_files and challenge.keras and challenge.keras not in targets():
        message = (
            f"no table says what Keras {challenge.keras} reads: {keras_files[0]} goes as it is"
        )
        advice = f"Save it with Keras {challenge.keras}; tables exist for {', '.join(targets())}."
        found.append(Finding("S502", "warning", message, advice))
    return found


def _copy_split(split: Path | None, out: Path) -> Path | None:
    """Put the split beside the zip, never into it: it would tell nothing there and cost bytes."""
    target = out.with_name(f"{out.stem}.split.json")
    if split is None:
        target.unlink(missing_ok=True)  # an older zip's split would now be wrong
        return None
    part = target.with_name(f"part-{target.name}")
    shutil.copyfile(split, part)
    part.replace(target)
    return target
