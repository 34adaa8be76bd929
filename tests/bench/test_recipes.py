"""The recipes' benches: what they train, hold against each other and conclude, without a training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench import recipes, recipes_claims, recipes_evening
from bench.recipe_runs import CONTROL, HIDDEN, Bench, Training
from bench.recipes_answers import Asking, Kept, read, write
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset, save, synthetic
from codabench_rehearsal.recipes.system import Phase, load_system
from evaluator.comparison.compare import answered
from evaluator.comparison.paired import Difference
from evaluator.comparison.standings import Comparison, Pair, Standing
from evaluator.metrics import Score
from tests.evaluator.corner import submission
from tests.tables import thinned

# Accuracy on clean images, and what each preset takes from it.
ACCURACIES = {"madapenguins": (0.98, 0.4), "hidden_players": (0.975, 0.06), "else": (0.97, 0.1)}


def score(value: float) -> Score:
    """A figure with an interval."""
    return Score(value, value - 0.01, value + 0.01, 900)


def change(name: str, base: float, other: float) -> Difference:
    """A difference with an interval."""
    return Difference(name, base, other, score(other - base), 0.01, 0.01, 0.02)


@dataclass(frozen=True)
class Pretended(Bench):
    """A bench that only notes what it is asked for."""

    trained: dict[str, tuple[str, ...]] = field(default_factory=dict)
    accuracies: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(ACCURACIES))

    def train(self, name: str, *words: str) -> Training:
        """It took 20 minutes."""
        self.trained[name] = words
        return Training(name, 10, 1100.0, 0.01, 1200.0)

    def pack(self, name: str, *_words: str, folder: str = "") -> Path:
        """An empty zip."""
        assert not folder or {folder, folder.rpartition("-")[0]} & set(self.trained)
        path = self.out / f"{name}.zip"
        path.touch()
        return path

    def member(self, name: str, number: int) -> str:
        """A name."""
        return f"{name}-{number}"

    def compare(self, zips: Sequence[Path], data: Dataset, preset: str) -> Comparison:
        """Figures by name."""
        found = []
        for path in zips:
            clean, lost = self.accuracies.get(path.stem, self.accuracies["else"])
            gap = change("gap", clean, clean - lost)
            found.append(Standing(path.stem, "", score(clean), score(clean - lost), gap))
        base = found[0]
        pairs = [
            Pair(
                base.name,
                one.name,
                change("benchmark", base.benchmark.value, one.benchmark.value),
                change("clean", base.clean.value, one.clean.value),
                (),
            )
            for one in found[1:]
        ]
        return Comparison(preset, "x", 0, len(data), 5, tuple(found), tuple(pairs))

    def compared(self, sheets: Sequence[tuple[str, str]]) -> Comparison:
        """The same, by `Noted`'s answers."""
        zips = [Path(f"{name}.zip") for name, _ in sheets]
        return self.compare(zips, synthetic(40, seed=1), sheets[0][1])


class Noted:
    """Asks nobody: a zip's answers are its name."""

    data = range(40)

    def ask(self, path: Path, _preset: str) -> str:
        """Whose they are."""
        return path.stem

    def answers(self, kept: Kept, preset: str) -> tuple[str, str]:
        """The name again."""
        return kept.labels[preset], preset


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Its data are drawn cells; every zip answers 500 images a second."""
    save(synthetic(40, seed=1), tmp_path / "cells.npz")
    made = Pretended(tmp_path / "cells.npz", tmp_path)

    monkeypatch.setattr(recipes_evening, "_rate", lambda *_: 500.0)
    monkeypatch.setattr(recipes_evening, "asking", lambda *_: Noted())
    monkeypatch.setattr(recipes_evening, "compare", made.compared)
    monkeypatch.setattr(recipes_evening, "FILE", tmp_path / "answers.json")
    return made


def test_the_best_robust_one_is_tried_further(bench: Pretended, tmp_path: Path) -> None:
    """Else the table's lower half is of another recipe than the bars."""
    document, page = tmp_path / "found.json", tmp_path / "page.md"
    page.write_text("<!-- written by bench.recipes --evening -->\n<!-- to here -->\n")
    bench.accuracies["hidden_players-strips"] = (0.975, 0.02)
    assert recipes_evening.run(bench, document, page) == 0
    assert {name for name in bench.trained if "-" in name} == {
        *("hidden_players-none", "hidden_players-starts", "hidden_players-strips")
    }
    assert bench.trained["hidden_players-none"] == (
        *("hidden_players", "--evening"),
        *("--weights", "none"),
    )
    text = page.read_text()
    assert text.count("| met |") == 8
    assert "| `madapenguins` | validation 0.9818, Codabench 0.51 | 10 | 20 | 1 % |" in text
    strips = "| with strips, **trained on the benchmark's damage** | `hidden_players` |"
    assert f"{strips} +4.0 (+3.0 to +5.0) |" in text
    assert "averaged (`d4`) | another start (1) |" in text
    found = json.loads(document.read_text())
    assert found["best"] == "hidden_players"
    assert found["rows"]["ensemble"]["training"]["name"] == "hidden_players-starts"


def test_what_is_kept_is_not_trained_again(bench: Pretended, tmp_path: Path) -> None:
    """Else hours of training are lost with the machine they ran on."""
    some = ("madapenguins", "hidden_players")
    assert recipes_evening.run(bench, None, None, some) == 1  # others are missing
    assert set(bench.trained) == set(some)
    again = Pretended(bench.data, bench.out)
    page = tmp_path / "page.md"
    page.write_text("<!-- written by bench.recipes --evening -->\n<!-- to here -->\n")
    recipes_evening.run(again, None, page, ("hidden_players", "strips"))
    assert set(again.trained) == {"hidden_players-strips"}
    text = page.read_text()
    assert "| `madapenguins` | validation" in text
    assert "Not measured yet: `reluctant_learners`, `overfitting_gods`" in text


