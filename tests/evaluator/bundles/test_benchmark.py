"""The whole way: bundles that train on their server, run clean and on damaged input data."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.challenge.bundle import Bundle
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.console.errors import EvaluationError
from corruptions.chain import corrupt_condition
from corruptions.presets import resolve
from evaluator.bundles.choice import choices
from evaluator.bundles.figures import past_scores
from evaluator.bundles.image_sets import look
from evaluator.bundles.report import BundleReport
from evaluator.bundles.running import Runner, fingerprint_of
from evaluator.store.store import Store
from tests.challenge.worker.bundles import PREDICT, program, written
from tests.challenge.worker.bundles import bundle as text_bundle
from tests.evaluator.bundles.made import (
    ACCURACY,
    BREAKS,
    LOSS,
    MODEL,
    READ_ARRAYS,
    READ_MEMBERS,
    READ_PICTURES,
    Drawn,
    arrays,
    drawn,
    evaluated,
    image_bundle,
    members,
    pictures,
)
from tests.sandbox.children import linux_only

pytestmark = linux_only
FOG = resolve("fog:3").conditions[0]
UNSURE = (
    MODEL
    + """
import os
class Model(Model):
    def predict(self, X):
        found = super().predict(X)
        kept = found.copy()
        kept[: 1 + os.urandom(1)[0] % 40] = 0
        return kept
"""
)
HOSTILE = (
    """
import os, shutil
for name in os.listdir("/app/input_data"):
    for change in (lambda p: open(p, "wb").write(b"mine"), os.remove):
        try:
            change("/app/input_data/" + name)
        except OSError:
            pass
"""
    + MODEL
)


def accuracy_by_hand(data: Drawn, shown: NDArray[np.uint8]) -> float:
    """Of nearest centroids on images, as MODEL finds them."""
    flat = data.train.reshape(len(data.train), -1).astype(float)
    centres = np.array([flat[data.train_labels == k].mean(0) for k in (0, 1)])
    asked = shown.reshape(len(shown), 1, -1).astype(float)
    return float((((asked - centres) ** 2).sum(-1).argmin(1) == data.labels).mean())


def fogged(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As the benchmark damages a set that is the only one of its folder."""
    return corrupt_condition(images, FOG, 0)


