"""How a run failed, in plain words: the submission's own traceback, and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from codabench_rehearsal.console.words import cleaned, uncoloured
from submission.findings import Finding, found

LONGEST_TRACE = 30
_LIMITS = ("time", "memory", "processes", "log", "disk")


@dataclass(frozen=True)
class Failure:
    """Where and how a submission failed; all as `codabench_rehearsal.sandbox.ingest.Problem` has it."""

    stage: str
    kind: str
    message: str
    trace: str = ""
    refused: str = ""


# Stage -> code, and what happened in one sentence.
_BY_STAGE = {
    "start": ("S600", "the run could not start"),
    "import": ("S601", "importing {module}.py failed"),
    "class": ("S602", "{module}.py has no class {class}"),
    "init": ("S603", "{class}() failed"),
    "method": ("S604", "{class} has no method {method}"),
    "predict": ("S605", "{method}(X) failed"),
    "answer": ("S606", "{method}(X) gave an answer that cannot be scored"),
    "time": ("S607", "the time limit was reached"),
    "memory": ("S608", "the memory limit was reached"),
    "processes": ("S611", "the limit of processes was reached"),
    "log": ("S612", "the limit of output was reached"),
    "disk": ("S613", "the limit of disk space was reached"),
    "output": ("S615", "standard output is closed"),
    "exit": ("S609", "the process ended by itself while at the stage {kind}"),
}
_BESIDE = "Open the weights beside the file: Path(__file__).parent / 'weights.keras', and put them into the zip."
_BATCHES = "Predict in batches; never copy the whole set as floats."
_FLOATS = "X is uint8 and cannot hold the result: begin with X = X.astype('float32')."
_REGISTER = (
    "The weights need a custom class: put its code into the zip, import it in the file, and register "
    "it with @keras.saving.register_keras_serializable()."
)
_OTHER_KERAS = (
    "The weights were saved by another Keras than the one that loads them: make-submission WEIGHTS "
    "rewrites them for the server's."
)
_NO_NETWORK = (
    "There is no network here, and the platform may have none: put what it fetches into the zip."
)
_NO_ROOM = "Write less: the space on disk and in /dev/shm is limited, here and on the platform."

_ELSEWHERE = (
    "Whether it runs cannot be told from here: check it where user namespaces are allowed, or do "
    "without them."
)


@dataclass(frozen=True)
class _Cause:
    """What a failure is known by. kinds: the exceptions' types, stages: where; () for any.

    said: a pattern for the message; advice: what to do where all of them fit.
    """

    advice: str
    kinds: tuple[str, ...] = ()
    said: str = ""
    stages: tuple[str, ...] = ()

    def fits(self, failure: Failure, names: Mapping[str, str]) -> bool:
        """Whether it is the cause; `{class}` and `{method}` in a pattern stand for the names."""
        said = self.said
        for name in ("class", "method"):
            said = said.replace(f"{{{name}}}", re.escape(names[name]))
        kind = not self.kinds or failure.kind in self.kinds
        stage = not self.stages or failure.stage in self.stages
        return kind and stage and bool(re.search(said, failure.message, re.IGNORECASE))


# The first that fits counts: the particular before the general.
_CAUSES = (
    _Cause("It was still loading then: load smaller weights, and nothing that predict does not need.", stages=("time", "memory"), said="while (importing|making|start)"),
    _Cause("Signal 9, most often the system's memory killer: predict in batches, and keep labels only.", stages=("exit",), said=r"exit code -9\b"),
    _Cause("Native code crashed (a library, or arrays that it does not expect): the log below may name it.", stages=("exit",), said=r"exit code -(4|6|7|8|11)\b"),
    _Cause("os._exit or exit() ends the platform's own program too: remove it.", stages=("exit",), said=r"exit code [0-9]"),
    _Cause("The platform makes it without arguments: give every argument a default.", ("TypeError",), r"\b{class}(\.__init__)?\(\) (missing|takes)", ("init",)),
    _Cause("It is called with the images and nothing else: define it as (self, X).", ("TypeError",), r"\b{class}\.{method}\(\) (missing|takes)", ("predict",)),
    _Cause("A file of the zip is a Git LFS pointer, not the file itself: run `git lfs pull` and build the zip anew.", said="git-lfs"),
    _Cause("Run `python -m py_compile` on the file; notebook magics are no Python.", ("SyntaxError", "IndentationError", "TabError")),
    _Cause("A name of your notebook is used but never defined or imported in the file.", ("NameError",)),
    _Cause("Put the module into the zip (make-submission ... --include FILE), or do without the package: the server may lack it.", ("ModuleNotFoundError",), stages=("import", "init", "predict")),
    _Cause("The installed package has no such name: its version differs from the one the code was written for.", ("ImportError",), "cannot import name"),
    _Cause("A pickle looks for a class of your notebook: save plain arrays, or put the class into a module of the zip.", ("AttributeError",), "Can't get attribute"),
    _Cause("sys.exit() ends the platform's own program: remove it.", ("SystemExit",)),
    _Cause("Nobody sits before the platform's keyboard: remove what waits for an answer.", ("EOFError",), "reading a line"),
    _Cause("It calls itself without an end.", ("RecursionError",)),
    _Cause(_OTHER_KERAS, said="quantization_mode|quantization_config|DTypePolicy|batch_(input_)?shape", stages=("import", "init", "predict")),
    _Cause(_REGISTER, said=r"could not locate (class|function)|unknown (layer|object|loss|metric)"),
    _Cause("Keras does not load a lambda in its safe mode: use a registered layer class in its place.", said="lambda.*(safe|deserializ)|safe_mode"),
    _Cause(f"{_OTHER_KERAS} Or a custom layer is not registered.", said="deserializ"),
    _Cause("Resize the images in predict as in training: the network takes another size or number of channels.", said=r"expected shape=|incompatible with the layer|expected (min_ndim|axis)", stages=("predict", "init")),
    _Cause(_NO_NETWORK, ("URLError", "ConnectionError", "ConnectionRefusedError", "gaierror", "MaxRetryError")),
    _Cause(_NO_NETWORK, said="network is unreachable|name or service not known|connection refused|temporary failure in name resolution|no route to host|URL fetch failure|max retries exceeded"),
    _Cause("It writes where it may only read: the folder of the submission is read-only on some servers, and here. Write into tempfile.mkdtemp().", said="read-only file system|errno 30"),
    _Cause("Close what you open: with open(...) as file.", said="too many open files"),
    _Cause(_NO_ROOM, said="no space left on device|file too large"),
    _Cause("That file is not in the zip: put it in (make-submission ... --include FILE), or mend its name.", said="(no such file|file not found|unable to (synchronously )?open file).*/app/ingested_program/"),
    _Cause(_BESIDE, ("FileNotFoundError",)),
    _Cause(_BESIDE, said="no such file|file not found|unable to (synchronously )?open file"),
    _Cause(_FLOATS, ("UFuncTypeError", "_UFuncOutputCastingError")),
    _Cause(_BATCHES, ("MemoryError", "ResourceExhaustedError")),
    _Cause(_BATCHES, said=r"\bOOM\b|unable to allocate"),
    _Cause("Take argmax over the classes: return scores.argmax(axis=1).", ("scores",), stages=("answer",)),
    _Cause("Labels count from 0: return them less 1.", ("counts from 1",), stages=("answer",)),
    _Cause("Return the challenge's own numbers of the classes, counted from 0.", ("range",), stages=("answer",)),
    _Cause("Return one label for every image, in their order.", ("length",), stages=("answer",)),
    _Cause("The answers hold NaN or infinity, which no scoring takes: look for a division by zero, or weights that were never set.", ("nan",), stages=("answer",)),
    _Cause("Return a plain array: np.asarray(labels). np.save, which saves the answers, takes no masked one.", said="MaskedArray", stages=("answer",)),
    _Cause("Add the return statement: what predict computes is lost without it.", said="NoneType", stages=("answer",)),
)  # fmt: skip


def explain(
    failure: Failure, module: str = "model", class_name: str = "Model", method: str = "predict"
) -> Finding:
    """The finding for a failed run: code, one sentence, what to do, and the trimmed traceback.

    What this machine alone refused is unknown of the platform, and no error.
    """
    code, what = _BY_STAGE.get(failure.stage, _BY_STAGE["start"])
    names = {"module": module, "class": class_name, "method": method, "kind": failure.kind}
    raised = failure.stage not in ("answer", "exit", *_LIMITS)
    said = f"{failure.kind}: {failure.message}" if raised else failure.message
    message = f"{what.format(**names)}: {plain(said, 400)}"
    detail = trim(failure.trace)
    if failure.refused:
        message += f" ({failure.refused} are refused on this machine and not on the platform)"
        return found(code, message, "warning", _ELSEWHERE, detail, "unknown")
    return found(code, message, advice=_advice(failure, names), detail=detail)


def _advice(failure: Failure, names: Mapping[str, str]) -> str:
    """What to do, chosen by the cause; "" where only the traceback tells."""
    return next((cause.advice for cause in _CAUSES if cause.fits(failure, names)), "")


def plain(text: str, longest: int) -> str:
    """Foreign text on one line: no terminal escapes or control characters, cut to a length."""
    line = cleaned(" ".join(uncoloured(text[: 50 * longest]).split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def trim(trace: str) -> str:
    """The end of a traceback or log, without terminal escapes."""
    lines = [cleaned(line[:300], "\t") for line in uncoloured(trace).rstrip().split("\n")]
    if len(lines) > LONGEST_TRACE:
        lines = [f"[... {len(lines) - LONGEST_TRACE} lines cut ...]", *lines[-LONGEST_TRACE:]]
    return "\n".join(lines)
