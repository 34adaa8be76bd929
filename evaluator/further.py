"""What is asked beyond the benchmark where the user wants it: severities, and a reference zip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from corruptions.chain import table_names
from corruptions.presets import Condition, Preset, Step
from corruptions.registry import get
from evaluator.answers import CLEAN_PLACE
from evaluator.ask import Runner
from evaluator.metrics import resamples, wilson
from evaluator.options import Untrained
from evaluator.plan import CLEAN, SWEEP_TABLE, Plan, Round, Subset
from evaluator.relative import Relative, relative
from evaluator.remarks import ended_by, failure
from evaluator.severity import MOST_IMAGES, Curve, Search, in_order
from evaluator.store.rows import condition_text
from submission.archive import Archive
from submission.checks.subject import examine
from submission.findings import STOPS

_NAME = "severities"


def search(runner: Runner, part: Round, accuracy: float) -> Search | None:
    """The severity of each corruption at which accuracy falls below a figure.

    Of the corruptions that stand alone in the shown preset, else of the 19, on images of the round.
    None where the submission failed.
    """
    count = part.images if runner.options.full else min(part.images, MOST_IMAGES)
    given = runner.answers("shown", part)
    own = (given.questions.conditions == CLEAN_PLACE) & (given.questions.rows < count)
    clean = wilson(float(given.right[own].sum()), count)
    if clean.value < accuracy:
        return Search(accuracy, count, clean)
    truth = runner.plan.data.labels[:count]
    draws = resamples(truth, runner.plan.seed)
    curves = {
        one: Curve(get(one.steps[0].corruption, one.table), one.table, one.family, accuracy, draws)
        for one in _single(runner.plan.subsets["shown"].preset)
    }
    while wanted := {one: at for one, curve in curves.items() if (at := curve.next()) is not None}:
        runner.display.say(f"{len(wanted)} corruptions are run at another severity")
        conditions = [_at(one, severity) for one, severity in wanted.items()]
        found = _asked(runner, conditions, count)
        if found is None:
            return None
        for (one, severity), right in zip(wanted.items(), found.T, strict=True):
            curves[one].right[severity] = right
    return Search(accuracy, count, clean, in_order([one.found() for one in curves.values()]))


def held_against(runner: Runner, part: Round, path: Path) -> Relative:
    """Ask a reference zip what the shown preset and the sweep asked, and compare the errors.

    Images that the reference was trained on, as the split beside it tells, do not count. Raises
    `EvaluationError` where it does not answer, `SubmissionError` for what is no zip.
    """
    plan, options, challenge = runner.plan, runner.options, runner.challenge
    name = "sweep" if "sweep" in plan.subsets else "shown"
    plan = replace(plan, subsets={name: plan.subsets[name]})
    options = replace(options, order_seed=runner.secret)
    known = options.split != "none"
    new = Untrained(plan.data).of(path) if known else np.ones(len(plan.data), bool)
    with Archive(path) as archive:
        found = examine(archive, challenge, only=tuple(sorted(STOPS)))
        with Runner(
            archive, challenge, options, runner.data, runner.store, runner.display
        ) as other:
            other.follow(plan)
            if not found and not other.ask(part):
                found = failure(other.finish(), challenge, options.python, ended_by(other))
            for finding in found:
                raise EvaluationError(
                    f"{path.name}, the reference, does not answer: {finding.message}. "
                    f"{finding.advice}"
                )
            return relative(runner.answers(name, part), other.answers(name, part), new)


def _single(preset: Preset) -> list[Condition]:
    """A condition for each corruption that is asked alone; of the 19 where none is."""
    alone = [one for one in preset.conditions if len(one.steps) == 1]
    if not alone:
        alone = [
            Condition(name, get(name).family, (Step(name, 3),), 1.0, SWEEP_TABLE)
            for name in table_names()
        ]
    known = {(one.steps[0].corruption, one.table, one.pictures): one for one in alone}
    return list(known.values())


def _at(one: Condition, severity: float) -> Condition:
    name = one.steps[0].corruption
    return replace(one, name=f"{name}:{severity:g}", steps=(Step(name, severity),))


def _asked(
    runner: Runner, conditions: Sequence[Condition], count: int
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]] | None:
    """Which answers are right, bool `(count, conditions)`; None where the submission failed."""
    base, size = runner.plan, len(conditions)
    every = np.arange(size + 1, dtype=np.int64)
    preset = Preset(_NAME, tuple(conditions), size, "")
    plan = Plan(
        replace(base.choice, data=base.data.view(np.arange(count))),
        base.seed,
        (CLEAN, *conditions),
        tuple(map(condition_text, (CLEAN, *conditions))),
        {_NAME: Subset(preset, every, np.tile(every[1:], (count, 1)))},
    )
    with runner.aside(plan):
        part = Round(count, 0)
        if not runner.ask(part):
            return None
        right = runner.answers(_NAME, part).right.reshape(count, size + 1)
        return np.asarray(right[:, 1:])
