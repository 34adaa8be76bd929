"""What the platform's own worker scored on public examples, and what ours scores on the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codabench_rehearsal.challenge.bundle import read_bundle
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.challenge.worker.submission import run_submission


class Reference(NamedTuple):
    """bundle, submission: below codabench/ of codalab/competition-examples. value: the worker's."""

    bundle: str
    submission: str
    phase: int
    value: float


_AUTOML, _PATH = "mini-automl/bundle", "shortest_path/bundle"
_WHEAT, _MNIST = "wheat_seeds/results_submission_bundle", "Mini-MNIST/Mini-MNIST-Bundle"
# Source: the unmodified worker of March 2026, run on these bundles for this project's issue 17.
REFERENCES = (
    Reference(_MNIST, "Mini-MNIST/mini_MNIST_code_submission.zip", 0, 0.72),
    Reference(_AUTOML, f"{_AUTOML}/starting_kit/gaussian_nb.zip", 0, 0.8496961069841662),
    Reference(_AUTOML, f"{_AUTOML}/starting_kit/knn.zip", 0, 0.8712467149302937),
    Reference(_PATH, "shortest_path/dijkstra_submission.zip", 0, 6.7),
    Reference(_PATH, "shortest_path/dijkstra_submission.zip", 1, 9.4),
    Reference(_WHEAT, f"{_WHEAT}/starting_kit/dev-submission.zip", 0, 0.85),
    Reference(_WHEAT, f"{_WHEAT}/starting_kit/final-submission.zip", 1, 0.2830188679),
)
DIGITS = 10  # behind the point, as they are noted


def compared(bundles: Path, python: str) -> Iterator[tuple[Reference, float | None]]:
    """Each with our score in the first column; nothing where the examples are not there."""
    examples = bundles / "codalab+competition-examples" / "codabench"
    for one in REFERENCES if examples.is_dir() else ():
        with tempfile.TemporaryDirectory(prefix="bundle-") as place:
            bundle = read_bundle(examples / one.bundle, Path(place))
            submission = examples / one.submission
            phase, machine = bundle.phases[one.phase], Machine(python)
            ran = run_submission(bundle, submission, phase, "2026-03", machine)
        yield one, ran.scores[0].value if ran.scores else None


def sentence(found: list[tuple[Reference, float | None]]) -> str:
    """What came of them, for the page."""
    same = sum(ours is not None and round(ours - one.value, DIGITS) == 0 for one, ours in found)
    if not found:
        return "The platform's own scores were not compared: the examples are not here."
    return (
        f"{same} of {len(found)} scores that the platform's own worker gave to submissions of "
        "codalab's examples (mini-MNIST, mini-AutoML, shortest path, wheat seeds) come out the "
        f"same here, to {DIGITS} digits."
    )
