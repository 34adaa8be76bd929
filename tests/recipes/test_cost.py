"""What `train-recipe show` counts: equal to the network really built and to TensorFlow's own graph."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.recipes.system import (
    Phase,
    System,
    changed,
    chosen,
    load_system,
    system_names,
)

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ROOT = Path(__file__).parents[2]
SHAPE, CLASSES = (96, 96, 3), 8


def small() -> list[System]:
    """The miniatures, and the recipe that is one already."""
    loaded = [load_system(name) for name in system_names()]
    return [chosen(one, {}, "fast") if one.versions else one for one in loaded]


def full() -> list[System]:
    """Every recipe, and every choice that it has."""
    loaded = [load_system(name) for name in system_names()]
    choices = [
        chosen(one, {option: choice})
        for one in loaded
        for option, known in one.options.items()
        for choice in known
    ]
    return loaded + choices


def networks(systems: list[System]) -> list[Any]:
    """The different networks that these train, a parameter each."""
    found: dict[tuple[Any, ...], System] = {}
    for system in systems:
        for member in (changed(system, change) for change in system.members or ({},)):
            found[member.model, str(member.model_options), member.side, member.phases] = member
    return [
        pytest.param(one, id=f"{one.name}-{one.backbone or one.model}-{place}")
        for place, one in enumerate(found.values())
    ]


def agree(system: System) -> None:
    """Compare all that is counted with the network that training builds."""
    from codabench_rehearsal.recipes.backbones import backbone, freeze
    from codabench_rehearsal.recipes.models import network
    from codabench_rehearsal.recipes.training_cost import counted_costs, counted_layers, macs

    (cost,) = counted_costs(replace(system, members=()), SHAPE, CLASSES)
    model = network(system, cost.shape, CLASSES)
    built = counted_layers(model)
    assert [(one.kind, one.output, one.parameters, one.macs) for one in cost.layers] == [
        (one.kind, one.output, one.parameters, one.macs) for one in built
    ]
    assert cost.parameters == model.count_params() > 0
    pretrained = system.backbone is not None and backbone(system.backbone).has_imagenet
    for step, phase in zip(cost.steps, system.phases, strict=True):
        freeze(model, system.backbone, phase.trainable, pretrained=pretrained)
        learning = sum(math.prod(one.shape) for one in model.trainable_variables)
        assert (step.learning, (step.forward, step.backward)) == (learning, macs(model))


@pytest.mark.parametrize("system", networks(small()))
def test_miniatures_are_counted_as_built(system: System) -> None:
    """Else `show` tells of another network than the one that is trained."""
    agree(system)


@pytest.mark.slow
@pytest.mark.parametrize("system", networks(full()))
def test_every_recipe_is_counted_as_built(system: System) -> None:
    """Else `show` tells of another network than the one that a night is spent on."""
    import keras

    agree(system)
    keras.utils.clear_session()


def traced(system: System) -> tuple[int, int]:
    """Multiply-adds an image of TensorFlow's graph: of its answers, and of its gradients beyond."""
    import keras
    import tensorflow as tf

    from codabench_rehearsal.recipes.backbones import backbone, freeze
    from codabench_rehearsal.recipes.models import network

    side = system.side or SHAPE[0]
    model = network(system, (side, side, 3), CLASSES)
    pretrained = system.backbone is not None and backbone(system.backbone).has_imagenet
    freeze(model, system.backbone, system.phases[0].trainable, pretrained=pretrained)
    learning = [one.value for one in model.trainable_variables]

    def answers(images: Any) -> Any:
        return model(images, training=True)

    def gradients(images: Any) -> Any:
        with tf.GradientTape() as tape:
            total = keras.ops.sum(model(images, training=True)[:, 0])
        return tape.gradient(total, learning)

    spec = tf.TensorSpec((1, side, side, 3), tf.float32)
    forward, both = (
        sum(map(_operations, _needed(tf.function(one).get_concrete_function(spec))))
        for one in (answers, gradients)
    )
    return forward, both - forward


