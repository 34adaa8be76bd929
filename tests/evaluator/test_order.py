"""The order of questions is a secret: it tells a submission nothing, and changes no honest figure."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import load_challenge
from evaluator import Report, local_eval
from evaluator.comparison.compare import answered, common_plan
from evaluator.evaluate import evaluate
from evaluator.options import NO_STORE, Options
from evaluator.plan import Plan, Questions, Round, make_plan
from evaluator.store.store import Store, find_store
from tests.evaluator.corner import DATA, submission

CHALLENGE = load_challenge()
# Reads no pixel: hands out what it was given, label after label.
BLIND = """
import numpy as np
LABELS = {labels}
class Model:
    at = 0
    def predict(self, X):
        Model.at += len(X)
        return np.array((LABELS + [0] * len(X))[Model.at - len(X) : Model.at], int)
"""
Shuffle = Any  # of a plan and questions: those questions in the order that is guessed


def before(plan: Plan, asked: Questions) -> Questions:
    """The order as it was while a public seed alone decided it."""
    order = np.random.default_rng((plan.seed, 5, len(asked))).permutation(len(asked))
    return Questions(asked.rows[order], asked.conditions[order])


def with_zero(_plan: Plan, asked: Questions) -> Questions:
    """Today's code, with a secret that is none."""
    return asked.shuffled(0)


def unshuffled(_plan: Plan, asked: Questions) -> Questions:
    """As the public plan lists them."""
    return asked


def guessed(plan: Plan, options: Options, shuffle: Shuffle, known: int = 0) -> list[int]:
    """The true labels in the order in which somebody with our code would expect the questions.

    known: of the first round so many are answered already, and not asked again.
    """
    seen, labels = set[int](), list[int]()
    for part in plan.rounds(options):
        wanted = plan.wanted(part)
        codes = wanted.rows * len(plan.texts) + wanted.conditions
        new = np.array([code not in seen for code in codes.tolist()], bool)
        seen |= set(codes.tolist())
        asked = shuffle(plan, Questions(wanted.rows[new], wanted.conditions[new]))
        labels += plan.data.labels[asked.rows].tolist()
    return labels[known:]


