"""Packages that are missing, in the user's Python and in an environment that we built; --python, --with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.rehearsal.check import Checked, check_open
from codabench_rehearsal.rehearsal.failures import missing_package, pip_name
from codabench_rehearsal.rehearsal.questions import silent
from codabench_rehearsal.rehearsal.rehearse import RunOptions, server_pins
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.outcome import Problem
from evaluator.elsewhere import environment as stored_under
from evaluator.evaluate import local_eval
from submission.archive import Archive
from tests.sandbox.pythons import environment
from tests.submission.corpus.case import files, page
from tests.submission.zips import build_zip

CHALLENGE = load_challenge()
MODULE = "ModuleNotFoundError"
MISSING = [
    (MODULE, "No module named 'scipy'", "scipy"),
    (MODULE, "No module named 'cv2'", "opencv-python-headless"),
    (MODULE, "No module named 'PIL'", "pillow"),
    (MODULE, "No module named 'sklearn'", "scikit-learn"),
    (MODULE, "No module named 'skimage'", "scikit-image"),
    (MODULE, "No module named 'yaml'", "pyyaml"),
    (MODULE, "No module named 'keras_cv'", "keras-cv"),
    (MODULE, "No module named 'rich'", "rich"),
    ("ImportError", "Could not import PIL.Image. The use of `load_img` requires PIL.", "pillow"),
    ("ImportError", "Image transformations require SciPy. Install SciPy.", "scipy"),
    ("ImportError", "cannot import name 'Model' from 'layers'", None),
    (MODULE, "No module named 'sklearn.no_such_part'", None),
    (MODULE, "No module named 'utils'", None),
    (MODULE, "No module named 'my_own_helpers'", None),
    (MODULE, "No module named 'distutils'", None),
    (MODULE, "No module named 'evaluator'", None),
    ("ValueError", "No module named 'scipy'", None),
]


@pytest.mark.parametrize(("kind", "message", "package"), MISSING)
def test_a_third_partys_package_is_told_from_a_file_of_ones_own(
    kind: str, message: str, package: str | None
) -> None:
    """Else a helper file left out of the zip passes as "unknown", or pip is asked for a wrong name."""
    assert missing_package(Problem("import", kind, message)) == package
    assert missing_package(None) is None


def test_well_known_names_are_asked_of_no_index() -> None:
    """Else a name that pip does not know would be advised."""
    assert pip_name("tensorflow_probability") == "tensorflow-probability"
    assert pip_name("os") is None


def needing(folder: Path, name: str) -> Path:
    """A zip whose model.py imports a package."""
    text = f"import {name}\n" + page()
    return build_zip(folder / "s.zip", files(text))  # type: ignore[arg-type]  # text and bytes


def checked(path: Path, monkeypatch: pytest.MonkeyPatch, options: RunOptions) -> Checked:
    """What is found in a zip, without a server built."""
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(path.parent / "cache"))
    with Archive(path) as archive:
        return check_open(archive, CHALLENGE, options, ignored=frozenset({"S213"}), shown=silent)


def test_a_package_missing_here_is_an_error_with_the_way_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user is told to do without a package that one command would bring."""
    found = checked(needing(tmp_path, "wandb"), monkeypatch, RunOptions())
    (finding,) = [f for f in found.findings if f.code == "S601"]
    assert finding.severity == "error"
    assert f"{sys.executable}" in finding.advice
    assert finding.advice.startswith("Install it here: ")
    assert "install wandb" in finding.advice


def test_a_package_missing_in_what_we_built_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zip is refused for our not knowing the server's packages; or called ready unseen."""
    here = environment(tmp_path / "here", package="wandb")
    monkeypatch.setattr(
        "codabench_rehearsal.rehearsal.rehearse.find", lambda *_: Path(sys.executable)
    )
    found = checked(needing(tmp_path, "wandb"), monkeypatch, RunOptions(python=str(here)))
    (finding,) = [f for f in found.findings if f.code == "S601"]
    assert finding.severity == "warning"
    assert "wandb is not in the environment we built: --with wandb" in finding.message
    assert found.verdict == "runs here"
    assert not found.ready
    assert any("wandb was missing (--with wandb)" in line for line in found.unchecked)