def digests(folder: Path) -> dict[str, str]:
    """Every file's content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def figures(report: BundleReport) -> list[tuple[Any, ...]]:
    """All that must not depend on when it ran."""
    every = (report.clean, *report.conditions)
    return [(o.name, o.value, o.interval, o.lost, o.lost_interval, dict(o.scores)) for o in every]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle, BundleReport]:
    """A folder with a store, a bundle with two columns, and the first report on it."""
    place = tmp_path_factory.mktemp("ran")
    bundle = image_bundle(place / "b", columns=(ACCURACY, replace(LOSS, index=1)))
    before = digests(place / "b")
    report = evaluated(place, bundle, store=str(place / "s.sqlite"))
    assert digests(place / "b") == before
    return place, bundle, report


def test_the_score_is_that_of_the_damaged_images(ran: tuple[Path, Bundle, BundleReport]) -> None:
    """Else the figures are of other images than the report says."""
    data, report = drawn(), ran[2]
    (fog,) = report.conditions
    clean = accuracy_by_hand(data, data.test)
    assert report.clean.value == report.again == clean
    assert fog.value == accuracy_by_hand(data, fogged(data.test)) != clean
    assert fog.lost == clean - fog.value
    assert fog.interval is not None
    assert fog.interval.low < fog.value < fog.interval.high
    assert fog.lost_interval is not None
    assert (report.scatter, report.failed, report.not_asked) == (0.0, False, ())
    assert "60 rows; the score is the accuracy of predictions.npy" in report.rows
    assert report.expected.kind == "range"
    assert [one.condition for one in report.examples] == ["fog:3"]
    assert np.array_equal(report.examples[0].damaged, fogged(data.test)[0])


def test_answers_that_never_change_are_told(tmp_path: Path) -> None:
    """Else a constant answer looks like the most robust submission of all."""
    constant = MODEL + (
        "\nclass Model(Model):\n    def predict(self, X):\n        return np.zeros(len(X), int)\n"
    )
    bundle = image_bundle(tmp_path / "b")
    told = evaluated(
        tmp_path, bundle, {"model.py": constant}, corrupt="light", store="none", budget=None
    )
    assert len(told.conditions) >= 3
    assert {one.value for one in told.conditions} == {told.clean.value}
    assert any("byte for byte" in one and "--perturb" in one for one in told.notes)


def test_a_second_time_nothing_is_run_and_the_figures_are_the_same(
    ran: tuple[Path, Bundle, BundleReport],
) -> None:
    """Else every report costs the time again, or says something else."""
    place, bundle, first = ran
    told: list[str] = []
    begun = time.monotonic()
    again = evaluated(place, bundle, store=str(place / "s.sqlite"), told=told)
    assert time.monotonic() - begun < 3
    assert figures(again) == figures(first)
    assert (first.known, again.known) == (0, 3)
    assert "1 of them kept from earlier" in told[-1]


def test_other_submissions_with_scores_are_found(ran: tuple[Path, Bundle, BundleReport]) -> None:
    """Else recorded scores never reach the estimate, or those of another bundle do."""
    place, bundle, first = ran
    with Store.open(place / "s.sqlite") as store:
        (own,) = store.submissions()
        store.record_score(own, 0.6, 2)
        runner = Runner(
            *(place / "other.zip", "c" * 64, bundle, bundle.phases[0], "2026-10", Machine(), 0),
            *(store, fingerprint(bundle), place, first.source.environment),
        )
        (found,) = past_scores(choices(resolve("fog:3")), ACCURACY, runner)
        assert found.values == (first.clean.value, first.conditions[0].value)
        assert past_scores(choices(resolve("fog:4")), ACCURACY, runner) == []
        assert past_scores([], ACCURACY, replace(runner, fingerprint="another")) == []
        assert past_scores([], ACCURACY, replace(runner, sha256=own.sha256)) == []


def fingerprint(bundle: Bundle) -> str:
    """As the benchmark has it."""
    folder = bundle.tasks[0].input_data
    assert folder is not None
    return fingerprint_of(bundle, bundle.phases[0], {folder: look(folder).chosen})


def test_a_column_where_less_is_better_is_only_compared(
    ran: tuple[Path, Bundle, BundleReport],
) -> None:
    """Else a larger error counts as better, or a loss gets an expected score."""
    place, bundle, first = ran
    report = evaluated(place, bundle, store=str(place / "s.sqlite"), column="mse")
    (fog,) = report.conditions
    assert fog.value == pytest.approx(1 - (first.conditions[0].value or 0))
    assert fog.lost == pytest.approx(first.conditions[0].lost)
    assert report.expected.kind == "none"
    assert "where more is better" in report.expected.why[0]


def test_a_budget_too_small_says_so(ran: tuple[Path, Bundle, BundleReport]) -> None:
    """Else a benchmark without a condition looks like one without a loss."""
    place, bundle, first = ran
    report = evaluated(place, bundle, store=str(place / "s.sqlite"), budget=0.1)
    assert (report.conditions, report.not_asked) == ((), ("fog:3",))
    assert any("No condition fits into 0.1 s" in note for note in report.notes)
    assert report.clean.value == first.clean.value


def test_other_data_other_seeds_and_other_images_are_run_anew(
    ran: tuple[Path, Bundle, BundleReport],
) -> None:
    """Else a changed bundle is answered with the figures of the one before."""
    place, bundle, _ = ran
    with pytest.raises(KeyboardInterrupt):  # where the expected time is said
        evaluated(place, bundle, store=str(place / "s.sqlite"), told=_Ends(), seed=1)
    label = place / "b" / "reference" / "labels.npy"
    content = label.read_bytes()
    label.write_bytes(content[:-8] + bytes(8))
    report = evaluated(place, bundle, store=str(place / "s.sqlite"), budget=0.0)
    label.write_bytes(content)
    assert report.known == 0


class _Ends(list[str]):
    """Ends whatever tells it something."""

    def append(self, _: str) -> None:
        raise KeyboardInterrupt


FORMATS: dict[str, tuple[int, Callable[[Path, Drawn], Path], str]] = {
    "npz": (3, members, READ_MEMBERS),
    "PNG": (3, pictures, READ_PICTURES),
    "grey JPEG": (1, lambda place, data: pictures(place, data, "jpg"), READ_PICTURES),
    "floats, channels first": (
        3,
        lambda place, data: arrays(
            place, data, lambda i: np.moveaxis(i, 3, 1).astype(np.float32) / np.float32(255)
        ),
        READ_ARRAYS + "x, q = (np.moveaxis(i, 1, 3) * 255 for i in (x, q))",
    ),
    "grey": (
        1,
        lambda place, data: arrays(place, data, lambda i: i[..., 0]),
        READ_ARRAYS,
    ),
}


SLOW = ("npz", "grey", "grey JPEG")  # as test_damage.py has them


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in FORMATS],
)
def test_every_format_gives_the_same_figures(tmp_path: Path, name: str) -> None:
    """Else the benchmark is another one for a bundle that keeps its images another way."""
    channels, write, read = FORMATS[name]
    data = drawn(channels)
    bundle = image_bundle(tmp_path / "b", write(tmp_path / "in", data), read, data=data)
    before = digests(tmp_path / "in")
    report = evaluated(tmp_path, bundle, store="none")
    (fog,) = report.conditions
    near = 0.1 if name.endswith("JPEG") else 1e-9
    assert fog.value == pytest.approx(accuracy_by_hand(data, fogged(data.test)), abs=near)
    assert report.clean.value == pytest.approx(accuracy_by_hand(data, data.test), abs=near)
    assert digests(tmp_path / "in") == before
    assert ("equal channels" in " ".join(report.notes)) == (channels == 1)


def test_without_images_the_clean_part_stands_alone(tmp_path: Path) -> None:
    """Else a bundle of texts ends with an error, or nobody learns why there is no benchmark."""
    bundle = text_bundle(tmp_path, program(PREDICT))
    report = evaluated(
        tmp_path, bundle, {"model.py": "def predict(text):\n    return text.upper()\n"}
    )
    assert (report.clean.value, report.again, report.conditions) == (0.5, 0.5, ())
    assert "No images were found in the input data" in report.notes[0]
    assert "its files are x" in report.notes[0]
    assert "--perturb" in report.notes[0]


def test_the_figure_of_several_tasks_is_the_parents(tmp_path: Path) -> None:
    """Else one task's score stands for all."""
    bundle = image_bundle(tmp_path / "b", copies=2)
    other = written(tmp_path / "other", {})
    labels = np.load(tmp_path / "b" / "reference" / "labels.npy")
    np.save(other / "labels.npy", 1 - labels)
    tasks = (bundle.tasks[0], replace(bundle.tasks[1], reference_data=other))
    report = evaluated(tmp_path, replace(bundle, tasks=tasks), budget=None, corrupt="fog:3")
    (fog,) = report.conditions
    assert (report.clean.value, fog.value) == (0.5, 0.5)  # right and wrong in turn
    assert fog.interval is not None
    assert "120 rows" in report.rows