@pytest.mark.slow
def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    """Else a kept row stands beside others with somebody else's figures."""
    data = synthetic(40, seed=1)
    asked = Asking(data, tmp_path / "store.sqlite")
    path = submission(tmp_path)
    labels = {HIDDEN: asked.ask(path, HIDDEN)}
    kept = Kept("row", labels, Training("row", 1, 1.0, 0.0, 1.0), 9, 5.0, 2)
    write(tmp_path / "kept.json", {"row": kept}, 40)
    again = asked.answers(read(tmp_path / "kept.json")["row"], HIDDEN)
    (before,) = answered([path], data, load_challenge(), asked.options(HIDDEN))
    assert (again.labels == before.labels).all()
    assert (again.questions.rows == before.questions.rows).all()


@pytest.mark.parametrize(
    ("name", "accuracies"),
    thinned(
        [
            ("madapenguins", (0.98, 0.3)),  # not lost enough
            ("madapenguins", (0.95, 0.4)),  # clean
            ("hidden_players", (0.95, 0.01)),  # the best, clean
            ("hidden_players-strips", (0.97, 0.1)),
        ]
    ),
)
def test_a_missed_bar_is_said(
    bench: Pretended, name: str, accuracies: tuple[float, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a bar that nothing misses is no bar."""
    bench.accuracies["hidden_players-strips"] = (0.975, 0.02)
    bench.accuracies[name] = accuracies
    assert recipes_evening.run(bench, None, None) == 1
    assert capsys.readouterr().out.count("**missed**") == 1


def test_miniatures_and_evenings_lie_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the second bench takes the first one's trainings for its own."""
    places: list[Path] = []

    def noted(bench: Bench, *_: Any) -> int:
        places.append(bench.out)
        return 0

    def stopped(bench: Bench, *_: Any) -> Training:
        places.append(bench.out)
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes_evening, "run", noted)
    monkeypatch.setattr(Bench, "train", stopped)
    words = ["--data", "x.npz", "--out", str(tmp_path)]
    assert recipes.main([*words, "--evening"]) == 0
    with pytest.raises(KeyboardInterrupt):
        recipes.main(words)
    assert places == [tmp_path / "evening", tmp_path / "fast"]


def test_a_claim_changes_one_thing() -> None:
    """Else what is found is due to something else."""
    for claim in recipes_claims.CLAIMS.values():
        systems = [recipes_claims._system(claim, one) for one in claim.variants.values()]
        assert len({repr(one) for one in systems}) == len(systems)
        assert all(one.backbone == "EfficientNetLite0" for one in systems)
    first, weights, _ = (
        recipes_claims._system(recipes_claims.CLAIMS["balance"], one)
        for one in recipes_claims.CLAIMS["balance"].variants.values()
    )
    assert (first.balance, first.class_weights) == (load_system(first.name).balance, False)
    assert (weights.balance, weights.class_weights) == ((), True)
    assert [one.epochs for one in first.phases] == [2, 6]
    assert [one.epochs for one in weights.phases] == [3, 9]  # of fewer images
    optimizers = [
        recipes_claims._system(recipes_claims.CLAIMS["optimizer"], one).phases[-1]
        for one in recipes_claims.CLAIMS["optimizer"].variants.values()
    ]
    assert [(one.optimizer, one.learning_rate) for one in optimizers] == [
        *(("lion", 1e-4), ("adam", 3e-4), ("adam", 1e-3))
    ]
    assert all(isinstance(one, Phase) and one.ema for one in optimizers)


def test_a_variant_is_trained_once(
    bench: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else hours of training are done again, or a claim is judged with a variant missing."""
    trained: list[str] = []

    def train(_: Bench, name: str, *_more: object) -> float:
        trained.append(name)
        return 60.0

    monkeypatch.setattr(recipes_claims, "_train", train)
    monkeypatch.setattr(recipes_claims, "asking", lambda *_: Noted())
    monkeypatch.setattr(recipes_claims, "compare", bench.compared)
    monkeypatch.setattr(recipes_claims, "FILE", tmp_path / "claims.json")
    monkeypatch.setattr(Bench, "pack", Pretended.pack)
    page = tmp_path / "page.md"
    page.write_text("<!-- written by bench.recipes_claims -->\n<!-- to here -->\n")
    words = ["--data", str(bench.data), "--out", str(tmp_path), "--write", str(page)]
    assert recipes_claims.main([*words, "--claims", "mask"]) == 0
    assert recipes_claims.main([*words, "--claims", "mask", "optimizer"]) == 0
    assert trained == [
        *("overfitting-gods-as-it-is", "mask-mask"),
        *("reluctant-learners-as-it-is", "optimizer-adam-3e-4", "optimizer-adam-1e-3"),
    ]
    assert recipes_claims.main([*words, "--claims", "balance"]) == 0
    assert trained[5:] == ["balance-class-weights", "balance-neither"]  # the first is there
    text = page.read_text()
    assert "| no mask | Codabench 0.60 |" in text
    assert "Not tried yet: RandAugment is the best" in text


def test_the_control_is_a_team() -> None:
    """Else a renamed recipe would leave the bench without its negative control."""
    assert CONTROL in recipes_evening.TEAMS
    assert HIDDEN in recipes_evening.PRESETS
