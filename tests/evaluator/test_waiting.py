"""What does not answer is ended by a limit that is told, before and after; what is slow is not."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import save
from codabench_rehearsal.sandbox.executor import Here
from evaluator import EvaluationError, local_eval
from evaluator.ask import Runner
from evaluator.comparison.compare import answered
from evaluator.options import NO_STORE, Options
from evaluator.progress import Display
from evaluator.store.store import Store, find_store
from submission.archive import Archive
from tests.evaluator.corner import DATA, SOURCE, submission

CHALLENGE = load_challenge()
HANGS = SOURCE.replace("        corner", "        import time; time.sleep(60)\n        corner")
# Answers two blocks, each slowly, and then no more.
STOPS = SOURCE.replace("        corner", """        import time
        Model.calls = getattr(Model, "calls", 0) + 1
        time.sleep(0.4 if Model.calls < 3 else 60)
        corner""")  # fmt: skip
SLOW = SOURCE.replace("        corner", "        import time; time.sleep(0.4)\n        corner")
HOW: dict[str, Any] = {"corrupt": "fog:3", "estimate": False}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codabench's ten minutes are one second here, and waiting is told after a third of it."""
    monkeypatch.setattr("codabench_rehearsal.rehearsal.forecast.PLATFORMS_SECONDS", 1)
    monkeypatch.setattr("codabench_rehearsal.console.bar.TOLD", (0.3, 0.6))


def said(path: Path, **options: Any) -> str:
    """The one error of a run that fails."""
    report = local_eval(path, DATA, **HOW, **options)
    assert report.scores is None
    (error,) = (finding for finding in report.findings if finding.severity == "error")
    assert error.code == "S607"
    return error.message


def test_a_zip_that_hangs_is_ended_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a hanging submission is silent for as long as somebody waits: 760 s it was."""
    message = said(submission(tmp_path, source=HANGS))
    assert "1 s, Codabench's default, as no time limit is known; --time-limit TIME sets" in message
    assert "kept" not in message
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit("for", 1)[0] for line in lines] == [
        "local-eval: side24.zip: no answer "
    ] * 2
    assert all(line.endswith("s; ended at 1 s") for line in lines)


@pytest.mark.slow
def test_what_was_answered_before_is_kept_and_so_it_is_said(tmp_path: Path) -> None:
    """Else the user starts anew what may go on, or does not know which limit to raise."""
    message = said(submission(tmp_path, source=STOPS), block=50)
    assert "the answers so far are kept" in message
    message = said(submission(tmp_path, source=STOPS), block=50, seconds=0.9, store=NO_STORE)
    assert "0.9 s for the whole hidden set, as given; --time-limit TIME sets another" in message
    assert "kept" not in message


@pytest.mark.slow
def test_a_slow_zip_is_not_a_hanging_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else an honest zip on a slow machine loses its evening; every block has its own time."""
    monkeypatch.setattr("codabench_rehearsal.rehearsal.forecast.PLATFORMS_SECONDS", 3)
    report = local_eval(submission(tmp_path, source=SLOW), DATA, **HOW, block=20)
    assert report.scores is not None
    assert report.timing.predict_seconds > 5
    assert len(capsys.readouterr().err.splitlines()) <= 2  # not once a block: there are 14


@pytest.mark.slow
def test_comparing_and_the_command_have_the_same_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else rank and compare hang for ever on one bad zip of ten."""
    paths = [submission(tmp_path), submission(tmp_path, 6, HANGS)]
    with pytest.raises(
        EvaluationError, match=r"side6\.zip cannot be compared: .*Codabench's default"
    ):
        answered(paths, DATA, CHALLENGE, Options(**HOW))
    monkeypatch.chdir(tmp_path)
    save(DATA, tmp_path / "training_set.npz")
    words = [*map(str, paths), "--corrupt", "fog:3"]
    main(["rank", *words, "--images", "20"])
    heard = capsys.readouterr().err
    assert "side6.zip: no answer for" in heard
    assert "side6.zip is left out: S607" in heard
    assert main(["compare", *words, "--time-limit", "0.8"]) == 2
    assert "0.8 s for the whole hidden set, as given" in capsys.readouterr().err


BOUNDS: list[Any] = [
    ({}, 1, False, "memory: 80% of what was free here, as no memory limit is known"),
    pytest.param({"seconds": 7.0}, 7, True, "time: 7 s for the whole", marks=pytest.mark.slow),
    ({"memory_bytes": 1_000_000_000}, 1, False, "memory: 1.00 GB, as given"),
    pytest.param(
        {"memory_bytes": 10**15},
        1,
        False,
        "memory: 80% of what was free here, less than the limit",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("options", "seconds", "paced", "words"), BOUNDS)
def test_the_limits_are_the_dry_runs(
    tmp_path: Path, options: dict[str, Any], seconds: float, paced: bool, words: str
) -> None:
    """Else a zip may take all the memory of the machine, or is ended without a word why."""
    from evaluator.remarks import ended_by

    chosen = Options(**HOW, **options, store=NO_STORE)
    path = submission(tmp_path)
    with (
        Archive(path) as archive,
        Runner(archive, CHALLENGE, chosen, DATA, None, Display()) as runner,
    ):
        child = runner.begin()
        assert isinstance(child, Here)
        request = child.request
        ended = ended_by(runner)
    assert (request.limits.seconds, request.paced) == (seconds, paced)
    assert request.limits.memory_bytes
    limit, said = words.split(": ")
    assert ended[limit].startswith(said)


def test_no_block_is_larger_than_the_hidden_set(tmp_path: Path) -> None:
    """Else the time of one pass would have to do for two: 600 s for 4,096 images, not for 2,000."""
    path = submission(tmp_path)
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == ["model.py"]
    sizes = {}
    with Archive(path) as archive, Store.open(find_store()) as store:
        for hidden in (None, 300, 10):
            options = Options(**HOW, hidden_images=hidden)
            runner = Runner(archive, CHALLENGE, options, DATA, store, Display())
            sizes[hidden] = runner.block_size()
    assert sizes == {None: CHALLENGE.assumed_images, 300: 300, 10: 256}
