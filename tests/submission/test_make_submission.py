"""The command `make-submission` as a user types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.images import save
from codabench_rehearsal.images.dataset import from_arrays
from submission.findings import run_codes
from tests.sandbox.stand_ins import put_on_path
from tests.submission.corpus.case import page
from tests.submission.corpus.pictures import CENTRES_NPY, labelled_images
from tests.submission.corpus.weights import corpus_weights
from tests.submission.zips import GOOD, build_zip, keras_file

MAKE = [sys.executable, "-m", "codabench_rehearsal.commands.make_submission"]
SLEEPS = "import time\ntime.sleep(60)\nreturn labels(self.centres, X)"
OURS = ("--model", "mine.py", "--include", "weights.npy", "--no-server")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder: a weights file of today's Keras, a model.py without Keras."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights.keras").write_bytes(keras_file("3.15.1", {"quantization_config": None}))
    (tmp_path / "mine.py").write_text(page(), encoding="utf-8")
    (tmp_path / "weights.npy").write_bytes(CENTRES_NPY)
    return tmp_path


def test_weights_become_a_zip(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the first command of the README would not work."""
    assert main(["weights.keras", "--scale", "0..1", "--no-run"]) == 0
    said = capsys.readouterr().out
    assert (here / "submission.zip").is_file()
    assert "rewritten for Keras 3.4.1" in said
    assert "looks right (sha256" in said
    assert "Not checked: whether it runs (--no-run); TensorFlow 2.17.0 / Keras 3.4.1" in said
    assert "next: local-eval submission.zip" in said


def test_the_built_zip_passes_its_own_check(capsys: pytest.CaptureFixture[str]) -> None:
    """Else what we build we would refuse; and what ran here must not be called ready."""
    assert main([*OURS]) == 0
    assert main(["--check-only", "submission.zip", "--no-server"]) == 0
    said = capsys.readouterr().out
    assert "submission.zip runs here (sha256" in said
    assert "TensorFlow 2.17.0 / Keras 3.4.1 (build them once: --server)" in said
    assert "scale and preprocessing" in said
    assert "ready" not in said


