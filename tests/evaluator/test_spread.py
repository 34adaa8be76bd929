"""One zip on several children: figures of one child, or one child alone where they would differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evaluator.ask
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.sandbox.executor import Here, Work
from evaluator.ask import make_images
from evaluator.comparison.compare import answered
from evaluator.evaluate import evaluate, local_eval
from evaluator.options import Options
from evaluator.progress import Display, silent
from evaluator.report.report import Report
from evaluator.spread import OTHERWISE
from evaluator.together import answered_together, evaluated_together
from tests.evaluator.corner import DATA, submission
from tests.sandbox.children import linux_only
from tests.tables import thinned

pytestmark = linux_only
CORNER = """
import numpy as np
class Model:
    calls = 0
    def predict(self, X):
        corner = X[:, :{{side}}, :{{side}}].reshape(len(X), -1).astype(float).mean(1)
        found = np.clip(np.round(corner / 30), 0, 7).astype(int)
        {}
        return found
"""
# What an answer depends on, and whether several children may share the questions.
ZIPS = {
    "each image": ("", True),
    "all images of the call": ("found[X.mean((1, 2, 3)) > X.mean()] = 3", True),
    "earlier calls": ("self.calls += 1; found = (found + self.calls // 2) % 8", False),
    "chance": ("found = np.random.default_rng().integers(0, 8, len(X))", False),
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[Work]]:
    """For each child that was started, the works that it was given."""
    children: list[list[Work]] = []

    class Counted(Here):
        """Keeps what it is asked."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.mine: list[Work] = []
            children.append(self.mine)

        def run(self, works: Any, *given: Any) -> bool:
            self.mine += works
            return super().run(works, *given)

    monkeypatch.setattr(evaluator.ask, "Here", Counted)
    return children


def _asked(path: Path, workers: int, **more: Any) -> Report:
    given: dict[str, Any] = {
        "corrupt": "light",
        "order_seed": 1,
        "block": 12,
        "count": 60,
        "store": "none",
    }
    return local_eval(path, DATA, estimate=False, workers=workers, **given | more)


@pytest.mark.parametrize("what", thinned(name for name in ZIPS if name != "chance"))
def test_figures_are_those_of_one_child(
    what: str, tmp_path: Path, started: list[list[Work]]
) -> None:
    """Else a score would hang on how many cores there are."""
    line, shared = ZIPS[what]
    path = submission(tmp_path, source=CORNER.format(line))
    one = _asked(path, 1)
    assert one.sheet is not None
    del started[:]
    many = _asked(path, 3)
    assert many.scores == one.scores
    assert many.sheet is not None
    assert (many.sheet.labels == one.sheet.labels).all()
    assert (OTHERWISE in many.source.notes) == (not shared)
    assert len(started) == 3
    answered = sum(map(len, started)) - 2  # a further child's first is known
    assert answered == one.blocks if shared else len(started[0]) == one.blocks


def test_chance_is_told_and_left_to_one(tmp_path: Path, started: list[list[Work]]) -> None:
    """Else figures of a random submission would be sold as shared out evenly."""
    report = _asked(submission(tmp_path, source=CORNER.format(ZIPS["chance"][0])), 2)
    assert OTHERWISE in report.source.notes
    assert [len(mine) for mine in started] == [report.blocks, 1]


@pytest.mark.parametrize(
    "more", [{"seconds": 600.0}, {"block": None}], ids=["one pass is timed", "few blocks"]
)
def test_one_child_where_others_are_of_no_use(
    more: dict[str, Any], tmp_path: Path, started: list[list[Work]]
) -> None:
    """Else a time limit for one pass would mean nothing, or models load for no image."""
    assert _asked(submission(tmp_path), 4, **more).scores is not None
    assert len(started) == 1


def test_what_fails_ends_all(tmp_path: Path) -> None:
    """The submission's own traceback is told, and no child is left to answer for nothing."""
    line = "self.calls += 1; assert self.calls < 3, 'the third call'"
    report = _asked(submission(tmp_path, source=CORNER.format(line)), 2)
    assert report.scores is None
    (found,) = (one for one in report.findings if one.severity == "error")
    assert "the third call" in found.message


def test_the_store_is_filled_once(tmp_path: Path, started: list[list[Work]]) -> None:
    """A second run asks nothing that several children have answered."""
    path, store = submission(tmp_path), str(tmp_path / "kept.sqlite")
    first = _asked(path, 2, store=store)
    assert len(started) == 2
    again = _asked(path, 2, store=store)
    assert again.blocks == 0
    assert again.scores == first.scores


def test_ctrl_c_reaches_all_of_them(
    tmp_path: Path, started: list[list[Work]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the terminal would hang until every child has answered its block."""

    def stopped(work: Work, *given: Any, **more: Any) -> None:
        if sum(map(len, started)) > 4:
            raise KeyboardInterrupt
        make_images(work, *given, **more)

    monkeypatch.setattr(evaluator.ask, "make_images", stopped)
    with pytest.raises(KeyboardInterrupt):
        _asked(submission(tmp_path), 2)


def test_a_further_child_that_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one child can answer must not become a failure by --workers."""
    path, given, started = submission(tmp_path), Here.run, list[Here]()

    def run(self: Here, *words: Any) -> bool:
        if self not in started:
            started.append(self)
        return given(self, *words) and self is started[0]

    one = _asked(path, 1)
    monkeypatch.setattr(Here, "run", run)
    many = _asked(path, 2)
    assert len(started) == 2
    assert many.scores == one.scores


def test_fewer_zips_than_workers_share_their_blocks(
    tmp_path: Path, started: list[list[Work]]
) -> None:
    """Else workers beyond the number of zips do nothing, or `rank` and `compare` hang on them."""
    zips, challenge = [submission(tmp_path, side) for side in (24, 12)], load_challenge()
    options = Options(
        corrupt="light", order_seed=1, block=12, images=60, store="none", estimate=False
    )
    one = answered(zips, DATA, challenge, options)
    assert len(started) == 2
    many = answered_together(zips, DATA, challenge, options, silent, 3)
    assert len(started) == 2 + 3
    assert all(started), "a child was loaded for nothing"
    for alone, shared in zip(one, many, strict=True):
        assert (alone.labels == shared.labels).all()
    kept = replace(options, store=str(tmp_path / "kept.sqlite"))
    assert evaluated_together(zips, DATA, challenge, kept, 3, Display()) == {}
    assert len(started) == 2 + 3 + 3
    for path in zips:
        from_store = evaluate(path, DATA, challenge, kept)
        assert from_store.asked == 0
        assert from_store.scores == evaluate(path, DATA, challenge, options).scores