@pytest.mark.slow
def test_a_file_missing_in_what_we_built_stays_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zip without its helper file would be excused."""
    here = environment(tmp_path / "here", package="my_own_helpers")
    monkeypatch.setattr(
        "codabench_rehearsal.rehearsal.rehearse.find", lambda *_: Path(sys.executable)
    )
    path = needing(tmp_path, "my_own_helpers")
    found = checked(path, monkeypatch, RunOptions(python=str(here)))
    assert [f.severity for f in found.findings if f.code == "S601"] == ["error"]


def test_the_named_python_runs_the_zip_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else nobody knows which packages a verdict rests on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    program = environment(tmp_path / "here", package="wandb")
    needing(tmp_path, "wandb")
    words = ["--check-only", "s.zip", "--json", "found.json"]
    assert main([*words, "--python", "here"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"runs with {program} (Python 3.")
    assert "next: make-submission --check-only s.zip --python here --server" in shown
    document = json.loads(Path("found.json").read_text())
    assert document["runs"][0]["python"] == str(program)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "here"))
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"runs with {program} ")
    assert main([*words, "--python", "there"]) == 2
    assert "make-submission: --python: there is not there: expected" in capsys.readouterr().err


def test_the_named_python_is_part_of_what_is_stored(tmp_path: Path) -> None:
    """Else answers of one environment would pass as those of another."""
    program = str(environment(tmp_path / "here", package="wandb"))
    own = stored_under("cpu")
    assert stored_under("cpu", sys.executable) == own
    assert program in stored_under("cpu", program)
    path = needing(tmp_path, "wandb")
    data = synthetic(16, 1)
    report = local_eval(path, data, corrupt="fog:3", python=program, estimate=False, device="cpu")
    assert report.scores is not None, report.findings
    assert json.loads(report.to_json())["python"] == program
    failed = local_eval(path, data, corrupt="fog:3", estimate=False, device="cpu")
    assert [f.code for f in failed.findings if f.severity == "error"] == ["S601"]
    assert "Install it here: " in next(f.advice for f in failed.findings if f.code == "S601")


def test_packages_are_added_to_the_servers() -> None:
    """Else --with installs nothing, or another environment's cache is taken for it."""
    plain, more = server_pins(CHALLENGE), server_pins(CHALLENGE, ["scipy == 1.13", "keras_cv"])
    assert more.packages == plain.packages
    assert more.extra == ("scipy==1.13", "keras_cv")
    assert server_pins(CHALLENGE, ["scipy==1.13", "SciPy==1.14"]).extra == ("SciPy==1.14",)


NO_PACKAGES = [
    *("--index-url=http://x", "-r requirements.txt", "https://x/y.whl", "x @ https://x/y.whl"),
    *(
        "./here",
        "../x",
        "/tmp/x.whl",
        "git+https://x",
        "a b",
        "",
        "x; python_version<'3'",
        "x.whl/",
    ),
    *("scipy==", "scipy=1.13", "=1.13", "x[", "x\n-r y"),
]


@pytest.mark.parametrize("line", NO_PACKAGES)
def test_only_plain_requirements_are_installed(line: str) -> None:
    """Else an option or an address from a profile would run an installer's whole power."""
    with pytest.raises(SandboxError, match="expected a package"):
        server_pins(CHALLENGE, [line])


@pytest.mark.parametrize(
    "line", ["scipy", "scipy==1.13.*", "a[b,c]>=1,<2", "torch==2.1+cpu", "x!=1"]
)
def test_usual_requirements_are_taken(line: str) -> None:
    """Else a version that somebody knows cannot be said."""
    assert server_pins(CHALLENGE, [line]).extra == (line,)


@pytest.mark.parametrize("line", ["tensorflow==2.16.1", "Keras", "tensorflow-cpu==2.17.0"])
def test_the_servers_own_versions_stay(line: str) -> None:
    """Else --with would quietly rehearse under versions that the server does not have."""
    with pytest.raises(SandboxError, match="the challenge's server has"):
        server_pins(CHALLENGE, [line])


def test_a_wrong_package_is_a_matter_of_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it ends in a traceback, after minutes."""
    monkeypatch.chdir(tmp_path)
    build_zip(tmp_path / "s.zip", files(page()))  # type: ignore[arg-type]  # text and bytes
    assert main(["--check-only", "s.zip", "--with", "-r x"]) == 2
    assert "make-submission: --server: '-r x': expected a package" in capsys.readouterr().err
