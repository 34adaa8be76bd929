"""`python -m bench.estimate`: how well a hidden score can be predicted from local figures.

Protocol, fixed before the methods were written.

- A trial: a scenario gives accuracies of many models on many conditions. A target model and 12 past
  ones are drawn at random. The hidden set is a mixture of m conditions, m uniform in 5..15, the
  conditions drawn without replacement from those the scenario hides, weights Dirichlet(1, ..., 1).
  It has n = 2,000 images; a model's hidden score is binomial(n, its accuracy on the mixture) / n,
  drawn apart for each model, not rounded. Predicted is the target's score so drawn, not its
  expectation.
- 300 seeded trials a scenario. Every K = 0..12 is reported: the first K of the same 12 past models.
- Reported: mean absolute error (points), coverage and mean width of the 90 % interval (points).
- Scenarios. cifar: 23 models on 15 corruptions x 5 severities of CIFAR-10-C. "in-library": hidden
  conditions are conditions of the library. "disjoint": five of the 15 corruptions, drawn anew each
  trial, are the hidden set and no condition of the library; "half outside": the same library,
  hidden conditions from all 75. composed: synthetic models and conditions
  (bench/estimation_synthetic.py), hidden conditions are chains of two or three corruptions that no
  library condition repeats; "disjoint" hides a third of the corruptions from the library, and the
  hidden chains are made of these; "no recipes" has no chain in the library; in "unlike models"
  robustness varies twice as much.
- Rivals: the uncalibrated mean, an offset and a line on the logit scale (Bayesian), the best single
  recipe, clean validation alone (composed only: CIFAR-10-C has no clean column), non-negative
  least squares on the simplex. Every rival's hyper-parameters, and ours, are chosen from grids of
  similar size on other seeds (`python -m bench.estimation_tuning`), by the same figure: mean log
  density of the hidden score over all scenarios and K = 1, 2, 3, 6, 12.
- Ours was changed twice. After a first run (seed 2024), in which least squares on the simplex erred
  up to 0.2 points less in the cifar scenarios, the closed form goes half of the way to it. In
  November 2026 drawn mixtures took its place for up to 24 past scores; their grid and the number of
  scores from which the closed form has half a say were chosen on seeds 881 and 991, the range
  without scores on 661. Reported are trials of a seed that nothing was chosen on (2026).
- Floors. "sampling": the mixture is known, only the n images are chance. "oracle": Bayes' rule by
  importance sampling; it knows every model's accuracy on the hidden conditions and how mixtures are
  drawn, not which one was: in-library this is what every method knows, elsewhere more.
- Bars: cifar disjoint at most 1.9 points at K = 3 and 1.5 at K = 6; composed 4.4 at K = 1 and 3.6
  at K = 3; composed disjoint 3.7 at K = 6. In every scenario and at each K >= 1: a coverage whose
  95 % interval meets 86 to 97 %, and no rival that is ahead by more than two standard errors of
  the paired difference.
- Speed: CPU seconds of an estimate from 100 and from 1,000 past scores on 99 conditions, everything
  made anew, medians of 5; at most 0.1 and 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import estimation_report as report
from bench.demonstration_report import put_into
from bench.estimation_extras import Stopped, Sums, sensitivity, stopping
from bench.estimation_pairs import PAIRS, Coverage, Figure, coverage, read_pairs
from bench.estimation_speed import speed
from bench.estimation_study import SEED, Study, study
from bench.estimation_worlds import MATRIX, Scenario, scenarios
from bench.report import console, machine, show_verdicts, write_json

TRIALS, QUICK_TRIALS = 300, 30
EXTRAS = ("cifar in-library", "composed")  # scenarios also run in other circumstances
FIGURES: tuple[Figure, ...] = ("val_acc", "bench_acc")
Say = Callable[[str], None]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.estimate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="a scenario")
    parser.add_argument("--quick", action="store_true", help="30 trials: a first look")
    parser.add_argument("--matrix", type=Path, default=MATRIX, help="CIFAR-10-C accuracies, CSV")
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="published pairs, CSV")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/estimate_study.md")
    options = parser.parse_args(argv)
    if options.quick:
        options.trials = QUICK_TRIALS
    return options


def _extras(found: Sequence[Scenario], trials: int, say: Say) -> tuple[dict[str, Any], ...]:
    chosen = [scenario for scenario in found if scenario.name in EXTRAS]
    changed = {s.name: sensitivity(s, trials, say) for s in chosen}
    stopped = {s.name: stopping(s, trials, say) for s in chosen}
    return changed, stopped


def _pairs(path: Path) -> list[Coverage]:
    if not path.is_file():
        return []
    return [coverage(read_pairs(path, figure), figure) for figure in FIGURES]


def _show(
    studies: Sequence[Study],
    changed: dict[str, dict[str, Sums]],
    stopped: dict[str, Stopped],
    pairs: Sequence[Coverage],
) -> None:
    for one in studies:
        report.show_study(one)
    for name, rows in changed.items():
        report.show_sums(f"{name}, other circumstances: error, coverage / width", rows)
    report.show_stopped(stopped)
    if pairs:
        report.show_pairs(pairs, studies)
    console().print(report.floor_note(studies))


def main(argv: list[str] | None = None) -> int:
    """0 if all bars are met, 1 if some are missed."""
    options = _arguments(argv)
    found = scenarios(options.matrix)
    with console().status("") as status:
        studies = [study(scenario, options.trials, status.update) for scenario in found]
        changed, stopped = _extras(found, options.trials, status.update)
    pairs = _pairs(options.pairs)
    _show(studies, changed, stopped, pairs)
    verdicts = [*report.verdicts(studies), *speed()]
    show_verdicts(verdicts)
    if options.write:
        put_into(options.write, report.markdown(studies), "bench.estimate")
        put_into(options.write, report.circumstances(changed), "bench.estimate: circumstances")
        put_into(options.write, report.stops(stopped), "bench.estimate: when to stop")
    if options.json:
        content = {"machine": machine(), "seed": SEED, "trials": options.trials}
        content |= {"studies": [one.plain() for one in studies]}
        content |= {"other": _plain(changed), "pairs": [asdict(one) for one in pairs]}
        content |= {"stopping": {name: asdict(one) for name, one in stopped.items()}}
        write_json(options.json, content | {"bars": [verdict.plain() for verdict in verdicts]})
    return 0 if all(verdict.met for verdict in verdicts) else 1


def _plain(changed: dict[str, dict[str, Sums]]) -> dict[str, Any]:
    return {
        scenario: {name: {k: asdict(s) for k, s in row.items()} for name, row in rows.items()}
        for scenario, rows in changed.items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
