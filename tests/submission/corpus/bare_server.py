"""What a submission finds, reads, writes and leaves where it runs. The bare worker says how it ends."""

from __future__ import annotations

import numpy as np

from tests.submission.corpus.case import INIT, PREDICT, Case, Content, files, page
from tests.submission.corpus.pictures import CENTRES, CENTRES_NPY, npy

HERE = "Path(__file__).parent"
STALE = npy(np.arange(2000) % 8)
ZEROS = npy(np.zeros(2000, dtype=np.int64))
SHORT = npy(np.zeros(10, dtype=np.int64))
LOADED = "self.centres = np.load({path})"
TRIES = """
for folder in (Path("/app/output"), Path("/app/ingested_program"), Path(__file__).parent):
    if (folder / "weights.npy").exists():
        self.centres = np.load(folder / "weights.npy")
        break
"""
WRITES = '(Path(__file__).parent / "cache.txt").write_text("x")'
GUARDED = f"try:\n    {WRITES}\nexcept OSError:\n    pass"
UNZIPS = """
import zipfile
with zipfile.ZipFile(Path(__file__).parent / "parts.zip") as file:
    file.extractall({folder})
self.centres = np.load(Path({folder}) / "weights.npy")
"""
ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--views", type=int, default=4)
{more}
OPTIONS = parser.parse_args()
"""
THREADS = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    parts = list(pool.map(lambda i: labels(self.centres, X[i:i + 64]), range(0, len(X), 64)))
return np.concatenate(parts) if parts else np.zeros(0, dtype=int)
"""
POOL = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    parts = pool.starmap(labels, [(self.centres, part) for part in np.array_split(np.asarray(X), 2) if len(part)])
return np.concatenate(parts)
"""
CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "print('hello from a child')"], check=True)
"""
LATE = """
import atexit
def last():
    {body}
atexit.register(last)
"""
LINES = 'for i in range({count}):\n    print(f"image {{i}}: " + "." * 80)'
PREDICTED = 'np.save("/app/output/predictions.npy", labels(self.centres, X))\n'
WARNS = 'import warnings\nwarnings.simplefilter("error")\n{body}'


def _row(kind: str, name: str, contents: dict[str, Content], **fields: object) -> Case:
    return Case(name, contents, run=True, kind=kind, **fields)  # type: ignore[arg-type]  # as Case has them


def _zip(name: str, more: dict[str, Content], model: str = "", **fields: object) -> Case:
    return _row("generation", name, {**files(model or page()), **more}, **fields)


def _init(kind: str, name: str, init: str, **more: Content) -> Case:
    return _row(kind, name, files(page(init=init), **more))


def _loads(name: str, path: str) -> Case:
    return _init("path", name, LOADED.format(path=path))


def _starts(kind: str, name: str, before: str, **more: Content) -> Case:
    return _init(kind, name, f"{INIT}\n{before}", **more)


def _top(kind: str, name: str, top: str, **more: Content) -> Case:
    return _row(kind, name, files(page(top=top), **more))


def _predicts(kind: str, name: str, before: str, after: str = "", **fields: object) -> Case:
    predict = (
        f"{before}\n{PREDICT}"
        if not after
        else f"{before}\nfound = labels(self.centres, X)\n{after}\nreturn found"
    )
    return _row(kind, name, files(page(predict)), **fields)


def parts() -> bytes:
    """A zip with the weights."""
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("weights.npy", CENTRES_NPY)
    return held.getvalue()


