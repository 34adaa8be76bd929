"""The recipes as values: every name in them exists, every option works, the reports' figures stand."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.recipes.augment import AUGMENTATIONS
from codabench_rehearsal.recipes.backbones import BACKBONES
from codabench_rehearsal.recipes.system import (
    VERSIONS,
    Phase,
    RecipeError,
    System,
    changed,
    chosen,
    load_system,
    system_names,
)
from submission.training_folder import ENSEMBLES, TTAS

ROOT = Path(__file__).parents[2]
TEAMS = tuple(name for name in system_names() if name != "baseline")


def variants() -> Iterator[Any]:
    """Every recipe: as it is, in its smaller versions, and with each choice of each option."""
    for name in system_names():
        system = load_system(name)
        yield pytest.param(system, id=name)
        for version in system.versions:
            yield pytest.param(chosen(system, {}, version), id=f"{name}-{version}")
        for option, choices in system.options.items():
            for choice in choices:
                made = chosen(system, {option: choice})
                yield pytest.param(made, id=f"{name}-{option}-{choice}")


def functions(name: str) -> dict[str, set[str]]:
    """The public functions of one of the shared files, with their options, without importing Keras."""
    tree = ast.parse((ROOT / "codabench_rehearsal" / "recipes" / name).read_text(encoding="utf-8"))
    return {
        node.name: {one.arg for one in node.args.kwonlyargs}
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("system", list(variants()))
def test_every_recipe_names_what_exists(system: System) -> None:
    """Else a recipe fails after loading Keras, or hours later."""
    for member in [changed(system, change) for change in system.members] or [system]:
        options = functions("models.py")[member.model]
        if "head" in member.model_options:
            options |= functions("models.py")[member.model_options["head"]]
        assert set(member.model_options) <= options
        assert member.backbone is None or member.backbone in BACKBONES
    chains = (*system.copies, *system.benchmark, system.balance)
    assert {name for chain in chains for name in chain} <= set(AUGMENTATIONS)
    assert system.tta in TTAS
    assert system.ensemble in ENSEMBLES
    assert system.phases
    assert 0 < system.validation < 1
    assert 0 <= system.test < 1 - system.validation
    for phase in system.phases:
        assert phase.epochs > 0
        assert phase.optimizer in ("adam", "lion")
        assert phase.decay in ("", "cosine")
        assert phase.trainable == "last" or 0 <= phase.trainable <= 1


PAIRS = [
    pytest.param(name, {first: one, second: other}, id=f"{name}-{first}-{one}-{second}-{other}")
    for name in TEAMS
    for first, second in itertools.combinations(load_system(name).options, 2)
    for one in load_system(name).options[first]
    for other in load_system(name).options[second]
]


@pytest.mark.parametrize("version", [None, *VERSIONS])
@pytest.mark.parametrize(("name", "choices"), PAIRS)
def test_two_choices_go_together_or_are_refused(
    name: str, choices: dict[str, str], version: str | None
) -> None:
    """Else the second undoes the first without a word, or the network is given what it does not take."""
    try:
        system = chosen(load_system(name), choices, version)
    except RecipeError:
        return  # which ones are, the next test says
    test_every_recipe_names_what_exists(system)
    for option, choice in choices.items():
        for path, value in system.options[option][choice].items():
            field, _, key = path.partition(".")
            found = getattr(system, field)
            assert (found[key] if key else found) == value


@pytest.mark.parametrize(
    ("name", "choices", "version"),
    [
        ("hidden_players", {"network": "small", "backbone": "VGG16"}, None),
        ("hidden_players", {"ensemble": "three", "network": "small"}, None),
        ("overfitting_gods", {"recover": "yes", "augmentation": "first"}, None),
        ("hidden_players", {"network": "small"}, "fast"),  # 60 epochs in place of 8
        ("hidden_players", {"ensemble": "three"}, "fast"),  # with ResNet152, and no weights
        ("hidden_players", {"ensemble": "three"}, "evening"),
        ("madapenguins", {"backbone": "ResNet50"}, "fast"),
        ("madapenguins", {"backbone": "ResNet50"}, "evening"),
    ],
)
def test_what_excludes_each_other_is_refused(
    name: str, choices: dict[str, str], version: str | None
) -> None:
    """Else --fast trains a network of 60 M parameters, untrained before, and nobody asked for that."""
    with pytest.raises(RecipeError, match=r"and .* both set .*: leave one out"):
        chosen(load_system(name), choices, version)


def test_what_agrees_is_not_refused() -> None:
    """Else the light variant, which the miniature is already, could not be asked for."""
    system = chosen(load_system("los_pollos_hermanos"), {"light": "yes"}, "fast")
    assert system.model_options["light"]


@pytest.mark.parametrize("name", TEAMS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_smaller_version_is_cheaper_and_says_how(name: str, version: str) -> None:
    """Else --fast or --evening would not be, or nobody would know what it stands for."""
    full = load_system(name)
    small = chosen(full, {}, version)
    assert full.versions[version].relation
    assert sum(phase.epochs for phase in small.phases) < sum(p.epochs for p in full.phases)
    assert small.model == full.model
    kept = ("copies", "loss", "loss_options", "balance", "class_weights", "isolation")
    assert [getattr(small, one) for one in kept] == [getattr(full, one) for one in kept]


@pytest.mark.parametrize("name", TEAMS)
def test_an_evening_keeps_the_head_and_takes_real_weights(name: str) -> None:
    """Else it would be another system, or the small network from scratch that --fast is."""
    full = load_system(name)
    small = chosen(full, {}, "evening")
    wanted = {**full.model_options}
    if full.backbone:
        wanted["backbone"] = "EfficientNetLite0"
    assert (small.model_options, small.side) == (wanted, full.side)


@pytest.mark.parametrize("name", [one for one in TEAMS if load_system(one).backbone])
def test_every_backbone_option_takes_the_light_one(name: str) -> None:
    """Else --set backbone=EfficientNetLite0, with weights by pip, fails in some recipes."""
    system = chosen(load_system(name), {"backbone": "EfficientNetLite0"})
    assert system.backbone == "EfficientNetLite0"


@pytest.mark.parametrize("name", TEAMS)
def test_a_team_is_cited(name: str) -> None:
    """Else nobody could look up what a recipe rests on."""
    system = load_system(name)
    assert "AN2DL 2024/25" in system.source
    assert any(letter.isdigit() for letter in system.reported)


def phases(name: str) -> list[tuple[int, float, str, Any, int | None]]:
    """Epochs, rate, optimizer, what learns, patience."""
    return [
        (p.epochs, p.learning_rate, p.optimizer, p.trainable, p.patience)
        for p in load_system(name).phases
    ]


def tried(system: System) -> set[str]:
    """The backbones that the team tried: all but the light one, which is ours."""
    return set(system.options["backbone"]) - {"EfficientNetLite0"}


def test_reluctant_learners_as_reported() -> None:
    """Else the recipe would be another system under the team's name."""
    system = load_system("reluctant_learners")
    assert phases(system.name) == [(40, 2e-4, "adam", 0.0, 5), (120, 5e-5, "lion", 1.0, 13)]
    assert (system.batch, system.validation, system.test) == (64, 0.1, 0.1)
    assert system.model_options["dense"] == 128
    assert system.model_options["dropouts"] == (0.4, 0.2)
    assert system.backbone == "EfficientNetV2S"
    assert len(tried(system)) == 7


