"""What a bundle's programs run with: which Python, what it lacks, with or without a network."""

from __future__ import annotations

import socket
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.bundle import Bundle
from codabench_rehearsal.challenge.worker.environment import Wanted, machine_for
from codabench_rehearsal.challenge.worker.image_packages import contents
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.sandbox.job import SandboxError
from tests.challenge.worker.bundles import bundle, figures, log, program, ran, written, zipped
from tests.sandbox.children import at_level, linux_only
from tests.sandbox.pythons import environment
from tests.sandbox.stand_ins import put_on_path, put_uv

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OWN_IMAGE = f"somebody/image:py{HERE.replace('.', '')}"
READY = {"predictions": "ABCD"}


def chosen(made: Bundle, wanted: Wanted) -> tuple[Machine, str]:
    """The machine for the only phase, and the notes as one text."""
    machine, notes = machine_for(made, made.phases[0], wanted, lambda _: None)
    return machine, "\n".join(notes)


def test_what_the_python_lacks_is_named_before_the_run(tmp_path: Path) -> None:
    """Else a package that is missing here looks like a bundle that is broken."""
    code = "import json\nimport oddpack\nimport absent_one\n"
    made = bundle(tmp_path, program(code), program("import absent_two.deep\n"))
    python = environment(tmp_path / "env", package="oddpack")
    machine, notes = chosen(made, Wanted(python=str(python)))
    assert machine.python == str(python)
    assert f"ingestion imports absent_one (main.py:3), which {python} (Python {HERE})" in notes
    assert f"{python} -m pip install absent-one, or --server, or --docker bundle" in notes
    assert "scoring imports absent_two (main.py:1)" in notes
    assert "oddpack" not in notes
    assert "json" not in notes


def test_what_is_there_is_not_named(tmp_path: Path) -> None:
    """Else every run begins with false alarms."""
    code = (
        "import os, numpy, beside, main\nfrom model import predict\n"
        "try:\n    import absent\nexcept ImportError:\n    absent = None\n"
        "def never():\n    import absent_too\n"
    )
    made = bundle(tmp_path, program(code), data={"x": "", "beside.py": ""})
    submission = zipped(tmp_path, {"model.py": "import numpy\nimport helper\n", "helper.py": ""})
    assert chosen(made, Wanted(submission=submission))[1] == ""


def test_what_requirements_and_the_submission_ask_for_is_named(tmp_path: Path) -> None:
    """Else the list that an organiser wrote is passed over, or a submission fails unannounced."""
    listed = "numpy>=1.20  # arrays\nabsent_package==1.0\nabsent_one\n-e .\nx @ https://x.org/x\n"
    files = {**program("import absent_one\n"), "requirements.txt": listed}
    submission = zipped(tmp_path, {"model.py": "import absent_three\n"})
    notes = chosen(bundle(tmp_path, files), Wanted(submission=submission))[1]
    assert "requirements.txt also names absent-package, which" in notes
    assert "the submission imports absent_three (model.py:1)" in notes
    assert "numpy" not in notes
    assert notes.count("absent-one") == 1  # in what to install


