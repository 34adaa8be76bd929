"""Submissions that do not come back, take too much, or break what is around them: a run finds it.

Every bomb is capped (200 processes, 3 GiB of memory, 1 GiB of disk), so that a guard that fails
harms nobody.
"""

from __future__ import annotations

from tests.submission.corpus.case import INIT, PREDICT, Case, files, page

FORKS = """
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
"""
MEMORY = """
held = []
for _ in range(96):
    held.append(np.ones(1 << 22))
"""
CHILDREN_EAT = """
import subprocess, sys
eat = "import time; x = bytearray(b'1') * (1 << 29); time.sleep(20)"
children = [subprocess.Popen([sys.executable, "-c", eat]) for _ in range(4)]
for child in children:
    child.wait()
"""
FLOOD = """
import sys
for _ in range(1 << 14):
    sys.{stream}.write("x" * (1 << 16) + "\\n")
"""
DISK = """
import tempfile
with tempfile.TemporaryFile() as file:
    for _ in range(1 << 10):
        file.write(b"1" * (1 << 20))
    file.flush()
"""
SHARED_MEMORY = """
import os
name = f"/dev/shm/corpus-{os.getpid()}"
try:
    with open(name, "wb") as file:
        for _ in range(1 << 10):
            file.write(b"1" * (1 << 20))
finally:
    os.unlink(name)
"""
OPEN_FILES = "held = [open('/dev/null') for _ in range(100_000)]"
THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=(300,)).start()
"""
CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    time.sleep(1)
"""
LOCK = """
import threading
lock = threading.Lock()
with lock, lock:
    pass
"""
SEGFAULT = "import ctypes; ctypes.string_at(0)"
KILL_PARENT = "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(30)"
FAKE = """
import json, os
for folder in ("/app/output", "output", "."):
    try:
        for i in range(8):
            np.save(os.path.join(folder, f"answers-{i:04d}.npy"), np.zeros(len(X), dtype="int64"))
        with open(os.path.join(folder, "status.json"), "w") as file:
            json.dump({"stage": "done", "block": 7}, file)
    except OSError:
        pass
os._exit(0)
"""
NETWORK = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1).close()
except OSError:
    pass
