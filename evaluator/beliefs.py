"""What somebody takes the hidden set for: a preset, and how sure they are.

A challenge's profile may say so (`[hidden] believed = ...`), and the user (`--believe`). The
conditions of such presets are asked beside the library's, and a `Belief` holds their weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Believed
from codabench_rehearsal.console.errors import EvaluationError
from corruptions.presets import LIBRARY, NAMES, Condition, Preset, resolve
from evaluator.estimate.inputs import MOST_BELIEVED, Belief
from evaluator.store.rows import condition_text

NOTHING = "nothing"
CONFIDENCE = 0.5  # where nobody says how sure they are


def read_beliefs(said: object) -> tuple[Believed, ...]:
    """Out of "PRESET[:CONFIDENCE]", one or several, or "nothing". Raises `EvaluationError`."""
    texts = [said] if isinstance(said, str) else said
    if not isinstance(texts, Sequence) or not all(isinstance(one, str | Believed) for one in texts):
        raise EvaluationError(
            f"believe: expected a preset such as an2dl-2024:0.6, or several, received {said!r}"
        )
    if NOTHING in texts:
        if len(texts) > 1:
            raise EvaluationError(f"believe: {NOTHING!r} leaves no room for other beliefs")
        return ()
    found = tuple(one if isinstance(one, Believed) else _read(one) for one in texts)
    total = sum(one.confidence for one in found)
    if total > MOST_BELIEVED:
        raise EvaluationError(
            f"believe: expected confidences of at most {MOST_BELIEVED} together, received "
            f"{total:.2f}: something must be left for a hidden set that nobody thought of. Say how "
            f"sure you are of each, such as {found[0].preset}:0.4"
        )
    return found


def _read(said: str) -> Believed:
    preset, _, last = said.rpartition(":")
    confidence = _number(last)
    is_preset = preset in NAMES or preset.endswith(".toml")
    if not preset or confidence is None or (confidence.is_integer() and not is_preset):
        return Believed(said, CONFIDENCE)  # fog:3 is a chain
    if not 0 < confidence < 1:
        raise EvaluationError(
            f"believe: {said!r}: expected a confidence above 0 and below 1, received {last}"
        )
    return Believed(preset, confidence)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def asked_library(believed: Sequence[Believed]) -> Preset:
    """The library's preset, and what a belief needs beside it. Raises `CorruptionError`."""
    library = resolve(LIBRARY)
    conditions = {condition_text(one): one for one in library.conditions}
    names = {one.name for one in library.conditions}
    for one in believed:
        for condition in resolve(one.preset).conditions:
            if condition.steps and condition_text(condition) not in conditions:
                name = condition.name
                while name in names:
                    name += "'"
                names.add(name)
                conditions[condition_text(condition)] = replace(condition, name=name)
    return replace(library, conditions=tuple(conditions.values()))


def belief_weights(believed: Sequence[Believed], library: Preset) -> NDArray[np.float64]:
    """How much each of the library's conditions counts in what is believed, `(conditions,)`."""
    whole = np.zeros(len(library.conditions))
    for one in as_beliefs(believed, library.conditions):
        whole += one.confidence * np.array(one.weights)
    return whole


def as_beliefs(believed: Sequence[Believed], conditions: Sequence[Condition]) -> tuple[Belief, ...]:
    """With weights of these conditions, among which are those of every preset."""
    texts = [condition_text(one) for one in conditions]
    found = []
    for one in believed:
        said: dict[str, float] = {}
        preset = resolve(one.preset)
        for condition in preset.conditions:
            text = condition_text(condition)
            said[text] = said.get(text, 0.0) + condition.weight
        weights = tuple(said.get(text, 0.0) for text in texts)
        found.append(Belief(preset.name, weights, one.confidence, one.reason))
    return tuple(found)
