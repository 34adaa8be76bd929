"""`python -m bench.recipes --evening`: the five systems with real pretrained weights.

Each is trained by `train-recipe NAME --evening`, packed by `make-submission --server` (so it also
runs under the server's versions), and asked on images that none of them was trained on. The best of
the three robust ones, by `an2dl-2024`, is then trained as three that start anew, with strips, and
without pretrained weights; the first start is packed with and without views. Everything stands in
pairs: the same images, a difference's interval. Rows are kept in bench/recipes_answers.json as soon
as they are measured, and are not measured again; --rows makes some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import codabench_rehearsal
from bench.demonstration_report import judged, put_into, table
from bench.goals import Verdict, at_least, at_most
from bench.recipe_runs import CONTROL, HIDDEN, Bench, Training, interval, points
from bench.recipes_answers import FILE, Asking, Kept, asking, read, write
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.words import percent
from codabench_rehearsal.images import load
from codabench_rehearsal.recipes.system import load_system
from evaluator.comparison.compare import compare
from evaluator.comparison.standings import Comparison, Pair, Standing

SCRATCH = "los_pollos_hermanos"
ROBUST = ("reluctant_learners", "hidden_players", "overfitting_gods")
TEAMS = (CONTROL, *ROBUST, SCRATCH)
PRESETS = ("light", "heavy", HIDDEN)
STARTS = ("start 1", "start 2", "start 3")
NAMES = (*TEAMS, "none", *STARTS, "ensemble", "views", "strips")
_TIMED = 400  # images that a zip is timed on
_TITLES = {
    "none": "`--weights none`",
    **{f"start {n}": f"another start ({n})" for n in (1, 2, 3)},
    "ensemble": "ensemble of three",
    "views": "another start (1), eight views averaged (`d4`)",
    "strips": "with strips, **trained on the benchmark's damage**",
}
# What a row is held against: the same network, or one of its networks; others, the best one.
_AGAINST = {"ensemble": "start 1", "views": "start 1"}
_WORDS = {
    "none": ("none", ("--weights", "none")),
    "ensemble": ("starts", ("--set", "ensemble=starts")),
    "strips": ("strips", ("--set", "augmentation=strips")),
}


@dataclass(frozen=True, eq=False)
class Evening:
    """What was found. rows: by name, the best one first; found: by preset, of these rows.

    pairs: a row's name -> what it is held against, and how they differ under `an2dl-2024`.
    """

    best: str
    rows: Mapping[str, Kept]
    found: Mapping[str, Comparison]
    pairs: Mapping[str, tuple[str, Pair]]

    def standing(self, name: str, preset: str = HIDDEN) -> Standing:
        """A row's accuracies."""
        return self.found[preset].standings[list(self.rows).index(name)]


def run(
    bench: Bench, document: Path | None, page: Path | None, names: Sequence[str] = NAMES
) -> int:
    """Train, pack and ask what is not kept; print; returns 0, or 1 where a bar is missed."""
    challenge = load_challenge()
    data = load(bench.data, shape=challenge.shape, classes=challenge.classes)
    asked, kept = asking(bench, data, TEAMS), read(FILE)
    for name in [name for name in NAMES if name in names and name not in kept]:
        kept[name] = _row(bench, asked, name, _best(asked, kept))
        write(FILE, kept, len(asked.data))
    evening = _evening(asked, kept)
    bars = [*_bars(evening), *_costs(evening)]
    text = "\n".join(_text(evening, bars))
    console().print(text, markup=False)
    if document:
        write_json(document, _document(evening, bars))
    if page:
        put_into(page, text, "bench.recipes --evening")
    return 0 if all(bar.met for bar in bars) and len(kept) == len(NAMES) else 1


def _best(asked: Asking, kept: Mapping[str, Kept]) -> str:
    """The best robust one of those that are kept; the first where none is."""
    known = [name for name in ROBUST if name in kept]
    if not known:
        return ROBUST[0]
    sheets = [asked.answers(kept[name], HIDDEN) for name in known]
    scores = [one.benchmark.value for one in compare(sheets).standings]
    return known[scores.index(max(scores))]


def _evening(asked: Asking, kept: Mapping[str, Kept]) -> Evening:
    best = _best(asked, kept)
    order = [best, *(name for name in NAMES if name != best)]
    rows = {name: kept[name] for name in order if name in kept}
    found = {
        preset: compare([asked.answers(one, preset) for one in rows.values()]) for preset in PRESETS
    }
    held = {name: _AGAINST.get(name, best) for name in rows if name != best}
    pairs = {
        name: (other, compare([asked.answers(rows[one], HIDDEN) for one in (other, name)]).pairs[0])
        for name, other in held.items()
        if other in rows
    }
    return Evening(best, rows, found, pairs)


def _row(bench: Bench, asked: Asking, name: str, best: str) -> Kept:
    """Train it if it has a training of its own, pack it, ask it."""
    training, path = _zip(bench, name, best)
    labels = {preset: asked.ask(path, preset) for preset in PRESETS}
    rate, cores = _rate(path, bench), machine()["cores"]
    return Kept(name, labels, training, path.stat().st_size, rate, cores)


