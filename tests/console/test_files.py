"""Writing what a user named, on real files, links, pipes, devices and full disks."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.console.files import (
    FileError,
    check_place,
    draft,
    publish,
    replacing,
    write_bytes,
    write_or_print,
    write_text,
)
from codabench_rehearsal.console.temporary import remove_abandoned
from tests.console.stage import names

ROOT = os.geteuid() == 0


pytestmark = pytest.mark.usefixtures("empty")


@pytest.mark.parametrize("name", ["plain.json", "без имени", "n" * 255, ".hidden", "-"])
def test_a_file_is_written_whole_and_nothing_else_stays(name: str) -> None:
    """Else reports are lost, or drafts pile up beside them."""
    write_text(Path(name) if name != "-" else "./-", "old")
    write_text(f"./{name}", "new †")
    assert Path(name).read_text(encoding="utf-8") == "new †"
    assert names() == [name]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_open_gives(mask: int) -> None:
    """Else a team cannot read a report, or everybody can."""
    old = os.umask(mask)
    try:
        write_text("ours", "x")
        Path("plain").write_text("x", encoding="utf-8")
        with draft("drafted") as part:
            part.write_text("x", encoding="utf-8")
            publish(part, "drafted")
    finally:
        os.umask(old)
    modes = {Path(name).stat().st_mode for name in ("ours", "plain", "drafted")}
    assert len(modes) == 1


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_an_older_file_keeps_its_mode(mode: int) -> None:
    """Else a private report turns public as it is written again."""
    write_text("report", "old")
    Path("report").chmod(mode)
    write_text("report", "new")
    assert stat.S_IMODE(Path("report").stat().st_mode) == mode


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_an_older_file_keeps_its_owner() -> None:
    """Else a user cannot write their own report after root did once."""
    write_text("report", "old")
    os.chown("report", 1234, 4321)
    write_text("report", "new")
    assert (Path("report").stat().st_uid, Path("report").stat().st_gid) == (1234, 4321)


def test_links_stay_and_what_they_lead_to_is_written() -> None:
    """Else a link to a shared folder turns into a file that nobody there sees."""
    Path("there").mkdir()
    Path("there/a").write_text("old", encoding="utf-8")
    for link, target in (("one", "there/a"), ("two", "one"), ("dangling", "there/new")):
        Path(link).symlink_to(target)
        write_text(link, link)
        assert Path(link).is_symlink()
        assert Path("there/new" if link == "dangling" else "there/a").read_text() == link
    with draft("two") as part:
        assert part.name == "two"  # Keras looks at the end of the name
        part.write_text("drafted", encoding="utf-8")
        publish(part, "two")
    assert Path("there/a").read_text() == "drafted"
    assert names("there") == ["a", "new"]


def test_a_hard_link_keeps_the_old_content() -> None:
    """Else a backup by hard links changes with the report."""
    write_text("report", "old")
    os.link("report", "backup")
    write_text("report", "new")
    assert Path("backup").read_text() == "old"


NOBODY = "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"


@pytest.mark.skipif(not ROOT, reason="needs root to become somebody else")
@pytest.mark.parametrize(
    ("mode", "folder", "said"),
    [(0o444, 0o777, "x cannot be written: it may only be read. Allow it"), (0o666, 0o755, "may only be read")],
)  # fmt: skip
def test_a_write_protection_holds(empty: Path, mode: int, folder: int, said: str) -> None:
    """Else what somebody protected is replaced, as its folder may be written."""
    for above in empty.parents:  # up to where pytest keeps others out
        if above.stat().st_mode & 0o55 != 0o55:
            above.chmod(0o755)
    write_text("x", "old")
    Path("x").chmod(mode)
    empty.chmod(folder)
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from codabench_rehearsal.console.files import *\n" + NOBODY +
        "try: write_text('x', 'new')\nexcept FileError as error: print(error)"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said in done.stdout, done.stderr
    assert Path("x").read_text() == "old"


class Killed(BaseException):
    """Stands for a kill or Ctrl-C."""


def fail_inside(door: Any, error: BaseException | type[BaseException]) -> None:
    """Write half a file, and fail."""
    with door("x") as held:
        held.write_bytes(b"half") if isinstance(held, Path) else held.write(b"half")
        raise error


def made_a_folder() -> None:
    """Write a file while another program makes a folder of its name."""
    with draft("x") as part:
        part.write_text("new", encoding="utf-8")
        Path("x").mkdir()
        publish(part, "x")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Killed, SystemExit])
@pytest.mark.parametrize("door", [replacing, draft])
def test_what_fails_leaves_the_old_file_and_no_draft(door: Any, error: type[BaseException]) -> None:
    """Else an interrupted run leaves half a file, or hidden folders."""
    write_text("x", "old")
    with pytest.raises(error):
        fail_inside(door, error)
    assert names() == ["x"]
    assert Path("x").read_text() == "old"


def test_what_becomes_a_folder_meanwhile_is_left() -> None:
    """Else what another program put there during a long run is gone."""
    with pytest.raises(FileError, match="received a folder"):
        made_a_folder()
    assert names() == ["x"]


KILLED = (
    "import os, signal; from codabench_rehearsal.console.files import *\n"
    "with replacing('x') as file:\n  file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
)


def test_drafts_of_killed_runs_go_at_once_and_living_ones_stay() -> None:
    """Else killed runs fill the folder, or a run loses its file to another that tidies up."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert len(names()) == 1
    with draft("x") as living:
        living.write_text("living", encoding="utf-8")
        assert len(names()) == 1
        write_text("x", "another")
        remove_abandoned([Path()])
        publish(living, "x")
    assert names() == ["x"]
    assert Path("x").read_text() == "living"


