"""How a run failed, in plain words: the submission's own traceback, and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from submission.findings import Finding

LONGEST_TRACE = 30
_LIMITS = ("time", "memory", "processes", "log", "disk")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[^\[]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Failure:
    """Where and how a submission failed; stages and kinds as `sandbox.ingest.Problem` has them."""

    stage: str
    kind: str
    message: str
    trace: str = ""


@dataclass(frozen=True)
class _Meaning:
    code: str
    what: str
    advice: str


_BY_STAGE = {
    "start": _Meaning("S600", "the run could not start", "Read the log below."),
    "import": _Meaning("S601", "importing {module}.py failed", "Mend it; the platform imports it the same way."),
    "class": _Meaning("S602", "{module}.py has no class {class}", "Define the class with this very name."),
    "init": _Meaning("S603", "{class}() failed", "The platform calls it without arguments; mend what it does."),
    "method": _Meaning("S604", "{class} has no method {method}", "Define it: it is called with the images."),
    "predict": _Meaning("S605", "{method}(X) failed", "Mend it: X is uint8 (n, h, w, c), values 0..255."),
    "answer": _Meaning("S606", "{method}(X) gave an answer that cannot be scored", "Return a numpy array of n integer labels."),
    "time": _Meaning("S607", "the time limit was reached", "Predict in larger batches, or use a smaller model."),
    "memory": _Meaning("S608", "the memory limit was reached", "Predict in batches; never copy the whole set as floats."),
    "processes": _Meaning("S611", "the limit of processes was reached", "Do not fork inside a submission: one process and its threads are enough."),
    "log": _Meaning("S612", "the limit of output was reached", "Print less: predict with verbose=0; the platform keeps every line."),
    "disk": _Meaning("S613", "the limit of disk space was reached", "Keep arrays in memory and in batches; write nothing."),
    "output": _Meaning("S609", "standard output is closed", "Leave the streams open: the platform's own program prints to them."),
    "exit": _Meaning("S609", "the process ended by itself while at the stage {kind}", "Something ended Python itself: os._exit, a crash in native code, or the system's memory killer (exit code -9)."),
}  # fmt: skip

_AS_FLOATS = "X is uint8 and cannot hold the result: begin with X = X.astype('float32')."
_BY_KIND: dict[tuple[str, str], str] = {
    ("import", "ModuleNotFoundError"): "Put the module into the zip, or do without the package: the server may lack it.",
    ("import", "SyntaxError"): "Run `python -m py_compile` on the file; notebook magics are no Python.",
    ("import", "NameError"): "A name of your notebook is used but never defined or imported in the file.",
    ("init", "FileNotFoundError"): "Open the weights beside the file: Path(__file__).parent / 'weights.keras', and put them into the zip.",
    ("predict", "NameError"): "A name of your notebook is used but never defined or imported in the file.",
    ("predict", "SystemExit"): "sys.exit() ends the platform's own program: remove it.",
    ("predict", "MemoryError"): "Predict in batches; never copy the whole set as floats.",
    ("predict", "UFuncTypeError"): _AS_FLOATS,
    ("predict", "_UFuncOutputCastingError"): _AS_FLOATS,
}  # fmt: skip


def explain(
    failure: Failure, module: str = "model", class_name: str = "Model", method: str = "predict"
) -> Finding:
    """The finding for a failed run: code, one sentence, what to do, and the trimmed traceback."""
    meaning = _BY_STAGE.get(failure.stage, _BY_STAGE["start"])
    names = {"module": module, "class": class_name, "method": method, "kind": failure.kind}
    what = meaning.what.format(**names)
    raised = failure.stage not in ("answer", "exit", *_LIMITS)
    said = f"{failure.kind}: {failure.message}" if raised else failure.message
    advice = _BY_KIND.get((failure.stage, failure.kind)) or _looks_like(failure) or meaning.advice
    return Finding(
        meaning.code, "error", f"{what}: {plain(said, 400)}", advice, trim(failure.trace)
    )


def plain(text: str, longest: int) -> str:
    """Foreign text on one line: no terminal escapes or control characters, cut to a length."""
    line = " ".join(_CONTROL.sub("", text.replace("\n", " ")).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def trim(trace: str) -> str:
    """The end of a traceback or log, without terminal escapes."""
    lines = [_CONTROL.sub("", line)[:300] for line in trace.rstrip().splitlines()]
    if len(lines) > LONGEST_TRACE:
        lines = [f"[... {len(lines) - LONGEST_TRACE} lines cut ...]", *lines[-LONGEST_TRACE:]]
    return "\n".join(lines)


_NO_NETWORK = (
    *("URLError", "Network is unreachable", "Name or service not known", "Connection refused"),
    *(
        "Temporary failure in name resolution",
        "MaxRetryError",
        "No route to host",
        "URL fetch failure",
    ),
)
_SIGNS: tuple[tuple[Callable[[Failure], bool], str], ...] = (
    (
        lambda f: f.stage == "init" and "deserializ" in f.message.lower(),
        (
            "The weights were saved by another Keras, or use a custom layer that is not "
            "registered: make-submission rewrites files of newer Keras."
        ),
    ),
    (
        lambda f: f.stage == "init" and ("not found" in f.message or "No such file" in f.message),
        "Open the weights beside the file: Path(__file__).parent / 'weights.keras', and put them into the zip.",
    ),
    (
        lambda f: "Read-only file system" in f.message or "Errno 30" in f.message,
        "It writes where it may only read: the folder of the submission is read-only on some servers, and here. Write into tempfile.mkdtemp().",
    ),
    (
        lambda f: any(sign in f"{f.kind} {f.message}" for sign in _NO_NETWORK),
        "There is no network here, and the platform may have none: put what it fetches into the zip.",
    ),
    (
        lambda f: "Too many open files" in f.message,
        "Close what you open: with open(...) as file.",
    ),
    (
        lambda f: "No space left on device" in f.message or "File too large" in f.message,
        "Write less: the space on disk and in /dev/shm is limited, here and on the platform.",
    ),
    (
        lambda f: "OOM" in f.message or "ResourceExhausted" in f.kind,
        "Predict in batches; never copy the whole set as floats.",
    ),
)


def _looks_like(failure: Failure) -> str:
    return next((advice for sign, advice in _SIGNS if sign(failure)), "")
