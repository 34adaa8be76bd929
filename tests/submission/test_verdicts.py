"""What `make-submission` says, held against how a bare worker ends it. See `verdicts.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from tests.submission.corpus.case import Case
from tests.submission.truths import Truth, Truths, old_rows
from tests.submission.verdicts import (
    NEW,
    WORKERS,
    Judged,
    Row,
    Said,
    judged,
    measure,
    measured,
    share,
    table,
    wrong_rows,
)
from tests.tables import begun

# One row or two for a kind of mistake; a few of them are in the normal suite.
TELLING = {
    *("Latin-1 in a comment", "def Model() as a factory", "module __getattr__", "predict is __call__"),
    *("helper utils from a folder on sys.path", "package model/__init__.py", "model.pyc alone, this Python"),
    *("whole floats", "(n, 1)", "tensor with __array__", "list of Python numbers", "one-hot of float32"),
    *("unseeded test-time augmentation", "numbers in reverse", "dice, seeded", "all basophils"),
    *("./model.py, as tar -a writes it", "model.py twice, the last is right", "../ of a file nobody opens"),
    *("from /app/ingested_program", "from /app/output", "predictions of last time", "writes beside model.py"),
    *("argparse with defaults", "1 MB printed in a call"),
}  # fmt: skip
FAST = {
    *("def Model() as a factory", "whole floats", "dice, seeded", "from /app/ingested_program"),
}
# By kind, at most: broken ones missed, hopeless ones not seen, false alarms. Only ever made smaller.
MOST = {
    "text": (0, 0, 0),
    "class": (0, 0, 0),
    "import": (0, 0, 0),
    "answer": (0, 0, 0),
    "again": (0, 0, 0),
    "weak": (0, 0, 0),
    "chance": (0, 0, 0),
    "generation": (1, 0, 0),  # a folder of the name that ingestion writes: no profile knows it
    "path": (0, 0, 1),  # the main script's folder: its name on the platform is not known
    "write": (0, 0, 0),
    "process": (0, 0, 1),  # os._exit after writing the platform's own file itself
    "zip": (0, 0, 0),
}
RIGHT, FAILS = Truth({"2026-03": 1.0, "2026-10": 1.0}), Truth({"2026-03": None, "2026-10": None})
ONE, DICE = Truth({"2026-03": 1.0, "2026-10": None}), Truth({"2026-03": 0.13, "2026-10": 0.13})
WEAK = Truth({"2026-03": 0.4, "2026-10": 0.4})
ERROR, WARNING = ("error", "S605", "predict failed"), ("warning", "S112", "metadata")
SCALE = ("error", "S708", "0.12 as fed now")
ROWS: list[tuple[Truth, list[tuple[str, str, str]], bool, Judged]] = [
    (RIGHT, [], True, "right"),
    (RIGHT, [WARNING], True, "right"),
    (RIGHT, [ERROR], True, "false alarm"),
    (RIGHT, [SCALE], True, "false alarm"),
    (WEAK, [SCALE], True, "apart"),
    (WEAK, [SCALE, ERROR], True, "false alarm"),
    (FAILS, [], True, "miss"),
    (FAILS, [WARNING], True, "miss"),
    (FAILS, [ERROR], True, "right"),
    (ONE, [], True, "silent"),
    (ONE, [WARNING], True, "right"),
    (ONE, [ERROR], True, "false alarm"),
    (DICE, [], True, "miss"),
    (DICE, [], False, "open"),
    (DICE, [SCALE], True, "right"),
]


@pytest.mark.parametrize(("truth", "findings", "data", "wanted"), ROWS)
def test_what_a_verdict_is_worth(
    truth: Truth, findings: list[tuple[str, str, str]], data: bool, wanted: Judged
) -> None:
    """Else the figures that the closing note shows count the wrong rows."""
    assert judged(Case("row", {}, data=data), truth, Said(findings)) == wanted


def test_each_row_has_a_name_of_its_own() -> None:
    """Else a row hides another one, and a renamed one leaves the telling ones unnoticed."""
    names = Counter(case.name for case in NEW)
    assert not [name for name, count in names.items() if count > 1]
    assert not TELLING - set(names)
    assert {case.kind for case in NEW} == set(MOST)
    assert len(NEW) >= 60


def test_the_table_counts_each_row_once() -> None:
    """Else a share of false alarms is of something else than it says."""
    case = Case("row", {}, data=True, kind="zip")
    rows = [Row(case, truth, Said(said)) for truth, said, data, _ in ROWS if data]
    assert table(rows)[-1].split() == ["all", "1/3", "1/2", "4/9", "1/3", "1"]
    assert sum(line.startswith("false alarm") for line in wrong_rows(rows)) == 4


def test_old_rows_that_it_can_decide() -> None:
    """Else the older tables would never meet the truth, or would need a network or Keras for it."""
    found = Counter(case.kind for case in old_rows())
    assert set(found) == {"old running", "old static", "old good"}
    assert not any(case.keras for case in old_rows())


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Row]]:
    """What a selected row came to."""
    here = [item for item in request.session.items if item.path == request.path]
    params = [item.callspec.params for item in here if hasattr(item, "callspec")]
    cases: Sequence[Case] = [given["case"] for given in params if "case" in given]
    truths = Truths()
    with begun(
        {case.name: case for case in cases}, partial(measured, truths=truths), WORKERS
    ) as found:
        yield found


def telling() -> list[object]:
    """The telling rows, all but a few marked slow."""
    rows = [case for case in NEW if case.name in TELLING]
    assert {case.name for case in rows} >= FAST
    return [pytest.param(c, marks=[] if c.name in FAST else [pytest.mark.slow]) for c in rows]


@pytest.mark.parametrize("case", telling(), ids=str)
def test_the_verdict_is_the_worker_s(case: Case, rows: Callable[[str], Row]) -> None:
    """Else a team is kept from uploading what scores, or uploads what fails."""
    row = rows(case.name)
    assert row.judged in ("right", "open", "apart"), "\n".join(wrong_rows([row]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOST)
def test_no_kind_gets_worse(kind: str) -> None:
    """Else a mended check sees less, or refuses more, and only the closing note's figures know."""
    found = list(measure([case for case in NEW if case.kind == kind], Truths()))
    missed, unseen, alarms = (
        share(found, {"wrong"}, "miss")[0],
        share(found, {"hopeless"}, "miss")[0],
        share(found, {"right", "one"}, "false alarm")[0],
    )
    assert all(a <= b for a, b in zip((missed, unseen, alarms), MOST[kind], strict=True)), (
        "\n".join(wrong_rows(found))
    )