def _needed(function: Any) -> list[Any]:
    """The nodes that its outputs need; TensorFlow drops the rest before it runs."""
    found: dict[str, Any] = {}
    left = [one.op for one in function.outputs]
    while left:
        node = left.pop()
        if node.name not in found:
            found[node.name] = node
            left += [one.op for one in node.inputs]
    return list(found.values())


def _operations(node: Any) -> int:
    """Multiply-adds of a node of TensorFlow's graph, from its shapes alone."""
    shapes = [tuple(one.shape.as_list()) for one in node.inputs]
    out = [tuple(one.shape.as_list()) for one in node.outputs]
    kind = node.type
    if kind == "MatMul":
        return _product(out[0]) * int(shapes[0][0 if node.get_attr("transpose_a") else 1])
    if kind == "BatchMatMulV2":
        return _product(out[0]) * int(shapes[0][-2 if node.get_attr("adj_x") else -1])
    sides = 3 if kind.startswith("Conv2D") else 2  # of a kernel: a depthwise one meets one channel
    if kind in ("Conv2D", "DepthwiseConv2dNative"):
        return _product(out[0]) * _product(shapes[1][:sides])
    if kind.endswith("BackpropInput"):  # every value of the output's gradient meets the kernel
        return _product(shapes[2]) * _product(shapes[1][:sides])
    if kind.endswith("BackpropFilter"):
        return _product(shapes[2]) * _product(out[0][:sides])
    return 0


def _product(sizes: tuple[int, ...]) -> int:
    return math.prod(sizes)


def frozen_in_part(name: str, share: float) -> System:
    """A full recipe whose first phase lets that share of its backbone learn."""
    return replace(load_system(name), phases=(Phase("part", 1, 1e-3, trainable=share),))


TRACED = [
    pytest.param(small()[0], id=small()[0].name),
    *(pytest.param(one, id=one.name, marks=pytest.mark.slow) for one in small()[1:]),
    *(
        pytest.param(frozen_in_part(name, share), id=f"{name} {share}", marks=pytest.mark.slow)
        for name in (
            "hidden_players",
            "reluctant_learners",
        )  # not ConvNeXt's: compiled out of sight
        for share in (0.0, 0.3, 1.0)
    ),
]


@pytest.mark.parametrize("system", TRACED)
def test_operations_are_those_of_the_graph(system: System) -> None:
    """Else the cost of a night is told of a training that is not the one that runs."""
    from codabench_rehearsal.recipes.training_cost import counted_costs

    step = counted_costs(replace(system, members=()), SHAPE, CLASSES)[0].steps[0]
    forward, backward = traced(system)
    assert step.forward == forward > 0
    assert step.backward == backward > 0


def test_equal_members_are_counted_once_and_added_up() -> None:
    """Else an ensemble of equal networks costs a third of what it takes, or thrice the time to say."""
    from codabench_rehearsal.recipes.training_cost import counted_costs

    system = chosen(load_system("los_pollos_hermanos"), {"ensemble": "vote"})
    (three,) = counted_costs(system, SHAPE, CLASSES)
    (one,) = counted_costs(replace(system, members=()), SHAPE, CLASSES)
    assert (three.count, three.layers) == (3, one.layers)
    assert three.macs == 3 * one.macs


# In a process between, because a child's peak begins at the size of the process that starts it.
MEASURING = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stdout, used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""


@pytest.mark.slow
def test_the_largest_is_shown_in_seconds_and_little_memory() -> None:
    """Else a table costs minutes and ten gigabytes, without a word until it is there."""
    words = ("show", "overfitting_gods", "--set", "backbone=ConvNeXtXLarge", "--layers")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "codabench_rehearsal.commands.train_recipe",
        *words,
    ]
    done = subprocess.run(
        [sys.executable, "-c", MEASURING, *command], cwd=ROOT, check=True, capture_output=True
    )
    code, said, kilobytes, seconds = json.loads(done.stdout)
    assert code == 0
    for word in (
        *("AN2DL 2024/25", "Codabench 0.96", "phase head: epochs 30", "--set mask=yes", "--fast: "),
        *("349,217,672 parameters", "head: ", "floating-point operations", "head_answers"),
    ):
        assert word in said
    assert kilobytes * 1024 < 1.5e9
    assert seconds < 15, "of processors; 5 s on two that are idle"
