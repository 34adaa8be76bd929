"""Verdicts against the truth: what `make-submission` says of a row, and how a bare worker ends it.

    python -m tests.submission.verdicts [--rows new|old|all] [--kind zip] [--only NAME] [--keep FILE]

prints, by kind, what was caught and what was a false alarm, and lists the rows that are wrong. It
uses the public pieces of `submission` only, so that any checkout can be measured with it. --keep
holds the truths (by the zip's own hash), for the next checkout; two children run at a time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import Dataset, from_arrays
from codabench_rehearsal.rehearsal.check import check_open
from codabench_rehearsal.rehearsal.questions import silent
from codabench_rehearsal.rehearsal.rehearse import RunOptions
from submission.archive import Archive
from tests.submission.corpus import bare_answers, bare_server, bare_source, bare_zip
from tests.submission.corpus.case import Case
from tests.submission.corpus.pictures import labelled_images
from tests.submission.truths import Truth, Truths, old_rows

WORKERS = 2
EACH = 25  # labelled images of a class that the tool is given: 200 in all
NEAR = 0.9  # from this score on a diagnosis "scores as if broken" is a false alarm
DIAGNOSES = {"S708", "S709", "S716", "S610"}  # more are recognised by their messages
BY_CHANCE = ("guess", "chance", "one class", "constant")
Judged = Literal["right", "false alarm", "miss", "apart", "silent", "open"]
NEW = [*bare_source.CASES, *bare_answers.CASES, *bare_server.CASES, *bare_zip.CASES]


@dataclass(frozen=True)
class Said:
    """What the tool said: its findings as (severity, code, message), and how long it took (s)."""

    findings: list[tuple[str, str, str]]
    seconds: float = 0.0

    def of(self, severity: str) -> list[tuple[str, str]]:
        """Codes and messages of one severity."""
        return [(code, message) for kind, code, message in self.findings if kind == severity]


def judged(case: Case, truth: Truth, said: Said) -> Judged:
    """The verdict on a verdict.

    silent: scored by one generation only, and nothing but notes were said. apart: "scores as if
    broken" of a weak submission that is better than chance. open: hopeless, but no labels given.
    """
    errors = said.of("error")
    if truth.kind == "wrong":
        return "right" if errors else "miss"
    if truth.kind == "hopeless":
        return "right" if errors else ("miss" if case.data else "open")
    if not errors:
        return "silent" if truth.kind == "one" and not said.of("warning") else "right"
    weak = min(score for score in truth.scores.values() if score is not None) < NEAR
    return "apart" if weak and all(is_diagnosis(*error) for error in errors) else "false alarm"


def is_diagnosis(code: str, message: str) -> bool:
    """Whether an error is about the score, not about failing."""
    return code in DIAGNOSES or (code[:2] == "S7" and any(w in message for w in BY_CHANCE))


@cache
def _labelled() -> Dataset:
    return from_arrays(*labelled_images(EACH), source="the corpus")


def said_of(case: Case, path: Path) -> Said:
    """What `make-submission --check-only` says of a built zip, run for real."""
    started = time.monotonic()
    data = _labelled() if case.data or case.severity == "good" else None
    options = RunOptions(data=data, time_limit=case.seconds, server=False)
    profile = case.profile()
    try:
        with Archive(path) as archive:
            checked = check_open(archive, profile, options, shown=silent)
        found = [(str(f.severity), f.code, f.message) for f in checked.findings]
    except SubmissionError as error:
        found = [("error", "refused", str(error))]
    except Exception as error:  # noqa: BLE001  # a fault of the tool's is an answer, too
        found = [("error", "FAULT", f"{type(error).__name__}: {error}")]
    return Said(found, round(time.monotonic() - started, 2))


@dataclass(frozen=True)
class Row:
    """One row with its truth, what was said, and what that is worth."""

    case: Case
    truth: Truth
    said: Said

    @property
    def judged(self) -> Judged:
        """See `judged`."""
        return judged(self.case, self.truth, self.said)

    @property
    def expected_otherwise(self) -> bool:
        """Whether an old row asks for what the truth does not bear out."""
        if self.case.severity == "good":
            return self.truth.kind in ("wrong", "hopeless")
        return self.case.severity == "error" and self.truth.kind in ("right", "one")


def measured(case: Case, truths: Truths) -> Row:
    """One row, from its files to what is said of it."""
    with tempfile.TemporaryDirectory(prefix="verdicts-") as place:
        path = case.build(Path(place))
        return Row(case, truths.of(case, path), said_of(case, path))


def measure(cases: Sequence[Case], truths: Truths) -> Iterator[Row]:
    """All rows, two at a time, in their order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda case: measured(case, truths), cases)


