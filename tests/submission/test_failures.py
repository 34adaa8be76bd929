"""What a failed run is told as: code, one sentence, advice, the trimmed traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.rehearsal.failures import LONGEST_TRACE, explain, plain, trim
from codabench_rehearsal.sandbox.outcome import Problem

TABLE = [
    (Problem("import", "ModuleNotFoundError", "No module named 'cv2'"), "S601", "cv2", "Put the module"),
    (Problem("import", "NameError", "name 'tfk' is not defined"), "S601", "tfk", "notebook"),
    (Problem("class", "AttributeError", "no attribute 'Model'"), "S602", "no class Model", "Define"),
    (Problem("init", "FileNotFoundError", "No such file: 'w.keras'"), "S603", "w.keras", "__file__"),
    (Problem("init", "ValueError", "File not found: filepath=w.keras"), "S603", "w.keras", "__file__"),
    (Problem("init", "TypeError", "Error when deserializing class 'Dense'"), "S603", "Dense", "another Keras"),
    (Problem("method", "AttributeError", "no attribute"), "S604", "no method predict", "Define"),
    (Problem("predict", "ResourceExhaustedError", "OOM"), "S605", "OOM", "batches"),
    (Problem("answer", "shape", "expected (5,); received (5, 8)"), "S606", "(5, 8)", "numpy array"),
    (Problem("time", "time", "stopped after 60 s"), "S607", "60 s", "larger batches"),
    (Problem("memory", "memory", "stopped"), "S608", "memory limit", "batches"),
    (Problem("exit", "predict", "exit code -9"), "S609", "stage predict", "memory killer"),
    (Problem("processes", "processes", "stopped"), "S611", "limit of processes", "fork"),
    (Problem("log", "log", "stopped"), "S612", "limit of output", "verbose=0"),
    (Problem("disk", "disk", "stopped"), "S613", "disk space", "write nothing"),
    (Problem("output", "OSError", "[Errno 9] Bad file descriptor"), "S615", "standard output", "streams"),
    (Problem("init", "OSError", "[Errno 30] Read-only file system: 'w'"), "S603", "Read-only", "mkdtemp"),
    (Problem("init", "URLError", "<urlopen error>"), "S603", "urlopen", "no network"),
    (Problem("init", "OSError", "[Errno 101] Network is unreachable"), "S603", "101", "no network"),
    (Problem("predict", "OSError", "[Errno 24] Too many open files: 'x'"), "S605", "24", "with open"),
    (Problem("predict", "OSError", "[Errno 28] No space left on device"), "S605", "28", "Write less"),
    (Problem("predict", "UFuncTypeError", "Cannot cast ufunc"), "S605", "ufunc", "astype('float32')"),
    (Problem("made up by the child", "X", "y"), "S600", "could not start", "log"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "code", "said", "advice"), TABLE)
def test_failures_are_explained(problem: Problem, code: str, said: str, advice: str) -> None:
    """Else the user gets a traceback and no idea."""
    finding = explain(problem, load_challenge())
    assert (finding.code, finding.severity) == (code, "error")
    assert said in finding.message
    assert advice in finding.advice


def test_the_challenges_own_names_are_used() -> None:
    """Else a challenge with other names would be told of a class that it does not want."""
    challenge = replace(load_challenge(), module="net", class_name="Net", method="classify")
    finding = explain(Problem("method", "AttributeError", "no"), challenge)
    assert "Net has no method classify" in finding.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("one\ntwo\r\n three", "one two three"),
        ("\x1b]0;title\x07x", r"\x1b]0;title\x07x"),
        ("bell\x07 \x9b31m", r"bell\x07 \x9b31m"),
        ("y" * 50, "y" * 19 + "…"),
    ],
)
def test_foreign_text_cannot_move_the_terminal(text: str, shown: str) -> None:
    """Else a submission's output could rewrite our report on the screen."""
    assert plain(text, 20) == shown


def test_a_long_trace_keeps_its_end() -> None:
    """Else the error itself would be cut away."""
    shown = trim("\n".join(f"line {i}\x1b[1m" for i in range(500))).splitlines()
    assert len(shown) == LONGEST_TRACE + 1
    assert shown[-1] == "line 499"