def test_a_crash_under_one_damage_fails_that_condition_alone(tmp_path: Path) -> None:
    """Else the platform's Failed is not foreseen, or the other conditions are lost with it."""
    (tmp_path / "two.toml").write_text(
        '[[family]]\nname = "a"\nconditions = ["brightness:5", "shot_noise:1"]\n'
    )
    report = evaluated(
        tmp_path,
        image_bundle(tmp_path / "b"),
        {"model.py": BREAKS},
        corrupt=str(tmp_path / "two.toml"),
    )
    found = {one.name: one for one in report.conditions}
    assert list(found) == ["two", "brightness:5", "shot_noise:1"]
    bright = found["brightness:5"]
    assert (bright.status, bright.value, bright.lost) == ("Failed", None, None)
    assert "Child task failed or non-zero return code" in bright.message
    assert bright.cause.startswith("ingestion ended with RuntimeError: brighter than all I know")
    assert found["shot_noise:1"].value is not None
    assert report.failed
    assert any(re.search("fails under .*brightness:5", line) for line in report.expected.why)
    assert "Failed under" in str(report)


def test_a_clean_run_that_fails_ends_it_with_the_platforms_words(tmp_path: Path) -> None:
    """Else a broken submission is run ten times more."""
    report = evaluated(
        tmp_path, image_bundle(tmp_path / "b"), {"model.py": "import nothing_here\n"}
    )
    assert (report.clean.status, report.again, report.conditions) == ("Failed", None, ())
    assert "Child task failed or non-zero return code" in report.clean.message
    assert "ModuleNotFoundError: No module named 'nothing_here'" in report.clean.cause
    assert report.failed
    assert "Failed: " in report.lines()[0]


