"""The chance that one submission scores above another on the hidden set, out of stored answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.images import Dataset
from evaluator.ask import open_store
from evaluator.beliefs import as_beliefs
from evaluator.elsewhere import environment_of
from evaluator.estimate.estimate import Estimator
from evaluator.options import Choice, Options
from evaluator.past import PastReader, target_of
from evaluator.plan import described, plan_on
from evaluator.store.rows import Run
from evaluator.store.store import Store
from submission.archive import sha256_of


def above_first(
    zips: Sequence[Path], data: Dataset, challenge: Challenge, options: Options
) -> list[float | None]:
    """For every zip but the first, from the answers that a store has to the library's conditions.

    Nothing is asked. None where one of the two lacks answers: `local-eval` gives them.
    """
    unknown: list[float | None] = [None] * (len(zips) - 1)
    if unknown and (store := open_store(options)) is not None:
        with store:
            return _above(zips, data, challenge, replace(options, estimate=True), store) or unknown
    return unknown


def _above(
    zips: Sequence[Path], data: Dataset, challenge: Challenge, options: Options, store: Store
) -> list[float | None]:
    hashes = [sha256_of(path) for path in zips]
    where = environment_of(options)
    run = Run(hashes[0], where, data.fingerprint(), options.seed)
    reader = PastReader(store, run, data, options, challenge.label_names)
    found = [
        reader.figures(path.name, sha256, path) for path, sha256 in zip(zips, hashes, strict=True)
    ]
    if (first := found[0]) is None:
        return []
    asked = plan_on(Choice(data, "all", ()), options).benchmark("library").conditions
    past = reader.past(hashes, lambda _: "not now").scores  # nothing is asked
    target = target_of(past, challenge, options, reader)
    estimator = Estimator(described(asked), past, target, as_beliefs(options.believe or (), asked))
    return [None if one is None else estimator.ahead(one, first) for one in found[1:]]
