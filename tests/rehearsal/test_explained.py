"""What a platform's message and its logs mean: failures as participants meet them, in our words."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from codabench_rehearsal.rehearsal.explained import explain_text

FAILED = (
    "Submission failed: Child task failed or non-zero return code. See logs for more details.\n"
)
OLD_FAILED = "Child task failed or non-zero return code\n"


def trace(last: str, *frames: tuple[str, int], first: str = "") -> str:
    """A traceback with these frames."""
    lines = [first] if first else []
    lines.append("Traceback (most recent call last):")
    for file, line in frames:
        lines += [f'  File "{file}", line {line}, in <module>', "    something(...)"]
    return "\n".join([*lines, last, ""])


MODEL, INGESTION = ("/app/ingested_program/model.py", 12), ("/app/program/ingestion.py", 40)
SCORING = ("/app/program/scoring.py", 21)
LIBRARY = ("/usr/local/lib/python3.9/site-packages/sklearn/utils/validation.py", 320)


@dataclass(frozen=True)
class Recorded:
    """text: of message and logs. says: what the cause has to say; mend: what the advice has to."""

    name: str
    text: str
    says: str
    mend: str = ""


RECORDED = (
    Recorded("bad zip", "Bad or empty zip file", "could not open the zip", "--check-only"),
    Recorded(
        "time limit",
        "Execution Time Limit exceeded. Limit was 600 seconds",
        "time limit of 600 seconds",
        "--time-limit 600",
    ),
    Recorded("image", "Pull for somebody/image:1 failed!", "docker image somebody/image:1", "organisers"),
    Recorded(
        "metadata",
        "Error, the output directory already contains a metadata file. This file is used to store "
        "exitCode and other data, do not write to this file manually.",
        "named metadata",
    ),
    Recorded(
        "scores json",
        "Could not decode scores json properly, it contains an error.\nExpecting value: line 1",
        "no valid JSON",
    ),
    Recorded("nan score", "Out of range float values are not JSON compliant", "NaN", "division"),
    Recorded("space", "Insufficient space", "storage on the site is full", "Delete"),
    Recorded(
        "today", "Reached maximum allowed submissions for today for this phase", "today's", "midnight"
    ),
    Recorded("in all", "Reached maximum allowed submissions for this phase", "all submissions", ""),
    Recorded(
        "no command",
        FAILED + "Missing 'command' for scoring_program in metadata or metadata format is not correct!",
        "no metadata.yaml with a command",
        "codabench-challenge check",
    ),
    Recorded(
        "missing package",
        FAILED + trace("ModuleNotFoundError: No module named 'lightgbm'", INGESTION, MODEL),
        "No module named 'lightgbm' (model.py, line 12)",
        "do without the package",
    ),
    Recorded(
        "nested folder",
        OLD_FAILED + trace("ModuleNotFoundError: No module named 'model'", INGESTION),
        "No module named 'model'",
        "root of the zip",
    ),
    Recorded(
        "killed",
        FAILED + "INFO ingestion container exited with exit code 137",
        "memory",
        "batches",
    ),
    Recorded("segfault", FAILED + "exit code: 139\nSegmentation fault (core dumped)", "native code"),
    Recorded(
        "one answer too few",
        FAILED
        + trace(
            "ValueError: Found input variables with inconsistent numbers of samples: [2000, 1984]",
            SCORING,
            LIBRARY,
        ),
        "different lengths (2000 and 1984)",
        "last batch",
    ),
    Recorded(
        "probabilities",
        FAILED
        + trace(
            "ValueError: Classification metrics can't handle a mix of multiclass and "
            "continuous-multioutput targets",
            SCORING,
            LIBRARY,
        ),
        "probabilities or floats",
        "argmax",
    ),
    Recorded(
        "nan answers",
        FAILED + trace("ValueError: Input contains NaN.", SCORING, LIBRARY),
        "NaN or infinity",
    ),
    Recorded(
        "header in the answers",
        FAILED + trace("ValueError: could not convert string to float: 'label'", SCORING),
        "text where numbers",
        "header",
    ),
    Recorded(
        "numpy 2",
        FAILED
        + "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.2\n"
        + trace("ImportError: numpy.core.multiarray failed to import", INGESTION, MODEL),
        "another NumPy",
    ),
    Recorded(
        "removed name",
        FAILED + trace("AttributeError: module 'numpy' has no attribute 'float'.", INGESTION, MODEL),
        "newer NumPy versions have removed",
        "np.float",
    ),
    Recorded(
        "gpu weights",
        FAILED
        + trace(
            "RuntimeError: Attempting to deserialize object on a CUDA device but "
            "torch.cuda.is_available() is False.",
            INGESTION,
            MODEL,
        ),
        "want a GPU",
        "map_location",
    ),
    Recorded(
        "git lfs",
        FAILED + trace("_pickle.UnpicklingError: invalid load key, 'v'.", INGESTION, MODEL),
        "Git LFS pointer",
        "git lfs pull",
    ),
    Recorded(
        "other scikit-learn",
        FAILED
        + "InconsistentVersionWarning: Trying to unpickle estimator RandomForestClassifier\n"
        + trace("ValueError: node array from the pickle has an incompatible dtype", INGESTION, MODEL),
        "another version",
        "--server",
    ),
    Recorded(
        "read only",
        FAILED
        + trace("OSError: [Errno 30] Read-only file system: 'cache.npz'", INGESTION, MODEL),
        "Read-only file system",
        "tempfile.mkdtemp()",
    ),
    Recorded(
        "relative name",
        FAILED
        + trace("FileNotFoundError: [Errno 2] No such file or directory: 'w.npz'", INGESTION, MODEL),
        "No such file or directory: 'w.npz'",
        "Path(__file__).parent",
    ),
    Recorded(
        "network",
        FAILED
        + trace(
            "URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", INGESTION, MODEL
        ),
        "name resolution",
        "put what it fetches into the zip",
    ),
    Recorded(
        "only scoring's log",
        FAILED
        + trace(
            "FileNotFoundError: [Errno 2] No such file or directory: '/app/input/res/predictions.npy'",
            SCORING,
        ),
        "ingestion wrote no predictions",
        "ingestion's log",
    ),
    Recorded("opencv", trace("ImportError: libGL.so.1: cannot open shared object file", MODEL), "graphics library"),
    Recorded("in a queue", "Status: Submitted since 3 hours", "waits for a worker", "Wait"),
)  # fmt: skip

TENSORFLOW = (
    "2026-03-10 12:00:01.113201: E external/local_xla/xla/stream_executor/cuda/cuda_driver.cc:152] "
    "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected\n"
    "E0000 00:00:1741608001.1 23 cuda_dnn.cc:8310] Unable to register cuDNN factory\n"
)
NO_PREDICTIONS = trace(
    "FileNotFoundError: [Errno 2] No such file or directory: '/app/input/res/predictions.npy'",
    SCORING,
)


def own(last: str, before: str = "") -> str:
    """The platform's sentence, what was printed, and an exception in the submission's own code."""
    return FAILED + before + trace(last, INGESTION, MODEL)


# Further ones, which the table of meanings was not written from.
FURTHER = (
    Recorded(
        "newer Keras",
        own(
            "TypeError: <class 'keras.src.layers.core.dense.Dense'> could not be deserialized properly. "
            "Please ensure that components are explicitly deserialized.\n\nException encountered: "
            "Unrecognized keyword arguments passed to Dense: {'quantization_config': None}",
            TENSORFLOW,
        ),
        "could not be deserialized properly", "another Keras",
    ),
    Recorded(
        "SavedModel",
        own(
            "ValueError: File format not supported: filepath=/app/ingested_program/net. Keras 3 only "
            "supports V3 `.keras` files. Note that the legacy SavedModel format is not supported."
        ),
        "File format not supported", "model.save('weights.keras')",
    ),
    Recorded(
        "a layer of a newer TensorFlow",
        own("AttributeError: module 'tensorflow.keras.layers' has no attribute 'RandomHue'"),
        "has no attribute 'RandomHue' (model.py, line 12)", "its version differs",
    ),
    Recorded("no GPU", own("RuntimeError: No CUDA GPUs are available"), "want a GPU", "is_available"),
    Recorded(
        "no GPU on the worker",
        'docker: Error response from daemon: could not select device driver "nvidia"',
        "the worker has none", "organisers",
    ),
    Recorded(
        "killed by the shell's word",
        FAILED + "run.sh: line 3:    17 Killed         python3 ingestion.py\n" + NO_PREDICTIONS,
        "memory was full", "batches",
    ),
    Recorded(
        "TensorFlow's memory",
        own("tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor")
        + NO_PREDICTIONS,
        "OOM when allocating", "batches",
    ),
    Recorded("disk", own("OSError: [Errno 28] No space left on device: '/tmp/a.dat'"), "No space left", "Write less"),
    Recorded(
        "shared memory",
        own(
            "RuntimeError: DataLoader worker (pid 23) is killed by signal: Bus error. It is possible that "
            "dataloader's workers are out of shared memory."
        ),
        "/dev/shm", "num_workers=0",
    ),
    Recorded(
        "newer time limit",
        "Submission failed: Execution Time Limit exceeded. Limit was 3600 seconds. See logs for more "
        "details.\nEpoch 14/50",
        "limit of 3600 seconds",
    ),
    Recorded(
        "scores for labels",
        FAILED
        + trace("ValueError: y_pred should be a 1d array, got an array of shape (2000, 8) instead.", SCORING, LIBRARY),
        "have the shape (2000, 8)", "argmax",
    ),
    Recorded(
        "infinity",
        FAILED
        + "scoring.py:18: RuntimeWarning: invalid value encountered in divide\n"
        + trace("ValueError: Input contains infinity or a value too large for dtype('float32').", SCORING, LIBRARY),
        "NaN or infinity",
    ),
    Recorded(
        "a folder in the zip",
        FAILED + trace("ImportError: cannot import name 'Model' from 'model' (unknown location)", INGESTION),
        "(unknown location)", "not a folder around them",
    ),
    Recorded(
        "a file one folder too deep",
        FAILED
        + trace("FileNotFoundError: [Errno 2] No such file or directory: '/app/ingested_program/model.py'", INGESTION),
        "model.py", "not a folder around them",
    ),
    Recorded(
        "no metadata",
        "Submission failed: Program directory missing 'metadata.yaml/metadata'. See logs for more details.",
        "no metadata.yaml", "organisers",
    ),
    Recorded("not accepted", "User not approved to participate in this competition", "not accepted", "Register"),
    Recorded("413", "<html><title>413 Request Entity Too Large</title>", "front door takes no upload", "--shrink"),
    Recorded("validation", "Status: Awaiting validation", "has to let it run first", "Wait"),
    Recorded("cancelled", "Cancelled", "it was cancelled", "logs"),
    Recorded("stuck", "It is stuck in Preparing since yesterday, without logs.", "waits for a worker", "Wait"),
    Recorded(
        "offline hub",
        own("OSError: We couldn't connect to 'https://huggingface.co' to load this file"),
        "couldn't connect", "put what it fetches into the zip",
    ),
    Recorded(
        "own folder",
        own("PermissionError: [Errno 13] Permission denied: '/app/ingested_program/cache'"),
        "Permission denied", "tempfile",
    ),
)  # fmt: skip
# A log with words of another cause in it -> words that no sure cause may have.
MISLEADING = (
    (own("KeyError: 'x'", TENSORFLOW), "GPU"),
    (own("KeyError: 'x'", "FutureWarning: You are using `torch.load` with `weights_only=False`\n"), "PyTorch"),
    (own("KeyError: 'x'", "InconsistentVersionWarning: Trying to unpickle estimator PCA\n"), "scikit"),
    (own("KeyError: 'x'", "job status: submitted\n"), "worker"),
    ("UserWarning: no CUDA GPU was found\n", "GPU"),
    (TENSORFLOW, "GPU"),
    (own("ValueError: operands could not be broadcast together with shapes (8,96) (4,)"), "predictions"),
    (own("ValueError: could not convert string to float: 'M'"), "predictions"),
    (own("ValueError: Found input variables with inconsistent numbers of samples: [9, 8]"), "predictions"),
)  # fmt: skip


@pytest.mark.parametrize("row", [*RECORDED, *FURTHER], ids=lambda row: row.name)
def test_the_first_cause_is_the_right_one(row: Recorded) -> None:
    """A participant has one failed upload and its log: the first line has to be what to mend."""
    first = explain_text(row.text)[0]
    assert row.says in first.cause
    assert row.mend in first.advice


def test_ingestions_error_comes_before_scorings() -> None:
    """Both logs in one file: scoring only misses what ingestion did not write."""
    text = (
        trace("KeyError: 'x'", INGESTION, MODEL)
        + trace("FileNotFoundError: [Errno 2] No such file or directory: '/app/input/res/p.npy'", SCORING)
        + FAILED
    )  # fmt: skip
    causes = explain_text(text)
    assert [one.cause for one in causes] == [
        "the submission's own code ended with KeyError: 'x' (model.py, line 12)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Epoch 1/10\nloss: 0.5 accuracy: 0.9\n",
        "UserWarning: something is deprecated",
        "The weights were saved. Limit was not reached. 137 images.",
        "Finished: accuracy 0.93",
        "all 139 tests passed, exit code 0",
        "Early stopping cancelled after epoch 3.",
    ],
)
def test_what_is_not_known_is_not_guessed(text: str) -> None:
    """A wrong cause, told with confidence, costs another upload."""
    assert explain_text(text) == ()


@pytest.mark.parametrize(("text", "words"), MISLEADING)
def test_words_of_another_cause_do_not_mislead(text: str, words: str) -> None:
    """A warning, or a word that means something else elsewhere, sends a participant astray."""
    causes = explain_text(text)
    assert not [one.cause for one in causes if one.sure and words in one.cause]
    if "Traceback" in text:
        assert causes[0].cause.startswith("the submission's own code ended with")


def test_what_only_follows_is_not_sure() -> None:
    """The platform's usual sentence alone says nearly nothing, and is told so."""
    (only,) = explain_text(FAILED)
    assert not only.sure
    assert "ingestion" in only.cause
