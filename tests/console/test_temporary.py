"""Temporary things go with their owner, or with the next run; a living run's never do."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codabench_rehearsal.console import temporary
from codabench_rehearsal.console.temporary import (
    TemporaryFolder,
    is_abandoned,
    owner_mark,
    remove_abandoned,
    remove_leftovers,
)
from tests.sandbox.children import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc of Linux")
MAKES = "from codabench_rehearsal.console.temporary import TemporaryFolder as T; import os, sys, time; t = T('test-', __import__('pathlib').Path(sys.argv[1])); print(t.path, flush=True); "
BOOT, SPACE, HOST = temporary._here()


def test_a_folder_of_the_dead_goes_at_once_and_a_living_ones_stays(tmp_path: Path) -> None:
    """Else killed runs fill the disk, or a run loses its files to the one beside it."""
    words = [sys.executable, "-c", MAKES + "os.kill(os.getpid(), 9)", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    abandoned = Path(done.stdout.strip())
    assert abandoned.is_dir()
    words[2] = MAKES + "time.sleep(60)"
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        alive = Path(other.stdout.readline().strip())
        with TemporaryFolder("test-", tmp_path) as own:
            remove_abandoned([tmp_path])
            assert own.is_dir()
        assert alive.is_dir()
        assert not own.exists()
        assert not abandoned.exists()
        other.kill()
    remove_abandoned([tmp_path])
    assert not alive.exists()


def test_what_lies_beside_an_output_is_found_by_any_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a draft of a killed run stays until somebody writes into that very folder again."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for name in ("tmp", "out"):
        (tmp_path / name).mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    for end, stays in (("t.close()", False), ("os.kill(os.getpid(), 9)", True)):
        words = [sys.executable, "-c", MAKES + end, str(tmp_path / "out")]
        subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=False)
        assert any((tmp_path / "tmp").iterdir()) == any((tmp_path / "out").iterdir()) == stays
    remove_leftovers()
    assert not [*(tmp_path / "tmp").iterdir(), *(tmp_path / "out").iterdir()]


def test_a_note_leads_to_nothing_but_a_dead_owners_folder(tmp_path: Path) -> None:
    """Else a note that somebody wrote has us remove the user's own files, or a living run's."""
    with TemporaryFolder("test-", tmp_path) as alive:
        for number, place in enumerate((tmp_path / "mine", alive, Path("mine"))):
            note = tmp_path / mark(DEAD).replace("own", f"at-{number}-own")
            note.mkdir()
            (note / "place").write_bytes(os.fsencode(place))
        (tmp_path / "mine").mkdir(exist_ok=True)
        remove_abandoned([tmp_path])
        assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "mine", alive])


def mark(pid: int, birth: int = 1, boot: str = BOOT, space: str = SPACE, host: str = HOST) -> str:
    """A folder's name, of any owner."""
    return f"rehearsal-own-{pid}-{birth}-{boot}{space}{host}-0123abcd"


DEAD = 2**22 + 1  # above every number that Linux gives
OWNERS = [  # who made it; how old it is, in seconds; whether it may go
    ("dead", mark(DEAD), 0, True),
    ("its number was given to another", mark(os.getpid(), birth=1), 0, True),
    ("alive", f"rehearsal-{owner_mark()}", 0, False),
    ("alive, and nothing tells its start", mark(os.getpid(), birth=0), 0, False),
    ("another namespace, perhaps about to lock", mark(DEAD, space="aaaaaa"), 0, False),
    ("another namespace, without a lock for long", mark(DEAD, space="aaaaaa"), 99, True),
    ("before the machine was started anew", mark(DEAD, boot="aaaaaa"), 0, True),
    ("another machine on a network disk", mark(DEAD, boot="aaaaaa", host="aaaaaa"), 9**6, False),
    ("a system that tells no boot", mark(DEAD, boot="000000"), 9**6, False),
    ("no mark of ours", "rehearsal-fault-1.txt", 9**6, False),
    ("half a mark", "rehearsal-own-12-13-aaaaaa", 9**6, False),
]


@linux_only
@pytest.mark.parametrize(("who", "name", "age", "gone"), OWNERS, ids=[row[0] for row in OWNERS])
def test_who_is_taken_for_dead(tmp_path: Path, who: str, name: str, age: int, gone: bool) -> None:
    """Else a living run's folder is removed, in a container or over a network, or the dead one's stays."""
    folder = tmp_path / name
    folder.mkdir()
    then = time.time() - age
    os.utime(folder, (then, then))
    assert is_abandoned(folder) is gone, who


