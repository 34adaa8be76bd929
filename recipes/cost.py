"""What training a system takes, before it is begun: parameters, images, and time on this machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from recipes.networks import network
from recipes.system import Phase, System, changed

_STEPS = 3  # after the first, which compiles
Shape = tuple[int, int, int]


def layers(system: System, shape: Shape, classes: int) -> Iterator[str]:
    """Keras's own summary of the network."""
    lines: list[str] = []
    network(system, shape, classes).summary(print_fn=lambda line, **_: lines.append(line))
    yield from lines


def cost(system: System, shape: Shape, classes: int, images: int) -> Iterator[str]:
    """Lines: parameters, images an epoch, epochs, and at most how long on this machine.

    images: in the file to train on. The time is measured: a few steps of the whole network.
    """
    members = [changed(system, change) for change in system.members] or [system]
    total = 0.0
    for member in members:
        model = network(member, shape, classes)
        an_epoch = len(member.copies) * images * (1 - member.validation - member.test)
        passes = sum(_passes(phase) for phase in member.phases)
        each = _seconds_an_image(model, shape, classes, member.batch)
        total += each * an_epoch * passes
        name = member.backbone or member.model
        yield f"{name} at {shape[0]}x{shape[1]}: {model.count_params():,} parameters"
        yield f"  {len(model.layers)} layers: {_kinds(model)}"
        filled = ", more where small classes are filled up" if member.balance else ""
        yield (
            f"at most {passes:g} epochs of {an_epoch:,.0f} images{filled}; "
            f"{1000 * each:.2f} ms an image on this machine"
        )
    yield f"at most {_said(total)} on this machine ({keras.backend.backend()}), with {images:,} images"


def _kinds(model: Any) -> str:
    """How many layers of each kind, the most first."""
    counts = Counter(type(layer).__name__ for layer in model.layers)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def _passes(phase: Phase) -> float:
    """Epochs over the whole training side, those of the folds included."""
    return phase.epochs * (1 + max(0, phase.folds - 1))


def _seconds_an_image(model: Any, shape: Shape, classes: int, batch: int) -> float:
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    images = np.zeros((batch, *shape), np.uint8)
    targets = np.eye(classes, dtype=np.float32)[np.zeros(batch, int)]
    model.train_on_batch(images, targets)
    seconds = []
    for _ in range(_STEPS):
        began = time.monotonic()
        model.train_on_batch(images, targets)
        seconds.append(time.monotonic() - began)
    return min(seconds) / batch


def _said(seconds: float) -> str:
    for name, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