def test_draft_names_are_random_and_exclusive() -> None:
    """Else somebody who knows the name lays a link there, and another file is overwritten."""
    seen = set()
    for _ in range(20):
        with draft("x") as part:
            seen.add(part.parent.name)
            assert stat.S_IMODE(part.parent.stat().st_mode) == 0o700
    assert len(seen) == 20


def test_many_threads_may_write_one_file() -> None:
    """Else two runs at once leave a mixture, or end with an error."""
    texts = [str(number) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_text, args=("x", text)) for text in texts * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Path("x").read_text() in texts
    assert names() == ["x"]


@pytest.fixture
def small_disk(empty: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    disk = empty / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_old_file_and_says_how_much(small_disk: Path) -> None:
    """Else a report is half a file, or the user does not know how much room to make."""
    target = small_disk / "x"
    write_text(target, "old")
    said = r"x cannot be written: No space left on device \(3\.0 MB are needed\)\. Make room in"
    with pytest.raises(FileError, match=said):
        write_bytes(target, bytes(3_000_000))
    assert target.read_text() == "old"
    assert names(small_disk) == ["x"]


def test_one_file_on_two_mounts_is_one_file(small_disk: Path, empty: Path) -> None:
    """Else an output under a bind mount destroys the data."""
    from codabench_rehearsal.console.guard import refuse_same
    from codabench_rehearsal.console.roles import DATA, JSON, Input, Output

    write_text(small_disk / "data", "x")
    (empty / "again").mkdir()
    subprocess.run(["mount", "--bind", str(small_disk), "again"], check=True)
    try:
        with pytest.raises(FileError, match="--json again/data would overwrite the data"):
            refuse_same({"--json": Output("again/data", JSON)}, [Input("disk/data", DATA)])
        new = {"--json": Output("again/new", JSON), "--html": Output("disk/new", JSON)}
        with pytest.raises(FileError, match="--json and --html name one file"):
            refuse_same(new, [])
    finally:
        subprocess.run(["umount", "again"], check=True)


def test_closed_standard_output_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `--json - >&-` works for an hour and then shows nothing."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(FileError, match="standard output, which is closed"):
        check_place("-")


def test_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Else `--json - | jq` gets nothing, and a file called - appears."""
    write_or_print("-", "{}\n")
    assert capsys.readouterr().out == "{}\n"
    assert names() == []


def test_errors_of_the_disk_are_said() -> None:
    """Else numpy's short write on a full disk is a fault of ours."""
    short = OSError("4096 requested and 0 written")
    with pytest.raises(FileError, match="x cannot be written: 4096 requested and 0 written"):
        fail_inside(replacing, short)
    with pytest.raises(FileError, match="Make room in"):
        fail_inside(replacing, OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert names() == []
