"""Which Python runs a submission: the one that is named, the one that is active, or our own.

An isolated install of ours (uvx, pipx) has none of the user's packages: a zip that needs them would
fail here and run on the platform. Which files a Python needs is told from paths, without starting
it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.shown import heard

# What answers depend on, as far as it has a version; pip tells how more is installed.
PACKAGES = (
    *("numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "scikit-learn"),
    *("opencv-python-headless", "opencv-python", "scipy", "pillow"),
)
FRAMEWORKS = {
    "tensorflow": "TensorFlow",
    "tensorflow-cpu": "TensorFlow",
    "keras": "Keras",
    "torch": "PyTorch",
    "jax": "JAX",
    "scikit-learn": "scikit-learn",
}
OLDEST = (3, 9)  # that our ingestion program runs on
SECONDS = 60.0  # for a Python to import numpy from a cold disk
_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX")  # in this order: a virtual environment lies within conda
_SITES = ("site-packages", "dist-packages")
_FEW_PARTS = 3  # "/", "usr" or "opt", and a name: nothing shorter is shown as a whole
_OUR_ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
_EXPECTED = "expected a Python such as ~/venv/bin/python, or an environment's folder"
# Old syntax: the Python asked may be any.
QUESTION = """
import json, platform, sys
found = {}
try:
    from importlib import metadata
    for name in sys.argv[1:]:
        try:
            found[name] = str(metadata.version(name))
        except Exception:
            pass
except ImportError:
    pass
lacks = ""
try:
    import numpy
except Exception as error:
    lacks = "%s: %s" % (type(error).__name__, error)
print(json.dumps({"path": sys.executable, "version": platform.python_version(),
                  "versions": found, "lacks": lacks}))
"""


@dataclass(frozen=True)
class Python:
    """path: the program that is started; version: "3.12.4"; versions: package -> version there."""

    path: str
    version: str
    versions: Mapping[str, str]

    @property
    def is_own(self) -> bool:
        """Whether it is the one that runs this tool."""
        return self.path == sys.executable

    @property
    def frameworks(self) -> frozenset[str]:
        """What it has of that submissions are made with."""
        return frozenset(name for key, name in FRAMEWORKS.items() if key in self.versions)

    def install(self, package: str) -> str:
        """The command that installs a package into it."""
        if self.is_own and "ipykernel" in sys.modules:
            return f"%pip install {package}"
        if "pip" in self.versions:
            return f"{self.path} -m pip install {package}"
        return f"uv pip install --python {self.path} {package}"

    def __str__(self) -> str:
        """Such as "/home/u/venv/bin/python (Python 3.12.4, Keras 3.5.0)"."""
        named = {FRAMEWORKS[key]: self.versions[key] for key in FRAMEWORKS if key in self.versions}
        named.pop("scikit-learn", None)
        parts = [f"Python {self.version}", *(f"{name} {it}" for name, it in named.items())]
        return f"{self.path} ({', '.join(parts)})"


@functools.cache
def own_python() -> Python:
    """The Python that runs this tool."""
    versions = {}
    for name in (*PACKAGES, "pip"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Python(sys.executable, platform.python_version(), versions)


@functools.cache
def python_at(given: str) -> Python:
    """The Python that somebody names: a program, a name on PATH, or the folder of an environment.

    Raises `SandboxError`, one sentence, for what is no Python, is too old, or has no numpy.
    """
    path = _program(given)
    if path == sys.executable:
        return own_python()
    version = _output(path, "--version")  # before it gets code to run, which a shell would obey
    if not version.startswith("Python 3."):
        shown = version.splitlines()[0][:80] if version else "nothing"
        raise SandboxError(f"{given} is no Python 3 (--version says {shown!r}): {_EXPECTED}")
    text = _output(path, "-I", "-c", QUESTION, *PACKAGES, "pip")
    try:
        said = dict(json.loads(text.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        raise SandboxError(f"{path} did not say what it has: {_EXPECTED}") from None
    return _fit(given, said, path)


def _fit(given: str, said: Mapping[str, Any], path: str) -> Python:
    """What a Python said of itself, if submissions can run on it. Raises `SandboxError`."""
    path = str(said.get("path") or path)  # a shim of pyenv's starts another one
    if path == sys.executable:
        return own_python()
    versions = {str(name): str(version) for name, version in said["versions"].items()}
    found = Python(path, str(said["version"]), versions)
    if tuple(int(part) for part in found.version.split(".")[:2]) < OLDEST:
        raise SandboxError(f"{given} is Python {found.version}: expected 3.{OLDEST[1]} or newer")
    if said["lacks"]:
        raise SandboxError(
            f"{given} cannot import numpy ({said['lacks']}): "
            f"{found.install('numpy')}, or name another"
        )
    return found


def active_python() -> Python:
    """The virtual or conda environment that is active in the shell, if it is of use; else our own.

    One that has no numpy, or less of the frameworks than ours and nothing more, is passed over.
    """
    own = own_python()
    for folder in filter(None, map(os.environ.get, _ACTIVE)):
        if Path(folder).resolve() == Path(sys.prefix).resolve():
            return own
        try:
            found = python_at(folder)
        except SandboxError:
            continue
        if not found.frameworks < own.frameworks:
            return found
    return own


def chosen_python(given: str | None) -> Python:
    """The one of a command's option `--python`, else the active one. Raises `SandboxError`."""
    try:
        return python_at(given) if given else active_python()
    except SandboxError as error:
        raise SandboxError(f"--python: {error}") from None


