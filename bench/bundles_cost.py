"""What a job costs beyond its program: one that does nothing, beside the bare Python."""

from __future__ import annotations

import statistics
import subprocess
import time
import zipfile
from pathlib import Path

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.challenge.worker.submission import run_submission

ROUNDS = 9


def empty_job(place: Path, python: str) -> float:
    """Seconds of a scoring job whose program is `pass`, less those of that program alone: medians.

    They take turns, for a machine that is busy by and by.
    """
    program = place / "program"
    program.mkdir()
    (program / "metadata.yaml").write_text("command: python3 main.py\n")
    (program / "main.py").write_text("pass\n")
    with zipfile.ZipFile(place / "empty.zip", "w") as file:
        file.writestr("nothing.txt", "")
    task = Task(0, "nothing", program)
    bundle = Bundle("ours", place, "", "", (Phase(0, "only", (0,)),), (task,), ())
    jobs, bare = [], []
    for _ in range(ROUNDS):
        ran = run_submission(
            bundle, place / "empty.zip", bundle.phases[0], "2026-10", Machine(python)
        )
        jobs.append(ran.tasks[0].jobs[-1].seconds)
        begun = time.monotonic()
        subprocess.run([python, program / "main.py"], check=True)  # noqa: S603 - our own line
        bare.append(time.monotonic() - begun)
    return statistics.median(jobs) - statistics.median(bare)