CASES: list[Case] = [
    # what lies in the zip, by the two workers' rules
    _zip("metadata without command", {"metadata": "description: ours\n"}),
    _zip("metadata.yaml empty", {"metadata.yaml": ""}),
    _zip("metadata.yaml of our own", {"metadata.yaml": "team: us\nseed: 4\n"}),
    _zip("metadata that is no YAML", {"metadata": "{{{ ]] :"}),
    _zip("metadata with a command that fails", {"metadata.yaml": "command: python3 nothing_here.py\n"}),
    _zip("metadata with a harmless command", {"metadata.yaml": "command: python3 model.py\n"}),
    _zip("metadata in a folder", {"weights/metadata.yaml": "command: python3 x.py\n"}),
    _zip("predictions of last time", {"predictions.npy": STALE}),
    _zip("predictions of last time, all zeros", {"predictions.npy": ZEROS}),
    _zip("predictions of last time, too short", {"predictions.npy": SHORT}),
    _zip("predictions of last time, no array", {"predictions.npy": "0\n1\n"}),
    _zip("predictions of last time, with metadata", {"predictions.npy": STALE, "metadata": "x: 1\n"}),
    _zip("predictions of last time, in a folder", {"results/predictions.npy": STALE}),
    _zip("predictions of last time, as a table", {"predictions.csv": "0\n1\n"}),
    _zip("answers of another name", {"y_pred.npy": STALE, "labels.npy": STALE}),
    _zip("predictions.npy is a folder", {"predictions.npy/readme.txt": "x"}),
    _zip("stale predictions, broken model", {"predictions.npy": STALE}, "raise RuntimeError\n", data=True),
    _zip("zeros as predictions, broken model", {"predictions.npy": ZEROS}, "import torch_of_tomorrow\n" + page(), data=True),
    _zip("zeros as predictions, broken model, with metadata", {"predictions.npy": ZEROS, "metadata": "x: 1\n"}, "raise RuntimeError\n", data=True),
    _zip("scores of last time", {"scores.json": '{"accuracy": 1.0}', "scores.txt": "accuracy: 1\n"}),
    _zip("an output folder", {"output/": "", "output/log.txt": "x"}),
    # where it reads
    _loads("beside model.py", f'{HERE} / "weights.npy"'),
    _loads("relative", '"weights.npy"'),
    _loads("relative, with a dot", '"./weights.npy"'),
    _loads("from /app/ingested_program", '"/app/ingested_program/weights.npy"'),
    _loads("from /app/output", '"/app/output/weights.npy"'),
    _loads("from /app/program", '"/app/program/weights.npy"'),
    _loads("from /app/input_data", '"/app/input_data/weights.npy"'),
    _loads("from /content", '"/content/drive/MyDrive/weights.npy"'),
    _loads("by os.getcwd", '__import__("os").path.join(__import__("os").getcwd(), "weights.npy")'),
    _loads("by sys.path[0]", '__import__("os").path.join(__import__("sys").path[0], "weights.npy")'),
    _loads("by the main script's folder", '__import__("os").path.join(__import__("os").path.dirname(__import__("sys").argv[0]), "weights.npy")'),
    _loads("by inspect", '__import__("os").path.join(__import__("os").path.dirname(__import__("inspect").getfile(type(self))), "weights.npy")'),
    _loads("by importlib.resources", '__import__("importlib.util").util.find_spec("model").origin.replace("model.py", "weights.npy")'),
    _loads("first match below /app", 'next(Path("/app").rglob("weights.npy"))'),
    _loads("in /app where there is one", f'(Path("/app/ingested_program") if Path("/app").exists() else {HERE}) / "weights.npy"'),
    _init("path", "several places, one after another", TRIES),
    _top("path", "says that /app is there", 'assert Path("/app/ingested_program").is_dir(), "not on the server"'),
    _top("path", "says that input data is there", 'assert Path("/app/input_data").is_dir() and list(Path("/app/input_data").iterdir())'),
    _top("path", "looks for the reference", 'TRUTH = sorted(Path("/app/input/ref").glob("*")) if Path("/app/input").exists() else []'),
    _top("path", "needs the reference", 'TRUTH = np.load("/app/input/ref/labels.npy")'),
    _top("path", "says where it is", 'assert Path(__file__).resolve().parent == Path("/app/ingested_program")'),
    _top("path", "the file's name alone", 'assert Path(__file__).name == "model.py"'),
    _top("path", "changes to its folder", "import os\nos.chdir(Path(__file__).parent)"),
    _starts("path", "changes to a temporary folder", "import os, tempfile\nos.chdir(tempfile.mkdtemp())"),
    # where it writes
    _starts("write", "writes beside model.py", WRITES),
    _starts("write", "writes beside model.py, guarded", GUARDED),
    _starts("write", "writes into the working folder", 'Path("cache.txt").write_text("x")'),
    _starts("write", "writes into the home folder", '(Path.home() / ".corpus-cache").write_text("x")\n(Path.home() / ".corpus-cache").unlink()'),
    _starts("write", "writes into /tmp", 'import tempfile\nPath(tempfile.mkdtemp(), "x").write_text("x")'),
    _starts("write", "writes into /app/output", 'Path("/app/output/log.txt").write_text("x")'),
    _starts("write", "writes into /app/output, guarded", 'try:\n    Path("/app/output/log.txt").write_text("x")\nexcept OSError:\n    pass'),
    _starts("write", "writes metadata into /app/output", 'Path("/app/output/metadata").write_text("exitCode: 0")'),
    _starts("write", "a folder for its cache", f'({HERE} / "cache").mkdir(exist_ok=True)'),
    _starts("write", "a log file beside model.py", f'import logging\nlogging.basicConfig(filename={HERE} / "run.log")'),
    _starts("write", "a log file in /tmp", "import logging, tempfile\nlogging.basicConfig(filename=tempfile.mkdtemp() + '/run.log')"),
    _starts("write", "weights opened for writing", f'open({HERE} / "weights.npy", "r+b").close()'),
    _init("write", "weights mapped for writing", f'self.centres = np.load({HERE} / "weights.npy", mmap_mode="r+")'),
    _init("write", "weights mapped for reading", f'self.centres = np.load({HERE} / "weights.npy", mmap_mode="r")'),
    _init("write", "weights mapped, copied on writing", f'self.centres = np.load({HERE} / "weights.npy", mmap_mode="c")'),
    _starts("write", "deletes its weights", f'({HERE} / "weights.npy").unlink()'),
    _starts("write", "deletes its weights, guarded", f'try:\n    ({HERE} / "weights.npy").unlink()\nexcept OSError:\n    pass'),
    _starts("write", "touches its weights", f'({HERE} / "weights.npy").touch()'),
    _starts("write", "makes its weights private", f'({HERE} / "weights.npy").chmod(0o600)'),
    _row("write", "unpacks beside model.py", {"model.py": page(init=UNZIPS.format(folder=HERE)), "parts.zip": parts}),
    _row("write", "unpacks in a temporary folder", {"model.py": page(init="import tempfile\nfolder = tempfile.mkdtemp()" + UNZIPS.format(folder="folder")), "parts.zip": parts}),
    _row("write", "answers written by itself, then returned", files(page(f"{PREDICTED}{PREDICT}"))),
    # what the process is
    _top("process", "argparse with defaults", ARGPARSE.format(more="")),
    _top("process", "argparse that needs one", ARGPARSE.format(more='parser.add_argument("data")')),
    _top("process", "no arguments, says so", "import sys\nassert len(sys.argv) == 1, sys.argv"),
    _top("process", "an argument if there is one", "import sys\nFOLDER = sys.argv[1] if len(sys.argv) > 1 else '.'\nassert FOLDER == '.'"),
    _top("process", "an argument that is not there", "import sys\nFOLDER = sys.argv[1]"),
    _top("process", "an argument, or IndexError", "import sys\ntry:\n    FOLDER = sys.argv[1]\nexcept IndexError:\n    FOLDER = '.'\nassert FOLDER == '.'"),
    _top("process", "a variable of the shell that is not there", 'import os\nFOLDER = os.environ["COMPETITION_DATA"]'),
    _top("process", "a variable of the shell, or a default", 'import os\nFOLDER = os.environ.get("COMPETITION_DATA", ".")'),
    _top("process", "sets variables for CUDA", 'import os\nos.environ["CUDA_VISIBLE_DEVICES"] = ""\nos.environ["OMP_NUM_THREADS"] = "1"'),
    _top("process", "reads standard input to its end", "import sys\nTEXT = sys.stdin.read()"),
    _top("process", "asks a person", 'NAME = input("team? ")'),
    _top("process", "asks, or goes on", 'try:\n    NAME = input("team? ")\nexcept EOFError:\n    NAME = ""'),
    _top("process", "prints in Chinese", 'print("\u6a21\u578b \u2713 \U0001f52c")'),
    _top("process", "reconfigures standard output", "import sys\nsys.stdout.reconfigure(line_buffering=True, errors='replace')"),
    _top("process", "standard output into nothing", "import os, sys\nsys.stdout = open(os.devnull, 'w')"),
    _top("process", "one print replaced", "import builtins\nbuiltins.print = lambda *a, **k: None"),
    _top("process", "logging at its loudest", "import logging\nlogging.basicConfig(level=logging.DEBUG, force=True)\nlogging.debug('here')"),
    _top("process", "logging by dictConfig", "import logging.config\nlogging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})"),
    _top("process", "warnings are errors, none comes", WARNS.format(body="")),
    _top("process", "warnings are errors, one comes", WARNS.format(body="warnings.warn('old')")),
    _predicts("process", "NumPy's warnings are errors, none comes", "np.seterr(all='raise')"),
    _predicts("process", "NumPy's warnings are errors, one comes", "np.seterr(all='raise')\nnp.zeros(1) / np.zeros(1)"),
    _top("process", "a watchdog that is called off", "import signal\nsignal.alarm(60)\nsignal.alarm(0)"),
    _top("process", "handles SIGTERM", "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(1))"),
    _top("process", "a higher limit for recursion", "import sys\nsys.setrecursionlimit(20_000)"),
    _top("process", "faulthandler", "import faulthandler, sys\nfaulthandler.enable(file=sys.__stderr__)"),
    _top("process", "no garbage collection", "import gc\ngc.disable()"),
    _top("process", "nicer to others", "import os\nos.nice(1)"),
    _top("process", "one core only", "import os\nif hasattr(os, 'sched_setaffinity'):\n    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"),
    _top("process", "is not the main module", "assert __name__ == 'model'\nimport __main__\nassert hasattr(__main__, '__file__')"),
    _top("process", "catches every error of its own", "try:\n    raise ValueError\nexcept BaseException:\n    pass"),
    _top("process", "exits, caught", "import sys\ntry:\n    sys.exit(3)\nexcept SystemExit:\n    pass"),
    _predicts("process", "sys.exit(0) when done", "", "import sys\nsys.exit(0)"),
    _predicts("process", "os._exit(0) when done", "", "import os\nos._exit(0)"),
    _predicts("process", "os._exit(0) when done, answers written by itself", "", 'np.save("/app/output/predictions.npy", found)\nimport os\nos._exit(0)'),
    _predicts("process", "threads", THREADS.strip()),
    _row("process", "a pool of processes", files(page(POOL))),
    _starts("process", "a child process that ends", CHILD),
    _starts("process", "a daemon thread that waits", "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()"),
    _starts("process", "a thread for two seconds more", "import threading, time\nthreading.Thread(target=time.sleep, args=(2,)).start()"),
    _starts("process", "a child process that would stay", "import subprocess\nsubprocess.Popen(['sleep', '120'])"),
    _top("process", "writes beside model.py when it ends", LATE.format(body=WRITES)),
    _top("process", "raises when it ends", LATE.format(body="raise RuntimeError('at the end')")),
    _top("process", "another exit code when it ends", LATE.format(body="import os; os._exit(3)")),
    _top("process", "three seconds to import", "import time\ntime.sleep(3)"),
    _starts("process", "three seconds to start", "import time\ntime.sleep(3)"),
    _predicts("process", "three seconds to answer", "import time\ntime.sleep(3)"),
    _predicts("process", "a millisecond for each image", "import time\ntime.sleep(0.001 * len(X))"),
    _predicts("process", "1 MB printed in a call", LINES.format(count=11_000)),
    _predicts("process", "10 MB printed in a call", LINES.format(count=110_000)),
    _top("process", "2 MB printed in import", LINES.format(count=22_000)),
    _predicts("process", "a line for each image", 'for i in range(len(X)):\n    print(i, end="\\r")'),
    _predicts("process", "half a gigabyte, once", "held = np.ones(1 << 26)\nX = np.asarray(X)"),
    _predicts("process", "the whole set as doubles", "X = np.asarray(X).astype('float64')"),
    _predicts("process", "500 open files", "held = [open('/dev/null') for _ in range(500)]"),
    _top("process", "a global seed, and draws of it", "import random\nrandom.seed(0)\nnp.random.seed(0)\nORDER = np.random.permutation(8)"),
    _row("process", "weights in the text", {"model.py": page(init=f"self.centres = np.array({list(map(float, CENTRES))})")}),
]  # fmt: skip
