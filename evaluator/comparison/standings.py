"""A comparison as plain data, and how it is shown: as text, JSON, HTML, and as a forest plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.words import as_json
from evaluator.comparison.paired import ALPHA, Difference, Verdict
from evaluator.metrics import Score
from evaluator.report.expected import chance
from evaluator.report.markup import Node, paragraph, table, tag
from evaluator.report.report import score_document
from evaluator.report.terminal import text_table, to_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
_STYLES = {"better": "bold green", "worse": "bold red", "not resolved": "dim"}
_COLUMNS = ("", "change (95 % interval)", "p (Holm)", "detectable", "verdict")
_STANDING_COLUMNS = ("", "clean", "benchmark", "benchmark minus clean")
_LEGEND = (
    "Changes are in points (0.01 of accuracy). p: how likely chance alone makes such a change; "
    "Holm: corrected, as several rows are judged. Detectable: a true change of this size is found "
    "8 times in 10 with this many images. Not resolved: it may be chance."
)


@dataclass(frozen=True)
class Standing:
    """One submission: its accuracies, and gap: the benchmark's held against the clean images'."""

    name: str
    sha256: str
    clean: Score
    benchmark: Score
    gap: Difference


@dataclass(frozen=True)
class Pair:
    """A submission held against the first one; a change above 0: it is better.

    hidden: the probability that it scores above the first one on the hidden set, None if unknown.
    """

    base: str
    name: str
    benchmark: Difference
    clean: Difference
    families: tuple[Difference, ...]
    hidden: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    images: base images. answers: of each submission. notes: sentences that qualify the figures.
    """

    preset: str
    data: str
    seed: int
    images: int
    answers: int
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return to_text(_parts(self))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def _repr_html_(self) -> str:
        return _html(self)

    def to_json(self) -> str:
        """The comparison as JSON (docs/comparing.md)."""
        return as_json(
            {
                "schema": SCHEMA,
                "preset": self.preset,
                "data": self.data,
                "seed": self.seed,
                "images": self.images,
                "answers": self.answers,
                "submissions": [_standing_document(one) for one in self.standings],
                "pairs": [_pair_document(pair) for pair in self.pairs],
                "notes": list(self.notes),
            }
        )


def show(comparison: Comparison, console: Console) -> None:
    """Print the comparison."""
    for part in _parts(comparison):
        console.print(part)


def sentence(what: str, one: Difference) -> str:
    """The verdict in words, with its uncertainty and what would have been seen."""
    seen = f"95 % interval {_range(one.change)}, p {_chance(one.adjusted, '= ')}"
    detectable = f"{100 * one.detectable:.1f}"
    if one.verdict == "not resolved":
        return (
            f"{what}: not resolved. The change of {in_points(one.change.value)} points ({seen}) "
            f"may be chance; with this many images, {detectable} points would be found 8 times in "
            "10."
        )
    return (
        f"{what}: {one.verdict}, {in_points(one.change.value)} points ({seen}; with this many "
        f"images, {detectable} points would be found 8 times in 10)."
    )


def difference_document(one: Difference) -> dict[str, Any]:
    """A difference for JSON."""
    return {
        "from": one.base,
        "to": one.other,
        "change": one.change.value,
        "interval": [one.change.low, one.change.high],
        "n": one.change.n,
        "p": one.p,
        "p_holm": one.adjusted,
        "detectable": one.detectable,
        "verdict": one.verdict,
    }


def _first_line(found: Comparison) -> str:
    """What was compared on what."""
    return (
        f"{found.images:,} images of {found.data}, benchmark {found.preset!r}, seed "
        f"{found.seed}: {found.answers:,} answers of each submission."
    )


def _sentences(found: Comparison) -> list[tuple[str, Verdict]]:
    """One for each pair; for one submission alone, its benchmark against its clean images."""
    pairs = [(f"{pair.name} against {pair.base}", pair.benchmark) for pair in found.pairs]
    alone = [(f"{one.name}, benchmark against clean", one.gap) for one in found.standings]
    return [(sentence(what, change), change.verdict) for what, change in pairs or alone]


