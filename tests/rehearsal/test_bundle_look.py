"""What is told of a submission to a bundle before anything runs, beside what a run of it says."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.fallback import why_no_places
from codabench_rehearsal.commands.challenge_show import interfaces
from codabench_rehearsal.rehearsal.bundle.look import look
from codabench_rehearsal.rehearsal.bundle.scoring_reads import reads_of
from submission.archive import Archive
from submission.findings import Finding
from tests.challenge.worker.bundles import (
    BOTH,
    UPPER,
    bundle,
    figures,
    program,
    ran,
    reason,
    zipped,
)
from tests.rehearsal.submissions import CLASS, FUNCTION, SOUND_CASES, WRONG_CASES, Case
from tests.sandbox.children import linux_only
from tests.tables import thinned

EVERY = (*SOUND_CASES, *WRONG_CASES)


def looked_at(place: Path, case: Case, image: str = "") -> list[Finding]:
    """What is found, notes left out."""
    made = replace(bundle(place, program(case.program)), image=image or "somebody/image:1")
    with Archive(zipped(place, case.files)) as archive:
        found = look(archive, made, made.phases[0], "2026-10")
    return [one for one in found if one.severity != "note"]


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_what_is_read(tmp_path: Path, case: Case) -> None:
    """Else a zip that fails is called right, or a good one is called wrong."""
    found = looked_at(tmp_path, case)
    told = {f"{one.code}{'?' if one.is_unknown else ''}" for one in found}
    assert told == set(case.codes.split()), found


@linux_only
@pytest.mark.parametrize("case", thinned(EVERY), ids=lambda case: case.name)
def test_a_run_agrees(tmp_path: Path, case: Case) -> None:
    """Else the table above believes what the platform refutes."""
    if why_no_places():
        pytest.skip("no folder can be shown at /app here")
    made = bundle(tmp_path, program(case.program))
    result = ran(made, tmp_path, "2026-10", case.files)
    assert result.status == case.ends, (reason(result), result.tasks[0].jobs)


PY37, PY312, UNKNOWN = "codalab/codalab-legacy:py37", "codalab/codalab-legacy:py312", "own/image:2"
WALRUS = "def predict(X):\n    return (y := X.upper())\n"
MATCH = "def predict(X):\n    match X:\n        case _:\n            return X\n"
TORCH = "import torch\ndef predict(X):\n    return X\n"
IMAGES = (
    (PY37, WALRUS, "S206"),
    (PY312, WALRUS, ""),
    (UNKNOWN, WALRUS, ""),
    (PY37, MATCH, "S206"),
    (PY312, MATCH, ""),
    (PY37, TORCH, "S211"),
    (PY312, TORCH, "S211"),
    (UNKNOWN, TORCH, ""),
    (PY312, "import sklearn, numpy, os\ndef predict(X):\n    return X\n", ""),
    (PY312, f"try:\n    import torch\nexcept ImportError:\n    torch = None\n{UPPER}", ""),
    (PY312, f"def unused():\n    import torch\n{UPPER}", ""),
    (PY37, f"import somethingelse\n{UPPER}", ""),
    (PY312, f"import somethingelse\n{UPPER}", "S211"),
)


@pytest.mark.parametrize(("image", "code", "codes"), IMAGES)
def test_what_the_image_has(tmp_path: Path, image: str, code: str, codes: str) -> None:
    """Else a package or a syntax that the image lacks is seen on the platform first."""
    found = looked_at(tmp_path, Case("", FUNCTION, {"model.py": code}), image)
    assert [f"{one.code}{'?' if one.is_unknown else ''}" for one in found] == codes.split(), found


def test_what_the_program_brings_is_not_missed(tmp_path: Path) -> None:
    """Else a submission is told to pack what lies beside the ingestion program."""
    code = f"import helpers, problem, torch, data_tools\n{UPPER}"
    ingestion = {**program(f"import torch\n{FUNCTION}"), "helpers.py": "", "problem/x.py": ""}
    made = bundle(tmp_path, ingestion, data={"x": "abCD", "lib/data_tools.py": ""})
    made = replace(made, image=PY312)
    with Archive(zipped(tmp_path, {"model.py": code})) as archive:
        assert look(archive, made, made.phases[0]) == []


def test_programs_that_install_may_install_that_too(tmp_path: Path) -> None:
    """Else a package is called missing that pip installs before the module is imported."""
    pip = "import subprocess\nsubprocess.run(['pip', 'install', '-r', 'requirements.txt'])\n"
    assert looked_at(tmp_path, Case("", pip + FUNCTION, {"model.py": TORCH}), PY312) == []


@linux_only
@pytest.mark.parametrize("worker", BOTH)
def test_predictions_need_no_module(tmp_path: Path, worker: Worker) -> None:
    """Else predictions that the platform scores are refused for want of a model.py."""
    made = bundle(tmp_path, program(CLASS))
    zip_path = zipped(tmp_path, {"predictions": "ABcd"})
    with Archive(zip_path) as archive:
        assert look(archive, made, made.phases[0], worker) == []
    if why_no_places():
        pytest.skip("no folder can be shown at /app here")
    assert figures(ran(made, tmp_path, worker, zip_path)) == {"accuracy": 1.0}


OPENS = "import os, sys\n{}\nopen('/app/output/scores.json', 'w').write('{{\"accuracy\": 1}}')\n"
JOINED = "open(os.path.join('/app/input', 'res', 'answer.csv'))"
BASED = "pred_dir = sys.argv[1]\nname = 'answer'\nopen(f'{pred_dir}/{name}.csv')"
ASKED = "p = '/app/input/res/answer.csv'\nif os.path.exists(p):\n    open(p)"
TRYING = "try:\n    open('/app/input/res/answer.csv')\nexcept OSError:\n    pass"
OF_ALL = "for name in os.listdir('/app/input/res'):\n    open('/app/input/res/' + name)"
PATHS = (
    "from pathlib import Path\nRES = Path('/app/input') / 'res'\n(RES / 'answer.csv').read_text()"
)
OPTIONS = (
    "import argparse\np = argparse.ArgumentParser()\n"
    "p.add_argument('--pred-dir', default='/app/input/res')\na = p.parse_args()\n"
    "open(os.path.join(a.pred_dir, 'answer.csv'))"
)
TRUTH = "truth_dir = sys.argv[1]\nopen(truth_dir + '/labels.csv')"
RESULTS = (
    *((code, "answer.csv", "") for code in (JOINED, PATHS, OPTIONS)),
    *((code, "other.csv", "S801") for code in (JOINED, PATHS, OPTIONS)),
    (JOINED, "mine/answer.csv", "S801"),
    (JOINED, "Answer.csv", "S801"),
    *((code, "other.csv", "") for code in (ASKED, TRYING, OF_ALL)),
)


@linux_only
@pytest.mark.parametrize(("code", "name", "codes"), RESULTS)
def test_files_that_scoring_opens(tmp_path: Path, code: str, name: str, codes: str) -> None:
    """Else predictions under another name fail on the platform."""
    made = bundle(tmp_path, None, program(OPENS.format(code)))
    zip_path = zipped(tmp_path, {name: "1"})
    with Archive(zip_path) as archive:
        found = look(archive, made, made.phases[0])
    assert [one.code for one in found] == codes.split(), found
    if why_no_places():
        pytest.skip("no folder can be shown at /app here")
    assert ran(made, tmp_path, "2026-10", zip_path).status == ("Failed" if codes else "Finished")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (JOINED, ["answer.csv"]),
        (BASED, ["answer.csv"]),
        (TRUTH, []),
        ("import os\ndef f(res_dir, k):\n    open(f'{res_dir}/set_{k}.npy')", ["set_*.npy"]),
        ('"""reads /app/input/res/nothing.csv"""', []),
        ("x = 'input/ref/labels.csv'", []),
    ],
)
def test_names_are_told_as_far_as_they_stand_there(
    tmp_path: Path, code: str, names: list[str]
) -> None:
    """Else a participant packs a file that nobody opens."""
    made = bundle(tmp_path, None, program(code if code.startswith('"') else OPENS.format(code)))
    [task] = made.tasks
    assert task.scoring is not None
    reads = reads_of(task.scoring)
    assert [one.name for one in reads.files] == names
    assert reads.only == (names[0] if names and "*" not in names[0] else "")


def _encrypted(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + at] |= 1
    path.write_bytes(data)


def _damaged(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"upper", b"lower", 1))


def _with(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(name, "x")

    return add


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.bin", bytes(120 << 20))


ZIPS: tuple[tuple[Callable[[Path], None], str], ...] = (
    (_encrypted, "S106"),
    (_damaged, "S107"),
    (_bomb, "S105"),
    (_with("/tmp/x"), "S104"),
    (_with("../x"), "S104"),
    (_with("__MACOSX/._model.py"), "S110"),
    (_with("model.py/x"), "S119"),
    (_with("predictions"), "S113"),
)


@pytest.mark.parametrize(("change", "code"), ZIPS)
def test_what_any_platform_punishes(
    tmp_path: Path, change: Callable[[Path], None], code: str
) -> None:
    """Else a damaged or odd zip is found out by its upload."""
    made = bundle(tmp_path, program(FUNCTION))
    path = zipped(tmp_path, {"model.py": UPPER})
    change(path)
    with Archive(path) as archive:
        found = look(archive, made, made.phases[0], "2026-10")
    assert [one.code for one in found] == [code], found


def test_an_empty_zip_is_told_in_words_of_any_challenge(tmp_path: Path) -> None:
    """Else somebody with scikit-learn is told to pack Keras weights."""
    made = bundle(tmp_path, program(CLASS))
    for files in ({}, {"README.md": ""}):
        with Archive(zipped(tmp_path, files)) as archive:
            found = look(archive, made, made.phases[0])
        assert [one.severity for one in found] == ["error"]
        assert "weights" not in found[0].advice.lower()


def test_tasks_that_ask_alike_are_told_once(tmp_path: Path) -> None:
    """Else ten tasks tell one mistake ten times."""
    made = bundle(tmp_path, program(CLASS), copies=3)
    with Archive(zipped(tmp_path, {"model.py": "x = 1\n"})) as archive:
        found = look(archive, made, made.phases[0])
    assert [one.code for one in found] == ["S202"]
    assert "main.py:6" in found[0].message


def test_show_and_look_ask_for_the_same(tmp_path: Path) -> None:
    """Else `show` says one form of a submission, and the check wants another."""
    for case in EVERY:
        folder = tmp_path / case.name
        made = bundle(folder, program(case.program))
        [interface] = interfaces(made).values()
        with Archive(zipped(folder, {"else.py": ""})) as archive:
            found = look(archive, made, made.phases[0])
        asked = f"{interface.module.replace('.', '/')}.py"
        assert all(asked in one.message for one in found if one.code == "S102"), case.name


def test_nothing_of_a_submission_is_executed(tmp_path: Path) -> None:
    """Else looking at somebody's zip runs it."""
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\n{UPPER}"
    looked_at(tmp_path, Case("", FUNCTION, {"model.py": code}))
    assert not (tmp_path / "ran").exists()