def interpreter_places(python: str) -> tuple[str, ...]:
    """The read-only paths that a Python needs: its prefix, its base's, where its links lead.

    python: a path, or a name to be found on PATH; a program that is no Python gives its own path
    alone. Folders of packages named in the environment's `.pth` files are among them, editable
    projects are not: the platform has none.
    """
    found = shutil.which(python)
    if found is None:
        return ()
    program = Path(found).absolute()
    links = _links(program)
    prefixes = _prefixes(links)
    prefixes |= _prefixes([link for prefix in prefixes for link in _base(prefix)])
    if program == Path(sys.executable):
        prefixes |= {Path(sys.prefix): None, Path(sys.base_prefix): None}
    wanted = [*links, *prefixes, *_linked_sites(prefixes)]
    return tuple(dict.fromkeys(str(path) for path in wanted))


def our_rooms() -> tuple[str, ...]:
    """The folders of this tool: the platform has none of them, so foreign code must not either."""
    place = Path(__file__).resolve().parents[2]
    return tuple(str(place / room) for room in _OUR_ROOMS if (place / room).is_dir())


def _program(given: str) -> str:
    """The absolute path, links left as they are: an environment's Python is one."""
    word = os.path.expanduser(given)  # noqa: PTH111 - leaves "~" as it is where there is no home
    path = Path(word)
    if path.is_dir():
        programs = (path / "bin" / "python", path / "bin" / "python3")
        inside = next((program for program in programs if program.is_file()), None)
        if inside is None:
            raise SandboxError(f"{given} is a folder without bin/python: {_EXPECTED}")
        return str(inside.absolute())
    found = shutil.which(word)  # "./python" is not to be looked for on PATH
    if found is None:
        why = "is no program that may be started" if path.exists() else "is not there"
        raise SandboxError(f"{given} {why}: {_EXPECTED}")
    return str(Path(found).absolute())


def _output(path: str, *words: str) -> str:
    try:
        done = heard([path, *words], SECONDS)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{path} did not answer within {SECONDS:.0f} s: {_EXPECTED}") from None
    except OSError as error:
        why = error.strerror or error
        raise SandboxError(f"{path} could not be started ({why}): {_EXPECTED}") from None
    return (done.stdout or done.stderr).strip()


def _links(program: Path) -> list[Path]:
    """The program, and each place that its links lead to, as far as this user may look."""
    found = [program]
    while os.path.islink(found[-1]) and len(found) < 40:  # noqa: PTH114 - a closed folder is no error
        target = found[-1].parent / found[-1].readlink()
        found.append(Path(os.path.normpath(target)))
    return [*found, program.resolve()]


def _prefixes(programs: Iterable[Path]) -> dict[Path, None]:
    """The folders of programs in bin/ that hold an environment or an installed Python, in order."""
    folders = dict.fromkeys(program.parent.parent for program in programs)
    return {folder: None for folder in folders if _holds_a_python(folder)}


def _holds_a_python(folder: Path) -> bool:
    # os.path finds a folder that this user may not look into not there, and raises nothing.
    if len(folder.parts) < _FEW_PARTS or not os.path.isdir(folder):  # noqa: PTH112
        return False
    return (folder / "pyvenv.cfg").is_file() or any(folder.glob("lib/python3*/os.py"))


def _base(prefix: Path) -> list[Path]:
    """The Pythons that a virtual environment says it was made of."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for line in (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                found += _links(Path(value.strip()) / "python3")
    return found


def _linked_sites(prefixes: Iterable[Path]) -> list[Path]:
    """Folders of packages that the environments' `.pth` files add."""
    lines: list[str] = []
    for prefix in prefixes:
        for file in prefix.glob("lib/python3*/*-packages/*.pth"):
            with contextlib.suppress(OSError):
                lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
    paths = [Path(line.strip()) for line in lines if line.strip().startswith("/")]
    return [path for path in paths if path.name in _SITES]
