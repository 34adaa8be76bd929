"""What is wrong with a submission, in a form that people and programs can read.

Four kinds of verdict are never mixed. "fails": the platform would end with Failed, an error.
"unknown": it hangs on what nobody knows of the server, a warning. "rules": against the challenge's
words or good sense, but scored, a warning. "scores": it runs, and is scored as if it were broken;
an error, and only ever from labelled images.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import one_line, several_lines

Severity = Literal["error", "warning", "note"]
Kind = Literal["fails", "unknown", "rules", "scores", ""]
LONGEST_MESSAGE = 2000  # characters


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity: "error" would fail or score garbage on the platform, "warning" fails on some servers
    or costs score, "note" is waste, or was read and refuted by a run. message: what was found.
    advice: what to do about it. detail: a trimmed traceback or log, when there is one. kind: of the
    verdict, see above; "" for what is none.

    Names and texts from files are cleaned here, on their way in (`console.words`): message and advice
    are one line each, detail keeps its lines.
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


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of them is an error."""
    return any(finding.severity == "error" for finding in findings)


def without(
    findings: Iterable[Finding], ignored: frozenset[str]
) -> tuple[list[Finding], dict[str, int]]:
    """The findings whose codes are not ignored, and how often each ignored code was found."""
    kept: list[Finding] = []
    left_out: dict[str, int] = {}
    for finding in findings:
        if finding.code in ignored:
            left_out[finding.code] = left_out.get(finding.code, 0) + 1
        else:
            kept.append(finding)
    return kept, left_out


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


# The one table of codes: packing (S5), runs (S6, S7), and the steps that static checks predict to fail.
#
# The checks themselves (S1 to S4) carry their advice in their docstrings, see `checks/subject.py`.
# What runs refutes what was read: when a dry run has passed the step that a finding predicts to fail,
# in an environment that it speaks of, the finding becomes a note that says so.


Step = Literal["import", "class", "init", "method", "predict", "answer"]
STEPS: tuple[Step, ...] = get_args(Step)

# The last step at which the mistake would show; a file may be loaded as late as in `predict`.
PREDICTS: dict[Step, frozenset[str]] = {
    "import": frozenset(("S103", "S201", "S205", "S206", "S207", "S214", "S215")),
    "class": frozenset(("S202",)),
    "init": frozenset(("S203",)),
    "predict": frozenset((
        "S104", "S204", "S208", "S210", "S213", "S226", "S227", "S228", "S301", "S302", "S303", "S305", "S307",
        "S308", "S309", "S310", "S311", "S313", "S314", "S315", "S319", "S320", "S322", "S326",
    )),
    "answer": frozenset(("S222", "S223", "S224", "S225", "S312")),
}  # fmt: skip
# They speak of the server's versions: only a run under those refutes them.
OF_THE_SERVER = frozenset(("S206", "S207", "S303", "S309", "S313", "S320"))
OF_THE_FOLDER = frozenset(("S306",))  # of the working folder: a run in both refutes them
# Warnings of static checks by the kind of their verdict; those that are left out are advice.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("S108", "S222", "S224"), "rules"),
    "S323": "scores",
    **dict.fromkeys(("S112", "S113", "S120", "S207", "S211", "S216", "S228", "S306", "S325", "S326", "S405", "S406"), "unknown"),
}  # fmt: skip
# What cannot be unpacked or has no module at all is not run.
STOPS = frozenset(("S101", "S102", "S105", "S106", "S107", "S115", "S119"))


@dataclass(frozen=True)
class Code:
    """One line of the table: severity and kind of verdict as a rule, what it is, what to do."""

    code: str
    severity: Severity
    name: str
    advice: str
    kind: Kind = ""


