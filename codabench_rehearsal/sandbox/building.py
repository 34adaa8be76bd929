"""The steps of a build: wait for the lock, choose a Python, fill the environment, try it, seal it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from codabench_rehearsal.console.errors import FULL, no_room
from codabench_rehearsal.console.temporary import BUILDING, CACHE_VARIABLE, TemporaryFolder
from codabench_rehearsal.sandbox.environments import Environment
from codabench_rehearsal.sandbox.installers import (
    BuildError,
    Installer,
    Workshop,
    known_cause,
    signal_name,
)
from codabench_rehearsal.sandbox.interpreters import Interpreter, find_interpreter
from codabench_rehearsal.sandbox.run import python_environment

FIRST_IMPORT_SECONDS = 600.0  # on a slow disk TensorFlow's first import takes minutes
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)  # some network disks
# Old syntax: the environment's Python may be old. Each package's version as its module tells it.
TRIAL = """
import importlib, importlib.metadata, json, sys
seen = {}
for name in sys.argv[1:]:
    package = importlib.metadata.distribution(name)
    seen[name] = package.version
    for file in package.files or ():
        if file.parts[1:] == ("__init__.py",):
            module = importlib.import_module(file.parts[0])
            seen[name] = str(getattr(module, "__version__", package.version))
sys.stdout.write("\\n" + json.dumps(seen))
"""


@contextmanager
def locked(cache: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold the cache's lock; yields its open file. Waits for another holder, and says so.

    The kernel frees it when its holders have ended, however they end. Raises OSError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / BUILDING).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build is going on in {cache}; waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            say(f"{cache} lies on a disk without locks: start no second build beside this one")
        yield file.fileno()


def choose_python(versions: Sequence[str], installer: Installer, workshop: Workshop) -> Interpreter:
    """The first of the versions that is here, else the first of them fetched by uv."""
    found = find_interpreter(versions, workshop.pythons, needs_venv=not installer.uv)
    if found:
        return found
    none = f"none of Python {', '.join(versions)} was found here"
    if not installer.uv:
        raise BuildError(
            f"{none} with its venv module, and there is no uv that could fetch one: install one "
            f"of them or uv, then try again"
        )
    workshop.say(f"{none}; uv fetches {versions[0]}")
    try:
        workshop.run(installer.fetch_python(versions[0]), f"Python {versions[0]}")
    except BuildError as error:
        raise BuildError(f"{none}, and fetching it failed: {error}", error.detail) from error
    found = find_interpreter(versions[:1], workshop.pythons)
    if not found:
        raise BuildError(f"{none}, and the {versions[0]} that uv fetched does not start here")
    return found


def fill(
    environment: Environment,
    packages: Sequence[str],
    tried: int,
    python: Interpreter,
    installer: Installer,
    workshop: Workshop,
) -> None:
    """Make the environment, install, import once the first `tried` packages, mark it as finished.

    Raises `BuildError`, or OSError where the disk refuses.
    """
    asked = ", ".join(packages)
    workshop.say(f"building {asked} on Python {python.version} in {environment.folder}")
    workshop.run(installer.make(python.path, environment.folder), f"Python {python.version}")
    install = installer.install(environment.python, packages)
    workshop.run(install, f"{asked} for Python {python.version}")
    workshop.say("trying it once")
    environment.seal(packages, python.version, _trial(environment.python, packages[:tried]))


def _trial(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Import every package that was asked for: package -> version."""
    names = [re.split(r"[^A-Za-z0-9._-]", package.strip())[0] for package in packages]
    with _home() as home:
        own = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), **python_environment()}
        try:
            done = subprocess.run(  # noqa: S603 - the Python that was just made
                [python, "-IB", "-c", TRIAL, *names],
                env=own,
                cwd=home,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=FIRST_IMPORT_SECONDS,
                check=True,
            )
            seen = json.loads(done.stdout.splitlines()[-1])
        except subprocess.CalledProcessError as error:
            raise _does_not_start(error.returncode, error.stderr) from error
        except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
            raise BuildError(f"what was installed does not start: {error}") from error
    return {str(name): str(version) for name, version in seen.items()}


@contextmanager
def _home() -> Iterator[Path]:
    """A folder for what Keras writes as it starts. Raises `BuildError` where there is no room for it."""
    place = Path(tempfile.gettempdir())
    try:
        made = TemporaryFolder("trial-", place)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BuildError(no_room(place)) from error
    with made as home:
        yield home


def _does_not_start(code: int, said: str) -> BuildError:
    if code < 0:
        why = f"{signal_name(-code)}; SIGILL: this processor is too old for it, SIGKILL: no memory"
    else:
        why = (said.strip().splitlines() or [f"exit code {code}"])[-1]
    return BuildError(f"what was installed does not start on this machine: {why}", said)


def refused(error: OSError, asked: str, cache: Path) -> BuildError:
    """The sentence for what the disk did not allow."""
    cause = known_cause(str(error), asked, cache) or (
        f"the cache {cache} cannot be used ({error.strerror or error}): set {CACHE_VARIABLE} to "
        "a folder that may be written to"
    )
    return BuildError(cause, str(error))