def test_a_submission_that_writes_into_its_input_data_harms_nobody(tmp_path: Path) -> None:
    """Else the user's bundle is gone, or later conditions are of what it wrote."""
    bundle = image_bundle(tmp_path / "b")
    before = digests(tmp_path / "b")
    hostile = evaluated(tmp_path, bundle, {"model.py": HOSTILE}, store="none")
    assert digests(tmp_path / "b") == before
    data = drawn()
    assert hostile.conditions[0].value == accuracy_by_hand(data, fogged(data.test))


def test_no_interval_is_narrower_than_two_clean_runs_differ(tmp_path: Path) -> None:
    """Else chance in a submission's training passes for an effect of the damage."""
    report = evaluated(tmp_path, image_bundle(tmp_path / "b"), {"model.py": UNSURE}, store="none")
    clean, scatter = report.clean, report.scatter
    assert clean.value is not None
    assert report.again is not None
    assert scatter == abs(clean.value - report.again)
    for one in (clean, *report.conditions):
        assert one.value is not None
        assert one.interval is not None
        assert one.interval.low <= one.value - scatter
        assert one.interval.high >= one.value + scatter


def test_what_is_asked_for_must_be_there(tmp_path: Path) -> None:
    """Else a misspelt column or pattern is found after an hour."""
    bundle = image_bundle(tmp_path / "b")
    with pytest.raises(EvaluationError, match=r"--column f1: .*accuracy"):
        evaluated(tmp_path, bundle, column="f1")
    with pytest.raises(EvaluationError, match=r"--perturb tests: .*X_test\.npy"):
        evaluated(tmp_path, bundle, perturb=("tests",))


@pytest.mark.slow
def test_a_preset_called_like_its_condition_and_one_of_nothing(tmp_path: Path) -> None:
    """Else one of both is shown with the other's figure, or clean images cost a budget."""
    preset = tmp_path / "fog.toml"
    preset.write_text(
        '[[family]]\nname = "a"\nconditions = [{chain = "fog:5", name = "fog"}, "fog:1"]\n'
    )
    bundle = image_bundle(tmp_path / "b")
    report = evaluated(tmp_path, bundle, corrupt=str(preset))
    rows = [(one.name, one.is_mixed, one.value) for one in report.conditions]
    assert [(name, mixed) for name, mixed, _ in rows] == [
        *(("fog", True), ("fog", False), ("fog:1", False)),
    ]
    assert len({value for _, _, value in rows}) > 1
    nothing = evaluated(tmp_path, bundle, corrupt="clean")
    assert (nothing.conditions, nothing.not_asked, nothing.notes) == ((), (), ())


RUN = """
import sys
from pathlib import Path
from tests.evaluator.bundles.made import evaluated, image_bundle
place = Path(sys.argv[1])
print("begun", flush=True)
report = evaluated(place, image_bundle(place / "b"), corrupt=str(place / "some.toml"))
print(report.known, len(report.conditions), flush=True)
print(report.to_json())
"""
SOME = '[[family]]\nname = "a"\nconditions = ["fog:1", "fog:2", "fog:3"]\n'


@pytest.mark.parametrize(
    "end", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_cut_off_it_goes_on_where_it_was(tmp_path: Path, end: signal.Signals) -> None:
    """Else an hour's runs are lost with one key, or their copies fill the disk."""
    (tmp_path / "some.toml").write_text(SOME)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    store = tmp_path / "s.sqlite"
    environment = {**os.environ, "TMPDIR": str(temporary), "LOCAL_EVAL_STORE": str(store)}
    words = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while _kept(store) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(end)
    assert process.returncode != 0
    done = _kept(store)
    assert done >= 3
    assert end == signal.SIGKILL or not list(temporary.glob("rehearsal-*"))
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    known, conditions = map(int, found.stdout.splitlines()[1].split())
    assert (known, conditions) == (done, 4)
    assert not list(temporary.glob("rehearsal-*"))
    rows = json.loads(found.stdout.split("\n", 2)[2])["conditions"]
    assert [row["status"] for row in rows] == ["Finished"] * 4


def _kept(store: Path) -> int:
    """How many runs a store holds by now."""
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM bundle_runs").fetchone()[0])
    except sqlite3.Error:
        return 0
