"""Measure a submission, say what to expect.

In a notebook: `from evaluator import local_eval; local_eval("submission.zip", images, labels)`.
Importing this is free; numpy and the rest are loaded by the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import EvaluationError

if TYPE_CHECKING:
    from evaluator.callback import BenchmarkCallback
    from evaluator.comparison.compare import compare
    from evaluator.evaluate import local_eval
    from evaluator.report.report import Report

__all__ = ["BenchmarkCallback", "EvaluationError", "Report", "compare", "local_eval"]

_HOMES = {
    "BenchmarkCallback": "callback",  # imports Keras
    "Report": "report.report",
    "compare": "comparison.compare",
    "local_eval": "evaluate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'evaluator' has no attribute {name!r}")
    return getattr(importlib.import_module(f"evaluator.{_HOMES[name]}"), name)
