"""What is no file, in the place of one, for every option that reads: refused at once, in one line."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from codabench_rehearsal.commands import (
    codabench_challenge,
    local_eval,
    make_submission,
    train_recipe,
)

MODEL = "import numpy as np\nclass Model:\n    def predict(self, X):\n        return np.zeros(len(X), int)\n"
MAINS = {
    "make-submission": make_submission.main,
    "local-eval": local_eval.main,
    "train-recipe": train_recipe.main,
    "codabench-challenge": codabench_challenge.main,
}
RECIPE = "train-recipe reluctant_learners --fast --out runs"
OPTIONS = (
    ("make-submission --check-only X.zip --no-run", "X.zip"),
    ("make-submission X.keras --no-run", "X.keras"),
    ("make-submission w.h5 --model X.py --no-run", "X.py"),
    ("make-submission w.h5 --model m.py --include X.py --no-run", "X.py"),
    ("make-submission --check-only ok.zip --data X.npz", "X.npz"),
    ("make-submission --check-only ok.zip --no-run --challenge X.toml", "X.toml"),
    ("make-submission folder --no-run", "folder/recipe.json"),
    ("local-eval X.zip --data d.npz", "X.zip"),
    ("local-eval ok.zip --data X.npz", "X.npz"),
    ("local-eval ok.zip --data d.npz --corrupt X.toml", "X.toml"),
    ("local-eval ok.zip --data d.npz --split X.json", "X.json"),
    ("local-eval ok.zip --data d.npz --challenge X.toml", "X.toml"),
    ("local-eval ok.zip --data d.npz --store X.sqlite", "X.sqlite"),
    ("local-eval inspect X.npz", "X.npz"),
    ("local-eval inspect i.npy", "labels.npy"),
    ("local-eval inspect pictures", "pictures/a/1.png"),
    ("local-eval inspect d.npz --challenge X.toml", "X.toml"),
    ("local-eval import X.csv", "X.csv"),
    ("local-eval import h.csv --store X.sqlite", "X.sqlite"),
    ("local-eval record X.zip --score 0.8", "X.zip"),
    ("local-eval record ok.zip --score 0.8 --store X.sqlite", "X.sqlite"),
    ("local-eval record ok.zip --score 0.8 --class-scores X.csv", "X.csv"),
    ("local-eval record ok.zip --score acc=0.8 --challenge X.toml", "X.toml"),
    ("local-eval history --store X.sqlite", "X.sqlite"),
    ("local-eval rank ok.zip X.zip --data d.npz", "X.zip"),
    ("local-eval rank ok.zip --data X.npz", "X.npz"),
    ("local-eval compare ok.zip X.zip --data d.npz", "X.zip"),
    ("local-eval compare ok.zip ok2.zip --data d.npz --split X.json", "X.json"),
    ("local-eval ensemble ok.zip X.zip --data d.npz", "X.zip"),
    ("local-eval show --data X.npz", "X.npz"),
    ("local-eval show --corrupt X.toml", "X.toml"),
    (f"{RECIPE} --data X.npz", "X.npz"),
    (f"{RECIPE} --data d.npz --challenge X.toml", "X.toml"),
    (f"{RECIPE} --data d.npz --weights X.h5", "X.h5"),
    ("local-eval ok.zip --data d.npz", "split.json"),
    ("local-eval ok.zip --data d.npz", "ok.split.json"),
    ("local-eval ok.zip --data d.npz", "ok.recipe.json"),
    ("make-submission --check-only ok.zip --data d.npz", "ok.split.json"),
    ("make-submission trained --no-run", "trained/split.json"),
    ("make-submission w.h5 --no-run", "split.json"),
    ("local-eval record ok.zip --score 0.8 --store s.sqlite", "s.sqlite-journal"),
    ("local-eval record ok.zip --score 0.8 --store s.sqlite", "s.sqlite-wal"),
    ("codabench-challenge check X.bundle", "X.bundle"),
    ("codabench-challenge show X.bundle", "X.bundle"),
    ("codabench-challenge make --corrupt fog:3 --data X.npz", "X.npz"),
    ("codabench-challenge make --data d.npz --corrupt X.toml", "X.toml"),
    ("codabench-challenge make --data d.npz --corrupt fog:3 --profile X.toml", "X.toml"),
)
FOLDERS_PASS = (
    ".npz",
    "X.sqlite",
    "X.bundle",
    "X.keras",
    "split.json",
    "ok.recipe.json",
)  # a folder is read there


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds what the commands need besides."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (16, 96, 96, 3), np.uint8), np.arange(16) % 8
    np.savez("d.npz", images=images, labels=labels)
    np.save("i.npy", images)
    for name in ("ok.zip", "ok2.zip"):
        with zipfile.ZipFile(name, "w") as file:
            file.writestr("model.py", f"{MODEL}# {name}")
    with h5py.File("w.h5", "w") as held:
        held["layers/dense/vars/0"] = np.zeros(3)
    Path("m.py").write_text(MODEL, encoding="utf-8")
    Path("h.csv").write_text("submission,score\na,0.5\n", encoding="utf-8")
    Path("folder").mkdir()
    Path("trained").mkdir()
    Path("trained/w.weights.h5").write_bytes(Path("w.h5").read_bytes())
    recipe = '{"schema":1,"weights":["w.weights.h5"],"scale":"0..255"}'
    Path("trained/recipe.json").write_text(recipe, encoding="utf-8")
    Path("pictures/a").mkdir(parents=True)
    return tmp_path


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail what takes longer, even while it waits in the kernel."""

    def late(*_: object) -> None:
        pytest.fail(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def put(kind: str, place: str) -> None:
    """Make something in a file's place that is no file."""
    if kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a folder":
        Path(place).mkdir()
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place)
    else:
        try:
            os.mknod(place, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root may make a device")


def refused(command: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends at once, with code 2 and one line that names what is there.

    A folder in a profile's place is a bundle, and the line says what became of it as one.
    """
    name, *words = command.split()
    with within(30):  # a pipe waits for ever; a busy machine takes seconds to import what is needed
        code = MAINS[name](words)
    said = capsys.readouterr().err.splitlines()
    assert code == 2, said
    is_bundle = kind == "a folder" and words[-2] in ("--challenge", "--profile")
    assert re.search(r"(?i)\bbundle\b" if is_bundle else f"received {kind}", said[-1])
    assert said[-1].startswith(f"{name}: ")


@pytest.mark.parametrize(("command", "place"), OPTIONS, ids=[c for c, _ in OPTIONS])
def test_a_pipe_is_refused_at_once(
    command: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the command waits for ever for somebody to write into it."""
    put("a pipe", place)
    refused(command, "a pipe", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a device", "a socket", "a folder"])
@pytest.mark.parametrize(("command", "place"), OPTIONS, ids=[c for c, _ in OPTIONS])
def test_so_is_what_else_is_no_file(
    command: str, place: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else an endless device fills the memory, or a folder ends in a fault of ours."""
    if kind == "a folder" and (place.endswith(FOLDERS_PASS) or "pictures" in place):
        pytest.skip("a folder may be given there")
    put(kind, place)
    refused(command, kind, capsys)


def test_what_another_program_gives_is_no_file() -> None:
    """Else `inspect <(...)` ends in a damaged file, and nobody learns that a file would do."""
    words = [
        sys.executable,
        "-m",
        "codabench_rehearsal.commands.local_eval",
        "inspect",
        "/dev/stdin",
    ]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        words, input=b"PK", capture_output=True, check=False, timeout=20, cwd=root
    )
    assert done.returncode == 2
    assert b"received a pipe; save what it gives as a file first" in done.stderr
