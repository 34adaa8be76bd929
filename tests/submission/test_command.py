"""How commands end where the machine, the shell or a slip of the user stands in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main as make_submission
from codabench_rehearsal.commands.train_recipe import main as train_recipe
from codabench_rehearsal.console.command import Exit, console, run_command
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.temporary import owner_mark
from codabench_rehearsal.sandbox.job import SandboxError
from submission.archive import sha256_of
from tests.submission.corpus.case import page
from tests.submission.corpus.pictures import CENTRES_NPY

COMMANDS = {
    "make-submission": make_submission,
    "local-eval": local_eval,
    "train-recipe": train_recipe,
}
BIN = Path(sys.executable).parent
PACK = "make-submission --model mine.py --include weights.npy --no-run"
NESTED = "[" * 5000 + "]" * 5000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a model.py, its file, and what a user could name by mistake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.py").write_text(page(), encoding="utf-8")
    (tmp_path / "weights.npy").write_bytes(CENTRES_NPY)
    (tmp_path / "nested.json").write_text(NESTED, encoding="utf-8")
    (tmp_path / "nested.toml").write_text(f"a = {NESTED}", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad").mkdir()
    shutil.copy(tmp_path / "nested.json", tmp_path / "bad" / "recipe.json")
    return tmp_path


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line as a shell runs it."""
    return subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
        capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip


