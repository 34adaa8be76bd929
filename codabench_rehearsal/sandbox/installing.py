"""uv at work: it finds or fetches a Python, makes an environment and installs; we try the result.

When it fails, what it said is turned into one sentence with what to do.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.console.errors import FULL, no_room
from codabench_rehearsal.console.temporary import CACHE_VARIABLE, TemporaryFolder
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.run import python_environment
from codabench_rehearsal.sandbox.shown import heard, run_shown

# Settings of the shell that would lead uv or its Python astray.
_ASTRAY = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH")
ASK_SECONDS = 60.0  # for the Pythons of this machine to say what they are
FIRST_IMPORT_SECONDS = 600.0  # on a slow disk TensorFlow's first import takes minutes
# TensorFlow and Keras import these modules; a Python built by hand may lack them.
_FIT = (
    "import ctypes, platform, ssl, sys, zlib; assert sys.maxsize > 2**32; "
    "print(platform.python_version())"
)
# Old syntax: the environment's Python may be old. Each package's version as its module tells it.
_TRIAL = """
import importlib, json, sys
seen = {}
for name in sys.argv[1:]:
    import importlib.metadata
    package = importlib.metadata.distribution(name)
    seen[name] = package.version
    for file in package.files or ():
        if file.parts[1:] == ("__init__.py",):
            module = importlib.import_module(file.parts[0])
            seen[name] = str(getattr(module, "__version__", package.version))
sys.stdout.write("\\n" + json.dumps(seen))
"""
# What in uv's or the system's words tells a cause, and what to say of it. The first that matches
# counts: a failed download is told as one even where uv concludes that there is no such package.
_CAUSES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("No space left on device", "os error 28", "Errno 28", "Disk quota exceeded"),
        (
            f"the disk of {{cache}} is full ({{free}} free): make room there, or set "
            f"{CACHE_VARIABLE} to a folder on another disk"
        ),
    ),
    (
        ("invalid peer certificate", "UnknownIssuer", "CERTIFICATE_VERIFY_FAILED"),
        (
            "the certificate of the package index was not accepted, as happens behind a company's "
            "proxy: set SSL_CERT_FILE to its certificates, then try again"
        ),
    ),
    (
        (
            *("dns error", "error sending request", "client error (Connect)", "timed out"),
            *("Could not connect", "network was disabled", "Name or service not known"),
            *("Temporary failure in name resolution", "Network is unreachable"),
            *("Connection refused", "ProxyError"),
        ),
        (
            "{asked} could not be downloaded: there is no way to the network or to the package "
            "index. Connect, or name a mirror in UV_DEFAULT_INDEX, then try again; "
            "it is needed once"
        ),
    ),
    (
        ("Permission denied", "os error 13", "Read-only file system"),
        f"{{cache}} may not be written to: set {CACHE_VARIABLE} to a folder that may",
    ),
    (
        ("No solution found", "no wheels with a matching"),
        (
            "there is no {asked} on this machine ({machine}): use another Python, a machine that "
            "has them (Linux on x86-64 has most), or a docker image"
        ),
    ),
)


class BuildError(SandboxError):
    """An environment could not be built. detail: the end of what uv said."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class NoPythonError(BuildError):
    """There is no such Python here, and none could be fetched."""


@dataclass(frozen=True)
class Uv:
    """uv in our cache. lock: an open file that it keeps open too; say: who is told its steps."""

    cache: Path
    lock: int
    say: Callable[[str], None]

    def python(self, versions: Sequence[str]) -> tuple[str, str]:
        """The first of the versions ("3.11") that is here, else the first, fetched.

        Returns its path and full version. Raises `BuildError`.
        """
        if found := self._find(versions):
            return found
        none = f"none of Python {', '.join(versions)} was found here"
        self.say(f"{none}; uv fetches {versions[0]}")
        try:
            self.run("python", "install", versions[0], asked=f"Python {versions[0]}")
        except BuildError as error:
            raise NoPythonError(f"{none}, and fetching it failed: {error}", error.detail) from error
        if found := self._find(versions[:1]):
            return found
        raise NoPythonError(f"{none}, and the {versions[0]} that uv fetched does not start here")

    def install(self, python: Path, packages: Sequence[str], asked: str) -> None:
        """Install, compiled: a child may not write there, and would compile anew each time."""
        where = ("--python", str(python), "--compile-bytecode")
        self.run("pip", "install", *where, "--", *packages, asked=asked)

    def run(self, *words: str, asked: str) -> None:
        """Run it. Raises `BuildError`; asked: what was wanted, for its sentence."""
        program = _program()
        try:
            settings = self._settings()
            code, said = run_shown([program, *words], settings, self.cache, self.say, self.lock)
        except OSError as error:
            raise BuildError(f"{program} could not be started: {error}") from error
        if code:
            raise BuildError(_explained(code, said, asked, self.cache), said)

    def _find(self, versions: Sequence[str]) -> tuple[str, str] | None:
        """Our own Python and those that uv sees, each asked: some that lie about are of no use."""
        words = [_program(), "python", "list", "--only-installed", "--output-format", "json"]
        listed = json.loads(_answer(words, self._settings()) or "[]")
        seen = [
            (one["version"], one["path"]) for one in listed if one["implementation"] == "cpython"
        ]
        for version in versions:
            for known, path in ((platform.python_version(), sys.executable), *seen):
                if known.startswith(f"{version}."):
                    found = _answer([path, "-I", "-c", _FIT], os.environ)
                    if found.startswith(f"{version}."):
                        return path, found
        return None

    def _settings(self) -> dict[str, str]:
        """The user's own, with his proxies and indexes, but no environment that is active."""
        kept = {key: value for key, value in os.environ.items() if key not in _ASTRAY}
        own = {
            "PATH": os.pathsep.join([os.environ.get("PATH", ""), *_other_pythons()]),
            # In the cache, and no links in ~/.local/bin: what is fetched can go without a trace.
            "UV_PYTHON_INSTALL_DIR": str(self.cache / "tools" / "pythons"),
            "UV_PYTHON_INSTALL_BIN": "0",
            "PYTHONNOUSERSITE": "1",
        }
        return {**kept, **own}