def test_los_pollos_hermanos_as_reported() -> None:
    """Else the recipe would be another system under the team's name."""
    system = load_system("los_pollos_hermanos")
    (phase,) = system.phases
    assert (phase.learning_rate, phase.optimizer, phase.patience) == (1e-3, "adam", 40)
    assert (phase.plateau, phase.factor) == (20, 0.2)
    assert system.hurt_validation
    assert set(system.options) == {"overlays", "light", "average", "ensemble"}


def test_hidden_players_as_reported() -> None:
    """Else the recipe would be another system under the team's name."""
    system = load_system("hidden_players")
    assert len(system.copies) == 3
    assert system.copies[2] == ("cut_mix", "mix_up")
    assert system.model_options["dense"] == (1024, 128)
    assert [phase.trainable for phase in system.phases] == [0.0, 1.0]
    assert tried(system) == {
        *("ResNet50", "ResNet152", "EfficientNetB5", "EfficientNetB6", "VGG16", "MobileNet")
    }
    assert len(chosen(system, {"ensemble": "three"}).members) == 3
    assert system.benchmark


def test_madapenguins_as_reported() -> None:
    """Else the negative control would not be one."""
    system = load_system("madapenguins")
    assert phases(system.name) == [(30, 1e-4, "lion", 0.0, 15), (70, 1e-5, "lion", "last", 15)]
    assert (system.batch, system.validation, system.class_weights) == (64, 0.2, True)
    assert system.isolation > 0
    assert system.model_options["dense"] == (512, 256)
    assert system.model_options["dropout"] == 0.5
    assert tried(system) == {"ResNet50", "Xception", "InceptionV3", "InceptionResNetV2"}