def test_a_damaged_zip_and_a_dead_python(tmp_path: Path) -> None:
    """Else the platform's own message is hidden by one of ours, or there is a traceback."""
    made = bundle(tmp_path, program("pass"))
    (tmp_path / "submission.zip").write_bytes(b"no zip")
    assert chosen(made, Wanted(submission=tmp_path / "submission.zip"))[1] == ""
    with pytest.raises(SandboxError, match="--python"):
        chosen(made, Wanted(python=str(tmp_path / "nowhere")))


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Else one of them wins without a word."""
    made = bundle(tmp_path)
    with pytest.raises(SubmissionError, match="received --server and --docker"):
        chosen(made, Wanted(server=True, docker="bundle"))
    with pytest.raises(SubmissionError, match="expected --server beside it"):
        chosen(made, Wanted(packages=("scipy",)))


NETWORK = [
    (program("import subprocess\nsubprocess.run(['pip', 'install', 'x'])\n"), "pip install"),
    (program("import requests\n"), "import requests"),
    (program("", "sh -c 'pip install x && python main.py'"), "pip install"),
]


@pytest.mark.parametrize(("ingestion", "what"), NETWORK)
def test_who_needs_a_network_is_told(tmp_path: Path, ingestion: dict[str, str], what: str) -> None:
    """Else a download fails here that works there, and nobody knows why."""
    made = bundle(tmp_path, ingestion)
    machine, notes = chosen(made, Wanted())
    assert f"ingestion needs a network ({what})" in notes
    assert not machine.limits.network
    machine, notes = chosen(made, Wanted(network=True))
    assert "needs a network" not in notes
    assert machine.limits.network


@linux_only
@pytest.mark.parametrize("level", ["namespaces", "fences"])
def test_the_network_is_closed_unless_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """Else foreign code sends what it likes, or `--network` opens nothing."""
    at_level(level, monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}))\n"
        )
        made = bundle(tmp_path, program(code), program("pass"))
        codes = {}
        for network in (False, True):
            machine, _ = chosen(made, Wanted(network=network))
            task = ran(made, tmp_path, "2026-10", READY, machine=machine).tasks[0]
            codes[network] = task.jobs[0].steps[0].exit_code
    assert codes == {False: 1, True: 0}


@linux_only
def test_what_a_program_installs_while_it_runs_is_there(tmp_path: Path) -> None:
    """Else an install fails, for the environment may not be written to."""
    pytest.importorskip("pip")
    data = written(tmp_path / "data", {})
    with zipfile.ZipFile(data / "tinypin-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinypin.py", "FOUND = 'ABcd'\n")
        wheel.writestr("tinypin-1.0.dist-info/METADATA", "Name: tinypin\nVersion: 1.0\n")
        wheel.writestr("tinypin-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tinypin-1.0.dist-info/RECORD", "")
    code = """
    import subprocess, sys
    where = ["--no-index", "--find-links", "/app/input_data"]
    subprocess.check_call([sys.executable, "-m", "pip", "install", *where, "tinypin"])
    import tinypin
    open("/app/output/predictions", "w").write(tinypin.FOUND)
    """
    made = bundle(tmp_path, program(code), input_data=data)
    machine, _ = chosen(made, Wanted(network=True))
    result = ran(made, tmp_path, "2026-10", machine=machine)
    assert figures(result) == {"accuracy": 1.0}, log(result, "prediction", "ingestion")


def test_the_servers_environment_holds_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `--server` runs what the user has, or builds anew each time."""
    calls = put_uv(tmp_path / "uv", monkeypatch, {})
    files = {**program("import oddpack\n"), "requirements.txt": "listed==2.0\n-r more.txt\n"}
    made = replace(bundle(tmp_path, files), image=OWN_IMAGE)
    submission = zipped(tmp_path, {"model.py": "import sub_pack\n"})
    wanted = Wanted(
        server=True, packages=("extra==1.5",), submission=submission, cache=tmp_path / "cache"
    )
    machine, notes = chosen(made, wanted)
    assert Path(machine.python).is_relative_to(tmp_path / "cache")
    installed = next(line for line in calls.read_text().splitlines() if line.startswith("pip"))
    assert installed.partition(" -- ")[2] == "extra==1.5 listed==2.0 oddpack sub-pack"
    assert f"what {OWN_IMAGE} holds is not public" in notes
    assert "-r more.txt left out" in notes
    count = len(calls.read_text().splitlines())
    assert chosen(made, wanted)[0] == machine
    assert len(calls.read_text().splitlines()) == count


def test_a_python_that_cannot_be_had_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run on a newer Python passes for one on the image's."""
    put_uv(tmp_path / "uv", monkeypatch, {"python": {"code": 1, "say": "error: no such version"}})
    made = replace(bundle(tmp_path), image="codalab/codalab-legacy:py37")
    notes = chosen(made, Wanted(server=True, cache=tmp_path / "cache"))[1]
    assert f"the image has Python 3.7, which cannot be had here; Python {HERE} stands" in notes


def test_what_the_public_images_hold() -> None:
    """Else `--server` has a package that the image lacks, or another version of it."""
    slim = contents("codalab/codalab-legacy:py312", {"torch", "numba", "sklearn"}, [])
    assert slim.python == "3.12"
    assert {"numba==0.61.2", "scikit-learn==1.5.1", "numpy==1.26.4"} <= set(slim.packages)
    assert "torch" not in slim.packages
    whole = contents("docker.io/codalab/codalab-legacy:py39", {"seaborn", "torch", "json"}, [])
    assert {"seaborn", "pandas==1.4.2"} <= set(whole.packages)
    assert not {"torch", "json", "tensorflow==2.9.1"} & set(whole.packages)
    assert "holds more than was installed" in whole.notes[0]
    assert contents("", set(), []).python == "3.7"  # the platform's own where a bundle names none


def test_which_requirement_wins() -> None:
    """Else a package is asked for in two versions, and nothing can be installed."""
    listed = ["numpy==1.0", "Pandas == 2.0 ; python_version > '3'", "# pandas==1", "opencv-python"]
    found = contents("codalab/codalab-legacy:py312", {"cv2"}, listed, ("scipy==1.12",))
    named = {one for one in found.packages if one.startswith(("numpy", "scipy", "pandas", "open"))}
    assert named == {"numpy==1.26.4", "scipy==1.12", "pandas==2.2.3", "opencv-python-headless"}
    with pytest.raises(SandboxError, match="expected a package"):
        contents("", set(), [], ("git+https://x.org",))


@pytest.mark.parametrize(
    ("given", "expected"),
    [("bundle", "somebody/image:1"), ("other/image:2", "other/image:2")],
)
def test_the_image_is_the_bundles_or_the_one_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: str
) -> None:
    """Else `--docker` runs in an image that the platform does not take."""
    put_on_path("docker", tmp_path / "bin", monkeypatch, {})
    made = replace(bundle(tmp_path, program("import absent_one\n")), image="somebody/image:1")
    machine, notes = chosen(made, Wanted(docker=given, network=True))
    assert (machine.image, machine.limits.network, notes) == (expected, True, "")
