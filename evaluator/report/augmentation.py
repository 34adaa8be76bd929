"""What to train on against the losses: a mixture chosen from the report, and the code that uses it.

Half of the training images stay clean, the others are shared out among the families that cost most,
by what they cost. Severities are one below those asked. docs/training_with_damage.md has the
measurements behind these numbers.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import zip_longest
from typing import Any

import numpy as np

from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import listed, percent
from corruptions.presets import CLEAN, DEFAULT_TABLE, Condition, is_function
from evaluator.answers import CLEAN_PLACE, Answers, FamilyLoss, family_losses
from evaluator.report.evaluation import Evaluation
from evaluator.report.markup import (
    Node,
    Tag,
    anchored,
    command,
    paragraph,
    points_with_range,
    section,
    tag,
)

WEAK = 0.01  # a family that costs less of the benchmark accuracy is no reason to train anew
LEFT_CLEAN = 0.5  # of the training images
MILDER = 1  # severities below what was asked
MOST, MOST_OF_ONE = 16, 2  # damages to train on, and of each family: the costliest
AFTERWARDS = (
    "A network looks too good on what it was trained on. The code names some of the corruptions "
    "that cost most and leaves others out: judge by those."
)
_WIDTH = 92
_CODE: Mapping[str, Mapping[str, str]] = parse_toml(
    (files("evaluator.report") / "training_code.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Part:
    """A family to train on: what it costs, and the chains with their shares of the images."""

    loss: FamilyLoss
    shares: Mapping[str, float]

    @property
    def share(self) -> float:
        """Of all training images, 0..1."""
        return sum(self.shares.values())


@dataclass(frozen=True)
class Mixture:
    """What to train on. parts: the costliest family first. table: the chains' severity table."""

    parts: tuple[Part, ...]
    table: str

    @property
    def shares(self) -> dict[str, float]:
        """Chain -> its share of the training images, as `rehearsal.mixture` takes them."""
        mixed = {CLEAN: LEFT_CLEAN}
        for part in self.parts:
            for chain, share in part.shares.items():
                mixed[chain] = mixed.get(chain, 0.0) + share
        return {chain: max(0.01, round(share, 2)) for chain, share in mixed.items()}

    @property
    def operators(self) -> tuple[str, ...]:
        """The corruptions in it, each once: what `--trained-on` is told afterwards."""
        steps = (step for chain in self.shares for step in chain.split("+") if chain != CLEAN)
        return tuple(dict.fromkeys(step.rpartition(":")[0] for step in steps))

    def code(self, pipeline: str) -> str:
        """Python that trains on it. pipeline: "keras", "tf.data", "torch" or "sklearn"."""
        pairs = [f"{json.dumps(chain)}:\0{share:g}," for chain, share in self.shares.items()]
        rows = textwrap.fill(" ".join(pairs), _WIDTH, break_long_words=False)
        shares = textwrap.indent(rows, "    ").replace("\0", " ")
        table = "" if self.table == DEFAULT_TABLE else f', table="{self.table}"'
        filled = _CODE[pipeline]["code"].replace("SHARES", shares).replace("TABLE", table)
        return filled.strip() + "\n"


def chosen(given: Answers) -> Mixture | None:
    """What to train on against these losses; None where no family costs enough beyond chance."""
    weak = [
        loss for loss in family_losses(given) if loss.points.low > 0 and loss.points.value >= WEAK
    ]
    costs = _costs(given)
    found = {loss.family: _costliest(loss.family, costs) for loss in weak}
    table = next((one.table for conditions in found.values() for one in conditions), "")
    turns = zip_longest(*found.values())  # the costliest of every family, then the second ones
    fitting = [one for turn in turns for one in turn if one and one.table == table][:MOST]
    used = {
        loss: list(dict.fromkeys(_milder(one) for one in fitting if one.family == loss.family))
        for loss in weak
        if any(one.family == loss.family for one in fitting)
    }
    return Mixture(tuple(_parts(used)), table) if used else None


def pipelines(frameworks: Sequence[str]) -> tuple[str, ...]:
    """The pipelines to show for what a submission was made with; arrays where that is unknown."""
    known = [name for name in ("keras", "torch") if name in frameworks] or ["sklearn"]
    return tuple(one for name in known for one in (name, *(["tf.data"] * (name == "keras"))))