def _zip(bench: Bench, name: str, best: str) -> tuple[Training | None, Path]:
    if name in TEAMS:
        training = bench.train(name, name, "--evening")
        return training, bench.pack(name, "--server")
    if name in _WORDS:
        key, words = _WORDS[name]
        training = bench.train(f"{best}-{key}", best, "--evening", *words)
        return training, bench.pack(f"{best}-{key}", "--server")
    bench.train(f"{best}-starts", best, "--evening", *_WORDS["ensemble"][1])
    if name in STARTS:
        return None, bench.pack(bench.member(f"{best}-starts", int(name[-1])))
    first = bench.member(f"{best}-starts", 1)
    return None, bench.pack(f"{first}-views", "--tta", "d4", folder=first)


def _rate(path: Path, bench: Bench) -> float:
    """Images a second in `predict`, in the child that local-eval runs."""
    how: dict[str, Any] = {"corrupt": "fog:1", "count": _TIMED, "store": "none", "device": "cpu"}
    report = codabench_rehearsal.local_eval(path, bench.data, estimate=False, **how)
    return 1000 / report.timing.seconds_per_thousand


def _bars(evening: Evening) -> list[Verdict]:
    bars = []
    if CONTROL in evening.rows:
        control = evening.standing(CONTROL)
        bars += [
            at_least(f"`{CONTROL}`, clean", control.clean.value, 0.96),
            at_least(f"`{CONTROL}`, lost to `{HIDDEN}`", -control.gap.change.value, 0.35),
        ]
    if evening.best in evening.rows:
        own = evening.standing(evening.best)
        under = f"`{evening.best}` under `{HIDDEN}` (aim 0.90)"
        bars += [
            at_least(f"`{evening.best}`, clean", own.clean.value, 0.955),
            at_least(under, own.benchmark.value, 0.80),
        ]
    if "strips" in evening.rows:
        strips = evening.standing("strips").benchmark.value
        bars.append(at_least(f"with strips under `{HIDDEN}`", strips, 0.90))
    return bars


def _costs(evening: Evening) -> list[Verdict]:
    trained = [one.training for one in evening.rows.values() if one.training]
    singles = [one for one in trained if not one.name.endswith("-starts")]
    rates = [one.rate for name, one in evening.rows.items() if name in TEAMS and name != SCRATCH]
    if not singles or not rates:
        return []
    return [
        at_most("minutes of the longest command", max(one.whole for one in singles) / 60, 45),
        at_most("waiting for data, in %", 100 * max(one.waited for one in trained), 3),
        at_least("images a second in prediction, without averaged views", min(rates), 150),
    ]


def _text(evening: Evening, bars: Sequence[Verdict]) -> list[str]:
    titles = (
        *("recipe (`--evening`)", "reported for the full one", "epochs", "minutes", "waiting"),
        *("MB", "images a second", "clean", *(f"`{preset}`" for preset in PRESETS)),
    )
    images = evening.found[HIDDEN].images
    more = [name for name in evening.rows if name not in TEAMS]
    basis = f"On {images:,} images that none of them was trained on, with 95 % intervals; trained"
    lines = [
        f"{basis} on 2 cores, with the seed 0.",
        "",
        table(titles, [_line(evening, name) for name in TEAMS if name in evening.rows]),
    ]
    if more:
        again = f"The best of the robust three, `{evening.best}`, again and otherwise; the first"
        lines += ["", f"{again} start is the same training once more:", ""]
        lines.append(table(titles, [_line(evening, name) for name in more]))
    held = "Held against another on the same images, in points:"
    names = ("", "against", f"`{HIDDEN}`", "clean")
    lines += ["", held, "", table(names, _differences(evening))]
    lines += ["", judged(bars)]
    if left := [_title(name) for name in NAMES if name not in evening.rows]:
        lines += ["", f"Not measured yet: {', '.join(left)}."]
    return lines


def _title(name: str) -> str:
    return _TITLES.get(name, f"`{name}`")


def _line(evening: Evening, name: str) -> tuple[str, ...]:
    row = evening.rows[name]
    took = ("-", "-", "-")
    if training := row.training:
        minutes = f"{training.whole / 60:.0f}"
        took = (f"{training.epochs}", minutes, percent(training.waited))
    return (
        *(_title(name), load_system(name).reported if name in TEAMS else "-", *took),
        f"{row.size / 1e6:.1f}",
        f"{row.rate:.0f}",
        interval(evening.standing(name).clean),
        *(interval(evening.standing(name, preset).benchmark) for preset in PRESETS),
    )


def _differences(evening: Evening) -> list[tuple[str, ...]]:
    return [
        (_title(name), _title(other), points(pair.benchmark.change), points(pair.clean.change))
        for name, (other, pair) in evening.pairs.items()
    ]


def _document(evening: Evening, bars: Sequence[Verdict]) -> dict[str, Any]:
    def of(name: str, row: Kept) -> dict[str, Any]:
        return {
            "title": _title(name),
            "training": vars(row.training) if row.training else None,
            "bytes": row.size,
            "images_per_second": row.rate,
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
