"""Ingestion: imports the submission, asks it about every hidden image, keeps its answers.

python3 ingestion.py INPUT OUTPUT SUBMISSION

INPUT/images.npy holds the images, uint8 (n, height, width, channels). The answers go to
OUTPUT/predictions.npy as they come: the scoring program judges them. Where the submission fails,
OUTPUT/ingestion-error.txt says how, so that the scoring program can say it too.
"""

import os
import sys
import traceback
from pathlib import Path

import numpy as np

CHANGES_FOLDER = False  # whether the submission runs in its own folder, not in this program's
ONE_AT_A_TIME = False  # whether it is given one image (height, width, channels) after the other
PREDICTIONS, FAILURE = "predictions.npy", "ingestion-error.txt"
LONGEST = 2000  # characters of a message that is passed on


def main(source, output, submission):
    """Ask the submission; returns the exit code."""
    for name in (PREDICTIONS, FAILURE):  # a worker may have copied the submission there
        if (output / name).exists():
            (output / name).unlink()
    try:
        refuse_answers(submission)
        images = np.load(str(source / "images.npy"), allow_pickle=False)
        print(f"asking for {len(images):,} images", flush=True)
        answers = as_numbers(ask(load(submission), images))
        np.save(str(output / PREDICTIONS), answers, allow_pickle=False)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a submission is to be told too
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"[:LONGEST]
        (output / FAILURE).write_text(said, encoding="utf-8", errors="backslashreplace")
        return 1
    print("all images are answered", flush=True)
    return 0


def refuse_answers(submission):
    """Raise for a zip that would be laid over the answers: one worker copies it there."""
    if (submission / PREDICTIONS).exists():
        raise ValueError(f"the zip holds {PREDICTIONS}, a name that the answers need: rename it")


def load(submission):
    """Make the object that answers."""
    sys.path.insert(0, str(submission))
    if CHANGES_FOLDER:
        os.chdir(str(submission))
    from model import Model

    return Model()


def ask(model, images):
    """The answers to all images."""
    questions = images if ONE_AT_A_TIME else [images]
    answers = [model.predict(X) for X in questions]
    return np.stack([np.asarray(one) for one in answers]) if ONE_AT_A_TIME else answers[0]


def as_numbers(answers):
    """The answers as an array that can be kept without pickling."""
    array = np.asarray(answers)
    if array.dtype.hasobject:
        raise TypeError(f"expected labels as numbers, received {type(answers).__name__}")
    return array


if __name__ == "__main__":
    code = main(*(Path(word).resolve() for word in sys.argv[1:4]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that the submission left behind must not hold the run open
