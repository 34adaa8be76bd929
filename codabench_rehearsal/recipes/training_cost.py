"""What training a system takes, before it is begun: counted from its layers, or timed here.

Counted are multiply-adds of convolutions and dense layers, which make nearly all of the work. That
needs no weights: the largest network here would fill gigabytes and take minutes to draw.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import keras
import numpy as np

from codabench_rehearsal.recipes.backbones import backbone, freeze
from codabench_rehearsal.recipes.compiling import compiled
from codabench_rehearsal.recipes.models import Shape, network
from codabench_rehearsal.recipes.system import Phase, System

_STEPS = 3  # after the first, which compiles
_OPERATIONS = 2  # a multiplication and an addition
Begins = Callable[[str], None]  # hears what is done next


@dataclass(frozen=True)
class CountedLayer:
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
class TrainingStep:
    """What a step of a phase computes.

    learning: parameters that learn in it. forward, backward: multiply-adds an image. trained,
    checked: how often an image of the file is trained on, and only answered, at most: no phase
    ends early, and no class is filled up.
    """

    phase: Phase
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
class TrainingCost:
    """A network of a system, and what its training computes. count: so many equal members train."""

    system: System
    shape: Shape
    layers: tuple[CountedLayer, ...]
    steps: tuple[TrainingStep, ...]
    count: int = 1

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.system.backbone or self.system.model

    @property
    def parameters(self) -> int:
        """Of one network."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> float:
        """Multiply-adds of all its trainings for each image of the file, at most."""
        return self.count * sum(step.macs for step in self.steps)


def counted_costs(system: System, shape: Shape, classes: int) -> list[TrainingCost]:
    """What each different network of the system takes; built without weights.

    shape: of an image as it comes; a system's `side` replaces its height and width.
    """
    members = system.networks
    different = [one for place, one in enumerate(members) if one not in members[:place]]
    return [_cost(one, shape, classes, members.count(one)) for one in different]


def counted_layers(model: Any) -> tuple[CountedLayer, ...]:
    """The model's layers in its order; it may have weights or none."""
    return tuple(
        CountedLayer(
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
        given = any(below.get(id(tensor), False) for tensor in keras.tree.flatten(one.input))
        learns = any(weight.trainable for weight in getattr(one, "trainable_weights", ()))
        here = _macs(one)
        forward += here
        backward += here * (given + learns)
        made = given or learns
        below.update((id(tensor), made) for tensor in keras.tree.flatten(one.output))
    return forward, backward


def lines(costs: Sequence[TrainingCost], images: int) -> Iterator[str]:
    """What was counted, in sentences. images: in the file to train on."""
    for cost in costs:
        height, width, _ = cost.shape
        several = f" each of {cost.count} networks" if cost.count > 1 else ""
        yield f"{cost.name} at {height}x{width}: {cost.parameters:,} parameters{several}"
        kinds = Counter(layer.kind for layer in cost.layers).most_common()
        named = ", ".join(f"{count} {kind}" for kind, count in kinds)
        yield f"  {len(cost.layers)} layers: {named}"
        for step in cost.steps:
            yield (
                f"  {step.phase.name}: {step.learning:,} parameters learn; {_short(step.forward)} "
                f"multiply-adds an image forward, {_short(step.backward)} backward"
            )
        trained = sum(step.trained for step in cost.steps) * images
        filled = ", more where small classes are filled up" if cost.system.balance else ""
        yield f"  trained on {trained:,.0f} images at most, over all epochs{filled}"
    total = sum(cost.macs for cost in costs) * images
    yield (
        f"at most {_short(_OPERATIONS * total)} floating-point operations with {images:,} images: "
        "two a multiply-add of convolutions and dense layers, backward too; no other layer, no "
        "augmentation"
    )


def layer_table(cost: TrainingCost) -> Iterator[str]:
    """A line a layer: its name, kind, output, parameters and multiply-adds."""
    rows = [("layer", "kind", "output", "parameters", "multiply-adds")]
    for one in cost.layers:
        output = "x".join(map(str, one.output))
        rows.append((one.name, one.kind, output, f"{one.parameters:,}", f"{one.macs:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "{:<{}}  {:<{}}  {:<{}}  {:>{}}  {:>{}}"
    for row in rows:
        yield form.format(*chain.from_iterable(zip(row, widths, strict=True))).rstrip()


def timed(
    costs: Sequence[TrainingCost], classes: int, images: int, begins: Begins
) -> Iterator[str]:
    """Train a few steps of each network, with weights, and say how long all would take here.

    Timed is the phase in which most is computed; the others are reckoned by their operations.
    """
    total = 0.0
    for cost in costs:
        step = max(cost.steps, key=lambda one: one.forward + one.backward)
        each = _seconds_an_image(cost, step.phase, classes, begins)
        pace = (step.forward + step.backward) / each
        total += cost.macs * images / pace
        yield (
            f"{cost.name}: {1000 * each:.2f} ms an image in {step.phase.name}, in batches of "
            f"{cost.system.batch}: {_short(_OPERATIONS * pace)} floating-point operations a second"
        )
    yield (
        f"at most {_said(total)} on this machine ({keras.backend.backend()}, {os.cpu_count()} "
        "CPUs), estimated by operations from the steps timed, without augmentation"
    )


def _cost(system: System, shape: Shape, classes: int, count: int) -> TrainingCost:
    height, width, channels = shape
    shape = (system.side or height, system.side or width, channels)
    model = _without_weights(system, shape, classes)
    steps = []
    for phase in system.phases:
        freeze(model, system.backbone, phase.trainable, pretrained=_pretrained(system))
        learning = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        steps.append(TrainingStep(phase, learning, *macs(model), *_passes(system, phase)))
    return TrainingCost(system, shape, counted_layers(model), tuple(steps), count)


def _without_weights(system: System, shape: Shape, classes: int) -> Any:
    """The network with every shape and no values: nothing is drawn, allocated or computed."""

    def build() -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return network(system, shape, classes)

    # Keras remembers weights without values for each thread, and the next one would draw them all.
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(build).result()


def _pretrained(system: System) -> bool:
    """Whether it begins with ImageNet's weights unless the user says otherwise."""
    return system.backbone is not None and backbone(system.backbone).has_imagenet


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


def _seconds_an_image(cost: TrainingCost, phase: Phase, classes: int, begins: Begins) -> float:
    """Seconds of a step of the phase, by the fastest of a few, for each of its images."""
    system = cost.system
    begins(f"{cost.name}: drawing {cost.parameters:,} weights")
    model = network(system, cost.shape, classes)
    compiled(model, system, phase, pretrained=_pretrained(system))
    images = np.zeros((system.batch, *cost.shape), np.uint8)
    targets = np.eye(classes, dtype=np.float32)[np.zeros(system.batch, int)]
    begins(f"{cost.name}: compiling")
    model.train_on_batch(images, targets)
    seconds = []
    for number in range(_STEPS):
        begins(f"{cost.name}: step {number + 1} of {_STEPS}")
        began = time.monotonic()
        model.train_on_batch(images, targets)
        seconds.append(time.monotonic() - began)
    return min(seconds) / system.batch


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