def share(rows: Iterable[Row], kinds: set[str], wrong: str) -> tuple[int, int]:
    """How many rows of these classes were judged so, and how many there are."""
    of_kind = [row for row in rows if row.truth.kind in kinds and row.judged != "open"]
    return sum(row.judged == wrong for row in of_kind), len(of_kind)


def table(rows: Sequence[Row]) -> list[str]:
    """Caught and false alarms by kind, as text."""
    lines = [f"{'kind':<14}{'caught':>12}{'hopeless':>12}{'false alarms':>15}{'one silent':>12}{'apart':>7}"]  # fmt: skip
    kinds = list(dict.fromkeys(row.case.kind for row in rows))
    for kind in [*kinds, "all"]:
        some = [row for row in rows if kind in (row.case.kind, "all")]
        missed, wrong = share(some, {"wrong"}, "miss")
        unseen, hopeless = share(some, {"hopeless"}, "miss")
        alarms, sound = share(some, {"right", "one"}, "false alarm")
        silent_, one = share(some, {"one"}, "silent")
        apart = sum(row.judged == "apart" for row in some)
        figures = (f"{wrong - missed}/{wrong}", f"{hopeless - unseen}/{hopeless}", f"{alarms}/{sound}", f"{silent_}/{one}")  # fmt: skip
        lines.append(f"{kind:<14}{figures[0]:>12}{figures[1]:>12}{figures[2]:>15}{figures[3]:>12}{apart:>7}")  # fmt: skip
    return lines


def wrong_rows(rows: Sequence[Row]) -> list[str]:
    """The rows that are not right, with the truth and what was said."""
    lines = []
    for row in rows:
        if row.judged in ("right", "open"):
            continue
        said = "; ".join(f"{c} {m[:90]}" for c, m in row.said.of("error")) or "no error"
        lines += [f"{row.judged}: {row.case} [{row.case.kind}]", f"    truth: {row.truth}", f"    said:  {said}"]  # fmt: skip
    return lines


def contradicted(rows: Sequence[Row]) -> list[str]:
    """Old rows whose expectation is not what the worker does."""
    return [
        f"{row.case} [{row.case.kind}] expects {row.case.severity} {' '.join(row.case.expected)}; truth: {row.truth}"
        for row in rows
        if row.case.kind.startswith("old") and row.expected_otherwise
    ]


def chosen(options: argparse.Namespace) -> list[Case]:
    """The rows that are asked for."""
    cases = {"new": NEW, "old": old_rows(), "all": [*NEW, *old_rows()]}[options.rows]
    kinds, names = options.kind, options.only
    return [
        case for case in cases
        if (not kinds or case.kind in kinds) and (not names or any(name in case.name for name in names))
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say with the exit code whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="verdicts", description=__doc__)
    parser.add_argument("--rows", choices=("new", "old", "all"), default="new")
    parser.add_argument("--kind", action="append", help="only rows of this kind")
    parser.add_argument("--only", action="append", help="only rows whose name has this in it")
    parser.add_argument("--keep", type=Path, help="file of truths, read and written")
    parser.add_argument("--python", default=sys.executable, help="runs the worker's ingestion")
    parser.add_argument("--json", type=Path, help="write every row there")
    options = parser.parse_args(argv)
    started, rows = time.monotonic(), []
    for row in measure(chosen(options), Truths(options.keep, options.python)):
        rows.append(row)
        print(f"{row.judged:<12}{row.truth.kind:<10}{row.said.seconds:6.1f} s  {row.case}", file=sys.stderr)  # fmt: skip
    if options.json:
        held = [{"name": r.case.name, "kind": r.case.kind, "judged": r.judged, "truth": asdict(r.truth), "said": asdict(r.said)} for r in rows]  # fmt: skip
        options.json.write_text(json.dumps(held, indent=1))
    print("\n".join([*wrong_rows(rows), "", *contradicted(rows), "", *table(rows)]))
    print(f"{len(rows)} rows in {time.monotonic() - started:.0f} s; by class: {dict(Counter(r.truth.kind for r in rows))}")  # fmt: skip
    return int(any(row.judged not in ("right", "open", "apart") for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
