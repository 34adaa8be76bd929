"""The demonstration's tables, as Markdown for the page and the terminal, and its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.demonstration_figures import Rehearsed
from bench.demonstration_study import BELIEVING, OURS, PASTS, Guess, summed
from bench.estimation_rivals import TUNED
from bench.estimation_study import Summary
from bench.goals import Verdict, at_least, at_most

METHODS = (OURS, BELIEVING, *TUNED)
# Fixed before any model was measured; they count on the sets that were drawn last.
RIGHT, WRONG = "A2", "B2"  # where the profile's belief is right, and where it is not
ERRORS: Mapping[str, Mapping[int, float]] = MappingProxyType(  # points
    {BELIEVING: {0: 5.0, 1: 6.0, 3: 3.5, 5: 2.5}, OURS: {1: 7.5, 3: 3.8, 5: 2.8}}
)
LEAST_COVERED, MOST_COVERED = 88.0, 97.0  # %, of ranges that believe what is right
WRONG_COVERED: Mapping[int, float] = MappingProxyType({1: 80.0, 3: 85.0})
WIDEST, WORSE = 70.0, 0.5  # points: without a score, and lost to a wrong belief at K = 3


def tables(
    models: Sequence[Rehearsed], guesses: Sequence[Guess], sets: Sequence[tuple[str, str, int]]
) -> str:
    """Everything; sets: name, a word about it, number of images."""
    parts = [_models(models, sets)]
    for name, about, images in sets:
        parts.append(f"### Hidden set {name}: {about}, {images:,} images")
        parts.append(_methods(guesses, name))
        parts.append(_one_by_one(models, guesses, name))
    return "\n\n".join(parts)


def bars(guesses: Sequence[Guess]) -> list[Verdict]:
    """Every bar on the sets that were drawn last; none where these were not measured."""

    def found(hidden: str, method: str, past: int) -> Summary:
        made = summed(guesses, hidden, method, past)
        assert made is not None  # noqa: S101  every set has every K
        return made

    if not any(one.hidden == RIGHT and one.past == max(PASTS) for one in guesses):
        return []
    verdicts = []
    for method, errors in ERRORS.items():
        for past, most in errors.items():
            what = f"{RIGHT}, {method}: error at K = {past}, points"
            verdicts.append(at_most(what, found(RIGHT, method, past).error, most))
    for past in PASTS:
        share, what = 100 * found(RIGHT, BELIEVING, past).coverage, f"coverage at K = {past}, %"
        verdicts.append(at_least(f"{RIGHT}, {BELIEVING}: {what}", share, LEAST_COVERED))
        verdicts.append(at_most(f"{RIGHT}, {BELIEVING}: {what}", share, MOST_COVERED))
    width = found(RIGHT, OURS, 0).width
    verdicts.append(at_most(f"{RIGHT}, {OURS}: width at K = 0, points", width, WIDEST))
    for past, least in WRONG_COVERED.items():
        what = f"{WRONG}, {BELIEVING}: coverage at K = {past}, %"
        verdicts.append(at_least(what, 100 * found(WRONG, BELIEVING, past).coverage, least))
    lost = found(WRONG, BELIEVING, 3).error - found(WRONG, OURS, 3).error
    verdicts.append(at_most(f"{WRONG}: error that the belief costs at K = 3, points", lost, WORSE))
    return verdicts


def judged(verdicts: Iterable[Verdict]) -> str:
    """Figures against their bars."""
    rows = []
    for one in verdicts:
        met = "met" if one.met else "**missed**"
        rows.append((one.what, f"{one.sense} {one.goal:g}", f"{one.value:.3g}", met))
    return table(("asked for", "bar", "found", ""), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _models(models: Sequence[Rehearsed], sets: Sequence[tuple[str, str, int]]) -> str:
    head = ["model", "validation", "`heavy`", *(f"hidden {name}" for name, _, _ in sets)]
    rows = [
        [
            model.name,
            f"{model.validation:.3f}",
            f"{model.benchmark:.3f}",
            *(f"{model.scores[name]:.3f}" for name, _, _ in sets),
        ]
        for model in models
    ]
    return table(head, rows)


def _methods(guesses: Sequence[Guess], hidden: str) -> str:
    """Error with its standard error, coverage and width."""
    head = ["method", *(f"K = {past}" for past in PASTS)]
    rows = []
    for method in METHODS:
        shown = []
        for past in PASTS:
            found = summed(guesses, hidden, method, past)
            shown.append(
                "-"
                if found is None
                else f"{found.error:.1f} ± {found.error_sd:.1f} ({100 * found.coverage:.0f}) "
                f"{found.width:.0f}"
            )
        name = f"**{method}**" if method.startswith(OURS) else method
        rows.append([name, *shown])
    return table(head, rows)


def _one_by_one(models: Sequence[Rehearsed], guesses: Sequence[Guess], hidden: str) -> str:
    """Every model's actual score and our forecasts, of the first choice of past ones."""
    head = ["model", "actual", *(f"K = {past}" for past in PASTS)]
    mine = {
        (g.model, g.past): g.forecast
        for g in guesses
        if (g.hidden, g.method, g.draw) == (hidden, OURS, 0)
    }
    rows = []
    for model in models:
        conditions = []
        for past in PASTS:
            made = mine.get((model.name, past))
            if made is None:
                conditions.append("-")
                continue
            missed = "" if made.low <= made.actual <= made.high else " *missed*"
            conditions.append(f"{made.median:.2f} ({made.low:.2f} to {made.high:.2f}){missed}")
        rows.append([model.name, f"{model.scores[hidden]:.3f}", *conditions])
    return table(head, rows)


def put_into(page: Path, text: str, by: str = "bench.demonstration") -> None:
    """Replace what stands between the two marks. Raises `ValueError` where they are missing."""
    begins, ends = f"<!-- written by {by} -->", "<!-- to here -->"
    old = page.read_text(encoding="utf-8")
    before, begin, rest = old.partition(begins)
    _, end, after = rest.partition(ends)
    if not begin or not end:
        raise ValueError(f"{page}: expected the lines {begins} and {ends}, to write between them.")
    page.write_text(f"{before}{begins}\n\n{text}\n\n{ends}{after}", encoding="utf-8")
