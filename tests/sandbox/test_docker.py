"""A job in a docker image, against a program that stands in for docker: a real one was not seen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codabench_rehearsal.sandbox import docker
from codabench_rehearsal.sandbox.docker import docker_words, prepare, stop, unavailable
from codabench_rehearsal.sandbox.job import Job, Limits, SandboxError
from tests.sandbox.stand_ins import put_on_path

IMAGE = "an/image:1"
RUN = """
import subprocess, sys
from codabench_rehearsal.sandbox.docker import docker_words
from codabench_rehearsal.sandbox.job import Job, Limits
job = eval(sys.argv[1])
subprocess.run(docker_words(job, "box"))
"""


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What the daemon said of itself is asked anew."""
    docker._security.cache_clear()
    yield
    docker._security.cache_clear()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put the stand-in on PATH, with a plan; returns its folder."""

    def put(**plan: Any) -> Path:
        return put_on_path("docker", tmp_path / "bin", monkeypatch, plan).parent

    return put


def calls(folder: Path) -> list[list[str]]:
    """How it was called."""
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def job(place: Path, code: str = "", **differs: Any) -> Job:
    """A job with a program, a submission that is copied, and an output to write."""
    folders = {name: place / name for name in ("program", "submission_program", "output")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    (folders["submission_program"] / "weights").write_text("original")
    (folders["submission_program"] / "deep").mkdir(exist_ok=True)
    (folders["submission_program"] / "deep" / "layers.py").touch()
    (folders["program"] / "main.py").write_text(code)
    usual: dict[str, Any] = {
        "command": ("/here/python", "$program/main.py", "$output"),
        "folders": {name: str(folder) for name, folder in folders.items()},
        "working_folder": "submission_program",
        "environment": {"GREETING": "hello"},
        "writable": ("output",),
        "copied": ("submission_program",),
        "image": IMAGE,
    }
    return Job(**{**usual, **differs})


def options(words: list[str]) -> list[str]:
    """What docker reads of the command: the words between `run` and the image."""
    return words[words.index("run") : words.index(IMAGE)]


WRITES = """
import os, sys
from pathlib import Path
print(os.environ["GREETING"], os.listdir("deep"), Path("weights").read_text())
Path("weights").write_text("changed")
Path(sys.argv[1], "answer").write_text(Path("weights").read_text())
"""


def test_a_job_runs_in_it(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else the command that we hand to docker does not do the job; its changes stay in its copy."""
    stand_in()
    words = docker_words(job(tmp_path / "a,b", WRITES), "box")
    done = subprocess.run(words, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "hello ['layers.py'] original"
    assert (tmp_path / "a,b" / "output" / "answer").read_text() == "changed"
    assert (tmp_path / "a,b" / "submission_program" / "weights").read_text() == "original"


def test_the_exit_code_comes_back(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else a failed submission would pass."""
    stand_in()
    words = docker_words(job(tmp_path, "raise SystemExit(7)"), "box")
    assert subprocess.run(words, env={}, check=False).returncode == 7


def test_nothing_is_open_that_need_not_be(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else foreign code has the network, root's powers, or writes into our folders."""
    stand_in()
    given = options(docker_words(job(tmp_path), "box"))
    walls = ("--network=none", "--read-only", "--cap-drop=ALL", "--rm", "--pull=never")
    assert set(walls) <= set(given)
    assert "--security-opt=no-new-privileges" in given
    assert f"--user={os.getuid()}:{os.getgid()}" in given
    mounts = [word for word in given if word.startswith("--mount=")]
    assert len(mounts) == 3
    assert [word for word in mounts if not word.endswith(",readonly")] == [
        f"--mount=type=bind,source={tmp_path}/output,target={tmp_path}/output"
    ]


LIMITS = [
    (Limits(memory_bytes=1000), ["--memory=1008", "--memory-swap=1008"]),  # 8 bytes are copied
    (Limits(processes=10), ["--pids-limit=640"]),
    (Limits(open_files=99), ["--ulimit=nofile=99"]),
    (Limits(disk_bytes=500), ["--tmpfs=/tmp:rw,nosuid,nodev,exec,mode=1777,size=500"]),
    (Limits(), ["--tmpfs=/tmp:rw,nosuid,nodev,exec,mode=1777"]),
]


@pytest.mark.parametrize(("limits", "expected"), LIMITS, ids=str)
def test_limits_are_handed_on(
    tmp_path: Path, stand_in: Callable[..., Path], limits: Limits, expected: list[str]
) -> None:
    """Else a submission takes the whole machine."""
    stand_in()
    assert set(expected) <= set(options(docker_words(job(tmp_path, limits=limits), "box")))


def test_a_network_is_given_when_asked_for(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else a platform with a network could not be rehearsed."""
    stand_in()
    given = options(docker_words(job(tmp_path, limits=Limits(network=True)), "box"))
    assert not [word for word in given if word.startswith("--network")]


DAEMONS = [
    ('["name=seccomp,profile=builtin","name=rootless"]', []),
    ('["name=userns"]', ["--userns=host", f"--user={os.getuid()}:{os.getgid()}"]),
    ("[]", [f"--user={os.getuid()}:{os.getgid()}"]),
]


@pytest.mark.parametrize(("said", "expected"), DAEMONS)
def test_the_files_are_ours_outside(
    tmp_path: Path, stand_in: Callable[..., Path], said: str, expected: list[str]
) -> None:
    """Else the child cannot write its answers, or we cannot remove what it wrote."""
    stand_in(info={"say": said})
    given = options(docker_words(job(tmp_path), "box"))
    assert [word for word in given if word.startswith("--user")] == expected


def test_the_users_docker_is_asked(
    tmp_path: Path, stand_in: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a rootless or remote daemon is not found: the child's environment does not name it."""
    stand_in()
    monkeypatch.setenv("DOCKER_CONFIG", "/my/settings")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    words = docker_words(job(tmp_path), "box")
    client = words[words.index("box") + 1 : words.index("run")]
    assert client[1:] == [
        "--config",
        "/my/settings",
        "--host",
        "unix:///run/user/1000/docker.sock",
    ]


@pytest.mark.parametrize("image", ["--privileged", "", "a b", "-v/:/x", "image;rm"])
def test_an_image_is_a_name(tmp_path: Path, stand_in: Callable[..., Path], image: str) -> None:
    """Else a mistyped name would be read as an option."""
    stand_in()
    for call in (
        lambda: docker_words(job(tmp_path, image=image), "box"),
        lambda: prepare(image, print),
    ):
        with pytest.raises(SandboxError, match="no name of a docker image"):
            call()


def test_a_colon_is_refused_in_words(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else docker's own riddle is read."""
    stand_in()
    with pytest.raises(SandboxError, match="colon in its path"):
        docker_words(job(tmp_path / "a:b"), "box")


def test_without_docker_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `--docker` ends in a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not found on PATH" in unavailable()
    with pytest.raises(SandboxError, match="not found on PATH"):
        prepare(IMAGE, print)
    stop("box")  # nothing to end, nothing to say


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"code": 1, "say": "Cannot connect to the Docker daemon at unix:///x"}, "Cannot connect"),
    ({"code": 1, "say": "permission denied on /var/run/docker.sock"}, "permission denied"),
    ({"code": 1}, "it said nothing"),
    ({"say": "28.2.2"}, ""),
]


@pytest.mark.parametrize(("plan", "said"), ANSWERS)
def test_a_daemon_that_does_not_answer_is_said(
    stand_in: Callable[..., Path], plan: dict[str, Any], said: str
) -> None:
    """Else the user does not know that it must be started."""
    stand_in(version=plan)
    assert said in unavailable()
    assert bool(said) == bool(unavailable())


def test_an_image_is_fetched_once(stand_in: Callable[..., Path]) -> None:
    """Else its download would count as the submission's time."""
    folder, said = stand_in(), list[str]()
    prepare(IMAGE, said.append)
    assert not [call for call in calls(folder) if call[0] == "pull"]
    stand_in(image={"code": 1}, pull={"say": "Status: Downloaded newer image"})
    prepare(IMAGE, said.append)
    assert calls(folder)[-1] == ["pull", IMAGE]
    assert said == [f"docker fetches {IMAGE}"]
    stand_in(image={"code": 1}, pull={"code": 1, "say": "manifest unknown"})
    with pytest.raises(SandboxError, match=f"could not fetch {IMAGE}: manifest unknown"):
        prepare(IMAGE, said.append)


def test_containers_of_dead_owners_are_ended(stand_in: Callable[..., Path]) -> None:
    """Else what a killed run left goes on for ever; those of living ones are left alone."""
    birth = round(psutil.Process().create_time())
    owners = {
        "dead": "999999999-100",
        "reborn": f"{os.getpid()}-{birth - 1000}",
        "alive": f"{os.getpid()}-{birth + 1}",
        "odd": "nonsense",
    }
    listed = "\n".join(f"{json.dumps(name)} {json.dumps(owner)}" for name, owner in owners.items())
    folder = stand_in(ps={"say": listed})
    prepare(IMAGE, print)
    ended = [call[-1] for call in calls(folder) if call[0] == "rm"]
    assert ended == ["dead", "reborn"]


def start(folder: Path, sleeping: Job) -> tuple[subprocess.Popen[bytes], int]:
    """Run a job from a process of its own; returns it and the container's process number."""
    owner = subprocess.Popen([sys.executable, "-c", RUN, repr(sleeping)])
    note = folder / "box.pid"
    deadline = time.monotonic() + 10
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return owner, int(note.read_text())


def ends(pid: int) -> bool:
    """Whether a process is gone within five seconds."""
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


SLEEP = "import time; time.sleep(60)"


def test_stopping_ends_the_container(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else a hung submission outlives its time limit."""
    owner, container = start(stand_in(), job(tmp_path, SLEEP, copied=()))
    stop("box")
    assert ends(container)
    assert owner.wait(timeout=10) == 0


def test_a_container_dies_with_us(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else `kill -9` of the command leaves foreign code running: docker's client leaves it be."""
    folder = stand_in()
    owner, container = start(folder, job(tmp_path, SLEEP, copied=()))
    owner.kill()
    owner.wait()
    assert ends(container)
    assert calls(folder)[-1] == ["rm", "--force", "box"]


def test_signals_in_a_row_end_the_container(tmp_path: Path, stand_in: Callable[..., Path]) -> None:
    """Else a second one would break off the removal that the first one began."""
    folder = stand_in()
    owner, container = start(folder, job(tmp_path, SLEEP, copied=()))
    (guard,) = psutil.Process(owner.pid).children()
    for _ in range(100):
        with contextlib.suppress(psutil.NoSuchProcess):
            guard.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    owner.wait(timeout=10)
    assert ends(container)
    assert calls(folder)[-1] == ["rm", "--force", "box"]
