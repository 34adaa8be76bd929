"""The further files of a zip. Python files among them are imported before the weights are loaded."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import require_file

REGISTER = "register_keras_serializable"


def included(paths: tuple[Path, ...]) -> dict[str, bytes]:
    """Name in the zip -> bytes. A file that several training folders share goes in once.

    Raises `SubmissionError` where two files or two registered layers would take one place.
    """
    found: dict[str, bytes] = {}
    for path in paths:
        data = read(path)
        if found.setdefault(path.name, data) != data:
            raise SubmissionError(
                f"two different files would be called {path.name} in the zip: rename one."
            )
    _refuse_clashes({name: data for name, data in found.items() if name.endswith(".py")})
    return found


def modules(names: Iterable[str]) -> list[str]:
    """The modules to import, of the names that are Python files."""
    stems = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    for stem in stems:
        if "." in stem:
            raise SubmissionError(f"{stem}.py cannot be imported for its dots: rename it.")
    return stems


def read(path: Path) -> bytes:
    """A file's bytes, or a `SubmissionError` in people's words."""
    require_file(path, SubmissionError)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None


def _refuse_clashes(sources: Mapping[str, bytes]) -> None:
    """Refuse different layers registered under one name: the last would be used for all networks."""
    registered = {name: dict(_registered(data)) for name, data in sources.items()}
    for (first, layers), (second, others) in itertools.combinations(registered.items(), 2):
        for key in layers.keys() & others.keys():
            if layers[key] != others[key]:
                raise SubmissionError(
                    f"{first} and {second} both register {key!r}, and differ in it: the second would "
                    "stand in for the first. Register them under different packages, as in "
                    f'@keras.saving.{REGISTER}("mine"), and save the weights again.'
                )


def _registered(data: bytes) -> Iterator[tuple[str, str]]:
    """What a source registers with Keras: `package>name`, and its syntax tree as text."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # the checks say so
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(REGISTER):
                    yield _key(call, node.name), ast.dump(node)


def _key(call: ast.Call, name: str) -> str:
    words = dict(zip(("package", "name"), call.args, strict=False))
    words |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    texts = {
        word: value.value
        for word, value in words.items()
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    return f"{texts.get('package', 'Custom')}>{texts.get('name', name)}"
