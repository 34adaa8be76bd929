"""The demonstration's tables, as Markdown for the page and the terminal, and its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.demonstration_figures import Rehearsed
from bench.demonstration_study import BELIEVING, OURS, PASTS, Guess, summed
from bench.estimation_rivals import TUNED

METHODS = (OURS, BELIEVING, *TUNED)


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
