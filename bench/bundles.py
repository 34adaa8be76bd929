"""Public bundles under our worker: `python -m bench.bundles --bundles FOLDER --out FOLDER`.

FOLDER holds a folder a repository, named OWNER+NAME, as a clone or an archive leaves it; the list
is `../shared/facts/bundles.csv`. Each bundle that is there is read, checked, and run without docker
with its own sample submission, else with a few lines of ours (`bundles_models.py`); data that a
repository lacks are drawn to the shapes that its programs read (`bundles_data.py`). `--write` puts
the table into docs/challenges_tried.md. Nothing of theirs is kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.bundles_cost import empty_job
from bench.bundles_data import DRAWN
from bench.bundles_known import LACKS, OLD, PROGRAMS, SAMPLES
from bench.bundles_models import SUBMISSIONS
from bench.bundles_reference import compared, sentence
from bench.bundles_table import Tried, document
from bench.demonstration_report import put_into
from codabench_rehearsal.challenge.bundle import Bundle, Task, read_bundle
from codabench_rehearsal.challenge.checks.subject import BundleFinding, check_bundle
from codabench_rehearsal.challenge.program_source.interface import read_interface
from codabench_rehearsal.challenge.worker.environment import Wanted, machine_for
from codabench_rehearsal.challenge.worker.outcome import Ran
from codabench_rehearsal.challenge.worker.submission import run_submission
from codabench_rehearsal.console.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT.parent / "shared" / "facts" / "bundles.csv"
PAGE = ROOT / "docs" / "challenges_tried.md"
SECONDS = 240  # of a program at most here, whatever the phase allows
LARGEST = 50 << 20  # bytes of a submission's file
_USUAL = ("sample_code", "solution", "sample", "starting_kit/submission", "submission", "baseline")


def main(argv: Sequence[str] | None = None) -> int:
    """Try them all."""
    options = _parser().parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, title, manifest in _listed(options.list, options.bundles):
        if options.only and not any(one in name for one in options.only):
            continue
        python = options.old_python if name in OLD and options.old_python else options.python
        tried = _tried(name, title, manifest, python)
        (options.out / f"{name.replace('/', '+')}.json").write_text(json.dumps(asdict(tried)))
        print(f"{name}: {tried.lacks or tried.verdict} {tried.words} {tried.why}", flush=True)
    kept = [Tried(**json.loads(path.read_text())) for path in sorted(options.out.glob("*.json"))]
    if options.write:
        with tempfile.TemporaryDirectory(prefix="bundle-") as place:
            start = empty_job(Path(place), options.python)
        same = sentence(list(compared(options.bundles, options.python)))
        put_into(PAGE, document(kept, start, same).strip("\n"), "bench.bundles")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--bundles", type=Path, required=True)
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--list", type=Path, default=LIST)
    made.add_argument("--python", default=sys.executable, help="runs the programs")
    made.add_argument("--old-python", help="the same, for what pandas before 2 is needed for")
    made.add_argument("--only", action="append", metavar="NAME")
    made.add_argument("--write", action="store_true")
    return made


def _listed(file: Path, bundles: Path) -> Iterator[tuple[str, str, Path]]:
    """Name, title and manifest of each code bundle on the list."""
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["ingestion"] == "True":
                folder = bundles / row["repo"].replace("/", "+")
                inside = Path(row["competition_yaml"])
                name = "/".join((row["repo"], *inside.parent.parts))
                yield name, row["title"].strip(' "'), folder / inside


def _tried(name: str, title: str, manifest: Path, python: str) -> Tried:
    tried = Tried(name, title)
    if not manifest.is_file():
        return replace(tried, lacks="the repository is not here")
    try:
        tried.errors = [f"{f.code} {f.message}" for f in _errors(manifest.parent)]
        with tempfile.TemporaryDirectory(prefix="bundle-") as place:
            _run(tried, manifest, Path(place), python)
    except (UserError, OSError) as error:
        tried.verdict, tried.words = "Refused", str(error)
    return tried


def _errors(folder: Path) -> list[BundleFinding]:
    return [one for one in check_bundle(folder) if one.severity == "error"]


def _run(tried: Tried, manifest: Path, place: Path, python: str) -> None:
    bundle = read_bundle(manifest.parent, place / "unpacked")
    bundle, tried.data = _filled(tried.name, bundle, manifest.parent, place)
    if lacks := LACKS.get(tried.name):
        tried.lacks = lacks
        return
    phase = replace(bundle.phases[0], seconds=min(bundle.phases[0].seconds, SECONDS))
    archive = place / "submission.zip"
    tried.submission = _submission(tried.name, bundle, manifest.parent, archive)
    wanted = Wanted(python=python, submission=archive)
    machine, notes = machine_for(bundle, phase, wanted, print)
    tried.notes = notes
    ran = run_submission(bundle, archive, phase, "2026-10", machine)
    tried.verdict, tried.words, tried.seconds = _verdict(ran), ran.message, ran.seconds
    if tried.verdict == "Failed":
        tried.older = _verdict(run_submission(bundle, archive, phase, "2026-03", machine))
    tried.dropped = sorted({key for task in ran.tasks for key in task.dropped})
    tried.why = "; ".join(dict.fromkeys(_reasons(ran)))
    tried.scores = {score.key: score.value for score in ran.scores}
    tried.overheads = [
        job.seconds - max([step.seconds or 0.0 for step in job.steps], default=0.0)
        for task in ran.tasks
        for job in task.jobs
    ]


def _verdict(ran: Ran) -> str:
    """Of several tasks the site says Finished; here one that failed counts."""
    return "Failed" if any(task.status == "Failed" for task in ran.tasks) else ran.status


def _filled(name: str, bundle: Bundle, folder: Path, place: Path) -> tuple[Bundle, str]:
    """The bundle with the data and programs that it lacks, and where the data are from."""
    missing = any(key.endswith("_data") for task in bundle.tasks for key in task.missing)
    draw = DRAWN.get(name)
    programs = {key: folder / inside for key, inside in PROGRAMS.get(name, {}).items()}
    tasks = tuple(_with_programs(task, programs) for task in bundle.tasks)
    if draw is None:
        return replace(bundle, tasks=tasks), "missing" if missing else "theirs"
    for kind in ("input_data", "reference_data"):
        (place / kind).mkdir()
    said = draw(folder, place / "input_data", place / "reference_data") or "drawn"
    data = {k: place / k for k in ("input_data", "reference_data") if any((place / k).iterdir())}
    tasks = tuple(_with_data(task, data) for task in tasks)
    return replace(bundle, tasks=tasks), said


def _with_programs(task: Task, programs: Mapping[str, Path]) -> Task:
    missing = {k: v for k, v in task.missing.items() if k.removesuffix("_program") not in programs}
    ingestion = task.ingestion or programs.get("ingestion")
    scoring = task.scoring or programs.get("scoring")
    return replace(task, missing=missing, ingestion=ingestion, scoring=scoring)


def _with_data(task: Task, data: Mapping[str, Path]) -> Task:
    missing = {k: v for k, v in task.missing.items() if k not in data}
    given = data.get("input_data", task.input_data)
    reference = data.get("reference_data", task.reference_data)
    return replace(task, missing=missing, input_data=given, reference_data=reference)


def _submission(name: str, bundle: Bundle, folder: Path, archive: Path) -> str:
    """Zip a submission; returns where it is from: a path in the repository, or "ours"."""
    if name in SUBMISSIONS:
        with zipfile.ZipFile(archive, "w") as file:
            for inside, text in SUBMISSIONS[name].items():
                file.writestr(inside, text)
        return "ours"
    found = folder / SAMPLES[name] if name in SAMPLES else _sample(bundle, folder)
    if found is None:
        raise UserError(f"there is no sample submission in {folder.name}, and none of ours")
    if found.suffix == ".zip":
        archive.write_bytes(found.read_bytes())
    else:
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(found.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    file.write(path, path.relative_to(found))
    return os.path.relpath(found, folder)


def _sample(bundle: Bundle, folder: Path) -> Path | None:
    """The likeliest folder or zip with the module that ingestion imports, its own first."""
    programs = [path for task in bundle.tasks for path in (task.ingestion, task.scoring) if path]
    asked = (read_interface(t.ingestion, t.input_data) for t in bundle.tasks if t.ingestion)
    module = next((one.module for one in asked if one.module), "model")
    file = module.replace(".", "/") + ".py"
    for top in (folder, folder.parent, folder.parent.parent):
        if not top.name.count("+") and top not in (folder, folder.parent):
            continue
        own = [path for path in programs if path.is_relative_to(top)]
        found = [
            path.parents[file.count("/")]
            for path in top.rglob(file)
            if not any(path.is_relative_to(one) for one in own)
        ]
        found += [path for path in top.rglob("*.zip") if _holds(path, file)]
        if found:
            return min(found, key=lambda path: _rank(path.relative_to(top).as_posix()))
    return None


def _holds(archive: Path, name: str) -> bool:
    try:
        with zipfile.ZipFile(archive) as file:
            return name in file.namelist() and archive.stat().st_size < LARGEST
    except (zipfile.BadZipFile, OSError):
        return False


def _rank(name: str) -> tuple[int, int, str]:
    at = (number for number, word in enumerate(_USUAL) if word in name.lower())
    return next(at, len(_USUAL)), name.count("/"), name


def _reasons(ran: Ran) -> Iterator[str]:
    """The last words of each program that did not end well."""
    for task in ran.tasks:
        for job in task.jobs:
            for step in job.steps:
                if step.fault or step.exit_code or step.ended == "time":
                    lines = [line.strip() for line in step.log.splitlines() if line.strip()]
                    last = next((o for o in reversed(lines) if "Error" in o), (lines or [""])[-1])
                    yield f"{step.kind}: {step.fault or last}"[:160]


if __name__ == "__main__":
    raise SystemExit(main())
