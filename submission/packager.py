"""Build the zip: weights the server can load, a `model.py` that uses them, the same bytes every time."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import alone_in, draft, publish, written
from codabench_rehearsal.console.guard import (
    ARCHIVE,
    INCLUDED,
    JSON,
    MODULE,
    SPLIT,
    WEIGHTS,
    Input,
    Output,
    refuse_same,
)
from submission.archive import Archive
from submission.backport import Backport, backport_weights
from submission.checks.subject import examine
from submission.companions import (
    included,
    modules,
    put_recipe,
    put_split,
    read,
    read_splits,
    recipe_place,
    split_place,
)
from submission.findings import Finding, has_errors
from submission.model_page import model_page
from submission.packing import assumptions, batch_size, refuse_impossible, server_keras
from submission.shrink import SUFFIXES, Shrunk, shrink
from submission.training_folder import OUTPUTS, Packing
from submission.zipping import best_level, put

Judge = Callable[[Archive, str], Sequence[Finding]]
ARRAYS = ".weights.h5"  # these hold no config


@dataclass(frozen=True)
class Packed:
    """What `pack` made. zip_path is None when errors were found: then nothing was written.

    files: name -> bytes once unpacked. backports: weights file -> what was rewritten for the
    server. shrunk: weights file -> what `--shrink` and `--float16` made of it. split: the split
    beside the zip, if the weights had one.
    """

    zip_path: Path | None
    sha256: str
    size: int
    files: Mapping[str, int]
    backports: Mapping[str, Backport]
    findings: tuple[Finding, ...]
    split: Path | None
    shrunk: Mapping[str, Shrunk] = field(default_factory=dict)


def pack(
    packing: Packing,
    challenge: Challenge,
    out: Path,
    *,
    judge: Judge | None = None,
) -> Packed:
    """Build `out`, check it, and put it in place if no error is found.

    judge: says what is wrong with the open zip, given the name that it will have; the checks that
    run nothing where it is left out. The same inputs give the same bytes. Raises `SubmissionError`
    for files that cannot be used; an older zip stays then, as it does after an error.
    """
    refuse_impossible(packing, challenge)
    refuse_same({"out": Output(str(out), ARCHIVE), **beside(packing, out)}, read_for(packing))
    split = read_splits(packing.split)
    with written(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with draft(out) as part:
        with written(out, _bytes_of(packing)):
            built = _Builder(packing, challenge).build(part)
        with Archive(part) as archive:
            found = judge(archive, out.name) if judge else examine(archive, challenge, out.name)
            sha256, size = archive.sha256, archive.size
        findings = [*assumptions(packing, challenge), *found]
        fine = not has_errors(findings)
        split_beside = _put_in_place(packing, part, out, split) if fine else None
    return Packed(
        zip_path=out if fine else None,
        sha256=sha256,
        size=size,
        files=built.files,
        backports=built.backports,
        findings=tuple(findings),
        split=split_beside,
        shrunk=built.shrunk,
    )


def read_for(packing: Packing) -> list[Input]:
    """The files that go into a zip, or beside it."""
    splits = (packing.split,) if isinstance(packing.split, Path) else packing.split or ()
    module = () if packing.model is None else (packing.model,)
    several = ((WEIGHTS, packing.weights), (INCLUDED, packing.include), (MODULE, module), (SPLIT, splits))  # fmt: skip
    return [Input(str(path), role) for role, paths in several for path in paths]


def _bytes_of(packing: Packing) -> int:
    """About how large the zip will be."""
    files = (*packing.weights, *packing.include)
    return sum(path.stat().st_size for path in files if path.is_file())


def beside(packing: Packing, out: Path) -> dict[str, Output]:
    """The files that are written beside a zip, by what messages call them."""
    made = {"the split beside the zip": (packing.split, split_place(out)),
            "the recipe beside the zip": (packing.augmentation, recipe_place(out))}  # fmt: skip
    return {name: Output(str(place), JSON) for name, (given, place) in made.items() if given}


def _put_in_place(packing: Packing, part: Path, out: Path, split: bytes | None) -> Path | None:
    """The zip and what belongs beside it, together; returns the split's place."""
    with alone_in(out.absolute().parent):
        publish(part, out)
        put_recipe(packing.augmentation, out)
        return put_split(split, out)


