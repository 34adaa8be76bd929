"""What stands behind `--corrupt`: a preset, a chain, or bare corruptions at all five severities.

What a preset file can hold is less: it names no functions, because files are passed on, and a
function is code that runs.
"""

from __future__ import annotations

from codabench_rehearsal.console.errors import CorruptionError
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
    preset = parse(spec)
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
