"""What an ingestion program takes from a submission, as its source tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.challenge.program_source.interface import read_interface

PATH = "import sys\nsys.path.append(sys.argv[1])\n"
ONE = "from model import Model\nm = Model()\nm.fit(X, y)\nm.predict(X)\n"
FUNCTION = """
def main(folder):
    from submission import get_model
    model = get_model()
    model.fit(X, y)
    evaluate(model, X)

def evaluate(fitted, X):
    return fitted.predict(X)
"""
ATTRIBUTE = """
class Ingestion:
    def __init__(self, Model):
        self.model = Model(train_set=self.train)

    def run(self):
        self.model.fit()
        return self.model.predict(self.test)

def main():
    from model import Model
    Ingestion(Model).run()
"""
LOADED = """
import importlib.util
def load(folder):
    path = folder / "submission.py"
    spec = importlib.util.spec_from_file_location("sub", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_model()
model = load(FOLDER)
model.predict(X)
"""
CONSTANT = "import importlib\nNAME = 'solver'\nm = importlib.import_module(NAME)\nm.solve(X)\n"
RUN = "import runpy\ng = runpy.run_path('/app/ingested_program/main.py')\ng['predict'](X)\n"
NAMED = "import importlib\nm = importlib.import_module('agent')\na = m.Agent(3)\na.act(s)\n"
STRANGE = f"import numpy\n{PATH}from nas import NAS\nnet = NAS(loader)\nnet.search()\n"
PREDICTIONS = "from submission import get_predictions\np = get_predictions(X)\np.to_csv('p')\n"
GIVEN = """
def build():
    from solution.submission import get_model as make
    return make()
net = build()
net(X)
"""
# program -> the module, its names, how they are called, the methods.
PROGRAMS: tuple[tuple[str, str, str, tuple[str, ...], list[str], list[str]], ...] = (
    ("a class", ONE, "model", ("Model",), ["Model()"], ["fit", "predict"]),
    ("a name in a constant", CONSTANT, "solver", ("solve",), ["solve(X)"], []),
    ("a file that is run", RUN, "main", (), [], []),
    ("a function", FUNCTION, "submission", ("get_model",), ["get_model()"], ["fit", "predict"]),
    ("an attribute", ATTRIBUTE, "model", ("Model",), ["Model(train_set=self.train)"], ["fit", "predict"]),
    ("loaded", LOADED, "submission", ("get_model",), ["get_model()"], ["predict"]),
    ("by its name", NAMED, "agent", ("Agent",), ["Agent(3)"], ["act"]),
    ("a name of its own", STRANGE, "nas", ("NAS",), ["NAS(loader)"], ["search"]),
    ("predictions", PREDICTIONS, "submission", ("get_predictions",), ["get_predictions(X)"], []),
    ("given on", GIVEN, "solution.submission", ("get_model",), ["get_model()"], ["__call__"]),
    ("nothing", "import numpy as np\nprint(np.zeros(3))\n", "", (), [], []),
    ("packages alone", "def f():\n    import torch, sklearn.model_selection\n", "", (), [], []),
    ("no Python", "from model import (\n", "", (), [], []),
)  # fmt: skip


@pytest.mark.parametrize(
    ("code", "module", "names", "made", "methods"),
    [row[1:] for row in PROGRAMS],
    ids=[row[0] for row in PROGRAMS],
)
def test_what_a_program_asks_for(
    tmp_path: Path,
    code: str,
    module: str,
    names: tuple[str, ...],
    made: list[str],
    methods: list[str],
) -> None:
    """Else a participant builds a zip of another form than the challenge asks for."""
    (tmp_path / "ingestion.py").write_text(code, encoding="utf-8")
    found = read_interface(tmp_path)
    assert (found.module, found.names) == (module, names)
    assert [str(one) for one in found.made] == made
    assert sorted({one.name for one in found.methods}) == sorted(methods)


def test_places_lead_to_the_lines(tmp_path: Path) -> None:
    """Else nobody can look up what was read."""
    (tmp_path / "ingestion.py").write_text(ONE, encoding="utf-8")
    found = read_interface(tmp_path)
    places = [one.place for one in found.imports]
    places += [one.place for one in (*found.made, *found.methods)]
    assert places == [f"ingestion.py:{line}" for line in (1, 2, 3, 4)]


def test_a_module_of_the_program_itself_is_no_submission(tmp_path: Path) -> None:
    """Else a participant is told to write what the organiser has written."""
    (tmp_path / "ingestion.py").write_text(ONE, encoding="utf-8")
    (tmp_path / "model.py").write_text("class Model: pass\n", encoding="utf-8")
    assert read_interface(tmp_path).imports == ()


def test_nothing_is_imported(tmp_path: Path) -> None:
    """Else somebody's program runs on the user's machine, unasked."""
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\n{ONE}"
    (tmp_path / "ingestion.py").write_text(code, encoding="utf-8")
    assert read_interface(tmp_path).module == "model"
    assert not (tmp_path / "ran").exists()


def test_arguments_that_nobody_could_print(tmp_path: Path) -> None:
    """Else a sum of a thousand terms in somebody's program ends `show` with a traceback."""
    code = ONE.replace("predict(X)", f"predict({'+'.join(['X'] * 800)})")
    (tmp_path / "ingestion.py").write_text(code, encoding="utf-8")
    assert [one.name for one in read_interface(tmp_path).methods] == ["fit", "predict"]


def test_a_model_among_the_data_is_no_submission(tmp_path: Path) -> None:
    """Else who may send in data is told to write the model that they are tried with."""
    program, data = tmp_path / "program", tmp_path / "data"
    for folder, name, text in ((program, "ingestion.py", PATH + ONE), (data, "model.py", "")):
        folder.mkdir()
        (folder / name).write_text(text + "from data import Data\n", encoding="utf-8")
    assert read_interface(program).module == "model"
    found = read_interface(program, data)
    assert (found.module, found.names) == ("data", ("Data",))
