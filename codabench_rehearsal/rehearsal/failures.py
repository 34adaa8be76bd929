"""Why a run failed, in plain words; the causes are in `failures.toml`, the particular first.

What a missing package means hangs on where it ran: of an environment that we built it says nothing,
for nobody has published the server's packages.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.challenge.program_source.packages import PIP_NAMES
from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import cleaned, uncoloured
from codabench_rehearsal.sandbox.outcome import Problem
from codabench_rehearsal.sandbox.places import python_at
from codabench_rehearsal.sandbox.server import package_name
from submission.checks.imports import GONE, OURS, OWN_FILES
from submission.findings import Finding, found

LONGEST_TRACE = 30  # lines
_LIMITS = ("time", "memory", "processes", "log", "disk")
_ELSEWHERE = (
    "Whether it runs cannot be told from here: check it where user namespaces are allowed, or do "
    "without them."
)
_NO_MODULE = re.compile(r"No module named '?([A-Za-z_]\w*)'?(?![\w.])")
# Libraries that look for another one themselves: "Could not import PIL.Image", "requires SciPy".
_NEEDS = re.compile(
    r"(?i)(?:could not import|requires?|needs?|please install|pip install|install) (?:the )?"
    r"[`'\"]?([A-Za-z][\w-]*)"
)


@dataclass(frozen=True)
class Environment:
    """Where a run takes place. name: for people, as in "under TensorFlow 2.17.0".

    is_server: its word is the last.
    """

    name: str
    python: str = field(default=sys.executable, compare=False)  # "here" is one place with any
    image: str | None = None
    is_server: bool = False

    @property
    def is_built(self) -> bool:
        """Whether we built it: its packages are the server's only in part."""
        return self.is_server and self.image is None


HERE = Environment("here")


def explain(problem: Problem, challenge: Challenge) -> Finding:
    """The finding for a failed run: code, one sentence, what to do, and the trimmed traceback.

    What this machine alone refused is unknown of the platform, and no error.
    """
    stages = failures()["stages"]
    code, what = stages.get(problem.stage, stages["start"])
    names = {
        "module": challenge.module,
        "class": challenge.class_name,
        "method": challenge.method,
        "kind": problem.kind,
    }
    raised = problem.stage not in ("answer", "exit", *_LIMITS)
    said = f"{problem.kind}: {problem.message}" if raised else problem.message
    message, detail = f"{what.format(**names)}: {plain(said, 400)}", trim(problem.trace)
    if problem.refused:
        message += f" ({problem.refused} are refused on this machine and not on the platform)"
        return found(code, message, "warning", _ELSEWHERE, detail, "unknown")
    return found(code, message, advice=advice_for(problem, names), detail=detail)


def advice_for(problem: Problem, names: Mapping[str, str]) -> str:
    """What to do about a problem, "" for one that is not in the table. names: see `_fits`."""
    causes = (cause for cause in failures()["causes"] if _fits(cause, problem, names))
    return str(next(causes, {"advice": ""})["advice"])


def missing_package(problem: Problem | None) -> str | None:
    """What pip calls the third-party package that was not found; None for any other problem.

    A name that is neither well known nor installed with this tool may as well be a file that the
    zip lacks: None.
    """
    if problem is None or problem.kind not in ("ModuleNotFoundError", "ImportError"):
        return None
    if found := _NO_MODULE.search(problem.message):
        return pip_name(found[1])
    asked = (pip_name(word) for word in _NEEDS.findall(problem.message))
    return next((name for name in asked if name), None)


def pip_name(module: str) -> str | None:
    """What pip calls the package that brings a top-level module; None for one not known."""
    spellings = {
        name.lower(): name
        for name in (*PIP_NAMES, *(set(failures()["same_names"].split()) - OWN_FILES))
    }
    known = spellings.get(module.replace("-", "_").lower())
    if known:
        return PIP_NAMES.get(known, package_name(known))
    if module in sys.stdlib_module_names or module in OWN_FILES | OURS | GONE.keys():
        return None
    if module.lower() in {name.lower() for name in PIP_NAMES.values()}:
        return module.lower()
    brings = importlib.metadata.packages_distributions().get(module)
    return brings[0].lower() if brings else None


def with_packages(
    findings: Iterable[Finding], problem: Problem | None, where: Environment
) -> list[Finding]:
    """The findings of a run somewhere, that of a missing package told as what it is.

    An image is its owner's word of what the server has: there it stays a failure like any other.
    """
    package = missing_package(problem)
    if package is None or not (where.is_built or where == HERE):
        return list(findings)
    told: dict[str, str] = {}
    if where.is_built:
        told["message"] = (
            f"the server's packages are not known; {package} is not in the environment we built: "
            f"--with {package}"
        )
        told["advice"] = (
            f"If the server has it, say so: --with {package}, best with its version there; if not, "
            "do without it."
        )
        told |= {"severity": "warning", "kind": "unknown"}
    else:
        install = python_at(where.python).install(package)
        told["advice"] = (
            f"Install it here: {install}. The server may lack it: its packages are not known."
        )
    return [replace(f, **told) if f.code.startswith("S60") else f for f in findings]  # type: ignore[arg-type]  # fields of a finding


def unknown_package(problem: Problem | None, where: Environment) -> str:
    """What is not checked because nobody knows whether the server has a package; "" if nothing."""
    package = missing_package(problem) if where.is_built else None
    return (
        f"whether it runs {where.name}: {package} was missing (--with {package})" if package else ""
    )


def plain(text: str, longest: int) -> str:
    """Foreign text on one line: no escapes or control characters, cut to a length."""
    line = cleaned(" ".join(uncoloured(text[: 50 * longest]).split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def trim(trace: str) -> str:
    """The end of a traceback or log, without terminal escapes."""
    lines = [cleaned(line[:300], "\t") for line in uncoloured(trace).rstrip().split("\n")]
    if len(lines) > LONGEST_TRACE:
        lines = [f"[... {len(lines) - LONGEST_TRACE} lines cut ...]", *lines[-LONGEST_TRACE:]]
    return "\n".join(lines)


@functools.cache
def failures() -> dict[str, Any]:
    """What `failures.toml` holds."""
    text = resources.files("codabench_rehearsal.rehearsal") / "failures.toml"
    return parse_toml(text.read_text(encoding="utf-8"))


def _fits(cause: Mapping[str, Any], problem: Problem, names: Mapping[str, str]) -> bool:
    """names: of "class" and "method"; a cause about one that is not known fits nothing."""
    said = cause.get("said", "")
    for name in ("class", "method"):
        if f"{{{name}}}" in said and not names.get(name):
            return False
        said = said.replace(f"{{{name}}}", re.escape(names.get(name, "")))
    return (
        problem.kind in cause.get("kinds", [problem.kind])
        and problem.stage in cause.get("stages", [problem.stage])
        and bool(re.search(said, problem.message, re.IGNORECASE))
    )
