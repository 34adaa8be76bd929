"""The benchmark on a bundle in a line of Python: what the command does with its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.setting import opened_setting
from codabench_rehearsal.challenge.worker.environment import Wanted as Environment
from codabench_rehearsal.challenge.worker.environment import machine_for
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.fields import refuse_unknown
from codabench_rehearsal.rehearsal.predictions.packed import opened_submission
from evaluator.bundles.benchmark import Wanted, evaluate_in_bundle
from evaluator.bundles.report import BundleReport


def local_eval_in_bundle(
    submission: str | Path,
    bundle: str | Path,
    phase: str | None = None,
    *,
    input_data: str | Path | None = None,
    reference_data: str | Path | None = None,
    python: str | None = None,
    **options: Any,
) -> BundleReport:
    """Rehearse a zip in a bundle, also on damaged input data: `("submission.zip", "bundle.zip")`.

    phase: its number or name; the one open today where left out. input_data, reference_data: a
    folder or zip for what the bundle lacks. Further options are the fields of `Wanted`. Raises as
    `evaluate_in_bundle`, `SubmissionError` for what cannot be used.
    """
    refuse_unknown(options, Wanted, EvaluationError)
    wanted = Wanted(**{"given": Path(submission), **options})
    opened = opened_setting(
        Path(bundle),
        phase,
        input_data=[str(input_data)] if input_data else [],
        reference_data=[str(reference_data)] if reference_data else [],
    )
    with opened as setting, opened_submission(Path(submission), setting) as archive:
        how = Environment(python=python, submission=archive.path)
        machine, notes = machine_for(setting.bundle, setting.phase, how, _say)
        for note in notes:
            _say(note)
        given = setting.bundle, setting.phase, setting.worker, machine
        return evaluate_in_bundle(archive.path, *given, wanted, _say)


def _say(line: str) -> None:
    tell("local-eval", line)