def blind(path: Path, labels: Sequence[int]) -> Path:
    """A zip that answers so."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", BLIND.format(labels=list(labels)))
    return path


def right(report: Report) -> NDArray[np.bool_]:
    """Which of all answers of a report are right."""
    sheets = [s for s in (report.sheet, report.library, report.sweep) if s is not None]
    return np.concatenate([sheet.right for sheet in sheets])


def is_chance(hits: NDArray[np.bool_]) -> bool:
    """Whether so many right answers are chance for one that knows how often each class comes (exact, 1e-6)."""
    shares = np.bincount(DATA.labels) / len(DATA)
    chance, n, k = float((shares**2).sum()), len(hits), int(hits.sum())
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(chance) + (n - i) * math.log1p(-chance) for i in range(k, n + 1)]  # fmt: skip
    return math.fsum(map(math.exp, logs)) > 1e-6


MODES: list[Any] = [
    pytest.param({"corrupt": "fog:3", "estimate": False}, id="plain"),
    pytest.param({"tolerance": 0.0}, id="rounds", marks=pytest.mark.slow),
    pytest.param({"full": True, "estimate": False}, id="full", marks=pytest.mark.slow),
    pytest.param({"sweep": True, "estimate": False}, id="sweep", marks=pytest.mark.slow),
    pytest.param({"estimate": False, "block": 37}, id="blocks", marks=pytest.mark.slow),
    pytest.param({"estimate": False, "store": NO_STORE}, id="no store", marks=pytest.mark.slow),
]
GUESSES: list[Any] = [
    pytest.param(before, marks=pytest.mark.slow),
    with_zero,
    pytest.param(unshuffled, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("shuffle", GUESSES)
@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_knows_our_code_and_data_stays_at_chance(
    tmp_path: Path, mode: dict[str, Any], shuffle: Shuffle
) -> None:
    """Else the order of questions gives the labels away, as it did: accuracy 1.0 without a pixel."""
    how = {"corrupt": "heavy", **mode}
    options = Options(**how)
    path = blind(tmp_path / "blind.zip", [])
    blind(path, guessed(make_plan(path, DATA, options), options, shuffle))
    report = local_eval(path, DATA, **how)
    assert report.scores is not None
    assert is_chance(right(report))


def test_whoever_knows_the_secret_knows_the_labels(tmp_path: Path) -> None:
    """Else the model that the other tests play could not cheat even if the order were known."""
    options = Options(corrupt="fog:3", estimate=False, order_seed=0)
    path = blind(tmp_path / "blind.zip", [])
    blind(path, guessed(make_plan(path, DATA, options), options, with_zero))
    report = local_eval(path, DATA, corrupt="fog:3", estimate=False, order_seed=0)
    assert right(report).all()
    assert report.source.order_seed == 0


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [before, with_zero])
def test_rank_and_compare_stay_at_chance(tmp_path: Path, shuffle: Shuffle) -> None:
    """Else the zip that guesses the order would be the best of them."""
    paths = [tmp_path / "blind.zip", submission(tmp_path, 6)]
    blind(paths[0], [])
    options = Options(corrupt="heavy", estimate=False)
    blind(paths[0], guessed(common_plan(paths, DATA, options), options, shuffle))
    assert is_chance(answered(paths, DATA, CHALLENGE, options)[0].right)
    ranked = replace(options, estimate=True, tolerance=0.0, store=NO_STORE)
    blind(paths[0], guessed(make_plan(paths[0], DATA, ranked), ranked, shuffle))
    assert is_chance(right(evaluate(paths[0], DATA, CHALLENGE, ranked)))


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [before, with_zero])
def test_a_resumed_run_stays_at_chance(tmp_path: Path, shuffle: Shuffle) -> None:
    """Else an interruption would tell what is left, and in which order."""
    options = Options(corrupt="fog:3", estimate=False)
    path = blind(tmp_path / "blind.zip", [])
    labels = guessed(make_plan(path, DATA, options), options, shuffle)
    first = BLIND.format(labels=labels).replace("Model.at += len(X)", "Model.at += len(X); 1 / (Model.at <= 100 or len(X) > 50)")  # fmt: skip
    resumed = first.replace("class Model:\n    at = 0", "class Model:\n    at = 0\n    late = None")
    resumed = resumed.replace("        Model.at +=", "        if Model.late is None: Model.late = len(X) != 50; Model.at = 100 * Model.late\n        Model.at +=", 1)  # fmt: skip
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", resumed)
    broken = local_eval(path, DATA, corrupt="fog:3", estimate=False, block=50)
    assert (broken.scores, broken.asked) == (None, 100)
    report = local_eval(path, DATA, corrupt="fog:3", estimate=False, block=300)
    assert report.asked == 2 * len(DATA) - 100
    assert is_chance(right(report))


def figures(report: Report) -> dict[str, Any]:
    """Everything but what a clock, a store or the order's own name changes."""
    document = json.loads(report.to_json())
    for key in ("timing", "peak_memory_bytes", "versions", "limits", "asked", "order_seed"):
        document.pop(key)
    return dict(document)


def test_the_order_changes_no_honest_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else figures of last month and today's would not compare."""
    path = submission(tmp_path, 12)
    how: dict[str, Any] = {"corrupt": "fog:3", "estimate": False, "store": NO_STORE}
    now = local_eval(path, DATA, **how, order_seed=1)
    plan = make_plan(path, DATA, Options(**how))
    monkeypatch.setattr(Questions, "shuffled", lambda asked, _secret: before(plan, asked))
    then = local_eval(path, DATA, **how)
    assert figures(now) == figures(then)
    assert now.source.order_seed == 1


