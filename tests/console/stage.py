"""A place of one's own for commands that are killed or meet a full disk: all that they write lies in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.images import from_arrays, save, split
from tests.submission.corpus.case import page
from tests.submission.corpus.pictures import CENTRES_NPY, labelled_images

BIN = Path(sys.executable).parent
PACK = "make-submission --model mine.py --include weights.npy --data set.npz --out out/made.zip"
EVALUATE = "local-eval z.zip --data set.npz --corrupt light --no-estimate --json out/r.json"
COMMANDS = {  # word -> a command line that needs no TensorFlow
    "pack": PACK,
    "evaluate": EVALUATE,
    "rank": "local-eval rank z.zip y.zip --data set.npz --corrupt light --json out/rank.json",
    "show": "local-eval show --data set.npz --corrupt light --out out/sheet.png",
    "inspect": "local-eval inspect set.npz --out out/clean.npz --json out/found.json",
    "import": "local-eval import scores.csv",
}


@dataclass(frozen=True)
class Stage:
    """The folder of a rehearsal: inputs in it, and `tmp`, `cache`, `store`, `out` beside them."""

    folder: Path

    @property
    def temporary(self) -> Path:
        """Where TMPDIR points."""
        return self.folder / "tmp"

    def environment(self, **further: str) -> dict[str, str]:
        """What the commands are told."""
        own = {
            "TMPDIR": str(self.temporary),
            "CODABENCH_REHEARSAL_CACHE": str(self.folder / "cache"),
            "LOCAL_EVAL_STORE": str(self.folder / "store" / "store.sqlite"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        return {**os.environ, **own, **further}

    def start(self, line: str, **further: str) -> subprocess.Popen[str]:
        """The command as a child of this process, in a session of its own."""
        name, *words = line.split()
        return subprocess.Popen(
            [str(BIN / name), *words], cwd=self.folder, env=self.environment(**further),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, line: str, **further: str) -> subprocess.CompletedProcess[str]:
        """The command to its end."""
        with self.start(line, **further) as child:
            out, heard = child.communicate(timeout=300)
        return subprocess.CompletedProcess(line, child.returncode, out, heard)

    def kill(
        self, line: str, after: float, how: signal.Signals = signal.SIGKILL
    ) -> subprocess.CompletedProcess[str]:
        """Start the command and send it a signal so many seconds later."""
        with self.start(line) as child:
            time.sleep(after)
            child.send_signal(how)
            out, heard = child.communicate(timeout=60)
        return subprocess.CompletedProcess(line, child.returncode, out, heard)

    def left(self) -> list[str]:
        """What lies in the temporary folder and beside the outputs, half-made sets in the cache too."""
        drafts = [path for path in (self.folder / "out").iterdir() if path.name.startswith(".")]
        halves = (self.folder / "cache").glob("images/part-*")
        return sorted(
            str(path.relative_to(self.folder))
            for path in (*self.temporary.iterdir(), *drafts, *halves)
        )

    def megabytes_left(self) -> float:
        """The size of that."""
        roots = [self.folder / name for name in self.left()]
        files = [path for root in roots for path in (root, *root.rglob("*")) if path.is_file()]
        return sum(path.stat().st_size for path in files) / 1e6


def stage(folder: Path, images: int = 96) -> Stage:
    """Lay out the inputs of `COMMANDS` in a folder."""
    made = Stage(folder)
    for name in ("tmp", "cache", "store", "out"):
        (folder / name).mkdir(parents=True)
    cells = from_arrays(*labelled_images(images // 8))
    save(cells, folder / "set.npz")
    split(cells).save(folder / "split.json")
    (folder / "mine.py").write_text(page(), encoding="utf-8")
    (folder / "weights.npy").write_bytes(CENTRES_NPY)
    packed = made.run("make-submission --model mine.py --include weights.npy --no-run --out z.zip")
    assert packed.returncode == 0, packed.stderr
    shutil.copy(folder / "z.zip", folder / "y.zip")
    (folder / "scores.csv").write_text("submission,score\nz.zip,0.5\n", encoding="utf-8")
    return made


def names(folder: str | Path = ".") -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in Path(folder).iterdir())
