"""Build the zip: weights the server can load, a `model.py` that uses them, the same bytes always.

`Packed` writes a draft and opens it; who has looked into it, and run it, publishes it under its
name, or leaves, and nothing is left.
"""

from __future__ import annotations

import ast
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import alone_in, draft, publish, written
from codabench_rehearsal.console.guard import refuse_same
from codabench_rehearsal.console.roles import (
    ARCHIVE,
    INCLUDED,
    JSON,
    MODULE,
    SPLIT,
    WEIGHTS,
    Input,
    Output,
)
from submission.archive import Archive
from submission.backport import Backport, backport_weights
from submission.checks.modules import REGISTER, module_of
from submission.findings import has_errors
from submission.keras_files import LOADABLE
from submission.model_page import model_page
from submission.packing import assumptions, batch_size, refuse_impossible, server_keras
from submission.shrink import Shrunk, shrink
from submission.training_folder import (
    OUTPUTS,
    Packing,
    put_beside,
    read,
    read_splits,
    recipe_of,
    recipe_place,
    split_place,
)
from submission.zipping import best_level, put

ARRAYS = ".weights.h5"  # these hold no config


class Packed:
    """A zip that is built, for a `with`: an open draft, until it is published.

    The same inputs give the same bytes. files: name -> bytes once unpacked. backports: weights file
    -> what was rewritten for the server. shrunk: weights file -> what `--shrink` and `--float16`
    made of it. findings: what was taken for granted, because nobody said. zip_path, split: where
    the zip lies, and the split beside it if the weights had one; None before it is published.

    Raises `SubmissionError` for files that cannot be used; an older zip stays then.
    """

    def __init__(self, packing: Packing, challenge: Challenge, out: Path) -> None:
        refuse_impossible(packing, challenge)
        self.packing, self.challenge, self.out = packing, challenge, out
        self.files: dict[str, int] = {}
        self.backports: dict[str, Backport] = {}
        self.shrunk: dict[str, Shrunk] = {}
        self.zip_path: Path | None = None
        self.split: Path | None = None
        self._split = read_splits(packing.splits)
        with ExitStack() as stack:
            with written(out):
                out.parent.mkdir(parents=True, exist_ok=True)
            part = stack.enter_context(draft(out))
            with written(out, _bytes_of(packing)), zipfile.ZipFile(part, "w") as file:
                self._fill(file)
            self.findings = tuple(assumptions(packing, challenge))
            self.archive = Archive(part)
            self._stack = stack.pop_all()

    def __enter__(self) -> Packed:
        return self

    def __exit__(self, *_: object) -> None:
        if self.zip_path is None:
            self.archive.close()
        self._stack.close()

    def publish(self) -> None:
        """Put the zip and what belongs beside it in place, together."""
        self.archive.close()
        with alone_in(self.out.absolute().parent):
            publish(self.archive.path, self.out)
            put_beside(recipe_of(self.packing.augmentation), recipe_place(str(self.out)))
            self.split = put_beside(self._split, split_place(str(self.out)))
        self.zip_path = self.out

    def _fill(self, file: zipfile.ZipFile) -> None:
        """Files in a fixed order, dated 1980."""
        weights, further = _zip_names(self.packing.weights), _included(self.packing.include)
        module = f"{self.challenge.module}.py"
        for name in further:
            if name in {module, *weights}:
                raise SubmissionError(f"two files would be called {name} in the zip: rename one.")
        self._put(file, module, self._model_file(list(weights), list(further)))
        for name, source in weights.items():
            self._put(file, name, self._weights(name, source))
            if name in self.shrunk:
                after, zipped = (info := file.getinfo(name)).file_size, info.compress_size
                self.shrunk[name] = replace(self.shrunk[name], after=after, zipped=zipped)
        for name, data in further.items():
            self._put(file, name, data)

    def _put(self, file: zipfile.ZipFile, name: str, data: bytes) -> None:
        put(file, name, data, best_level(data) if self.packing.shrink else None)
        self.files[name] = len(data)

    def _weights(self, name: str, path: Path) -> bytes:
        """A weights file's bytes as they ship."""
        data, packing = read(path), self.packing
        if path.suffix not in LOADABLE:
            return data
        try:
            if packing.shrink or packing.float16:
                how = {"state": packing.shrink, "float16": packing.float16}
                data, self.shrunk[name] = shrink(data, **how)
            if not path.name.endswith(ARRAYS):
                data, record = backport_weights(data, server_keras(self.challenge))
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
        settings = {
            "WEIGHTS": weights,
            "MODULES": _modules(further),
            "SCALE": packing.scale,
            "PREPROCESS": packing.preprocess,
            "RESIZE": packing.resize,
            "OUTPUT": _each(packing.output, lambda value: value if value in OUTPUTS else "auto"),
            "HEAD": _each(packing.output, lambda value: None if value in OUTPUTS else value),
            "NUM_CLASSES": challenge.classes,
            "TTA": packing.tta,
            "ENSEMBLE": packing.ensemble,
            "MEMBER_WEIGHTS": packing.member_weights or None,
            "BATCH_SIZE": batch_size(packing),
        }
        page = model_page(settings).replace("class Model:", f"class {challenge.class_name}:")
        return page.replace("def predict(self, X):", f"def {challenge.method}(self, X):").encode()


