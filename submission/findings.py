"""What is wrong with a submission, in a form that people and programs can read.

Four kinds of verdict are never mixed. "fails": the platform would end with Failed, an error.
"unknown": it hangs on what nobody knows of the server, a warning. "rules": against the challenge's
words or good sense, but scored, a warning. "scores": it runs, and is scored as if it were broken;
an error, and only ever from labelled images.

The checks (S1 to S4) carry name and advice in their code; those of packing (S5) and of runs (S6,
S7) are in `codes.toml`.
"""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal, get_args

from codabench_rehearsal.console.coded import Severity as Severity
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import one_line, several_lines

Kind = Literal["fails", "unknown", "rules", "scores", ""]
Step = Literal["import", "class", "init", "method", "predict", "answer"]
STEPS: tuple[Step, ...] = get_args(Step)
LONGEST_MESSAGE = 2000  # characters


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What runs refutes what was read: when a dry run has passed the step that a finding predicts to
# fail, in an environment that it speaks of, the finding becomes a note that says so.
# The last step at which the mistake would show; a file may be loaded as late as in `predict`.
PREDICTS: dict[Step, frozenset[str]] = {
    "import": _codes("S103 S201 S205 S206 S207 S214 S215"),
    "class": _codes("S202"),
    "init": _codes("S203"),
    "predict": _codes(
        "S104 S204 S208 S210 S213 S226 S227 S228 S301 S302 S303 S305 S307 S308 S309 S310 S311 "
        "S313 S314 S315 S319 S320 S322 S326 S327"
    ),
    "answer": _codes("S222 S223 S224 S225 S312"),
}
# They speak of the server's versions: only a run under those refutes them.
OF_THE_SERVER = _codes("S206 S207 S303 S309 S313 S320")
OF_THE_FOLDER = _codes("S306")  # of the working folder: a run in both refutes them
OF_CASE = _codes("S327")  # a disk that takes Model.py for model.py says nothing of them
# Warnings of static checks by the kind of their verdict; those that are left out are advice.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(_codes("S108 S222 S224"), "rules"),
    "S323": "scores",
    **dict.fromkeys(
        _codes("S112 S113 S120 S207 S211 S216 S228 S306 S325 S326 S405 S406"), "unknown"
    ),
}
# What cannot be unpacked or has no module at all is not run.
STOPS = _codes("S101 S102 S105 S106 S107 S115 S119")


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity: "error" would fail or score garbage on the platform, "warning" fails on some servers
    or costs score, "note" is waste, or was read and refuted by a run. message: what was found.
    advice: what to do about it. detail: a trimmed traceback or log, when there is one. kind: of the
    verdict, see above; "" for what is none.

    Names and texts from files are cleaned here, on their way in (`console.words`): message and
    advice are one line each, detail keeps its lines.
    """

    code: str
    severity: Severity
    message: str
    advice: str = ""
    detail: str = ""
    kind: Kind = ""

    def __post_init__(self) -> None:
        for name in ("message", "advice"):
            object.__setattr__(self, name, one_line(getattr(self, name), LONGEST_MESSAGE))
        object.__setattr__(self, "detail", several_lines(self.detail))

    @property
    def is_unknown(self) -> bool:
        """Whether it hangs on what nobody knows of the server: it is told under "not checked"."""
        return self.kind == "unknown" and self.severity == "warning"


@dataclass(frozen=True)
class Said:
    """What a check says of one thing, where it is less or more than the check's own rule."""

    message: str
    severity: Severity | None = None
    advice: str = ""
    kind: Kind | None = None


@dataclass(frozen=True)
class Code:
    """One line of the table: severity and kind of verdict as a rule, what it is, what to do."""

    severity: Severity
    name: str
    advice: str
    kind: Kind = ""


@functools.cache
def run_codes() -> dict[str, Code]:
    """The codes of packing and of runs, in order."""
    text = (resources.files("submission") / "codes.toml").read_text(encoding="utf-8")
    return {code: Code(**line) for code, line in parse_toml(text).items()}


def found(
    code: str,
    message: str,
    severity: Severity | None = None,
    advice: str = "",
    detail: str = "",
    kind: Kind | None = None,
) -> Finding:
    """A finding with the table's severity, advice and kind where none are given."""
    line = run_codes()[code]
    verdict = line.kind if kind is None else kind
    weight = severity or line.severity
    return Finding(code, weight, message, advice or line.advice, detail, verdict)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of them is an error."""
    return any(finding.severity == "error" for finding in findings)


def without(
    findings: Iterable[Finding], ignored: frozenset[str]
) -> tuple[list[Finding], dict[str, int]]:
    """The findings whose codes are not ignored, and how often each ignored code was found."""
    every = list(findings)
    left_out = Counter(finding.code for finding in every if finding.code in ignored)
    return [finding for finding in every if finding.code not in ignored], dict(left_out)


def known_codes(given: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Codes as a user writes them, any case. Raises `SubmissionError` for one that there is not."""
    among = sorted(set(known))
    codes = frozenset(code.strip().upper() for code in given if code.strip())
    for code in sorted(codes):
        if code not in among:
            near = difflib.get_close_matches(code, among, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "--list-checks prints them all."
            raise SubmissionError(f"No check {code!r}; {hint}")
    return codes


def step_of(code: str) -> Step | None:
    """The step that a code predicts to fail; None where it predicts none."""
    return next((step for step, codes in PREDICTS.items() if code in codes), None)


def refuted(
    finding: Finding,
    passed: Step | None,
    place: str,
    *,
    is_server: bool,
    anywhere: bool = False,
    tells_case: bool = True,
) -> Finding:
    """The finding as it stands once a run has passed all steps up to `passed` (None: not one).

    place: where it ran, for people. is_server: whether that was under the server's own versions.
    anywhere: whether it ran in both working folders. tells_case: whether upper and lower case in
    file names make a difference there, as they do on the platform.
    """
    step = step_of(finding.code)
    passes = step is not None and passed is not None and STEPS.index(step) <= STEPS.index(passed)
    if finding.code in OF_THE_SERVER:
        passes = passes and is_server
    if finding.code in OF_THE_FOLDER:
        passes = anywhere
    passes = passes and (tells_case or finding.code not in OF_CASE)
    if not passes or finding.severity == "note":
        return finding
    said = f"{finding.message}: read so, but it ran {place}"
    return replace(finding, severity="note", message=said, advice="Nothing to do.", kind="")


def stops(findings: Iterable[Finding]) -> bool:
    """Whether there is nothing to run."""
    return any(f.severity == "error" and f.code in STOPS for f in findings)