@linux_only
def test_a_held_lock_is_believed_across_namespaces(tmp_path: Path) -> None:
    """Else a container that shares /tmp removes the folder of a run in another one."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("no namespaces of processes here")
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*words, sys.executable, "-c", MAKES + "time.sleep(60)", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        alive = Path(other.stdout.readline().strip())
        os.utime(alive, (1, 1))
        assert SPACE not in alive.name
        assert not is_abandoned(alive)
        other.kill()
    assert wait_until(lambda: is_abandoned(alive))


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """Else whoever may write to /tmp has us delete what they point at."""
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "kept").write_text("x", encoding="utf-8")
    place = tmp_path / "tmp"
    place.mkdir()
    (place / mark(DEAD)).symlink_to(treasure)
    (place / f"x{mark(DEAD)}").mkdir()
    (place / f"x{mark(DEAD)}" / "link").symlink_to(treasure)
    remove_abandoned([place])
    assert (treasure / "kept").exists()
    assert [path.name for path in place.iterdir()] == [mark(DEAD)]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
def test_other_users_folders_are_left_alone(tmp_path: Path) -> None:
    """Else root's run clears away what another user's run works with."""
    folder = tmp_path / mark(DEAD)
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    remove_abandoned([tmp_path])
    assert folder.exists()


def test_what_the_next_command_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else half-made sets of images and environments, gigabytes, wait for a command of their own kind."""
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path))
    whole, half, kept = tmp_path / "server-a", tmp_path / "server-b", tmp_path / "images" / "abc"
    part = tmp_path / "images" / f"rehearsal-part-{mark(DEAD)}"
    for folder in (whole, half, kept, part):
        folder.mkdir(parents=True)
    (whole / "complete.json").write_text("{}", encoding="utf-8")
    lock = temporary._held(tmp_path / "server.lock")
    remove_leftovers()
    assert (half.exists(), part.exists()) == (True, False)  # somebody builds
    os.close(lock)
    remove_leftovers()
    assert not half.exists()
    assert whole.exists()
    assert kept.exists()


def test_a_disk_without_locks_serves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing runs where TMPDIR is on some network disks."""

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with TemporaryFolder("test-", tmp_path) as folder:
        remove_abandoned([tmp_path])
        assert folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_what_nobody_closed_goes_with_the_process(tmp_path: Path) -> None:
    """Else an interrupt between making a folder and holding it leaves it for the next run."""
    forks = MAKES + "pid = os.fork(); pid or sys.exit(); os.waitpid(pid, 0); print(t.path.exists())"
    words = [sys.executable, "-c", forks, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"  # a child of ours took nothing away
    assert not list(tmp_path.iterdir())


ROOT = Path(__file__).parent.parent.parent
ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
# Without a name, so gone with the process; and the file that a user is to send us.
NAMELESS = {"gettempdir", "TemporaryFile", "SpooledTemporaryFile"}
ALLOWED = {"codabench_rehearsal/console/command.py": {"NamedTemporaryFile"}}


def test_nothing_temporary_is_without_an_owner() -> None:
    """Else a new kind of temporary folder stays for ever after a kill, or a map of a full disk kills."""
    for path in [found for room in ROOMS for found in (ROOT / room).rglob("*.py")]:
        name = str(path.relative_to(ROOT))
        if name.startswith(("codabench_rehearsal/sandbox/programs/", "submission/template/")):
            continue
        text = path.read_text(encoding="utf-8")
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        used = {call[9:] for call in map(ast.unparse, calls) if call.startswith("tempfile.")}
        assert used <= NAMELESS | ALLOWED.get(name, set()), f"{name}: take TemporaryFolder"
        assert "open_memmap" not in text, f"{name}: take codabench_rehearsal.sandbox.feeding.mapped"


def test_a_folder_goes_however_deep_and_closed_it_is(tmp_path: Path) -> None:
    """Else one submission leaves a folder that stays for ever, and that every later command fails at."""
    kept, made = tmp_path / "kept", TemporaryFolder("test-", tmp_path)
    kept.mkdir(mode=0o500)
    program = """
import os, sys
os.symlink(sys.argv[1], "link")
for name in ["d", "n" * 250] * 1000:
    os.mkdir(name)
    os.chdir(name)
for _ in range(2000):
    os.chdir("..")
os.chmod("d", 0)
"""
    subprocess.run([sys.executable, "-c", program, kept], cwd=made.path, check=True)
    made.close()
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.stat().st_mode & 0o777 == 0o500