MISTAKES = [  # what is typed, and what the one line says
    (f"{PACK} --out folder", "expected a file to write, received a folder"),
    (f"{PACK} --out /proc/x.zip", "/proc/x.zip cannot be written"),
    (f"{PACK} --out mine.py/x.zip", "mine.py/x.zip cannot be written"),
    (f"{PACK} --out {'n' * 300}.zip", "File name too long"),
    (f"{PACK} --json folder", "expected a file to write, received a folder"),
    (f"{PACK} --json nowhere/x.json", "there is no folder"),
    (f"{PACK} --json /proc/x.json", "/proc/x.json cannot be written"),
    (f"{PACK} --challenge nested.toml", "nested.toml: not valid TOML"),
    (f"{PACK} --challenge folder", "expected --check-only ZIP"),
    (f"{PACK} --input-data folder", "--input-data goes with --challenge BUNDLE"),
    (f"{PACK} --include folder", "folder: expected a file, received a folder"),
    ("make-submission bad", "bad/recipe.json: not valid JSON"),
    ("make-submission folder", "folder has no recipe.json"),
    ("make-submission nowhere", "nowhere: no such file or folder"),
    ("make-submission \udcff.keras", "\\udcff.keras: no such file or folder"),
    ("make-submission --check-only folder", "received a folder"),
    ("make-submission --check-only weights.npy", "received a data set"),
    ("local-eval weights.npy", "received a data set"),
    ("local-eval folder", "received a folder"),
    ("local-eval history --csv folder", "expected a file to write, received a folder"),
    ("local-eval history --csv /proc/x.csv", "/proc/x.csv cannot be written"),
    ("local-eval show --corrupt nested.toml --out x.png", "nested.toml: is not TOML"),
    ("local-eval show --out x.txt", "expected a name that ends in .png"),
    ("train-recipe picture nowhere --data x.npz", "no such f"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES, ids=[ascii(row[0])[:70] for row in MISTAKES])
def test_a_mistake_is_one_line_and_no_fault_of_ours(
    line: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Else a slip reads as a fault of ours, with a traceback to report."""
    name, *words = line.split()
    assert COMMANDS[name](words) == Exit.USAGE
    heard = capfd.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1
    assert "fault of ours" not in heard


LOST = [
    (f"{PACK} > /dev/full", "standard output: No space left on device"),
    ("train-recipe list > /dev/full", "standard output: No space left on device"),
    ("make-submission --check-only x.zip --json - >&-", "standard output, which is closed"),
]


@pytest.mark.parametrize(("line", "said"), LOST)
def test_output_that_is_lost_is_a_mistake(line: str, said: str) -> None:
    """Else a script takes half a report on a full disk for the whole one."""
    done = typed(line)
    assert done.returncode == Exit.USAGE
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


ODD_STREAMS = [
    (f"{PACK} >&-", "standard output is closed"),
    (f"{PACK} 2>&-", ""),
    (f"{PACK} >&- 2>&- <&-", ""),
    ("local-eval history >&-", "standard output is closed"),
    ("train-recipe list >&-", "standard output is closed"),
    (f"PYTHONIOENCODING=ascii {PACK} --out $'\\xe9.zip'", ""),
    (f"LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {PACK}", ""),
]


@pytest.mark.parametrize(("line", "said"), ODD_STREAMS, ids=[line[:70] for line, _ in ODD_STREAMS])
def test_closed_and_narrow_streams_stop_nothing(line: str, said: str) -> None:
    """Else cron, which closes them, or a C locale ends the work with a fault of ours."""
    done = typed(line)
    assert done.returncode == Exit.FINE, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)
    if "make-submission" in line:
        assert list(Path().glob("*.zip"))


def test_a_closed_stream_is_no_file_that_is_written_meanwhile(here: Path) -> None:
    """Else what is printed lands in the next file opened: the zip itself."""
    assert typed(f"{PACK} >&- 2>&-").returncode == Exit.FINE
    assert make_submission(["--check-only", "submission.zip", "--no-run"]) == Exit.FINE
    first = sha256_of(here / "submission.zip")
    assert typed(PACK).returncode == Exit.FINE
    assert sha256_of(here / "submission.zip") == first


def test_a_full_disk_is_named(here: Path) -> None:
    """Else the user searches for a mistake in the weights, and half a zip lies about."""
    (here / "large.bin").write_bytes(os.urandom(400_000))
    (here / "disk").mkdir()
    inside = (
        f"mount -t tmpfs -o size=128k none disk || exit 77; {PACK} --include large.bin "
        "--out disk/s.zip; code=$?; ls -A disk; exit $code"
    )
    done = typed(f"unshare --mount --map-root-user bash -c {inside!r}")
    if done.returncode in (1, 77) and "make-submission" not in done.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    assert done.returncode == Exit.USAGE
    assert "disk/s.zip cannot be written: No space left on device" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("word", ["a\0b", "\ud800", "--out=\0"])
def test_words_that_are_no_text_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a program that passes them on reads of a fault of ours in pathlib."""
    assert make_submission([word]) == Exit.USAGE
    assert "expected text in the arguments" in capsys.readouterr().err


def raising(error: Exception) -> Callable[[list[str]], int]:
    """A body that ends so."""

    def body(_: list[str]) -> int:
        raise error

    return body


ERRORS = [
    (SandboxError("the folder of the job is not there"), Exit.USAGE, "is not there"),
    (OSError(28, "No space left on device", "/x/y"), Exit.USAGE, "/x/y: No space left on device"),
    (OSError(13, "Permission denied", b"/x/\xff"), Exit.USAGE, "/x/\\udcff: Permission denied"),
    (FileNotFoundError(2, "No usable temporary directory found in []"), Exit.USAGE, "set TMPDIR"),
    (FileNotFoundError(2, "No such file", "/nowhere/x"), Exit.USAGE, "/nowhere/x: No such file"),
    (MemoryError(), Exit.USAGE, "not enough memory"),
    (ImportError("x.so: failed to map segment from shared object"), Exit.USAGE, "not enough memory"),
    (FileNotFoundError(2, "No such file", str(Path(__file__).parents[2] / "submission/x")), Exit.OUR_FAULT, "a fault of ours"),
    (OSError(9, "Bad file descriptor"), Exit.OUR_FAULT, "a fault of ours (OSError: [Errno 9]"),
    (ValueError("two\nlines"), Exit.OUR_FAULT, "a fault of ours (ValueError: two lines)"),
    (KeyError("x"), Exit.OUR_FAULT, "a fault of ours (KeyError"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "said"), ERRORS, ids=[repr(row[0])[:50] for row in ERRORS]
)
def test_whose_fault_an_error_is(
    error: Exception,
    code: Exit,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Else users report their full disks to us, or believe that our faults are theirs."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_command("command", [], raising(error)) == code
    heard = capfd.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1


def test_orders_to_the_terminal_in_names_are_shown_not_obeyed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else the name of somebody's file clears the screen, or hides the message."""
    code = run_command("command", [], raising(UserError("\x1b[2Jx\r")))
    assert code == Exit.USAGE
    assert capsys.readouterr().err == "command: \\x1b[2Jx\\r\n"


@pytest.mark.parametrize(
    "text", ["[/red]", "[/]", "[bold", "[red]r[/blue]", ":smile:", "[link=x]y"]
)
def test_a_terminal_shows_foreign_text_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a class called [/red] ends the report with a fault of ours."""
    from rich.table import Table

    table = Table(title=text, caption=text)
    table.add_column(text, footer=text)
    table.add_row(text)
    console(width=60).print(table)
    console(width=60).print(text)
    assert capsys.readouterr().out.count(text) == 5


def test_runs_into_one_zip_at_once_all_end_well(here: Path) -> None:
    """Else one takes the other's half-written zip away, or leaves a zip with another's split."""
    expected, line = {}, "run{}/weights.bin --model mine.py --include weights.npy --no-run"
    for run in range(3):
        folder = here / f"run{run}"
        folder.mkdir()
        (folder / "weights.bin").write_bytes(bytes([run]) * 3_000_000)
        (folder / "split.json").write_text(f'{{"run": {run}}}', encoding="utf-8")
        words = [*line.format(run).split(), "--out", f"alone{run}.zip"]
        assert make_submission(words) == Exit.FINE
        expected[sha256_of(here / f"alone{run}.zip")] = f'{{"run": {run}}}'
    both = [f"make-submission {line.format(run)} --out both.zip" for run in range(3)]
    done = typed(" & ".join(f"{{ {one} || echo FAILED; }}" for one in both) + " & wait")
    assert "FAILED" not in done.stdout
    assert done.stderr == ""
    assert (here / "both.split.json").read_text() == expected[sha256_of(here / "both.zip")]
    assert not list(here.glob(".*"))


def test_drafts_of_killed_runs_go_and_living_ones_stay(here: Path) -> None:
    """Else killed runs fill the folder, or a run loses its zip to another that tidies up."""
    alive = owner_mark()
    old = here / f".submission.zip.{alive.replace(f'-{os.getpid()}-', f'-{2**22 + 1}-')}.draft"
    held = here / f".submission.zip.{alive}.draft"
    for folder in (old, held):
        folder.mkdir()
    assert make_submission([*PACK.split()[1:]]) == Exit.FINE
    assert held.is_dir()
    assert not old.exists()
