"""`make demo`: the whole story on drawn cells, with the commands that a participant would type.

What is made is kept in demo/, so a second time takes seconds; `rm -rf demo` starts anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import resource
import select
import shlex
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CELLS = 2400
BIN = Path(sys.executable).parent
AGAIN = 5
QUIET_SECONDS = 1.0  # without a word; then a dot says that it goes on
DRAW = (
    "from codabench_rehearsal.images import save, synthetic; "
    f"save(synthetic({CELLS}, seed=0), 'demo/cells.npz')"
)


@dataclass(frozen=True)
class Step:
    """seconds: about, on two idle cores. makes, of: files; one that is there and not older is kept.

    answers: a file in the place of `makes`, with which the step runs again, in `AGAIN` seconds.
    """

    title: str
    seconds: int
    command: str
    makes: str = ""
    of: str = ""
    answers: str = ""

    @property
    def is_done(self) -> bool:
        """Whether what it makes is there, and newer than what it is made of."""
        return self._is_newer(self.makes)

    @property
    def left(self) -> int:
        """Seconds that are still to be waited for."""
        if self.is_done:
            return 0
        return AGAIN if self._is_newer(self.answers) else self.seconds

    def _is_newer(self, name: str) -> bool:
        made, of = Path(name), Path(self.of)
        if not name or not made.exists():
            return False
        return not of.is_file() or made.stat().st_mtime >= of.stat().st_mtime


STEPS = (
    Step(f"Draw {CELLS:,} cells of eight kinds", 6, f'python -c "{DRAW}"', "demo/cells.npz"),
    Step(
        "Train a small network on them",
        60,
        "train-recipe baseline --data demo/cells.npz --out demo/training --epochs 9",
        "demo/training/weights.keras",
        "demo/cells.npz",
    ),
    Step(
        "Build the zip that the platform wants, and try it",
        14,
        "make-submission demo/training --out demo/submission.zip",
        "demo/submission.zip",
        "demo/training/weights.keras",
    ),
    Step(
        "Draw what heavy corruption looks like",
        4,
        "local-eval show --corrupt heavy --data demo/cells.npz --out demo/heavy.png",
        "demo/heavy.png",
        "demo/cells.npz",
    ),
    Step(
        "Rehearse: clean images against corrupted ones",
        20,
        "local-eval demo/submission.zip --data demo/cells.npz --corrupt heavy --store demo/ "
        "--json demo/report.json --html demo/report.html",
        of="demo/submission.zip",
        answers="demo/report.json",
    ),
)
CUT_OFF = Path("demo/training/checkpoint")  # of a training that a Ctrl-C ended


def main() -> int:
    """Run the steps; stops at the first that fails."""
    Path("demo").mkdir(exist_ok=True)
    started, announced = time.monotonic(), 0
    tell(introduction(STEPS))
    for number, step in enumerate(STEPS, start=1):
        tell(f"\n[{number}/{len(STEPS)}] {step.title}")
        if step.is_done:
            tell(f"      kept from last time: {step.makes}")
            continue
        begun, thought = time.monotonic(), step.left
        if code := run(step.command):
            tell(f"\nStopped at step {number}. What is made is kept: make demo goes on from here.")
            return code
        announced += thought
        pace = (time.monotonic() - started) / announced
        tell(f"      {time.monotonic() - begun:.0f} s{to_go(STEPS[number:], pace)}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    tell(
        f"\nDone in {time.monotonic() - started:.0f} s "
        f"({used.ru_utime + used.ru_stime:.0f} s of processor time). "
        "Open demo/report.html in a browser, and look at demo/heavy.png."
    )
    tell("Your own network: make-submission WEIGHTS, then local-eval (docs/tutorial.md).")
    return 0


def introduction(steps: Sequence[Step]) -> str:
    """What it will do and how long that takes, before anything runs."""
    left = [step for step in steps if not step.is_done]
    seconds = sum(step.left for step in left)
    lines = [f"{len(left)} of {len(steps)} steps to do, about {seconds} s on two cores:"]
    for number, step in enumerate(steps, start=1):
        when = "kept from last time" if step.is_done else f"about {step.left} s"
        lines.append(f"  {number}. {step.title} ({when})")
    end = "All of it is in demo/. A dot: it is still at work. Ctrl-C ends it, make demo goes on."
    return "\n".join([*lines, end])


def to_go(steps: Sequence[Step], pace: float) -> str:
    """How long the others take, on a machine that needs `pace` times what was announced."""
    left = sum(step.left for step in steps if not step.is_done)
    return f"; about {pace * left:.0f} s to go at this pace" if left else ""


def tell(text: str) -> None:
    """Print, at once."""
    print(text, flush=True)


def run(command: str) -> int:
    """Run one of our commands as a user would; returns its exit code."""
    name, *words = shlex.split(command)
    if name == "train-recipe" and CUT_OFF.exists():
        words.append("--resume")
    tell("      drawing" if name == "python" else f"$ {shlex.join([name, *words])}")
    ours, theirs = pty.openpty() if sys.stdout.isatty() else os.pipe()
    if sys.stdout.isatty():
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(sys.stdout, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    with subprocess.Popen([BIN / name, *words], stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        with contextlib.suppress(KeyboardInterrupt):  # the child has had it, too
            show(ours, is_terminal=sys.stdout.isatty())
        show(ours, is_terminal=sys.stdout.isatty())
        os.close(ours)
        return child.wait()


def show(source: int, *, is_terminal: bool) -> None:
    """Pass on what comes, to its end; a dot wherever nothing came for a while."""
    dots, at_line_start = 0, True
    while True:
        if not select.select([source], [], [], QUIET_SECONDS)[0]:
            if at_line_start:
                dots += 1
                put(b"." if dots > 1 else b"      .")
            continue
        try:
            said = os.read(source, 65536)
        except OSError:  # a terminal whose other end is closed, on Linux
            said = b""
        if dots and (said or not is_terminal):
            put(b"\r\x1b[K" if is_terminal else b"\n")
            dots = 0
        if not said:
            return
        put(said)
        at_line_start = said.endswith(b"\n")


def put(text: bytes) -> None:
    """Write to standard output, at once."""
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