def tried(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Import every package of an environment: package -> version. Raises `BuildError`."""
    place = Path(tempfile.gettempdir())  # for what Keras writes as it starts
    try:
        made = TemporaryFolder("trial-", place)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BuildError(no_room(place)) from error
    with made as home:
        own = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), **python_environment()}
        try:
            words = [str(python), "-IB", "-c", _TRIAL, *map(bare_name, packages)]
            done = heard(words, FIRST_IMPORT_SECONDS, env=own, folder=home)
            seen = {} if done.returncode else json.loads(done.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
            raise BuildError(f"what was installed does not start: {error}") from error
    if done.returncode:
        raise _does_not_start(done.returncode, done.stderr)
    return {str(name): str(version) for name, version in seen.items()}


def bare_name(requirement: str) -> str:
    """The package that a requirement is about, as it is spelt there."""
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0]


def machine() -> str:
    """The system and processor, for names and messages."""
    return f"{platform.system()} {platform.machine()}"


def refused(error: OSError, asked: str, cache: Path) -> BuildError:
    """The sentence for what the disk did not allow."""
    cause = _known_cause(str(error), asked, cache) or (
        f"the cache {cache} cannot be used ({error.strerror or error}): set {CACHE_VARIABLE} to "
        "a folder that may be written to"
    )
    return BuildError(cause, str(error))


def _program() -> str:
    """The uv that is installed with us. Raises `BuildError`."""
    try:
        from uv import find_uv_bin  # only a build needs it

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise BuildError(
            f"uv, which builds it, is not installed: {sys.executable} -m pip install uv"
        ) from error


def _other_pythons() -> list[str]:
    """Where pyenv and the user's uv have theirs, which uv does not look for by itself here."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    pyenv = os.environ.get("PYENV_ROOT") or "~/.pyenv"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    roots = (Path(os.path.expanduser(root)) for root in (f"{pyenv}/versions", uv))  # noqa: PTH111 - leaves "~" as it is where there is no home
    return [str(folder) for root in roots for folder in sorted(root.glob("*/bin"))]


def _answer(words: Sequence[str], settings: Mapping[str, str]) -> str:
    """What a program prints; "" where it does not start or fails."""
    try:
        done = heard(words, ASK_SECONDS, env=settings)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "" if done.returncode else done.stdout.strip()


def _does_not_start(code: int, said: str) -> BuildError:
    if code < 0:
        why = f"{_signal(-code)}; SIGILL: this processor is too old for it, SIGKILL: no memory"
    else:
        why = (said.strip().splitlines() or [f"exit code {code}"])[-1]
    return BuildError(f"what was installed does not start on this machine: {why}", said)


def _explained(code: int, said: str, asked: str, cache: Path) -> str:
    """One sentence for uv's failure, and what to do."""
    if cause := _known_cause(said, asked, cache):
        return cause
    if code < 0:
        return f"installing {asked} was ended by {_signal(-code)}: try again"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith("error")]
    shown = (telling or lines[-1:] or ["it said nothing"])[0]
    return f"{asked} could not be installed (exit code {code}): {shown}"


def _known_cause(said: str, asked: str, cache: Path) -> str:
    """The sentence for what uv or the system said; "" where it tells no cause we know."""
    sentence = next((text for signs, text in _CAUSES if any(sign in said for sign in signs)), "")
    return sentence.format(asked=asked, cache=cache, free=_free(cache), machine=machine())


def _free(cache: Path) -> str:
    try:
        return f"{shutil.disk_usage(cache).free / 1e9:.1f} GB"
    except OSError:
        return "an unknown amount"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
