"""Scoring: holds the answers that ingestion kept against the true labels.

python3 scoring.py REFERENCE PREDICTIONS OUTPUT

REFERENCE/labels.npy holds the labels, int64 (n,). OUTPUT/scores.json gets a number for each column
of the leaderboard, OUTPUT/detailed_results.html a page. What cannot be scored ends with exit code 1
and a sentence that says why.
"""

import html
import json
import sys
from pathlib import Path

import numpy as np

CLASSES = ["a", "b"]  # the classes' names; their positions are the labels
ANSWERS = "labels"  # or "strict": integers (n,) alone; or "probabilities": scores (n, classes)
PREDICTIONS, FAILURE = "predictions.npy", "ingestion-error.txt"
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}"
    "th,td{border:1px solid #bbb;padding:.25em .6em;text-align:right}"
    "th:first-child{text-align:left}.right{background:#dff0d8}"
)


class NotScoredError(Exception):
    """Answers that cannot be scored; the message says why."""


def main(reference, predictions, output):
    """Score, and write both files; returns the exit code."""
    truth = np.load(str(reference / "labels.npy"), allow_pickle=False)
    try:
        labels = as_labels(read(predictions), len(truth))
    except NotScoredError as error:
        print(f"not scored: {error}", file=sys.stderr, flush=True)
        return 1
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)  # true label, answer
    np.add.at(confusion, (truth, labels), 1)
    scores = all_scores(confusion)
    (output / "scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
    page = results_page(scores, confusion)
    (output / "detailed_results.html").write_text(page, encoding="utf-8")
    print(f"scored {len(truth):,} images: accuracy {scores['accuracy']:.4f}", flush=True)
    return 0


def read(predictions):
    """The answers as they were kept."""
    failure, kept = predictions / FAILURE, predictions / PREDICTIONS
    if failure.exists():
        said = failure.read_text(encoding="utf-8", errors="replace")
        raise NotScoredError(
            f"the submission failed with {said}. Its log (ingestion) has all of it"
        )
    if not kept.exists():
        raise NotScoredError("there are no answers: ingestion ended before it had any. See its log")
    try:
        return np.load(str(kept), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise NotScoredError(f"{PREDICTIONS} cannot be read as an array ({error})") from None


def as_labels(answers, count):
    """The answers as labels, int64 (count,)."""
    if ANSWERS == "probabilities":
        return of_scores(answers, count)
    if ANSWERS == "labels" and answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim != 1:
        raise NotScoredError(
            f"expected labels of shape ({count},), one for each image, received {answers.shape}"
        )
    if len(answers) != count:
        raise NotScoredError(
            f"expected {count:,} labels, one for each image, received {len(answers):,}"
        )
    if answers.dtype.kind not in ("iu" if ANSWERS == "strict" else "iufb"):
        raise NotScoredError(f"expected labels as integers, received {answers.dtype}")
    values = answers.astype(np.float64)
    refuse(~np.isfinite(values), values, "a finite label")
    refuse(values != np.floor(values), values, "a whole number")
    refuse((values < 0) | (values >= len(CLASSES)), values, f"a label from 0 to {len(CLASSES) - 1}")
    return answers.astype(np.int64)


def of_scores(answers, count):
    """The class of the highest score of each row."""
    if answers.shape != (count, len(CLASSES)) or answers.dtype.kind not in "iuf":
        received = f"{answers.dtype} {answers.shape}"
        raise NotScoredError(f"expected scores ({count}, {len(CLASSES)}), received {received}")
    finite = np.isfinite(answers.astype(np.float64))
    if not finite.all():
        row = int((~finite).any(axis=1).argmax())
        raise NotScoredError(f"expected finite scores, received NaN or infinity for image {row}")
    return answers.argmax(axis=1).astype(np.int64)


def refuse(wrong, values, expected):
    """Raise for the first of the wrong answers."""
    if wrong.any():
        row = int(wrong.argmax())
        many = f" ({int(wrong.sum()):,} are none)" if wrong.sum() > 1 else ""
        raise NotScoredError(f"expected {expected}, received {values[row]:g} for image {row}{many}")


def all_scores(confusion):
    """The leaderboard's columns, by their keys. A class without images has no recall."""
    right = np.diag(confusion).astype(np.float64)
    true, given = confusion.sum(1).astype(np.float64), confusion.sum(0).astype(np.float64)
    recall, f1 = share(right, true), share(2 * right, given + true)
    named = {f"recall_{label}": float(recall[label]) for label in np.flatnonzero(true > 0).tolist()}
    return {
        "accuracy": float(right.sum() / true.sum()),
        "balanced_accuracy": mean_where(recall, true > 0),
        "macro_f1": mean_where(f1, given + true > 0),
        **named,
    }


def share(part, whole):
    """One by the other, 0 where there is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def mean_where(values, there):
    """The mean of those that are there."""
    return float(np.where(there, values, 0.0).sum() / there.sum())


def results_page(scores, confusion):
    """Figures, recall by class, and which class was taken for which, as one page."""
    figures = [
        ("accuracy", scores["accuracy"]),
        ("balanced accuracy", scores["balanced_accuracy"]),
        ("macro-F1", scores["macro_f1"]),
    ]
    head = table([["", "score"], *([name, f"{value:.4f}"] for name, value in figures)])
    by_class = [["class", "images", "recall", "answered"]]
    for label, name in enumerate(CLASSES):
        recall = scores.get(f"recall_{label}")
        shown = "-" if recall is None else f"{recall:.4f}"
        by_class.append([name, confusion[label].sum(), shown, confusion[:, label].sum()])
    taken = [["true class / answer", *CLASSES]]
    taken += [[name, *confusion[label]] for label, name in enumerate(CLASSES)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Results</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>Results</h1>\n"
        f"<p>{confusion.sum():,} hidden images.</p>\n{head}\n<h2>By class</h2>\n{table(by_class)}\n"
        f"<h2>Which class was taken for which</h2>\n{table(taken, diagonal=True)}\n</body></html>\n"
    )


def table(rows, diagonal=False):
    """Rows of a table, the first one and the first column as heads."""
    lines = []
    for at, row in enumerate(rows):
        cells = []
        for place, value in enumerate(row):
            kind = "th" if at == 0 or place == 0 else "td"
            right = ' class="right"' if diagonal and at == place and at else ""
            cells.append(f"<{kind}{right}>{html.escape(str(value))}</{kind}>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


if __name__ == "__main__":
    sys.exit(main(*(Path(word) for word in sys.argv[1:4])))
