"""What training a system takes, before it is begun: counted from its layers, or timed on this machine.

Counting needs no weights: the largest network here would fill gigabytes and take minutes to draw. What
is counted are multiply-adds of convolutions and dense layers, which make nearly all of the work.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from codabench_rehearsal.recipes.backbones import backbone, freeze
from codabench_rehearsal.recipes.fitting import loss
from codabench_rehearsal.recipes.models import network, without_weights
from codabench_rehearsal.recipes.system import Phase, System, changed

_STEPS = 3  # after the first, which compiles
_OPERATIONS = 2  # a multiplication and an addition
Shape = tuple[int, int, int]
Begins = Callable[[str], None]  # hears what is done next


@dataclass(frozen=True)
class Layer:
    """A layer as built.

    output: `(h, w, channels)` or `(channels,)`, of one image. parameters: its weights' values.
    macs: multiply-adds an image, forward; 0 for what is no convolution or dense.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Step:
    """What a phase computes.

    learning: parameters that learn in it. forward, backward: multiply-adds an image. trained,
    checked: how often an image of the file is trained on, and only answered, at most: no phase
    ends early, and no class is filled up.
    """

    phase: str
    learning: int
    forward: int
    backward: int
    trained: float
    checked: float

    @property
    def macs(self) -> float:
        """Multiply-adds of the phase for each image of the file, at most."""
        return self.trained * (self.forward + self.backward) + self.checked * self.forward


@dataclass(frozen=True)
class Cost:
    """A network of a system, and what its training computes. count: so many equal members train."""

    system: System
    shape: Shape
    layers: tuple[Layer, ...]
    steps: tuple[Step, ...]
    count: int = 1

    @property
    def parameters(self) -> int:
        """Of one network."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> float:
        """Multiply-adds of all its trainings for each image of the file, at most."""
        return self.count * sum(step.macs for step in self.steps)


def counted(system: System, shape: Shape, classes: int) -> list[Cost]:
    """What each different network of the system takes; built without weights.

    shape: of an image as it comes; a system's `side` replaces its height and width.
    """
    members = Counter[int]()
    different: list[System] = []
    for member in (changed(system, change) for change in system.members or ({},)):
        if member not in different:
            different.append(member)
        members[different.index(member)] += 1
    return [_cost(one, shape, classes, members[place]) for place, one in enumerate(different)]


def layers(model: Any) -> tuple[Layer, ...]:
    """The model's layers in its order; it may have weights or none."""
    return tuple(
        Layer(
            layer.name,
            type(layer).__name__,
            tuple(keras.tree.flatten(layer.output)[0].shape[1:]),
            layer.count_params(),
            _macs(layer),
        )
        for layer in model.layers
    )


def macs(model: Any) -> tuple[int, int]:
    """Multiply-adds of a training step for each of its images: (forward, backward).

    Backward: those of the gradients of the kernels that learn, and of what carries the gradients
    down to them; nothing is computed below the lowest layer that learns.
    """
    forward = backward = 0
    below: dict[int, bool] = {}  # of each tensor: whether something that learns made it
    for one in model.operations:
        given = any(below.get(id(tensor), False) for tensor in _tensors(one, "input"))
        learns = any(weight.trainable for weight in getattr(one, "trainable_weights", ()))
        here = _macs(one)
        forward += here
        backward += here * (given + learns)
        below.update((id(tensor), given or learns) for tensor in _tensors(one, "output"))
    return forward, backward


def lines(costs: Sequence[Cost], images: int) -> Iterator[str]:
    """What was counted, in sentences. images: in the file to train on."""
    for cost in costs:
        named = f"{_name(cost.system)} at {cost.shape[0]}x{cost.shape[1]}"
        several = f" each of {cost.count} networks" if cost.count > 1 else ""
        yield f"{named}: {cost.parameters:,} parameters{several}"
        yield f"  {len(cost.layers)} layers: {_kinds(cost.layers)}"
        for step in cost.steps:
            yield (
                f"  {step.phase}: {step.learning:,} parameters learn; {_short(step.forward)} multiply-adds "
                f"an image forward, {_short(step.backward)} backward"
            )
        trained = sum(step.trained for step in cost.steps) * images
        filled = ", more where small classes are filled up" if cost.system.balance else ""
        yield f"  trained on {trained:,.0f} images at most, over all epochs{filled}"
    total = sum(cost.macs for cost in costs) * images
    yield (
        f"at most {_short(_OPERATIONS * total)} floating-point operations with {images:,} images: two a "
        "multiply-add of convolutions and dense layers, backward too; no other layer, no augmentation"
    )