def _hidden_sentences(found: Comparison) -> list[str]:
    """What is known of the hidden set; how to know it."""
    known = [pair for pair in found.pairs if pair.hidden is not None]
    said = [
        f"On the hidden set {pair.name} scores above {pair.base} with a probability of "
        f"{chance(pair.hidden or 0.0)}."
        for pair in known
    ]
    if len(known) < len(found.pairs):
        said.append("Which is better on the hidden set is not known: run local-eval on each first.")
    return said


def _tables(found: Comparison) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Title, columns and rows: of the submissions, then of each pair."""
    standings = [_standing_row(one) for one in found.standings]
    yield "Accuracy with its 95 % interval", _STANDING_COLUMNS, standings
    for pair in found.pairs:
        rows = [_row(one) for one in (pair.benchmark, pair.clean, *pair.families)]
        yield f"{pair.name} minus {pair.base}", _COLUMNS, rows


def _parts(found: Comparison) -> Iterator[RenderableType]:
    from rich.text import Text

    for note in found.notes:  # first: they say how far to trust what follows
        yield Text(note, "yellow")
    yield Text(_first_line(found))
    yield Text("")
    for said, verdict in _sentences(found):
        yield Text(said, _STYLES[verdict])
    for said in _hidden_sentences(found):
        yield Text(said)
    yield Text("")
    for title, columns, rows in _tables(found):
        left = ("", "verdict")
        yield text_table(Text(title), columns, rows, left=left, styles=_STYLES)
    yield Text(_LEGEND, "dim")


def _html(found: Comparison) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    changes = (said for said, _ in _sentences(found))
    said = (*found.notes, _first_line(found), *changes, *_hidden_sentences(found))
    tables = (
        table(title, columns, [[_broken(value) for value in row] for row in rows])
        for title, columns, rows in _tables(found)
    )
    parts = (*map(paragraph, said), *tables, paragraph(_LEGEND))
    return str(tag("div", *parts, class_="comparison"))


def _broken(value: str) -> Node:
    first, *rest = value.split("\n")
    return tag("span", first, *(node for more in rest for node in (tag("br"), more)))


def _row(one: Difference) -> list[str]:
    change = f"{in_points(one.change.value)} ({_range(one.change)})"
    detectable = f"{100 * one.detectable:.1f}"
    return [one.name, change, _chance(one.adjusted), detectable, one.verdict]


def _standing_row(one: Standing) -> list[str]:
    clean, damaged = (
        f"{score.value:.3f}\n{score.low:.3f} to {score.high:.3f}"
        for score in (one.clean, one.benchmark)
    )
    gap = one.gap.change
    return [one.name, clean, damaged, f"{in_points(gap.value)} points\n{_range(gap)}"]


def in_points(value: float) -> str:
    """A change in hundredths, with its sign."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # + 0.0: no "-0.0"


def _range(score: Score) -> str:
    return f"{in_points(score.low)} to {in_points(score.high)}"


def _chance(p: float, equal: str = "") -> str:
    """A p-value, in three digits."""
    return "< 0.001" if p < 0.001 else f"{equal}{p:.3f}"


def _standing_document(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "sha256": one.sha256,
        "clean": score_document(one.clean),
        "benchmark": score_document(one.benchmark),
        "gap": difference_document(one.gap),
    }


def _pair_document(pair: Pair) -> dict[str, Any]:
    return {
        "base": pair.base,
        "submission": pair.name,
        "alpha": ALPHA,
        "benchmark": difference_document(pair.benchmark),
        "clean": difference_document(pair.clean),
        "above_first_on_hidden": pair.hidden,
        "families": {one.name: difference_document(one) for one in pair.families},
    }