def test_a_failing_dry_run_leaves_the_older_zip(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip that cannot run would take the place of one that can."""
    (here / "submission.zip").write_bytes(b"older")
    (here / "mine.py").write_text(page("return labels(self.centres, X[len(X)])"), encoding="utf-8")
    assert main([*OURS]) == 1
    said = capsys.readouterr().out
    assert "S605: predict(X) failed: IndexError: index" in said
    assert "Nothing was written to submission.zip" in said
    assert "--no-run" in said
    assert (here / "submission.zip").read_bytes() == b"older"
    assert not list(here.glob(".*.draft"))
    assert main([*OURS, "--no-run"]) == 0
    assert (here / "submission.zip").read_bytes() != b"older"


def test_an_ignored_finding_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a false alarm of ours would keep somebody from uploading."""
    Path("mine.py").write_text(page("return np.arange(len(X)) % 8"), encoding="utf-8")
    assert main([*OURS, "--strict"]) == 1
    assert main([*OURS, "--strict", "--ignore", "s702,S703"]) == 0
    assert "ignored: S702 (1), S703 (1)" in capsys.readouterr().out
    assert main([*OURS, "--ignore", "S70"]) == 2
    assert "No check 'S70'" in capsys.readouterr().err


def test_a_wrong_scale_is_an_error_with_labelled_images(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the one mistake that the platform never shows would be uploaded."""
    save(from_arrays(*labelled_images()), here / "cells.npz")
    Path("mine.py").write_text(page("return labels(self.centres / 255, X)"), encoding="utf-8")
    assert main([*OURS, "--data", "cells.npz", "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    scale = next(f for f in document["findings"] if f["code"] == "S708")
    assert scale["severity"] == "error"
    assert "The weights want 0..1 but model.py feeds 0..255" in scale["advice"]
    assert "accuracy is 0.125 as fed now and 1.000 when fed X / 255" in scale["message"]
    assert document["runs"][0]["scale"]["X / 255"]["gain"][0] > 0.5
    assert document["verdict"] == "has errors"


LIMITS = [
    (("--time-limit", "5"), "time.sleep(0.003 * len(X))", "S706"),
    pytest.param(
        ("--memory-limit", "400MB", "--hidden-images", "20000"),
        "time.sleep(0.002 * len(X)); held = np.ones((len(X), 1 << 12))",
        "S707",
        marks=pytest.mark.slow,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "wanted"), LIMITS)
def test_the_hidden_sets_cost_is_held_against_the_limits(
    words: tuple[str, ...], code: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else what is fast on few images would run into the platform's limit on thousands."""
    predict = f"import time\n{code}\nreturn labels(self.centres, X)"
    Path("mine.py").write_text(page(predict), encoding="utf-8")
    assert main([*OURS, *words]) == 1
    assert f"{wanted}: it would need about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give the weights"),
        (["nothing.keras"], 2, "nothing.keras: no such file"),
        (["--check-only", "nothing.zip"], 2, "nothing.zip: no such file"),
        (["weights.keras", "--check-only", "s.zip"], 2, "takes no weights"),
        (["weights.keras", "--challenge", "mine"], 2, "No challenge 'mine'"),
        (["weights.keras", "--model", "none.py"], 2, "none.py cannot be read"),
        ([".", "--out", "s.zip"], 2, "no recipe.json"),
        ([*OURS, "--data", "no.npz"], 2, "no.npz"),
        ([*OURS, "--docker", "an image"], 2, "an image"),
        (["weights.keras", "--no-run", "--zip-limit", "1kB"], 1, "S401"),
        (["weights.keras", "--no-run"], 0, "S501"),
        (["weights.keras", "--no-run", "--strict"], 1, "S501"),
        (["--list-checks"], 0, "S102 error"),
        (["--list-checks"], 0, "S708 error    answers fit another reading"),
    ],
)
def test_codes_and_words(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else scripts could not tell success from failure, or people not what to do."""
    assert main(arguments) == code
    heard = capsys.readouterr()
    assert said in heard.out + heard.err
    assert "Traceback" not in heard.err


def test_the_table_of_checks_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a code that a user meets could not be looked up."""
    assert main(["--list-checks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    codes = [line.split()[0] for line in lines]
    assert codes == sorted(set(codes))
    assert set(run_codes()) < set(codes)
    assert all(len(line.split(": ", 1)[1]) > 10 for line in lines)


@pytest.mark.parametrize("size", ["", "0", "ten", "-5MB", "5 apples"])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a typo would be no limit at all."""
    with pytest.raises(SystemExit) as caught:
        main(["weights.keras", f"--zip-limit={size}"])
    assert caught.value.code == 2
    assert "such as 500MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"), [(f"--seed={9**20}", "below 2**32"), ("--memory-limit=8", "such as 8GB")]
)
def test_a_number_that_cannot_be_meant(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a forgotten unit ends the run at 8 bytes, and a long seed in a fault of ours."""
    with pytest.raises(SystemExit) as caught:
        main(["weights.keras", word])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_json_for_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script would have to read prose."""
    assert main([*OURS, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["zip"] == "submission.zip"
    assert document["bytes"] == (here / "submission.zip").stat().st_size
    assert document["verdict"] == "runs here"
    assert document["ready"] is False
    assert any(line.startswith("time limit (needs about") for line in document["not_checked"])
    run = document["runs"][0]
    assert run["place"] == "here"
    assert run["hidden_images"]["images"] == 2000
    assert run["versions"]["numpy"] == np.__version__
    assert {"seconds", "memory", "network"} <= set(run["limits"])
    assert {"static", "dry run"} <= set(document["seconds"])
    build_zip(here / "bad.zip", {"a/model.py": "", **dict(list(GOOD.items())[1:])})
    assert main(["--check-only", "bad.zip", "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert "S102" in [finding["code"] for finding in found["findings"]]
    assert found["runs"] == []


def test_nothing_but_the_result_is_said_in_a_pipe(here: Path) -> None:
    """Else a log would be full of spinners, or a script would wait for an answer to a question."""
    done = subprocess.run([*MAKE, *OURS[:4]], capture_output=True, text=True, cwd=here, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_an_interrupt_leaves_nothing_behind(here: Path) -> None:
    """Else Ctrl-C would leave a model computing, or half a zip."""
    (here / "mine.py").write_text(page(SLEEPS), encoding="utf-8")
    running = subprocess.Popen([*MAKE, *OURS], cwd=here, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(here.glob(".*.draft")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2.0)
    running.send_signal(signal.SIGINT)
    _, heard = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "interrupted" in heard
    assert not list(here.glob(".*.draft"))
    assert not (here / "submission.zip").exists()


def test_a_fault_of_ours_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else users would read our traceback and search for their mistake in it."""
    monkeypatch.setattr(
        "codabench_rehearsal.commands.make_submission.load_challenge", lambda _: 1 / 0
    )
    assert main([*OURS]) == 3
    heard = capsys.readouterr().err
    assert "a fault of ours (ZeroDivisionError" in heard
    assert "Traceback" not in heard


def test_an_image_is_rehearsed_by_the_docker_of_path(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else --docker would end in our words only (a program stands in; a real docker was not seen)."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    stand_in = put_on_path("docker", here / "bin", monkeypatch, {})
    assert main([*OURS, "--docker", "an/image:1"]) == 0
    said = capsys.readouterr().out
    assert "dry run in the image an/image:1: " in said
    assert "submission.zip runs in the image an/image:1" in said
    assert "an/image:1" in (stand_in.parent / "calls").read_text()


@pytest.mark.slow
@pytest.mark.keras
def test_half_precision_is_shown_with_what_it_changes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else nobody would know what --float16 costs."""
    save(from_arrays(*labelled_images()), here / "cells.npz")
    weights = str(corpus_weights() / "plain.keras")
    words = [weights, "--scale", "0..255", "--float16", "--data", "cells.npz", "--no-server"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "made smaller: accuracy 1.0000 before, " in said
    assert " images keep their label" in said