def test_overfitting_gods_as_reported() -> None:
    """Else the recipe would be another system under the team's name."""
    system = load_system("overfitting_gods")
    assert dict(system.loss_options) == {"label_smoothing": 0.05, "alpha": 1.0, "gamma": 0.5}
    assert (system.loss, system.tta) == ("focal", "d4")
    assert system.copies == (("aug_mix", "rand_augment"),)
    assert system.hurt_validation
    head, *thawed = system.phases
    assert head.folds > 1
    assert [p.trainable for p in thawed] == sorted(p.trainable for p in thawed)
    assert [p.learning_rate for p in thawed] == sorted(
        (p.learning_rate for p in thawed), reverse=True
    )
    assert all(phase.patience for phase in thawed)


SMALL = System("small", "", "", "", "", "small_cnn", (Phase("train", 1, 1e-3),))


def test_a_change_of_one_option_keeps_the_others() -> None:
    """Else --set backbone=... would forget the head."""
    before = changed(SMALL, {"model_options": {"a": 1, "b": 2}})
    assert changed(before, {"model_options.b": 3, "batch": 8}).model_options == {"a": 1, "b": 3}
    assert before.model_options == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("choices", "version", "said"),
    [
        ({"backbone": "ResNet50"}, None, "small has no option 'backbone'; it has none"),
        ({}, "fast", "small has no --fast version"),
        ({}, "evening", "small has no --evening version"),
    ],
)
def test_what_a_recipe_lacks_is_said(
    choices: dict[str, str], version: str | None, said: str
) -> None:
    """Else a typo would train the default for a night."""
    with pytest.raises(RecipeError, match=said):
        chosen(SMALL, choices, version)


@pytest.mark.parametrize(
    ("name", "option", "choice"),
    [
        ("madapenguins", "backbone", "Xception"),
        ("hidden_players", "ensemble", "three"),
        ("hidden_players", "network", "small"),
    ],
)
def test_fast_is_never_slow_by_an_option(name: str, option: str, choice: str) -> None:
    """Else --fast would train three large networks for hours."""
    with pytest.raises(RecipeError, match=f"{option}={choice} and --fast both set"):
        chosen(load_system(name), {option: choice}, "fast")


def test_other_options_go_with_fast() -> None:
    """Else the miniature could not show what an option does."""
    made = chosen(load_system("overfitting_gods"), {"mask": "yes"}, "fast")
    assert made.model_options["mask"]
    assert made.backbone == "MiniConvNeXt"


def test_an_unknown_choice_names_the_known_ones() -> None:
    """Else the user must read our files to learn them."""
    with pytest.raises(RecipeError, match=r"backbone=ResNet: known: ResNet50, Xception"):
        chosen(load_system("madapenguins"), {"backbone": "ResNet"})
    with pytest.raises(RecipeError, match="A recipe has no 'bath'"):
        changed(SMALL, {"bath": 1})
