"""What makes an environment: uv, found here or fetched into our cache, else Python's own venv and pip.

What an installer says when it fails is turned into one sentence with what to do.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from codabench_rehearsal.console.temporary import CACHE_VARIABLE
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.shown import run_shown

# Settings of the shell that would lead an installer or its Python astray.
_ASTRAY = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_USER")
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "1")


class BuildError(SandboxError):
    """An environment could not be built. detail: the end of what the installer said."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True)
class Installer:
    """uv by the words that start it; without any, venv and pip."""

    uv: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For messages."""
        return "uv" if self.uv else "pip"

    def make(self, python: str, folder: Path) -> list[str]:
        """The command that makes an empty environment on a Python."""
        if self.uv:
            return [*self.uv, "venv", "--quiet", "--python", python, str(folder)]
        return [python, "-m", "venv", str(folder)]

    def install(self, python: Path, packages: Sequence[str]) -> list[str]:
        """The command that installs packages into an environment.

        It compiles them too: a child may not write there, and would compile anew each time.
        """
        if self.uv:
            pip = [*self.uv, "pip", "install", "--python", str(python), "--compile-bytecode"]
            return [*pip, "--", *packages]
        return [str(python), *_PIP, "install", "--", *packages]

    def fetch_python(self, version: str) -> list[str]:
        """The command by which uv fetches a Python."""
        return [*self.uv, "python", "install", version]


@dataclass(frozen=True)
class Workshop:
    """Where installers run: our cache, the lock that they keep, and who is told.

    held: the open file of the lock.
    """

    cache: Path
    held: int
    say: Callable[[str], None]

    @property
    def pythons(self) -> Path:
        """Where uv puts the Pythons that it fetches for us."""
        return self.cache / "tools" / "pythons"

    def run(self, words: Sequence[str], asked: str) -> None:
        """Run an installer. Raises `BuildError`; asked: what was wanted, for its sentence."""
        try:
            ended = run_shown(words, self.environment(), self.cache, self.say, self.held)
        except OSError as error:
            raise BuildError(f"{words[0]} could not be started: {error}") from error
        if ended.code:
            sentence = explain(ended.code, ended.output, asked, self.cache)
            raise BuildError(sentence, ended.output)

    def environment(self) -> dict[str, str]:
        """The user's own, with his proxies and indexes, but no environment that is active."""
        kept = {key: value for key, value in os.environ.items() if key not in _ASTRAY}
        # In the cache, and no links to it in ~/.local/bin: what we fetch can go without a trace.
        own = {"UV_PYTHON_INSTALL_DIR": str(self.pythons), "UV_PYTHON_INSTALL_BIN": "0"}
        return {**kept, **own, "PYTHONNOUSERSITE": "1"}

    def installer(self) -> Installer:
        """The best there is: uv from here, or fetched by pip, else venv and pip."""
        own = self.cache / "tools" / "uv"
        if words := find_uv(own):
            return Installer(words)
        self.say("uv is not installed; fetching it into the cache")
        shutil.rmtree(own, ignore_errors=True)
        fetch = [sys.executable, *_PIP, "install", "--no-user", "--target", str(own), "uv"]
        try:
            self.run(fetch, "uv")
        except BuildError:
            self.say("uv could not be fetched; using Python's own venv and pip")
        return Installer(find_uv(own))


def find_uv(own: Path) -> tuple[str, ...]:
    """The words that start a uv which runs here, or none. own: where pip put one for us."""
    for words in _uv_places(own):
        try:
            subprocess.run(  # noqa: S603 - the user's own uv, asked for its version
                [*words, "--version"], capture_output=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return words
    return ()


def _uv_places(own: Path) -> Iterator[tuple[str, ...]]:
    if found := shutil.which("uv"):
        yield (found,)
    beside = Path(sys.executable).parent / "uv"
    usual = [Path(os.path.expanduser(f"~/{place}/bin/uv")) for place in (".local", ".cargo")]  # noqa: PTH111 - leaves "~" as it is where there is no home
    for path in (beside, *usual):
        if path.is_file():
            yield (str(path),)
    if find_spec("uv"):
        yield (sys.executable, "-m", "uv")
    if (own / "bin" / "uv").is_file():
        yield (str(own / "bin" / "uv"),)


@dataclass(frozen=True)
class _Cause:
    """What in an installer's words tells a cause, and what to say of it."""

    signs: tuple[str, ...]
    sentence: str


# The first that matches counts: a failed download is told as one even where pip or uv conclude
# that there is no such package.
_CAUSES = (
    _Cause(
        ("No space left on device", "os error 28", "Errno 28", "Disk quota exceeded"),
        f"the disk of {{cache}} is full ({{free}} free): make room there, or set {CACHE_VARIABLE} "
        "to a folder on another disk",
    ),
    _Cause(
        ("invalid peer certificate", "UnknownIssuer", "CERTIFICATE_VERIFY_FAILED"),
        "the certificate of the package index was not accepted, as happens behind a company's "
        "proxy: set SSL_CERT_FILE to its certificates, then try again",
    ),
    _Cause(
        (
            *("dns error", "error sending request", "client error (Connect)", "timed out"),
            *("Could not connect", "network was disabled", "NewConnectionError", "ConnectTimeout"),
            *("Name or service not known", "Temporary failure in name resolution"),
            *("Network is unreachable", "Connection refused", "ProxyError"),
        ),
        "{asked} could not be downloaded: there is no way to the network or to the package index. "
        "Connect, or name a mirror in UV_DEFAULT_INDEX, then try again; it is needed once",
    ),
    _Cause(
        ("Permission denied", "os error 13", "Read-only file system"),
        f"{{cache}} may not be written to: set {CACHE_VARIABLE} to a folder that may",
    ),
    _Cause(
        ("No solution found", "No matching distribution", "no wheels with a matching"),
        "there is no {asked} on this machine ({machine}): use another Python, a machine that has "
        "them (Linux on x86-64 has most), or a docker image",
    ),
)


def explain(code: int, output: str, asked: str, cache: Path) -> str:
    """One sentence for an installer's failure, and what to do."""
    if cause := known_cause(output, asked, cache):
        return cause
    if code < 0:
        return f"installing {asked} was ended by {signal_name(-code)}: try again"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith("error")]
    said = (telling or lines[-1:] or ["it said nothing"])[0]
    return f"{asked} could not be installed (exit code {code}): {said}"


def known_cause(said: str, asked: str, cache: Path) -> str:
    """The sentence for what an installer or the system said; "" where it tells no cause we know."""
    facts = {"asked": asked, "cache": cache, "free": _free(cache), "machine": machine()}
    for cause in _CAUSES:
        if any(sign in said for sign in cause.signs):
            return cause.sentence.format_map(facts)
    return ""


def machine() -> str:
    """The system and processor, for names and messages."""
    return f"{platform.system()} {platform.machine()}"


def signal_name(number: int) -> str:
    """The name of a signal: SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _free(cache: Path) -> str:
    try:
        return f"{shutil.disk_usage(cache).free / 1e9:.1f} GB"
    except OSError:
        return "an unknown amount"