def training(report: Evaluation) -> Tag:
    """The page's section: what to train on against the loss, and the code for it."""
    title = "What to train on"
    if report.sheet is None:
        return section(title, paragraph("No answers, so nothing to train on."))
    mixed = chosen(report.sheet)
    if mixed is None:
        nothing = "No family costs a point of accuracy beyond chance: nothing to train on."
        return section(title, paragraph(nothing))
    lead = (
        f"Leave {percent(LEFT_CLEAN)} of the training images as they are. Share out the others "
        "among the families below by what they cost, each corruption one severity "
        "milder than here."
    )
    return section(title, tag("ul", *_lines(mixed.parts)), *_programs(report, mixed), lead=lead)


def advice_places(report: Evaluation) -> Mapping[str, str]:
    """Where `training` speaks of a family: family -> a link within the page."""
    mixed = None if report.sheet is None else chosen(report.sheet)
    parts = () if mixed is None else mixed.parts
    return {part.loss.family: f"#advice-{place}" for place, part in enumerate(parts, 1)}


def in_words(report: Evaluation) -> Iterator[str]:
    """The same for a terminal: what to mix, and where the code is."""
    mixed = None if report.sheet is None else chosen(report.sheet)
    if mixed is None:
        return
    parts = listed([f"{percent(part.share)} {part.loss.family}" for part in mixed.parts])
    yield f"What to train on: {percent(LEFT_CLEAN)} of the images clean, {parts}."
    called = _CODE[pipelines(report.source.frameworks)[0]]["title"]
    how = "--html FILE writes it" if report.source.command else "report.to_page() has it"
    yield f"The code for it ({called}): {how} on the page."


def train_on(report: Evaluation) -> dict[str, Any] | None:
    """The same for JSON (docs/report.md); None where nothing costs enough beyond chance."""
    mixed = None if report.sheet is None else chosen(report.sheet)
    if mixed is None:
        return None
    families = [
        {
            "family": part.loss.family,
            "share": part.share,
            "points": part.loss.points.value,
            "interval": [part.loss.points.low, part.loss.points.high],
            "conditions": dict(part.shares),
        }
        for part in mixed.parts
    ]
    return {"shares": mixed.shares, "table": mixed.table, "families": families}


def _parts(used: Mapping[FamilyLoss, list[str]]) -> Iterator[Part]:
    """Each family's share of the images, in equal shares for its chains."""
    whole = sum(loss.points.value for loss in used)
    for loss, chains in used.items():
        each = (1 - LEFT_CLEAN) * loss.points.value / whole / len(chains)
        yield Part(loss, dict.fromkeys(chains, each))


def _programs(report: Evaluation, mixed: Mixture) -> Iterator[Node]:
    for name in pipelines(report.source.frameworks):
        yield from _program(name, mixed.code(name))
    yield paragraph(AFTERWARDS, "soft")
    used = ",".join(mixed.operators)
    old = shlex.quote(report.source.path)
    yield command(f"local-eval compare {old} new.zip --trained-on new.zip={used}", "pre")


def _program(name: str, code: str) -> list[Node]:
    """One under its heading; folded where it is the same once more, for those who use tf.data."""
    title, program = _CODE[name]["title"], tag("pre", code, class_="program", tabindex=0)
    if name == "tf.data":
        return [tag("details", tag("summary", title), program)]
    return [tag("h3", title), program]


def _lines(parts: Sequence[Part]) -> Iterator[Tag]:
    for place, part in enumerate(parts, 1):
        share, chains = percent(part.share), ", ".join(part.shares)
        said = f": {share} of the images ({chains}); it costs {points_with_range(part.loss.points)}"
        yield anchored(f"advice-{place}", tag("li", tag("b", part.loss.family), said))


def _costs(given: Answers) -> dict[Condition, float]:
    """What each condition costs of the benchmark accuracy, by its weight."""
    asked, right = given.by_condition()
    share = right / np.maximum(asked, 1)
    conditions = given.benchmark.conditions
    return {
        condition: condition.weight * float(share[CLEAN_PLACE] - share[place])
        for place, condition in enumerate(conditions)
        if asked[place] and place != CLEAN_PLACE
    }


def _costliest(family: str, costs: Mapping[Condition, float]) -> list[Condition]:
    """Of a family's conditions those that cost most, each set of corruptions once."""
    own = [
        one
        for one in costs
        if one.family == family and not any(is_function(step.corruption) for step in one.steps)
    ]
    by_kind: dict[tuple[str, ...], Condition] = {}
    for one in sorted(own, key=lambda one: -costs[one]):
        by_kind.setdefault(tuple(step.corruption for step in one.steps), one)
    return list(by_kind.values())[:MOST_OF_ONE]


def _milder(one: Condition) -> str:
    """Its chain, each step a little below what was asked."""
    return "+".join(f"{s.corruption}:{max(1, s.severity - MILDER):g}" for s in one.steps)
