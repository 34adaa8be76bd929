"""What a run can find, S600 and up, and what packing takes for granted, S500 and up: one table."""

from __future__ import annotations

from dataclasses import dataclass

from submission.findings import Finding, Severity


@dataclass(frozen=True)
class RunCode:
    """One line of the table: severity as a rule, what it is, what to do about it."""

    code: str
    severity: Severity
    name: str
    advice: str


_TABLE = (
    RunCode("S501", "warning", "scale assumed", "Trained on images / 255? Say --scale 0..1; a mismatch is silent on the platform."),
    RunCode("S502", "warning", "server's Keras not in our tables", "Save the weights with the server's Keras."),
    RunCode("S503", "note", "split says nothing of some networks", "Give each network its split.json."),
    RunCode("S600", "error", "run could not start", "Read the log."),
    RunCode("S601", "error", "import failed", "Mend it; the platform imports the file the same way."),
    RunCode("S602", "error", "class missing", "Define the class with this very name."),
    RunCode("S603", "error", "constructor failed", "The platform calls it without arguments; mend what it does."),
    RunCode("S604", "error", "method missing", "Define it: it is called with the images."),
    RunCode("S605", "error", "predict failed", "Mend it: X is uint8 (n, h, w, c), values 0..255."),
    RunCode("S606", "error", "answer cannot be scored", "Return a numpy array of n integer labels."),
    RunCode("S607", "error", "time limit reached", "Predict in larger batches, or use a smaller model."),
    RunCode("S608", "error", "memory limit reached", "Predict in batches; never copy the whole set as floats."),
    RunCode("S609", "error", "process ended by itself", "Something ended Python itself: os._exit, a crash in native code, or the system's memory killer."),
    RunCode("S610", "error", "one class for every image (local-eval)", "Most often a scale mismatch: trained on 0..1 but fed 0..255, or another preprocess_input."),
    RunCode("S611", "error", "too many processes", "Do not fork inside a submission: one process and its threads are enough."),
    RunCode("S612", "error", "too much output", "Print less: predict with verbose=0; the platform keeps every line."),
    RunCode("S613", "error", "too much written to disk", "Keep arrays in memory and in batches; write nothing."),
    RunCode("S701", "error", "answers differ the second time", "Seed every draw, call networks with training=False, and keep nothing from call to call."),
    RunCode("S702", "error", "answers depend on the batch", "No statistics of the batch: no X.max() or X.mean() over all images, no training=True; each image by itself."),
    RunCode("S703", "error", "answers depend on the order", "Keep the images' order: no sorting or shuffling, nothing that remembers other images."),
    RunCode("S704", "error", "answers differ for float images", "Convert first: X = X.astype('float32'). Nobody has written down which type the platform sends."),
    RunCode("S705", "warning", "fails from the other working folder", "Open files beside model.py: Path(__file__).parent / 'weights.keras'."),
    RunCode("S706", "error", "would exceed the time limit", "Predict in larger batches, use fewer views or a smaller model."),
    RunCode("S707", "error", "would exceed the memory limit", "Predict in batches and keep labels only; never copy the whole set as floats."),
    RunCode("S708", "error", "scale or preprocessing mismatch", "Feed what the network was trained on."),
    RunCode("S709", "error", "one class for every image", "Most often a scale mismatch: trained on 0..1 but fed 0..255, or another preprocess_input."),
    RunCode("S710", "warning", "threads or processes left behind", "End them before predict returns, or start threads with daemon=True: the platform's run does not end before they do."),
    RunCode("S711", "warning", "tried the network", "Put what it fetches into the zip: the platform may have no network."),
    RunCode("S712", "warning", "terminal escapes in the output", "Print plain text."),
    RunCode("S713", "error", "changed its own files", "Leave the shipped files alone; write into tempfile.mkdtemp(): other servers keep the folder read-only, or use it twice."),
    RunCode("S714", "error", "other answers under the server's versions", "Save the weights with the server's Keras, or find the layer that differs."),
    RunCode("S715", "warning", "changed the working folder", "Use absolute paths instead of os.chdir: the platform's own program may write its answers relative to where it started."),
)  # fmt: skip


def run_codes() -> tuple[RunCode, ...]:
    """The table, by code."""
    return _TABLE


def found(
    code: str, message: str, severity: Severity | None = None, advice: str = "", detail: str = ""
) -> Finding:
    """A finding with the table's severity and advice where none are given."""
    line = next(line for line in _TABLE if line.code == code)
    return Finding(code, severity or line.severity, message, advice or line.advice, detail)
