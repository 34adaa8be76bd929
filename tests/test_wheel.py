"""The built wheel, installed in a fresh environment and used from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.submission.zips import keras_file

ROOT = Path(__file__).parent.parent
ROOMS = {"codabench_rehearsal", "corruptions", "evaluator", "submission"}
ORACLE = """
import numpy as np
class Model:
    def predict(self, X):
        return np.arange(len(X)) % 8
"""


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed."""
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the locked back end."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=ROOT)
    return next(out.glob("*.whl"))


def use(environment: Path, folder: Path, *corruptions: str) -> None:
    """Walk through what needs the files that ship: template, profiles, tables, programs."""
    commands = environment / "bin"
    where = "import corruptions, evaluator; print(corruptions.__file__, evaluator.__file__)"
    found = run(commands / "python", "-c", where, cwd=folder)
    assert all(path.startswith(str(environment)) for path in found.split())
    (folder / "weights.keras").write_bytes(keras_file("3.15.1", {"quantization_config": None}))
    run(commands / "make-submission", "weights.keras", "--no-run", "--out", "built.zip", cwd=folder)
    run(commands / "make-submission", "--check-only", "built.zip", "--no-run", cwd=folder)
    run(commands / "train-recipe", "list", cwd=folder)
    cells = "from codabench_rehearsal.images import save, synthetic; save(synthetic(24, seed=1), 'training_set.npz')"
    run(commands / "python", "-c", cells, cwd=folder)
    with zipfile.ZipFile(folder / "submission.zip", "w") as file:
        file.writestr("model.py", ORACLE)
    assert "validation (clean)" in run(commands / "local-eval", *corruptions, cwd=folder)


def draw(environment: Path, folder: Path) -> None:
    """Walk through what compiles most kernels anew, as each new place of the package does."""
    commands = environment / "bin"
    run(commands / "local-eval", "show", "--corrupt", "an2dl-2024", "--images", "2", cwd=folder)
    cells = "from codabench_rehearsal.images import save, synthetic; save(synthetic(48, seed=1, balanced=True), '48.npz')"
    run(commands / "python", "-c", cells, cwd=folder)
    making = ("make", "--data", "48.npz", "--corrupt", "light", "--hidden", "16")
    run(commands / "codabench-challenge", *making, cwd=folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it."""
    made = tmp_path_factory.mktemp("wheel") / "fresh"
    run(sys.executable, "-m", "venv", "--without-pip", made)
    install = ("pip", "--python", made / "bin" / "python", "install", "-q", "--no-deps")
    run(sys.executable, "-m", *install, wheel)
    # The dependencies of this environment, but not its editable install of the checkout.
    site = next(made.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return made


def test_the_wheel_works_without_the_checkout(environment: Path, tmp_path: Path) -> None:
    """Else `pip install` would give commands that miss their files."""
    use(environment, tmp_path, "--corrupt", "gaussian_noise:3", "--no-estimate")


def test_every_file_of_the_rooms_ships(wheel: Path) -> None:
    """Else a table or a style sheet is missing in what `pip install` brings."""
    with zipfile.ZipFile(wheel) as file:
        shipped = set(file.namelist())
    ours = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in ours if path.suffix != ".pyc"}
    kept_by_numba = {name for name in wanted if name.endswith((".nbi", ".nbc"))}
    assert not wanted - kept_by_numba - shipped


NOTEBOOK = """
import codabench_rehearsal as rehearsal
from submission.mine import OWN
from submission.archive import Archive
assert OWN and rehearsal.local_eval and rehearsal.check and rehearsal.corrupt
print(rehearsal.__version__)
"""


@pytest.mark.parametrize("init", [False, True])
def test_a_users_own_folder_stands_beside_the_wheels(
    environment: Path, tmp_path: Path, init: bool
) -> None:
    """Else a project's own submission/model.py stops importing once this is installed."""
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "mine.py").write_text("OWN = True", encoding="utf-8")
    if init:
        (tmp_path / "submission" / "__init__.py").write_text("", encoding="utf-8")
    python, later = (
        environment / "bin" / "python",
        f"import sys; sys.path.append({str(tmp_path)!r})",
    )
    assert run(python, "-c", NOTEBOOK, cwd=tmp_path).strip()  # theirs is found first
    assert run(python, "-c", later + NOTEBOOK, cwd=tmp_path.parent).strip()
    run(python, "-m", "codabench_rehearsal", "local-eval", "--version", cwd=tmp_path)


@pytest.mark.slow
def test_the_wheel_brings_its_dependencies(wheel: Path, tmp_path: Path) -> None:
    """Else `pip install` alone would not be enough (downloads about 1 GB)."""
    environment, folder = tmp_path / "fresh", tmp_path / "empty"
    folder.mkdir()
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "-q", wheel)
    use(environment, folder, "--corrupt", "light")
    draw(environment, folder)


def test_an_installed_tensorflow_is_not_moved(wheel: Path) -> None:
    """Else an install in Colab would break its TensorFlow, or its NumPy."""
    with zipfile.ZipFile(wheel) as file:
        metadata = next(name for name in file.namelist() if name.endswith("METADATA"))
        lines = file.read(metadata).decode().splitlines()
    needs = [
        line.removeprefix("Requires-Dist: ").partition(";")[0].strip()  # without "extra == ..."
        for line in lines
        if line.startswith("Requires-Dist")
    ]
    assert needs
    assert all("<" not in need and "==" not in need for need in needs)
    assert "tensorflow>=2.17" in needs


def test_nothing_but_the_rooms_ships(wheel: Path) -> None:
    """Else tests or data would land in every user's site-packages."""
    with zipfile.ZipFile(wheel) as file:
        top = {name.split("/")[0] for name in file.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS
