"""The benches' own arithmetic: a wrong ratio would be believed."""

from __future__ import annotations

import numpy as np
import pytest

from bench import goals
from bench.contender import Contender, each
from bench.crew import SideError, Worker, cores
from bench.likeness import of_changes, of_pictures
from bench.race import Runner
from bench.speed import cost_ratio
from bench.timing import ratios
from bench.worker import Stage, answer


def runner(rates: list[float]) -> Runner:
    """One that has been measured; it is never asked again."""
    return Runner(None, "side", "key", {"task": "t", "label": "l"}, rates=rates)  # type: ignore[arg-type]


def test_ratios_pair_runs() -> None:
    """Else a slow minute of the machine would count for one side only."""
    found = ratios([10, 100, 30], [1, 10, 10])
    assert (found.median, found.low, found.high, found.runs) == (10, 3, 10, 3)


def test_sweep_adds_costs_not_ratios() -> None:
    """Else a huge gain on a cheap corruption would hide a small one on a dear one."""
    ours, reference = [runner([100]), runner([2])], [runner([1]), runner([1])]
    assert cost_ratio(reference, ours).median == pytest.approx(2 / 0.51)


@pytest.mark.parametrize(("value", "met"), [(3.0, True), (2.99, False)])
def test_goals_include_their_bound(value: float, *, met: bool) -> None:
    """Else a goal reached exactly is reported as missed."""
    assert goals.at_least("x", value, 3.0).met is met
    assert goals.at_most("x", 6 - value, 3.0).met is met


def test_likeness_tells_operators_apart() -> None:
    """Else a peer that does less work would count as the fastest."""
    clean = np.random.default_rng(0).integers(60, 190, (8, 32, 32, 3), np.uint8)
    assert of_pictures(clean + 2, clean).same
    assert not of_pictures(clean + 3, clean).same
    some, other = (
        clean + np.random.default_rng(seed).integers(0, 50, clean.shape, np.uint8)
        for seed in (1, 2)
    )
    assert of_changes(some, other, clean).same
    assert not of_changes(clean + 10, other, clean).same


def test_a_failing_library_is_an_answer() -> None:
    """Else one peer's exception would end the whole run."""
    stage = Stage({"broken|x": Contender("broken", "x", each(lambda image: image / "a"))})
    stage.images = np.zeros((4, 32, 32, 3), np.uint8)
    assert "TypeError" in answer(stage, {"do": "plan", "key": "broken|x", "seconds": 0.01})["error"]


def test_a_side_that_cannot_start_says_why() -> None:
    """Else a missing peer would look like a hang."""
    with pytest.raises(SideError, match="no_such_side"):
        Worker("bench.sides.no_such_side", cores()[:1])


def test_a_worker_measures_our_side(tmp_path: object) -> None:
    """Else the bench would break unnoticed between releases."""
    path = f"{tmp_path}/images.npy"
    np.save(path, np.zeros((4, 32, 32, 3), np.uint8))
    with Worker("bench.sides.ours", cores()[:1]) as worker:
        assert worker.ask("load", path=path) == {"count": 4}
        found = worker.ask("measure", key="contrast/3|ours", count=4, repeats=2)
    assert found["images"] == 8
    assert found["cpu"] > 0
