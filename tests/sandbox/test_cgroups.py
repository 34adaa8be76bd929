"""Control groups of both versions, on folders laid out as the kernel does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.cgroups import Group, make_groups


def lay_out(place: Path, groups: str, mounts: dict[str, str], files: dict[str, str]) -> Path:
    """A /proc with these groups and mounts (mount point -> "type options"); returns it."""
    proc = place / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(groups, encoding="ascii")
    lines = [
        f"30 23 0:26 / {place / where} rw - {kind.split()[0]} none {kind.split()[1]}"
        for where, kind in mounts.items()
    ]
    (proc / "self" / "mountinfo").write_text("\n".join(lines) + "\n", encoding="ascii")
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="ascii")
    return proc


@pytest.fixture(autouse=True)
def doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel puts files into a new group; here the test does."""
    made = Path.mkdir

    def mkdir(path: Path, *values: Any, **options: Any) -> None:
        made(path, *values, **options)
        if path.name.startswith("rehearsal-"):
            (path / "cgroup.procs").touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)


def make_group(kind: str, limit: int, proc: Path) -> Group | None:
    """A group for one kind of limit."""
    return next(iter(make_groups({kind: limit}, proc)), None)


def limit_of(group: Group | None, name: str) -> str:
    """What stands in one of the group's files."""
    assert group is not None
    return (group.path / name).read_text(encoding="ascii")


def test_version_1_is_used_below_our_own_group(tmp_path: Path) -> None:
    """Else the limit would not hold, or would hold the user's other processes."""
    proc = lay_out(
        tmp_path,
        "4:memory:/user/a\n3:cpu,pids:/b\n",
        {"m": "cgroup rw,memory", "p": "cgroup rw,cpu,pids"},
        {"m/user/a/x": "", "p/b/x": ""},
    )
    memory, pids = make_group("memory", 1000, proc), make_group("pids", 20, proc)
    assert limit_of(memory, "memory.limit_in_bytes") == "1000"
    assert limit_of(pids, "pids.max") == "20"
    assert memory is not None
    assert memory.path.parent == tmp_path / "m" / "user" / "a"


def test_version_2_is_used_where_the_controller_is_passed_on(tmp_path: Path) -> None:
    """Else no modern system would hold the memory."""
    proc = lay_out(
        tmp_path,
        "0::/user.slice/session\n",
        {"u": "cgroup2 rw"},
        {
            "u/user.slice/cgroup.subtree_control": "cpu memory pids",
            "u/user.slice/session/cgroup.subtree_control": "",
        },
    )
    group = make_group("memory", 1000, proc)
    assert limit_of(group, "memory.max") == "1000"
    assert limit_of(group, "memory.swap.max") == "0"
    assert group is not None
    assert group.path.parent == tmp_path / "u" / "user.slice"


@pytest.mark.parametrize(
    ("groups", "mounts", "files"),
    [
        ("0::/\n", {"u": "cgroup2 rw"}, {"u/cgroup.subtree_control": "cpu"}),
        ("4:memory:/a\n", {"m": "cgroup rw,pids"}, {}),
        ("4:memory:/not/there\n", {"m": "cgroup rw,memory"}, {}),
        ("", {}, {}),
    ],
    ids=["not passed on", "not mounted", "not visible", "none"],
)
def test_without_groups_there_is_none(
    tmp_path: Path, groups: str, mounts: dict[str, str], files: dict[str, str]
) -> None:
    """Else a machine without control groups could not run anything."""
    assert make_group("memory", 1000, lay_out(tmp_path, groups, mounts, files)) is None


@pytest.mark.parametrize(
    ("version", "name", "text", "ran_out"),
    [
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False),
        (2, "memory.events", "low 0\nmax 9\noom 1\noom_kill 1\n", True),
        (2, "memory.events", "low 0\nmax 9\noom 0\noom_kill 0\n", False),
        (2, "memory.other", "", False),
        (1, "pids.events", "max 3\n", True),
        (2, "pids.events", "max 0\n", False),
    ],
)
def test_what_the_kernel_did_is_seen(
    tmp_path: Path, version: int, name: str, text: str, ran_out: bool
) -> None:
    """Else a memory death would be told as a riddle: exit code -9."""
    (tmp_path / name).write_text(text, encoding="ascii")
    assert Group(tmp_path, name.split(".")[0], version).ran_out() == ran_out
