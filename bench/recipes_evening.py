"""`python -m bench.recipes --evening`: the five systems with real pretrained weights.

Each is trained by `train-recipe NAME --evening`, packed by `make-submission --server` (so it also
runs under the server's versions), and asked on images that none of them was trained on. The best of
the three robust ones, by `an2dl-2024`, is then trained again as three that start anew (the first of
them is the same one again), with strips, and without pretrained weights; its zip with and without
views is the same network. Everything stands in pairs: the same images, a difference's interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import codabench_rehearsal
from bench.demonstration_report import put_into, table
from bench.goals import Verdict, at_least, at_most
from bench.recipe_runs import CONTROL, HIDDEN, Bench, Training, interval, points
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.words import percent
from codabench_rehearsal.images import Dataset, load
from codabench_rehearsal.recipes.system import load_system
from evaluator.comparison.standings import Comparison, Standing

SCRATCH = "los_pollos_hermanos"
ROBUST = ("reluctant_learners", "hidden_players", "overfitting_gods")
VIEWED = "overfitting_gods"  # averages views by its report, not in an evening
TEAMS = (CONTROL, *ROBUST, SCRATCH)
PRESETS = ("light", "heavy", HIDDEN)
_TIMED = 400  # images that a zip is timed on


@dataclass(frozen=True)
class Row:
    """A zip, what it is called in the table, and the training behind it, where that is its own."""

    title: str
    reported: str
    path: Path
    training: Training | None = None


@dataclass(frozen=True)
class Evening:
    """What was found. rows by name, the best one first; rates: images a second in prediction."""

    best: str
    rows: Mapping[str, Row]
    found: Mapping[str, Comparison]
    rates: Mapping[str, float]

    def standing(self, name: str, preset: str = HIDDEN) -> Standing:
        """A row's accuracies."""
        return self.found[preset].standings[list(self.rows).index(name)]


def run(bench: Bench, document: Path | None, page: Path | None) -> int:
    """Train, pack, ask, print; returns 0, or 1 where a bar is missed."""
    challenge = load_challenge()
    teams = {name: _team(bench, name) for name in TEAMS}
    data = load(bench.data, shape=challenge.shape, classes=challenge.classes)
    first = bench.compare([one.path for one in teams.values()], data, HIDDEN)
    scores = {name: one.benchmark.value for name, one in zip(teams, first.standings, strict=True)}
    best = max(ROBUST, key=scores.__getitem__)
    rows = {best: teams[best], **teams, **_more(bench, best)}
    paths = [one.path for one in rows.values()]
    found = {preset: bench.compare(paths, data, preset) for preset in PRESETS}
    evening = Evening(
        best, rows, found, {name: _rate(one.path, data) for name, one in rows.items()}
    )
    bars = [*_bars(evening), *_costs(evening)]
    text = "\n".join(_text(evening, bars))
    console().print(text, markup=False)
    if document:
        write_json(document, _document(evening, bars))
    if page:
        put_into(page, text, "bench.recipes --evening")
    return 0 if all(bar.met for bar in bars) else 1


def _team(bench: Bench, name: str) -> Row:
    training = bench.train(name, name, "--evening")
    return Row(f"`{name}`", load_system(name).reported, bench.pack(name, "--server"), training)


def _more(bench: Bench, best: str) -> dict[str, Row]:
    """What is tried with the best one, by name."""

    def trained(key: str, title: str, *words: str) -> Row:
        name = f"{best}-{key}"
        training = bench.train(name, best, "--evening", *words)
        return Row(title, "-", bench.pack(name, "--server"), training)

    strips = ("--set", "augmentation=strips")
    starts = trained("starts", "ensemble of three", "--set", "ensemble=starts")
    seeds = {
        f"start {number}": Row(
            f"another start ({number})", "-", bench.pack(bench.member(f"{best}-starts", number))
        )
        for number in (1, 2, 3)
    }

    def averaged(name: str, title: str) -> Row:
        return Row(title, "-", bench.pack(f"{name}-views", "--tta", "d4", folder=name))

    return {
        "none": trained("none", "`--weights none`", "--weights", "none"),
        **seeds,
        "ensemble": starts,
        "views": averaged(best, "eight views averaged (`d4`)"),
        "views of a team": averaged(VIEWED, f"`{VIEWED}` with its eight views (`d4`)"),
        "strips": trained("strips", "with strips, **trained on the benchmark's damage**", *strips),
    }


