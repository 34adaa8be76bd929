"""Control groups of both versions, on folders laid out as the kernel does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.sandbox.cgroups import ControlGroup, make_groups


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


def make_group(kind: str, limit: int, proc: Path) -> ControlGroup | None:
    """A group for one kind of limit."""
    return next(iter(make_groups({kind: limit}, proc)), None)


def limit_of(group: ControlGroup | None, name: str) -> str:
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


USERS_MANAGER = {
    "u/user@1.service/app.slice/cgroup.subtree_control": "cpu memory pids",
    "u/user@1.service/app.slice/cgroup.procs": "",
    "u/user@1.service/app.slice/terminal.scope/cgroup.subtree_control": "",
}
LEFT_OFF = {
    **USERS_MANAGER,
    "u/user@1.service/app.slice/cgroup.subtree_control": "",
    "u/user@1.service/app.slice/cgroup.controllers": "cpu memory pids",
}
IN_USE = {**LEFT_OFF, "u/user@1.service/app.slice/cgroup.procs": "17\n"}
TERMINAL = "0::/user@1.service/app.slice/terminal.scope\n"


def test_version_2_holds_both_limits_in_one_group(tmp_path: Path) -> None:
    """Else the second group takes the process out of the first, and the memory is not held."""
    proc = lay_out(tmp_path, TERMINAL, {"u": "cgroup2 rw"}, USERS_MANAGER)
    (group,) = make_groups({"memory": 1000, "pids": 20}, proc)
    assert group.path.parent == tmp_path / "u" / "user@1.service" / "app.slice"
    limits = {"memory.max": "1000", "pids.max": "20"}
    limits |= {"memory.swap.max": "0", "memory.oom.group": "1"}
    assert {name: limit_of(group, name) for name in limits} == limits


@pytest.mark.parametrize(
    ("files", "switch"),
    [(LEFT_OFF, "+memory"), (IN_USE, "")],
    ids=["not switched on", "holds processes"],
)
def test_a_controller_is_switched_on_where_that_may_be(
    tmp_path: Path, files: dict[str, str], switch: str
) -> None:
    """Else a limit is missing that could be had, or the user's own processes are in the way."""
    proc = lay_out(tmp_path, TERMINAL, {"u": "cgroup2 rw"}, files)
    make_groups({"memory": 1000}, proc)
    asked = tmp_path / "u" / "user@1.service" / "app.slice" / "cgroup.subtree_control"
    assert asked.read_text(encoding="ascii") == switch  # a kernel would answer "memory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_group_whose_parent_is_closed_is_not_used(tmp_path: Path) -> None:
    """Else the child could not enter its group, and would not start."""
    proc = lay_out(tmp_path, TERMINAL, {"u": "cgroup2 rw"}, USERS_MANAGER)
    (tmp_path / "u" / "user@1.service" / "app.slice" / "cgroup.procs").chmod(0o400)
    assert make_groups({"memory": 1000}, proc) == []


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
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "memory"),
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", ""),
        (2, "memory.events", "low 0\nmax 9\noom 1\noom_kill 1\n", "memory"),
        (2, "memory.events", "low 0\nmax 9\noom 0\noom_kill 0\n", ""),
        (2, "memory.other", "", ""),
        (1, "pids.events", "max 3\n", "pids"),
        (2, "pids.events", "max 0\n", ""),
    ],
)
def test_what_the_kernel_did_is_seen(
    tmp_path: Path, version: int, name: str, text: str, ran_out: str
) -> None:
    """Else a memory death would be told as a riddle: exit code -9."""
    (tmp_path / name).write_text(text, encoding="ascii")
    assert ControlGroup(tmp_path, (name.split(".")[0],), version).ran_out() == ran_out
