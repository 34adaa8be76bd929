"""SIGTERM and SIGHUP end a command like Ctrl-C: everything put away, one line, the shell's exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codabench_rehearsal.console.command import EndedBySignal, Signals, run_command

pytestmark = pytest.mark.usefixtures("hangups")

# A command that works in a temporary folder, and takes a while to put it away.
WORKS = """
import sys, time
from codabench_rehearsal.console.temporary import TemporaryFolder
from pathlib import Path
from codabench_rehearsal.console.command import run_command
def body(words):
    with TemporaryFolder("test-", Path(words[0])):
        try:
            print("works", flush=True)
            late = time.monotonic() + 60
            while time.monotonic() < late:  # a signal just before one long sleep would wait for it
                time.sleep(0.01)
        finally:
            print("puts away", flush=True)
            end = time.monotonic() + float(words[1])
            while time.monotonic() < end:
                time.sleep(0.01)
    return 0
sys.argv[0] = "command"
sys.exit(run_command("command", None, body))
"""
ENDS = [
    (signal.SIGTERM, 143, "command: ended by SIGTERM"),
    (signal.SIGHUP, 129, "command: ended by SIGHUP"),
    (signal.SIGINT, 130, "command: interrupted"),
]


def test_an_interrupt_while_a_command_is_loaded_is_one_line() -> None:
    """Else Ctrl-C in the first moment shows Python's traceback, as if something had broken."""
    code = "import sys; sys.argv = ['/bin/local-eval']; import codabench_rehearsal.commands; "
    for raised, says in (
        ("KeyboardInterrupt", "\nlocal-eval: interrupted\n"),
        ("KeyError", "Trace"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}raise {raised}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (130, -signal.SIGINT, 1)
        assert done.stderr.startswith(says)


def works(place: Path, cleaning: float = 0.0, before: str = "") -> subprocess.Popen[str]:
    """The command, when it works. before: words of the shell that starts it."""
    shell = ["sh", "-c", f'{before} exec "$@"', "sh"]
    child = subprocess.Popen(
        [*shell, sys.executable, "-c", WORKS, str(place), str(cleaning)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "works\n"
    return child


@pytest.mark.parametrize(("number", "code", "line"), ENDS, ids=str)
def test_a_signal_ends_a_command_in_order(
    number: signal.Signals, code: int, line: str, tmp_path: Path
) -> None:
    """Else a batch system that ends a run, or a closed terminal, leaves gigabytes behind."""
    with works(tmp_path) as child:
        child.send_signal(number)
        _, heard = child.communicate(timeout=20)
    assert child.returncode == code
    assert heard.strip() == line
    assert not list(tmp_path.iterdir())


def test_a_second_signal_does_not_disturb_the_putting_away(tmp_path: Path) -> None:
    """Else an impatient Ctrl-C leaves the mess that the first one was about to remove."""
    with works(tmp_path, cleaning=0.5) as child:
        assert child.stdout is not None
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "puts away\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            child.send_signal(number)
            time.sleep(0.05)
        _, heard = child.communicate(timeout=20)
    assert child.returncode == 130
    assert heard.strip() == "command: interrupted"
    assert not list(tmp_path.iterdir())


def test_nohup_is_respected(tmp_path: Path) -> None:
    """Else a run started with nohup ends with the terminal all the same."""
    with works(tmp_path, before="trap '' HUP;") as child:
        child.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    assert child.returncode == 143


def test_handlers_are_given_back_and_a_scripts_own_are_kept() -> None:
    """Else a script or a notebook that calls a command finds its own signals changed."""
    seen: list[object] = []

    def own(*_: object) -> None:
        """The script's."""

    kept = signal.signal(signal.SIGTERM, own)
    try:
        hangup, interrupt = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGINT)

        def body(_: list[str]) -> int:
            seen.extend((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)))
            return 0

        run_command("command", [], body)
        assert seen[0] is own
        assert seen[1] is not hangup
        assert signal.getsignal(signal.SIGHUP) == hangup
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, kept)


def test_who_does_not_put_away_in_time_may_be_ended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a command that hangs while it ends can only be killed."""
    monkeypatch.setattr("codabench_rehearsal.console.command.PATIENCE_SECONDS", 0.0)
    with Signals(last=False):
        for _ in range(2):
            with pytest.raises(EndedBySignal, match="SIGTERM") as ended:
                signal.raise_signal(signal.SIGTERM)
            assert ended.value.code == 143