def _rate(path: Path, data: Dataset) -> float:
    """Images a second in `predict`, in the child that local-eval runs."""
    how: dict[str, Any] = {"corrupt": "fog:1", "images": _TIMED, "store": "none", "device": "cpu"}
    report = codabench_rehearsal.local_eval(path, data, estimate=False, **how)
    return 1000 / report.timing.seconds_per_thousand


def _bars(evening: Evening) -> list[Verdict]:
    control, own = evening.standing(CONTROL), evening.standing(evening.best)
    strips = evening.standing("strips").benchmark.value
    return [
        at_least(f"`{CONTROL}`, clean", control.clean.value, 0.96),
        at_least(f"`{CONTROL}`, lost to `{HIDDEN}`", -control.gap.change.value, 0.35),
        at_least(f"`{evening.best}`, clean", own.clean.value, 0.955),
        at_least(f"`{evening.best}` under `{HIDDEN}` (aim 0.90)", own.benchmark.value, 0.80),
        at_least(f"with strips under `{HIDDEN}`", strips, 0.90),
    ]


def _costs(evening: Evening) -> list[Verdict]:
    trained = [one.training for one in evening.rows.values() if one.training]
    singles = [one for one in trained if not one.name.endswith("-starts")]
    light = [rate for name, rate in evening.rates.items() if name in TEAMS and name != SCRATCH]
    return [
        at_most("minutes of the longest command", max(one.whole for one in singles) / 60, 45),
        at_most("waiting for data, in %", 100 * max(one.waited for one in trained), 3),
        at_least("images a second in prediction, without averaged views", min(light), 150),
    ]


def _text(evening: Evening, bars: Sequence[Verdict]) -> list[str]:
    titles = (
        *("recipe (`--evening`)", "reported for the full one", "epochs", "minutes", "waiting"),
        *("MB", "images a second", "clean", *(f"`{preset}`" for preset in PRESETS)),
    )
    basis = f"On {evening.found[HIDDEN].images:,} images that none of them was trained on, with"
    again = f"The best of the robust three, `{evening.best}`, again and otherwise; the first start"
    return [
        f"{basis} 95 % intervals; trained on {machine()['cores']} cores, with the seed 0.",
        "",
        table(titles, [_row(evening, name) for name in TEAMS]),
        "",
        f"{again} is the same training once more:",
        "",
        table(titles, [_row(evening, name) for name in evening.rows if name not in TEAMS]),
        "",
        f"Held against `{evening.best}` on the same images, in points:",
        "",
        table(("", f"`{HIDDEN}`", "clean"), _differences(evening)),
        "",
        table(("asked for", "bar", "found", ""), [_checked(bar) for bar in bars]),
    ]


def _row(evening: Evening, name: str) -> tuple[str, ...]:
    row = evening.rows[name]
    took = ("-", "-", "-")
    if training := row.training:
        minutes = f"{training.whole / 60:.0f}"
        took = (f"{training.epochs}", minutes, percent(training.waited))
    return (
        *(row.title, row.reported, *took),
        f"{row.path.stat().st_size / 1e6:.1f}",
        f"{evening.rates[name]:.0f}",
        interval(evening.standing(name).clean),
        *(interval(evening.standing(name, preset).benchmark) for preset in PRESETS),
    )


def _differences(evening: Evening) -> list[tuple[str, str, str]]:
    named = zip(list(evening.rows)[1:], evening.found[HIDDEN].pairs, strict=True)
    return [
        (evening.rows[name].title, points(pair.benchmark.change), points(pair.clean.change))
        for name, pair in named
    ]


def _checked(bar: Verdict) -> tuple[str, ...]:
    met = "met" if bar.met else "**missed**"
    return bar.what, f"{bar.sense} {bar.goal:g}", f"{bar.value:.3g}", met


def _document(evening: Evening, bars: Sequence[Verdict]) -> dict[str, Any]:
    def of(name: str, row: Row) -> dict[str, Any]:
        return {
            "title": row.title,
            "training": vars(row.training) if row.training else None,
            "bytes": row.path.stat().st_size,
            "images_per_second": evening.rates[name],
            "clean": vars(evening.standing(name).clean),
            **{one: vars(evening.standing(name, one).benchmark) for one in PRESETS},
        }

    rows = {name: of(name, row) for name, row in evening.rows.items()}
    return {
        "machine": machine(),
        "best": evening.best,
        "rows": rows,
        "bars": [bar.plain() for bar in bars],
    }
