"""Measure a submission, say what to expect.

In a notebook: `from evaluator import local_eval; local_eval("submission.zip", images, labels)`.
Importing this is free; numpy and the rest are loaded by the first name that needs them.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import TYPE_CHECKING

from codabench_rehearsal.console.doors import door
from codabench_rehearsal.console.errors import EvaluationError

if TYPE_CHECKING:
    from evaluator.callback import BenchmarkCallback
    from evaluator.comparison.compare import compare
    from evaluator.evaluate import local_eval
    from evaluator.report.report import Report

__all__ = ["BenchmarkCallback", "EvaluationError", "Report", "compare", "local_eval"]

__path__ = extend_path(__path__, __name__)  # beside a folder of that name of the user's own
__getattr__ = door(
    __name__,
    {
        "BenchmarkCallback": "evaluator.callback",  # imports Keras
        "Report": "evaluator.report.report",
        "compare": "evaluator.comparison.compare",
        "local_eval": "evaluator.evaluate",
    },
)