SKLEARN = "from sklearn.base import BaseEstimator, ClassifierMixin\n"
TORCH_NN = "import torch.nn as nn\n"
FITS = "    def fit(self, X, y):\n        return self\n"
PREDICTS = "    def predict(self, X):\n        return X\n"
BASES = (
    (f"{SKLEARN}class Model(BaseEstimator, ClassifierMixin):\n{FITS}{PREDICTS}", ""),
    (f"{SKLEARN}class Model(BaseEstimator, ClassifierMixin):\n{FITS}", "S204"),
    (f"{SKLEARN}class Model(BaseEstimator):\n    def __init__(self, n):\n        self.n = n\n{FITS}{PREDICTS}", "S203"),
    (f"{TORCH_NN}class Model(nn.Module):\n{FITS}{PREDICTS}", ""),
    (f"{TORCH_NN}class Model(nn.Module):\n{FITS}", "S204"),
    ("from sklearn.svm import SVC\nclass Model(SVC):\n    pass\n", ""),
    ("from sklearn.svm import SVC as Model\n", ""),
)  # fmt: skip


@pytest.mark.parametrize(("code", "codes"), BASES)
def test_bases_of_known_packages(tmp_path: Path, code: str, codes: str) -> None:
    """Else most submissions, which derive from BaseEstimator, are looked at in vain."""
    found = looked_at(tmp_path, Case("", CLASS, {"model.py": code}))
    assert [one.code for one in found] == codes.split(), found