_TABLE = {line.code: line for line in (
    Code("S501", "warning", "scale assumed", "Trained on images / 255? Say --scale 0..1; a mismatch is silent on the platform."),
    Code("S502", "warning", "server's Keras not in our tables", "Save the weights with the server's Keras.", "unknown"),
    Code("S503", "note", "split says nothing of some networks", "Put a split.json beside each of the weights; then held-out images are known."),
    Code("S600", "error", "run could not start", "Read the log below.", "fails"),
    Code("S601", "error", "import failed", "The last line of the traceback says what stopped it; the platform imports the file the same way.", "fails"),
    Code("S602", "error", "class missing", "Define the class with this very name.", "fails"),
    Code("S603", "error", "constructor failed", "The last line of the traceback says what stopped it; the platform makes the object the same way.", "fails"),
    Code("S604", "error", "method missing", "Define it: it is called with the images.", "fails"),
    Code("S605", "error", "predict failed", "The last line of the traceback says what stopped it; the platform calls it the same way.", "fails"),
    Code("S606", "error", "answer cannot be scored", "Return a numpy array of n integer labels.", "fails"),
    Code("S607", "error", "time limit reached", "Predict in larger batches, or use a smaller model.", "fails"),
    Code("S608", "error", "memory limit reached", "Predict in batches; never copy the whole set as floats.", "fails"),
    Code("S609", "error", "process ended by itself", "Something ended Python itself: os._exit, a crash in native code, or the system's memory killer.", "fails"),
    Code("S611", "error", "too many processes", "Do not fork inside a submission: one process and its threads are enough.", "fails"),
    Code("S612", "error", "too much output", "Print less: predict with verbose=0; the platform keeps every line.", "fails"),
    Code("S613", "error", "too much written to disk", "Keep arrays in memory and in batches; write nothing.", "fails"),
    Code("S614", "warning", "answers of another type than asked for", "Return np.asarray(labels).astype(int).reshape(-1): it is scored as it is, where scoring uses accuracy_score.", "rules"),
    Code("S615", "error", "standard output closed", "Leave the streams open: the platform's own program prints to them.", "fails"),
    Code("S701", "warning", "answers differ the second time", "Seed every draw, call networks with training=False, and keep nothing from call to call.", "rules"),
    Code("S702", "warning", "answers depend on the batch", "The platform asks once for all images. No statistics of the batch: no X.max() or X.mean() over all images, no training=True; each image by itself. Figures of local-eval hang on its blocks and their order until then.", "rules"),
    Code("S703", "warning", "answers depend on the order", "Keep the images' order: no sorting or shuffling, nothing that remembers other images. Figures of local-eval hang on its order until then (--order-seed).", "rules"),
    Code("S704", "warning", "answers differ for float images", "Convert first: X = X.astype('float32'). Nobody has written down which type the platform sends.", "unknown"),
    Code("S705", "warning", "fails from the other working folder", "Open files beside model.py: Path(__file__).parent / 'weights.keras'.", "unknown"),
    Code("S706", "error", "would exceed the time limit", "Predict in larger batches, use fewer views or a smaller model.", "fails"),
    Code("S707", "error", "would exceed the memory limit", "Predict in batches and keep labels only; never copy the whole set as floats.", "fails"),
    Code("S708", "error", "answers fit another reading", "Feed what the network was trained on.", "scores"),
    Code("S709", "error", "one class for every image", "Most often a scale mismatch: trained on 0..1 but fed 0..255, or another preprocess_input.", "scores"),
    Code("S710", "warning", "threads or processes left behind", "End them before predict returns, or start threads with daemon=True: the platform's run does not end before they do.", "unknown"),
    Code("S711", "warning", "tried the network", "Put what it fetches into the zip: the platform may have no network.", "unknown"),
    Code("S712", "warning", "terminal escapes in the output", "Print plain text.", "rules"),
    Code("S713", "warning", "changed its own files", "Leave the shipped files alone; write into tempfile.mkdtemp().", "unknown"),
    Code("S714", "warning", "other answers under the server's versions", "Save the weights with the server's Keras, or find the layer that differs.", "scores"),
    Code("S715", "warning", "changed the working folder", "Use absolute paths instead of os.chdir: the platform's own program may write its answers relative to where it started.", "unknown"),
    Code("S716", "error", "no better than guessing", "Look at the order of the images, at the weights that are loaded, and at the scale they are fed.", "scores"),
    Code("S717", "warning", "needs what one generation of the worker alone has", "Open files beside model.py, Path(__file__).parent / NAME, and write into tempfile.mkdtemp().", "unknown"),
    Code("S718", "error", "wrote the platform's own metadata", "Write nothing into /app/output: the platform puts a file `metadata` there itself, and fails where one is.", "fails"),
)}  # fmt: skip


def run_codes() -> tuple[Code, ...]:
    """The codes of packing and of runs, in order."""
    return tuple(_TABLE.values())


def found(
    code: str,
    message: str,
    severity: Severity | None = None,
    advice: str = "",
    detail: str = "",
    kind: Kind | None = None,
) -> Finding:
    """A finding with the table's severity, advice and kind where none are given."""
    line = _TABLE[code]
    weight = severity or line.severity
    verdict = line.kind if kind is None else kind
    return Finding(code, weight, message, advice or line.advice, detail, verdict)


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
) -> Finding:
    """The finding as it stands once a run has passed all steps up to `passed` (None: not one).

    place: where it ran, for people. is_server: whether that was under the server's own versions.
    anywhere: whether it ran in both working folders.
    """
    step = step_of(finding.code)
    passes = step is not None and passed is not None and STEPS.index(step) <= STEPS.index(passed)
    if finding.code in OF_THE_SERVER:
        passes = passes and is_server
    if finding.code in OF_THE_FOLDER:
        passes = anywhere
    if not passes or finding.severity == "note":
        return finding
    said = f"{finding.message}: read so, but it ran {place}"
    return replace(finding, severity="note", message=said, advice="Nothing to do.", kind="")


def stops(findings: Iterable[Finding]) -> bool:
    """Whether there is nothing to run."""
    return any(f.severity == "error" and f.code in STOPS for f in findings)
