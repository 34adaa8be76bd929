"""A block of work is data: it can cross to another process or machine, and come back as labels."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.rehearsal.scale import feeds
from codabench_rehearsal.sandbox.executor import Work
from codabench_rehearsal.sandbox.outcome import Labels
from evaluator.ask import Runner, make_images
from evaluator.evaluate import local_eval
from evaluator.options import NO_STORE, Options
from evaluator.plan import make_plan
from evaluator.progress import Display
from evaluator.store.schema import StoreError
from submission.archive import Archive
from tests.evaluator.corner import DATA, submission

CROSSINGS: list[Callable[[Work], Work]] = [
    lambda work: work,
    lambda work: pickle.loads(pickle.dumps(work)),
    lambda work: Work.from_json(work.to_json()),
]


def works(runner: Runner) -> list[Work]:
    """What a runner would ask in a first round, in blocks of a hundred."""
    asked: list[Work] = []

    class Kept:
        """Asks nothing."""

        def run(self, given: list[Work], *_: object) -> bool:
            """Keep what is asked."""
            asked.extend(given)
            return False

    runner.begin = Kept  # type: ignore[method-assign,assignment]  # the executor that is asked
    runner.ask(runner.plan.rounds(runner.options)[0])
    return asked


@pytest.mark.parametrize("cross", CROSSINGS, ids=["as it is", "pickle", "JSON"])
def test_a_work_that_crossed_gives_the_same_labels(
    tmp_path: Path, cross: Callable[[Work], Work]
) -> None:
    """Else figures would depend on the machine that answered."""
    path, options = submission(tmp_path), Options(corrupt="heavy", block=100, store=NO_STORE)
    found: list[tuple[Work, Labels]] = []
    with (
        Archive(path) as archive,
        Runner(archive, load_challenge(), options, DATA, None, Display()) as runner,
    ):
        child = runner.begin()
        runner.follow(make_plan(path, DATA, options))
        crossed = [cross(work) for work in works(runner)]
        assert child.run(crossed[:3], lambda *one: found.append(one))
    assert [work for work, _ in found] == crossed[:3]
    labels = np.concatenate([labels for _, labels in found])
    with Archive(path) as archive:
        seeded = replace(options, order_seed=runner.secret, tolerance=1.0)
        with Runner(archive, load_challenge(), seeded, DATA, None, Display()) as again:
            again.follow(make_plan(path, DATA, options))
            assert again.ask(again.plan.rounds(options)[0])
    rows = np.searchsorted(np.sort(again.plan.data.ids), [i for w, _ in found for i in w.ids])
    rows = np.argsort(again.plan.data.ids)[rows]
    chosen = np.concatenate([work.chosen for work, _ in found])
    assert np.array_equal(again.labels[rows, chosen], labels)


@pytest.mark.parametrize(
    "cross",
    [pytest.param(CROSSINGS[1], id="pickle", marks=pytest.mark.slow), CROSSINGS[2]],
    ids=[None, "JSON"],
)
def test_a_work_holds_all_that_its_images_depend_on(
    tmp_path: Path, cross: Callable[[Work], Work]
) -> None:
    """Else another process would show other images to the submission."""
    path, options = submission(tmp_path), Options(corrupt="an2dl-2024", store=NO_STORE)
    with Archive(path) as archive:
        runner = Runner(archive, load_challenge(), options, DATA, None, Display())
        runner.follow(make_plan(path, DATA, options))
        (work, *_) = works(runner)
    for name in ("", *(reading.name for reading in feeds(3))):
        if name:
            texts, chosen = (f"clean, fed {name}, 1",), np.zeros(len(work), np.int32)
            work = replace(work, conditions=texts, chosen=chosen, dtype="float32")
        one, other = (np.empty((len(work), *work.shape), work.dtype) for _ in range(2))
        make_images(work, one, DATA, {})
        make_images(cross(work), other, DATA, {})
        assert np.array_equal(one, other)


def test_a_condition_of_another_version_is_refused(tmp_path: Path) -> None:
    """Else a machine with other operators would answer about other images."""
    path, options = submission(tmp_path), Options(corrupt="fog:3", store=NO_STORE, estimate=False)
    with Archive(path) as archive:
        runner = Runner(archive, load_challenge(), options, DATA, None, Display())
        runner.follow(make_plan(path, DATA, options))
        (work, *_) = works(runner)
    newer = tuple(text.replace("@", "@9") for text in work.conditions)
    out = np.empty((len(work), *work.shape), np.uint8)
    with pytest.raises(StoreError, match="no corruptions of this version"):
        make_images(replace(work, conditions=newer), out, DATA, {})


def test_a_folder_of_pictures_is_found_by_its_revision(tmp_path: Path) -> None:
    """Else blends with the user's own pictures could not be evaluated."""
    import cv2

    (tmp_path / "pictures").mkdir()
    for number in range(3):
        picture = np.full((96, 96, 3), 60 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), picture)
    text = 'draws = 1\npictures = "pictures"\n[[family]]\nname = "overlay"\n'
    (tmp_path / "mine.toml").write_text(f'{text}cells = ["blend_convex:3"]\n', encoding="utf-8")
    report = local_eval(
        submission(tmp_path), DATA, corrupt=str(tmp_path / "mine.toml"), estimate=False
    )
    assert report.scores is not None
    assert report.scores.answers == 2 * len(DATA)