def pack(packing: Packing, challenge: Challenge, out: Path) -> Packed:
    """Build `out`, look into it, and put it in place if no error is found. Errors as `Packed`."""
    from submission.checks.subject import examine  # a draft alone is built without the checks

    refuse_same({"out": Output(str(out), ARCHIVE), **beside(packing, out)}, read_for(packing))
    with Packed(packing, challenge, out) as packed:
        packed.findings += tuple(examine(packed.archive, challenge, out.name))
        if not has_errors(packed.findings):
            packed.publish()
    return packed


def read_for(packing: Packing) -> list[Input]:
    """The files that go into a zip, or beside it."""
    several = {
        WEIGHTS: packing.weights,
        INCLUDED: packing.include,
        MODULE: () if packing.model is None else (packing.model,),
        SPLIT: packing.splits,
    }
    return [Input(str(path), role) for role, paths in several.items() for path in paths]


def beside(packing: Packing, out: Path | str) -> dict[str, Output]:
    """The files that are written beside a zip, by what messages call them."""
    made = {
        "the split beside the zip": (packing.splits, split_place(out)),
        "the recipe beside the zip": (packing.augmentation, recipe_place(out)),
    }
    return {name: Output(str(place), JSON) for name, (given, place) in made.items() if given}


def _each(setting: str | tuple[str, ...], read: Callable[[str], str | None]) -> object:
    """What one setting of ours says of another one of the page, for all networks or for each."""
    return [read(value) for value in setting] if isinstance(setting, tuple) else read(setting)


def _bytes_of(packing: Packing) -> int:
    """About how large the zip will be."""
    files = (*packing.weights, *packing.include)
    return sum(path.stat().st_size for path in files if path.is_file())


def _zip_names(paths: tuple[Path, ...]) -> dict[str, Path]:
    """The files' own names; numbered where several files have the same one."""
    plain = [path.name for path in paths]
    numbered = [f"{i:02d}-{name}" for i, name in enumerate(plain, start=1)]
    return dict(zip(plain if len(set(plain)) == len(plain) else numbered, paths, strict=True))


def _included(paths: tuple[Path, ...]) -> dict[str, bytes]:
    """The further files by name; one that several training folders share goes in once."""
    found: dict[str, bytes] = {}
    for path in paths:
        data = read(path)
        if found.setdefault(path.name, data) != data:
            raise SubmissionError(
                f"two different files would be called {path.name} in the zip: rename one."
            )
    _refuse_clashes({name: data for name, data in found.items() if name.endswith(".py")})
    return found


def _modules(names: Iterable[str]) -> list[str]:
    """Python files among the further ones are imported before the weights are loaded."""
    stems = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    for stem in stems:
        if "." in stem:
            raise SubmissionError(f"{stem}.py cannot be imported for its dots: rename it.")
    return stems


def _refuse_clashes(sources: Mapping[str, bytes]) -> None:
    """Of different layers registered under one name the last would be used for all networks."""
    registered = {name: dict(_registered(name, data)) for name, data in sources.items()}
    for (first, layers), (second, others) in itertools.combinations(registered.items(), 2):
        for key in layers.keys() & others.keys():
            if layers[key] != others[key]:
                raise SubmissionError(
                    f"{first} and {second} both register {key!r}, and differ in it: the second "
                    "would stand in for the first. Register them under different packages, as in "
                    f'@keras.saving.{REGISTER}("mine"), and save the weights again.'
                )


def _registered(file: str, data: bytes) -> Iterator[tuple[str, str]]:
    """What a source registers with Keras: `package>name`, and its syntax tree as text."""
    module = module_of(file, data)  # one that does not parse defines nothing: the checks say so
    for node in itertools.chain(*module.definitions.values()):
        for decorator in node.decorator_list:
            if key := module.registered_key(decorator, node.name):
                yield key, ast.dump(node)