def placed(plan: Plan, asked: Questions, secret: int) -> NDArray[np.int64]:
    """Where each of the questions comes, int64 `(m,)`."""
    width = len(plan.texts)
    order = asked.shuffled(secret)
    where = {code: at for at, code in enumerate((order.rows * width + order.conditions).tolist())}
    return np.array([where[code] for code in (asked.rows * width + asked.conditions).tolist()])


def test_a_place_tells_neither_damage_nor_family_nor_class_nor_image(tmp_path: Path) -> None:
    """Else a model could treat the clean images, or those of one image, apart without looking."""
    path = blind(tmp_path / "x.zip", [])
    plan = make_plan(path, DATA, Options(corrupt="heavy"))
    asked = plan.wanted(Round(128, 8))
    family = np.unique([condition.family for condition in plan.conditions], return_inverse=True)[1]
    kinds = {
        "clean": asked.conditions == 0,
        "first family": family[asked.conditions] == 1,
        "class 0": plan.data.labels[asked.rows] == 0,
        "image 5": asked.rows == 5,
    }
    places = np.stack([placed(plan, asked, secret) for secret in range(150)]) / len(asked)
    for name, kind in kinds.items():
        spread = np.sqrt(1 / 12 / (kind.sum() * len(places)))
        assert abs(places[:, kind].mean() - 0.5) < 4 * spread, name
        assert abs((places[:, kind] < 0.1).mean() - 0.1) < 4 * np.sqrt(0.09 / (kind.sum() * 150))
    mine = np.sort(places[:, asked.rows == 5], axis=1)
    expected = 1 / (mine.shape[1] + 1)  # the mean distance of neighbours among so many
    assert abs(np.diff(mine, axis=1).mean() / expected - 1) < 0.15


def test_orders_of_other_questions_have_nothing_in_common(tmp_path: Path) -> None:
    """Else a place in one round would tell what stands there in the next of the same length."""
    plan = make_plan(blind(tmp_path / "x.zip", []), DATA, Options(corrupt="heavy"))
    asked = plan.wanted(Round(128, 8))
    half = len(asked) // 2
    halves = [Questions(asked.rows[s], asked.conditions[s]) for s in (slice(half), slice(half, 2 * half))]  # fmt: skip
    one, other = (np.argsort(placed(plan, part, 3)) for part in halves)
    assert (one == other).mean() < 0.02


LOOKS = """
import os, sys
from pathlib import Path
import numpy as np
told = Path("/proc/self/environ").read_text() + Path("/proc/self/cmdline").read_text()
told += " ".join(sys.argv) + repr(dict(os.environ))
roots = [w.split("=", 1)[1] for w in told.split("\\0") if w.startswith("INGESTION_")]
for root in [*roots, "/app", os.getcwd(), os.environ["HOME"]]:
    for path in Path(root).rglob("*"):
        told += str(path)
        if path.is_file() and path.stat().st_size < 10**6 and path.name != "model.py":
            told += path.read_bytes().decode("latin-1")
class Model:
    def predict(self, X):
        return np.full(len(X), sum(word in told for word in {words}))
"""


def test_the_secret_is_nowhere_where_the_child_can_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a submission could read the order, and with it the labels, out of a file or variable."""
    place = tmp_path / "hidden-store.sqlite"
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(place))
    monkeypatch.setattr("secrets.randbits", lambda _bits: 8123456789012345)
    with Store.open(find_store()) as store:
        secret = store.order(DATA.fingerprint(), 0)
    words = [place.name, str(secret), "order_seed"]
    path = submission(tmp_path, source=LOOKS.replace("{words}", repr(words)))
    report = local_eval(path, DATA, corrupt="fog:3", estimate=False)
    assert report.source.order_seed == secret
    assert report.sheet is not None
    assert set(report.sheet.labels.tolist()) == {0}