class _Builder:
    """Writes one zip, a file at a time: of all the weights one file is in memory at once."""

    def __init__(self, packing: Packing, challenge: Challenge) -> None:
        self.packing, self.challenge = packing, challenge
        self.files: dict[str, int] = {}
        self.backports: dict[str, Backport] = {}
        self.shrunk: dict[str, Shrunk] = {}

    def build(self, path: Path) -> _Builder:
        """Write the zip; files in a fixed order, dated 1980."""
        weights, further = _zip_names(self.packing.weights), included(self.packing.include)
        module = f"{self.challenge.module}.py"
        for name in further:
            if name in {module, *weights}:
                raise SubmissionError(f"two files would be called {name} in the zip: rename one.")
        with zipfile.ZipFile(path, "w") as file:
            self._put(file, module, self._model_file(list(weights), list(further)))
            for name, source in weights.items():
                self._put(file, name, self._weights(name, source))
                if name in self.shrunk:
                    self._note_sizes(name, file.getinfo(name))
            for name, data in further.items():
                self._put(file, name, data)
        return self

    def _put(self, file: zipfile.ZipFile, name: str, data: bytes) -> None:
        put(file, name, data, best_level(data) if self.packing.shrink else None)
        self.files[name] = len(data)

    def _note_sizes(self, name: str, info: zipfile.ZipInfo) -> None:
        done = self.shrunk[name]
        self.shrunk[name] = replace(done, after=info.file_size, zipped=info.compress_size)

    def _weights(self, name: str, path: Path) -> bytes:
        """A weights file's bytes as they ship."""
        data, keras = read(path), server_keras(self.challenge)
        try:
            if (self.packing.shrink or self.packing.float16) and path.suffix in SUFFIXES:
                data, self.shrunk[name] = shrink(
                    data, state=self.packing.shrink, float16=self.packing.float16
                )
            if path.suffix in SUFFIXES and not path.name.endswith(ARRAYS):
                data, record = backport_weights(data, keras)
                if record is not None:
                    self.backports[name] = record
        except SubmissionError as error:
            raise SubmissionError(f"{path}: {error}") from None
        return data

    def _model_file(self, weights: list[str], further: list[str]) -> bytes:
        """The user's own module, or our page with its settings and the challenge's names."""
        packing, challenge = self.packing, self.challenge
        if packing.model is not None:
            return read(packing.model)
        several = packing.member_weights
        settings = {
            "WEIGHTS": weights,
            "MODULES": modules(further),
            "SCALE": _listed(packing.scale),
            "PREPROCESS": _listed(packing.preprocess),
            "RESIZE": _listed(packing.resize),
            "OUTPUT": _each(packing.output, lambda value: value if value in OUTPUTS else "auto"),
            "HEAD": _each(packing.output, lambda value: None if value in OUTPUTS else value),
            "NUM_CLASSES": challenge.classes,
            "TTA": _listed(packing.tta),
            "ENSEMBLE": packing.ensemble,
            "MEMBER_WEIGHTS": list(several) if several else None,
            "BATCH_SIZE": batch_size(packing),
        }
        page = model_page(settings).replace("class Model:", f"class {challenge.class_name}:")
        return page.replace("def predict(self, X):", f"def {challenge.method}(self, X):").encode()


def _each(setting: str | tuple[str, ...], read: Callable[[str], str | None]) -> object:
    """What one setting of ours says of another one of the page, for all networks or for each."""
    return [read(value) for value in setting] if isinstance(setting, tuple) else read(setting)


def _listed(setting: object) -> object:
    """A setting as the page has it: a list where the networks have values of their own."""
    return list(setting) if isinstance(setting, tuple) else setting


def _zip_names(paths: tuple[Path, ...]) -> dict[str, Path]:
    """The files' own names; numbered where several files have the same one."""
    plain = [path.name for path in paths]
    numbered = [f"{i:02d}-{name}" for i, name in enumerate(plain, start=1)]
    names = plain if len(set(plain)) == len(plain) else numbered
    return dict(zip(names, paths, strict=True))