"""
DOWNLOAD = """
import urllib.request
urllib.request.urlopen("http://192.0.2.1/weights.npy", timeout=2)
"""
ESCAPES = 'print("\\x1b[2J\\x1b[H\\x1b]0;all fine\\x07\\x1b[32mready to upload\\x1b[0m")'
REMOVE = 'import os; os.remove(Path(__file__).parent / "weights.npy")'
OVERWRITE = '(Path(__file__).parent / "weights.npy").write_bytes(b"")'
LOOSE = f"{INIT}\nself.calls = 0"


def _runs(name: str, model: str, *expected: str, **fields: object) -> Case:
    return Case(name, files(model), expected, run=True, **fields)  # type: ignore[arg-type]  # as Case has them


def _predicts(name: str, before: str, *expected: str, **fields: object) -> Case:
    return _runs(name, page(f"{before}\n{PREDICT}"), *expected, **fields)


def _starts(name: str, before: str, *expected: str, **fields: object) -> Case:
    return _runs(name, page(init=f"{INIT}\n{before}"), *expected, **fields)


def _imports(name: str, top: str, *expected: str, **fields: object) -> Case:
    return _runs(name, page(top=top), *expected, **fields)


CASES: list[Case] = [
    # it raises
    _imports("crash in import", "raise RuntimeError('no GPU')", "S601", advice="The last line of the traceback says what stopped it"),
    _imports("exit in import", "import sys; sys.exit(0)", "S601", advice="sys.exit() ends"),
    _imports("assert in import", "assert Path('/content').exists(), 'run this in Colab'", "S601", advice="The last line of the traceback says what stopped it"),
    _imports("file read in import", "settings = open(Path(__file__).with_suffix('.json')).read()", "S601", advice="correct its name"),
    _imports("no such attribute of numpy", "kind = np.float_128_not_there", "S601", advice="an installed package does"),
    _runs("class removed again", page(end="del Model"), "S602", advice="Define the class with this very name"),
    _runs("class is no class", page(end="Model = 8"), "S603|S602", advice="The last line of the traceback says what stopped it"),
    _starts("crash in init", "raise ValueError('wrong shape')", "S603", advice="The last line of the traceback says what stopped it"),
    _starts("weights' name computed", "np.load(Path(__file__).parent / ('best' + str(3) + '.npy'))", "S603", advice="correct its name"),
    _starts("exit in init", "import sys; sys.exit(1)", "S603", advice="sys.exit() ends"),
    _runs("method removed again", page(end="del Model.predict"), "S604", advice="Define it"),
    _predicts("crash in predict", "raise IndexError('list index out of range')", "S605", advice="The last line of the traceback says what stopped it"),
    _predicts("exit in predict", "import sys; sys.exit()", "S605", advice="sys.exit() ends"),
    _predicts("endless recursion", "return self.predict(X)", "S605", advice="It calls itself without an end"),
    _predicts("divides whole numbers in place", "X /= 255.0", "S605", advice="X is uint8 and cannot hold the result"),
    _predicts("changes directory, then reads", "import os; os.chdir('/')\nopen('weights.npy').close()", "S605", advice="Open the weights beside the file"),
    _predicts("expects one size of batch", "assert len(X) % 32 == 0, 'batches of 32'", "S605|S702", advice="The last line of the traceback says what stopped it"),
    _predicts("squeezes a batch of one", "X = X.squeeze()\nassert X.ndim == 4", "S605|S702", severity="warning", advice="squeeze() without an axis"),
    _predicts("100,000 open files", OPEN_FILES, "S605", advice="Close what you open"),
    # it never comes back
    _imports("hang in import", "while True: pass", "S607", seconds=6, advice="still loading"),
    _starts("hang in init", "import time; time.sleep(1e6)", "S607", seconds=6, advice="still loading"),
    _predicts("hang in predict", "import time; time.sleep(1e6)", "S607", seconds=6, advice="Predict in larger batches"),
    _predicts("hang, deaf to signals", DEAF, "S607", seconds=6, advice="Predict in larger batches"),
    _predicts("locks itself out", LOCK, "S607", seconds=6, advice="Predict in larger batches"),
    _predicts("sleeps past the limit by a second", "import time; time.sleep(6)", "S607|S706", seconds=5, advice="Predict in larger batches"),
    _predicts("slow, an image at a time", "import time; time.sleep(0.02 * len(X))", "S706|S607", seconds=30, advice="Predict in larger batches"),
    # it takes too much
    _predicts("fork bomb", FORKS, "S611", seconds=60, advice="Do not fork inside a submission"),
    _imports("fork bomb in import", FORKS, "S611", seconds=60, advice="Do not fork inside a submission"),
    _predicts("memory bomb", MEMORY, "S608|S605|S609", memory=1 << 30, advice="Predict in batches"),
    _predicts("memory bomb in children", CHILDREN_EAT, "S608|S609", memory=1 << 30, seconds=60, advice="Predict in batches"),
    _predicts("memory grows with the images", "x = np.ones((len(X), 1 << 17)); x += 1", "S707|S608|S605", memory=1 << 30, advice="Predict in batches"),
    _predicts("output flood", FLOOD.format(stream="stdout"), "S612", seconds=60, advice="Print less"),
    _predicts("error flood", FLOOD.format(stream="stderr"), "S612", seconds=60, advice="Print less"),
    _predicts("writes without end", DISK, "S613|S605", seconds=60, advice="Write less"),
    _predicts("fills the shared memory", SHARED_MEMORY, "S613|S605|S608|S609", seconds=60, advice="Write less"),
    # it ends the process
    _predicts("os._exit(0) in predict", "import os; os._exit(0)", "S609", advice="os._exit or exit() ends"),
    _imports("os._exit(0) in import", "import os; os._exit(0)", "S609", advice="os._exit or exit() ends"),
    _predicts("kills itself", "import os; os.kill(os.getpid(), 9)", "S609", advice="most often the system's memory killer"),
    _predicts("crashes in native code", SEGFAULT, "S609", advice="Native code crashed"),
    _predicts("an alarm ends it", "import signal, time; signal.alarm(1); time.sleep(5)", "S609", advice="Something ended Python itself"),
    _predicts("kills its parent", KILL_PARENT, "S609|S607|S605|S600", seconds=30, advice="Predict in larger batches"),
    _starts("closes every file", "import os; os.closerange(0, 256)", "S609|S603|S605|S606|S600|S615", advice="Leave the streams open"),
    _predicts("fakes its answers", FAKE, "S609|S606", advice="os._exit or exit() ends"),
    # it leaves something behind, or reaches out
    _starts("leaves a thread", THREAD, "S710", severity="warning", advice="End them before predict returns"),
    _starts("leaves a child process", CHILD, "S710", severity="warning", advice="End them before predict returns"),
    _predicts("tries the network", NETWORK, "S711", severity="warning", advice="Put what it fetches into the zip"),
    _starts("downloads its weights", DOWNLOAD, "S603", "S216", advice="There is no network here"),
    _predicts("terminal escapes", ESCAPES, "S712", severity="warning", advice="Print plain text"),
    _runs("deletes its weights", page(init=f"{INIT}\n{REMOVE}"), "S713|S603|S605", severity="warning", advice="Leave the shipped files alone"),
    _runs("empties its weights", page(init=f"{INIT}\n{OVERWRITE}"), "S713|S603|S605", severity="warning", advice="Leave the shipped files alone"),
    _runs("relative weights, program's folder", page(init='self.centres = np.load("weights.npy")'), "S306", "S705", severity="warning", advice="Open files beside model"),
]  # fmt: skip
