"""A Keras callback: accuracy on damaged images at the end of an epoch, while the model trains.

The only file here that imports Keras. `evaluator` loads it when someone asks for the name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.images import Dataset, from_arrays, prefix_order
from corruptions.chain import validate
from corruptions.named import named
from corruptions.presets import Preset
from evaluator.metrics import Score, answer_weights, wilson
from evaluator.plan import Benchmark, Questions, draw_benchmark, fill_block

METRIC = "bench_accuracy"
BATCH = 32  # Keras's own default
STEPS_A_BATCH = 4  # of training, for each batch of the benchmark
UNKNOWN_STEPS = 40  # assumed where Keras cannot say how many an epoch has
_NOTHING = -1  # the label where the model answered with no number
Preprocess = Callable[[NDArray[np.uint8]], Any]


class BenchmarkCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Logs `bench_accuracy`, 0..1, for EarlyStopping, ReduceLROnPlateau, History and TensorBoard.

    Put it before the callbacks that use the figure: they run in the order of the list.

    images, labels: as `codabench_rehearsal.images.from_arrays` takes them; give images that the
    model does not learn from. corrupt: a preset, a chain such as "fog:3", or a TOML file. every:
    measured after the first epoch, every so many, and the last; in between the last figure is
    logged again. count: damaged images to ask, None for one batch of 32 for every 4 steps of an
    epoch, but each image once at most, which keeps the cost below 15 % of an epoch. preprocess:
    called with a batch, uint8 `(n, h, w, c)`, returns what the model takes; without it the model
    gets float32 0..255. seed: of the choice and damage.

    The damaged images are made once and stay the same, so epochs compare. Raises `EvaluationError`,
    `CorruptionError` or `DataError` for what cannot be used; an unfit model when `fit` begins.
    """

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        corrupt: str | Preset = "heavy",
        every: int = 1,
        *,
        count: int | None = None,
        preprocess: Preprocess | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_positive("every", every)
        if count is not None:
            _check_positive("count", count)
        _check_scale(np.asarray(images), preprocess)
        data = from_arrays(images, labels)
        self._data = data.subset(prefix_order(data, seed))
        self._preset = named(corrupt) if isinstance(corrupt, str) else corrupt
        validate(self._preset)
        self._every, self._count, self._seed = every, count, seed
        self._preprocess = preprocess
        self._exam: _Exam | None = None
        self.score: Score | None = None

    @property
    def count(self) -> int | None:
        """How many damaged images are asked; None before `fit` has begun."""
        return None if self._exam is None else len(self._exam.images)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002  Keras's own
        """Make the images, and ask a first batch: an unfit model shows before an epoch is lost."""
        if self._exam is None:
            self._exam = _prepare(self._data, self._preset, self._asked(), self._seed)
        self._check_outputs()
        self._labels(self._exam.images[:BATCH])
        self.score = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure if it is time, and log the figure."""
        number = epoch + 1
        due = number % self._every == 0 or number == self.params.get("epochs")
        if due or self.score is None:
            self.score = self._measure()
        if logs is not None:
            logs[METRIC] = self.score.value

    def _asked(self) -> int:
        if self._count is not None:
            return self._count
        steps = self.params.get("steps") or UNKNOWN_STEPS
        return min(BATCH * max(1, steps // STEPS_A_BATCH), len(self._data))

    def _measure(self) -> Score:
        if self._exam is None:
            raise EvaluationError(
                "The callback has no benchmark yet: give it to model.fit, which begins with it."
            )
        return self._exam.score(self._labels(self._exam.images))

    def _labels(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        parts = range(0, len(images), BATCH)
        outputs = [self._outputs(images[start : start + BATCH]) for start in parts]
        logits = bool(getattr(getattr(self.model, "loss", None), "from_logits", False))
        classes = int(self._data.labels.max()) + 1
        return labels_of(np.concatenate(outputs), classes, logits=logits)

    def _outputs(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        given = images.astype(np.float32) if self._preprocess is None else self._preprocess(images)
        if len(given) != len(images):
            raise EvaluationError(
                f"preprocess: expected {len(images)} images back, received {len(given)}. "
                "It is called with a batch, and returns all of it."
            )
        return _one_output(self.model.predict_on_batch(given), len(images))

    def _check_outputs(self) -> None:
        named = getattr(self.model, "output_names", None) or ()
        if len(named) > 1:
            raise EvaluationError(_several(len(named)))


class _Exam:
    """The damaged images with their labels, and how much each one counts."""

    def __init__(self, benchmark: Benchmark, questions: Questions) -> None:
        shape = (len(questions), *benchmark.data.image_shape)
        self.images = np.empty(shape, np.uint8)
        fill_block(benchmark, questions, self.images, 1)  # Keras's own threads are waiting
        self._truth = benchmark.data.labels[questions.rows]
        self._base = len(benchmark.data)
        self._weights = answer_weights(benchmark, questions)

    def score(self, labels: NDArray[np.int64]) -> Score:
        """Weighted accuracy; the interval counts base images, as the conditions share them."""
        value = float(np.average(labels == self._truth, weights=self._weights))
        spread = wilson(value * self._base, self._base)
        return Score(value, spread.low, spread.high, self._base)


def _prepare(data: Dataset, preset: Preset, count: int, seed: int) -> _Exam:
    """Other images first; only when they run out, an image comes under a second condition."""
    draws = min(math.ceil(count / len(data)), len(preset.conditions))
    rows = np.arange(min(math.ceil(count / draws), len(data)))
    benchmark = draw_benchmark(data.subset(rows), replace(preset, draws=draws), seed)
    conditions = benchmark.dealt.ravel()
    return _Exam(benchmark, Questions(np.repeat(rows, draws), conditions))


def labels_of(outputs: NDArray[Any], classes: int, *, logits: bool = False) -> NDArray[np.int64]:
    """What a model's outputs `(n,)` or `(n, k)` say: int64 `(n,)`, -1 where they are no numbers.

    Several columns: the largest one, be they probabilities or logits. One column: labels if whole
    numbers; else, with two classes, class 1 above 1/2, or above 0 if they are logits, which they
    also are if any lies outside 0..1. Raises `EvaluationError` for anything else.
    """
    columns = outputs.reshape(len(outputs), -1) if outputs.ndim < 2 else outputs
    if columns.ndim != 2 or columns.shape[1] == 0:
        raise EvaluationError(
            f"Expected an answer of shape (n, {classes}) or (n,) for n images, received "
            f"{outputs.shape}. The callback is for a model that classifies whole images."
        )
    if columns.dtype.kind not in "iub":
        columns = columns.astype(np.float32)  # half precision too
    missing = np.isnan(columns).any(1)
    if columns.shape[1] > 1:
        labels = columns.argmax(1)
    else:
        labels = _of_one_column(np.where(missing, 0, columns[:, 0]), classes, logits=logits)
    return np.where(missing, _NOTHING, labels).astype(np.int64)


def _of_one_column(column: NDArray[Any], classes: int, *, logits: bool) -> NDArray[np.int64]:
    if column.dtype.kind in "iub" or (classes > 2 and (column == np.round(column)).all()):
        return column.astype(np.int64)
    if classes > 2:
        raise EvaluationError(
            f"Expected {classes} columns or whole labels, one for each of the classes in the "
            "labels given, received one column of fractions."
        )
    outside = bool(((column < 0) | (column > 1)).any())
    return np.asarray(column > (0.0 if logits or outside else 0.5), np.int64)


def _one_output(outputs: Any, count: int) -> NDArray[Any]:
    """The array of a model that has one output, whatever it is wrapped in."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, list | tuple):
        if len(outputs) != 1:
            raise EvaluationError(_several(len(outputs)))
        outputs = outputs[0]
    array = np.asarray(outputs)
    if array.ndim == 0 or len(array) != count:
        raise EvaluationError(
            f"Expected one answer an image, received shape {array.shape} for {count} images."
        )
    return array


def _several(count: int) -> str:
    return (
        f"Expected a model with one output, received one with {count}. Give the callback's figure "
        "up, or train a model whose only output is the class."
    )


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise EvaluationError(f"{name}: expected a whole number, 1 or more, received {value!r}.")


def _check_scale(images: NDArray[Any], preprocess: Preprocess | None) -> None:
    """The damage is done on 0..255; a model fed on 0..1 would see nothing but white."""
    if preprocess is None and images.dtype.kind == "f" and images.size and images.max() <= 1:
        raise EvaluationError(
            "The images are 0..1, but a model without preprocess= gets 0..255. If yours takes "
            "0..1: preprocess=lambda images: images / 255."
        )
