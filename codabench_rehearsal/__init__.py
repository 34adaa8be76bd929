"""A dress rehearsal for a Codabench submission: `import codabench_rehearsal as rehearsal`.

In a notebook:

    rehearsal.check("submission.zip", images, labels)
    rehearsal.check_in_bundle("submission.zip", "bundle.zip")
    rehearsal.local_eval("submission.zip", images, labels, corrupt="heavy")
    rehearsal.compare(["old.zip", "new.zip"], images, labels)
    rehearsal.record("submission.zip", "0.8900")
    rehearsal.rank(["a.zip", "b.zip"], images, labels)
    rehearsal.ensemble(["a.zip", "b.zip", "c.zip"], images, labels)
    rehearsal.history()
    rehearsal.explain("ingestion.log", "scoring.log")

Importing this is free; numpy and the rest are loaded by the first name that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.doors import door, hidden, stand_beside

if TYPE_CHECKING:
    from codabench_rehearsal.commands.compare import compare
    from codabench_rehearsal.commands.ensemble import ensemble
    from codabench_rehearsal.commands.explain import Explanation, explain
    from codabench_rehearsal.commands.history import History, history
    from codabench_rehearsal.commands.rank import rank
    from codabench_rehearsal.commands.record import Recorded, record
    from codabench_rehearsal.commands.site_upload import upload
    from codabench_rehearsal.console.errors import UserError
    from codabench_rehearsal.rehearsal.bundle.check import check_in_bundle
    from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked
    from codabench_rehearsal.rehearsal.check import Checked, check
    from corruptions.chain import corrupt_mixed
    from corruptions.named import mixture
    from corruptions.pipeline import CorruptedDataset, corrupt_tf, keras_batches
    from corruptions.registry import corrupt
    from evaluator.bundles.notebook import local_eval_in_bundle
    from evaluator.bundles.report import BundleReport
    from evaluator.callback import BenchmarkCallback
    from evaluator.comparison.ranking import Ranking
    from evaluator.comparison.standings import Comparison
    from evaluator.comparison.vote import Vote
    from evaluator.evaluate import local_eval
    from evaluator.report.report import Report

    __version__: str

__all__ = [
    "BenchmarkCallback",
    "BundleChecked",
    "BundleReport",
    "Checked",
    "Comparison",
    "CorruptedDataset",
    "Explanation",
    "History",
    "Ranking",
    "Recorded",
    "Report",
    "UserError",
    "Vote",
    "__version__",
    "check",
    "check_in_bundle",
    "compare",
    "corrupt",
    "corrupt_mixed",
    "corrupt_tf",
    "ensemble",
    "explain",
    "history",
    "keras_batches",
    "local_eval",
    "local_eval_in_bundle",
    "mixture",
    "rank",
    "record",
    "upload",
]

_HOMES = {
    "BenchmarkCallback": "evaluator.callback",  # imports Keras
    "BundleChecked": "codabench_rehearsal.rehearsal.bundle.verdict",
    "BundleReport": "evaluator.bundles.report",
    "Checked": "codabench_rehearsal.rehearsal.check",
    "Comparison": "evaluator.comparison.standings",
    "CorruptedDataset": "corruptions.pipeline",
    "Explanation": "codabench_rehearsal.commands.explain",
    "History": "codabench_rehearsal.commands.history",
    "Ranking": "evaluator.comparison.ranking",
    "Recorded": "codabench_rehearsal.commands.record",
    "Report": "evaluator.report.report",
    "UserError": "codabench_rehearsal.console.errors",
    "Vote": "evaluator.comparison.vote",
    "check": "codabench_rehearsal.rehearsal.check",
    "check_in_bundle": "codabench_rehearsal.rehearsal.bundle.check",
    "compare": "codabench_rehearsal.commands.compare",
    "corrupt": "corruptions.registry",
    "corrupt_mixed": "corruptions.chain",
    "corrupt_tf": "corruptions.pipeline",
    "ensemble": "codabench_rehearsal.commands.ensemble",
    "explain": "codabench_rehearsal.commands.explain",
    "history": "codabench_rehearsal.commands.history",
    "keras_batches": "corruptions.pipeline",
    "local_eval": "evaluator.evaluate",
    "local_eval_in_bundle": "evaluator.bundles.notebook",
    "mixture": "corruptions.named",
    "rank": "codabench_rehearsal.commands.rank",
    "record": "codabench_rehearsal.commands.record",
    "upload": "codabench_rehearsal.commands.site_upload",
}
_find = door(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("codabench-rehearsal")
    if name in __all__ and (said := hidden()):
        raise ImportError(said)
    return _find(name)


def __dir__() -> list[str]:
    return __all__


stand_beside()