def table(cost: Cost) -> Iterator[str]:
    """A line a layer: its name, kind, output, parameters and multiply-adds."""
    rows = [("layer", "kind", "output", "parameters", "multiply-adds")]
    for one in cost.layers:
        output = "x".join(map(str, one.output))
        rows.append((one.name, one.kind, output, f"{one.parameters:,}", f"{one.macs:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            word.ljust(width) if place < 3 else word.rjust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def timed(costs: Sequence[Cost], classes: int, images: int, begins: Begins) -> Iterator[str]:
    """Train a few steps of each network, with weights, and say how long all would take here.

    Timed is the phase in which most is computed; the others are reckoned by their operations.
    """
    total = 0.0
    for cost in costs:
        step = max(cost.steps, key=lambda one: one.forward + one.backward)
        each = _seconds_an_image(cost, step, classes, begins)
        pace = (step.forward + step.backward) / each
        total += cost.macs * images / pace
        yield (
            f"{_name(cost.system)}: {1000 * each:.2f} ms an image in {step.phase}, in batches of "
            f"{cost.system.batch}: {_short(_OPERATIONS * pace)} floating-point operations a second"
        )
    yield (
        f"at most {_said(total)} on this machine ({keras.backend.backend()}, {os.cpu_count()} CPUs), "
        "reckoned by operations from the steps timed, without augmentation"
    )


def _cost(system: System, shape: Shape, classes: int, count: int) -> Cost:
    height, width, channels = shape
    shape = (system.side or height, system.side or width, channels)
    model = without_weights(system, shape, classes)
    pretrained = _pretrained(system)
    steps = []
    for phase in system.phases:
        freeze(model, system.backbone, phase.trainable, pretrained=pretrained)
        learning = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        steps.append(Step(phase.name, learning, *macs(model), *_passes(system, phase)))
    return Cost(system, shape, layers(model), tuple(steps), count)


def _pretrained(system: System) -> bool:
    """Whether it begins with ImageNet's weights unless the user says otherwise."""
    return system.backbone is not None and backbone(system.backbone).url != ""


def _passes(system: System, phase: Phase) -> tuple[float, float]:
    """How often a phase trains on an image of the file, and only answers it; its folds included."""
    side = 1 - system.validation - system.test
    trained = phase.epochs * (1 + max(0, phase.folds - 1)) * len(system.copies) * side
    if phase.folds:  # each fold checks its own images, a k-th of the side; then nothing is checked
        return trained, phase.epochs * side
    return trained, phase.epochs * system.validation if phase.validation else 0.0


def _macs(operation: Any) -> int:
    """A kernel's every value is multiplied once at each place of the output."""
    weights = getattr(operation, "weights", ())
    sizes = [math.prod(weight.shape) for weight in weights if "kernel" in weight.name]
    return sum(sizes) * math.prod(operation.output.shape[1:-1]) if sizes else 0


def _tensors(operation: Any, side: str) -> list[Any]:
    found: list[Any] = keras.tree.flatten(getattr(operation, side))
    return found


def _seconds_an_image(cost: Cost, step: Step, classes: int, begins: Begins) -> float:
    """Seconds of a step of the phase, by the fastest of a few, for each of its images."""
    name, system = _name(cost.system), cost.system
    begins(f"{name}: drawing {cost.parameters:,} weights")
    model = network(system, cost.shape, classes)
    phase = next(one for one in system.phases if one.name == step.phase)
    freeze(model, system.backbone, phase.trainable, pretrained=_pretrained(system))
    model.compile(optimizer=phase.optimizer, loss=loss(system))
    images = np.zeros((system.batch, *cost.shape), np.uint8)
    targets = np.eye(classes, dtype=np.float32)[np.zeros(system.batch, int)]
    begins(f"{name}: compiling")
    model.train_on_batch(images, targets)
    seconds = []
    for number in range(_STEPS):
        begins(f"{name}: step {number + 1} of {_STEPS}")
        began = time.monotonic()
        model.train_on_batch(images, targets)
        seconds.append(time.monotonic() - began)
    return min(seconds) / system.batch


def _name(system: System) -> str:
    return system.backbone or system.model


def _kinds(found: Sequence[Layer]) -> str:
    """How many layers of each kind, the most first."""
    counts = Counter(layer.kind for layer in found)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def _short(number: float) -> str:
    """Three digits and a power of ten that has a name: 2.84 G."""
    for sign, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {sign}"
    return f"{number:.0f}"


def _said(seconds: float) -> str:
    for name, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
