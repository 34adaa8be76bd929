"""What stands behind `--corrupt`: a preset, a chain, or bare corruptions at all five severities.

Also the mixture that a program writes down, to train on. What a preset file can hold is less: it
names no functions, because files are passed on, and a function is code that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.fields import is_above_zero
from corruptions.chain import validate
from corruptions.presets import (
    CLEAN,
    DEFAULT_DRAWS,
    DEFAULT_TABLE,
    NAMES,
    Condition,
    Preset,
    Step,
    is_function,
    resolve,
)
from corruptions.registry import get, names

SEVERITIES = range(1, 6)


def named(spec: str) -> Preset:
    """The preset of a `--corrupt`, its functions imported, everything in it known.

    Raises `CorruptionError` as `parse`, `functions.load` and `chain.validate` do.
    """
    return _known(parse(spec))


def mixture(shares: Mapping[str, float], table: str = DEFAULT_TABLE) -> Preset:
    """A preset of chains and their shares, to train on: `mixture({"clean": 0.5, "fog:2": 0.5})`.

    shares: each chain or preset as `resolve` reads it -> its share of the images, a number above 0,
    relative to the others. table: the severity table of the chains. Raises `CorruptionError` for
    another share, and for what is unknown.
    """
    if not isinstance(shares, Mapping) or not shares:
        raise CorruptionError(
            f'mixture: expected chains and shares, as {{"clean": 0.5, "fog:2": 0.5}}, received '
            f"{shares!r}."
        )
    for chain, share in shares.items():
        if not is_above_zero(share):
            raise CorruptionError(
                f"mixture: {chain}: expected a share above 0, received {share!r}."
            )
    whole = sum(shares.values())
    conditions = tuple(
        replace(one, weight=share / whole * one.weight)
        for chain, share in shares.items()
        for one in _conditions(chain, table)
    )
    return _known(Preset("mixture", conditions, 1, "What a program mixes for a training."))


def _conditions(spec: str, table: str) -> tuple[Condition, ...]:
    """A preset's as they are, a chain's by this severity table."""
    found = resolve(spec).conditions
    if spec in NAMES or spec.endswith(".toml"):
        return found
    return tuple(replace(one, table=table) for one in found)


def _known(preset: Preset) -> Preset:
    """The same, once its functions are imported and everything in it is known."""
    wanted = (step.corruption for one in preset.conditions for step in one.steps)
    for name in dict.fromkeys(filter(is_function, wanted)):
        from corruptions.functions import load

        load(name)
    validate(preset)
    return preset


def parse(spec: str) -> Preset:
    """As `resolve`; and `fog`, `fog,contrast`, `package.module:function`: each at 1 to 5.

    Nothing of the user's is imported. Raises `CorruptionError`.
    """
    words = [word.strip() for word in spec.split(",")]
    simple = all(is_function(word) or word.isidentifier() for word in words)
    if spec in (*NAMES, CLEAN) or not simple:
        return resolve(spec)
    unknown = [w for w in words if not is_function(w) and w not in names(DEFAULT_TABLE)]
    if not unknown:
        return _at_all_severities(spec, list(dict.fromkeys(words)))
    if len(words) == 1:
        return resolve(spec)
    raise CorruptionError(
        f"--corrupt: expected corruptions, as fog,contrast, received {unknown[0]!r} among them. "
        f"Known: {', '.join(names(DEFAULT_TABLE))}."
    )


def _at_all_severities(spec: str, words: list[str]) -> Preset:
    conditions = [
        Condition(
            f"{word}:{level}",
            "function" if is_function(word) else get(word).family,
            (Step(word, level),),
            1 / len(words) / len(SEVERITIES),
        )
        for word in words
        for level in SEVERITIES
    ]
    about = f"Severities 1 to 5 of {', '.join(words)}."
    return Preset(spec, tuple(conditions), min(DEFAULT_DRAWS, len(conditions)), about)
