"""Everybody's zip in a challenge's bundle: which ranks are resolved, and how damage moves them.

One zip after the other goes through the bundle's own programs, clean and on damaged input data, and
every run is kept in the store: after an interruption the same command goes on. What is compared are
the leaderboard's figures, on the same resampled rows of the reference data.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.challenge.bundle import Bundle, Column, Phase
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.console.errors import EvaluationError, SubmissionError
from codabench_rehearsal.console.words import counted, few, one_line, shown
from corruptions.presets import Preset, resolve
from evaluator.board.challenge_ranks import ranks_under
from evaluator.board.challenge_result import ChallengeBoard, Entrant, Place
from evaluator.board.names import ORDER_OF, Teams, letters
from evaluator.board.result import MOST_PAIRS
from evaluator.bundles.benchmark import Wanted, chosen_column, evaluate_in_bundle
from evaluator.bundles.choice import Choice, choices
from evaluator.bundles.image_sets import look
from evaluator.bundles.result import BundleCondition
from evaluator.bundles.running import Runner, environment_of, fingerprint_of
from evaluator.store.rows import Submission
from evaluator.store.store import Store, find_store
from submission.archive import sha256_of

MachineOf = Callable[[Path], Machine]  # what a zip runs on
Told = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """What a board of a bundle is made of. machine_of: what a zip runs on, told once for each."""

    bundle: Bundle
    phase: Phase
    worker: Worker
    wanted: Wanted
    machine_of: MachineOf
    teams: Teams | None = None
    anonymous: bool = False
    told: Told = lambda _: None


def zips_in(folder: Path) -> list[Path]:
    """The zips of a folder, and of the folders in it. Raises `EvaluationError` for none."""
    if not folder.is_dir():
        raise EvaluationError(f"{shown(folder)}: expected a folder with everybody's zips")
    found = sorted(path for path in folder.rglob("*.zip") if path.is_file())
    if not found:
        raise EvaluationError(f"{shown(folder)}: expected zips in it, received none")
    return found


def challenge_board(zips: Sequence[Path], course: Course) -> ChallengeBoard:
    """Run everybody's zip, one after the other, and compare them.

    Raises as `evaluate_in_bundle` does where the bundle or the options are wrong; what is wrong
    with a zip is told, and the others go on.
    """
    column = chosen_column(course.bundle, course.wanted.column)
    preset = resolve(course.wanted.corrupt)
    told: list[_Told] = []
    for number, path in enumerate(zips, 1):
        course.told(f"{shown(path.name)} ({number} of {len(zips)})")
        told.append(_ran(path, course))
    with Store.open(find_store(course.wanted.store)) as store:
        return _compared(told, course, column, preset, store)


@dataclass(frozen=True)
class _Told:
    """A zip, and how its runs ended, by condition.

    machine: None where nothing could run. scatter: by how much its two clean figures differ.
    """

    path: Path
    clean: BundleCondition | None
    conditions: Mapping[str, BundleCondition]
    machine: Machine | None = None
    wrong: str = ""
    scatter: float = 0.0


def _ran(path: Path, course: Course) -> _Told:
    """Through the bundle; the store has its runs afterwards."""
    try:
        machine = course.machine_of(path)
        report = evaluate_in_bundle(
            path, course.bundle, course.phase, course.worker, machine, course.wanted, course.told
        )
    except SubmissionError as error:
        return _Told(path, None, {}, wrong=str(error))
    found = {one.name: one for one in report.conditions}
    return _Told(path, report.clean, found, machine, scatter=report.scatter or 0.0)


def _compared(
    told: Sequence[_Told], course: Course, column: Column, preset: Preset, store: Store
) -> ChallengeBoard:
    scored = [one for one in told if one.clean and one.clean.value is not None]
    asked = [c for c in choices(preset) if scored and all(c.name in o.conditions for o in scored)]
    runners = _runners(told, course, store)
    scatter = [one.scatter for one in told]
    found = [ranks_under(None, [one.clean for one in told], runners, scatter, column)]
    for choice in asked:
        under = [one.conditions.get(choice.name) for one in told]
        found.append(ranks_under(choice, under, runners, scatter, column))
    clean = found[0]
    order = sorted(range(len(told)), key=lambda at: (clean.standing.get(at, len(told) + 1), at))
    names = _names(told, course, store)
    kept = [at for at in order if at in clean.position][:MOST_PAIRS]
    entrants = [_entrant(told[at], names[at], course, [u.place(at) for u in found]) for at in order]
    return ChallengeBoard(
        shown(course.bundle.title or course.bundle.source),
        shown(course.phase.name),
        shown(column.key),
        column.sorting,
        preset.name,
        course.wanted.seed,
        course.worker,
        tuple(one.summary(clean) for one in found),
        tuple(entrants),
        clean.pairs(kept),
        tuple(_notes(told, entrants, asked, preset)),
        course.teams is not None,
        "" if course.anonymous else course.wanted.command,
    )


def _entrant(
    one: _Told, named: tuple[str, str], course: Course, places: Sequence[Place]
) -> Entrant:
    """Messages may name files and people: where nobody is to know, none is told."""
    clean = one.clean
    status, message = (clean.status, clean.message) if clean else ("not run", one.wrong)
    cause = f" ({clean.cause})" if clean and clean.cause else ""
    said = "" if course.anonymous else one_line(f"{message}{cause}")
    return Entrant(*named, status, said, tuple(places))


def _notes(
    told: Sequence[_Told], entrants: Sequence[Entrant], asked: Sequence[Choice], preset: Preset
) -> Iterator[str]:
    every, failed = len(choices(preset)), sum(one.clean.value is None for one in entrants)
    if failed:
        yield f"{failed} of {counted(len(entrants), 'zip')} without a clean score."
    ranked = any(one.clean.rank for one in entrants)
    apart = [one.name for one in entrants if one.clean.at and not one.clean.rank]
    if ranked and apart:
        yield (
            f"Ranked by their figure alone (?), without a range: {few(apart)}. Their score could "
            "not be computed again from what ingestion wrote."
        )
    if noisy := sum(one.scatter > 0 for one in told):
        yield (
            f"{counted(noisy, 'zip')} gave another score when run again on clean images: "
            "their ranges allow for that, as far as two runs tell."
        )
    if len(asked) < every:
        yield (
            f"{len(asked)} of {counted(every, 'condition')} of {preset.name} run for all: a "
            "larger --budget runs more; what is known is not run again."
        )


def _names(told: Sequence[_Told], course: Course, store: Store) -> list[tuple[str, str]]:
    """Name and team of each zip; letters where nobody is to know."""
    hashes = [sha256_of(one.path) for one in told]
    paths = [one.path.absolute() for one in told]
    known = [Submission(0, h, p.name, str(p), "", "") for p, h in zip(paths, hashes, strict=True)]
    teams = [course.teams.of(one) if course.teams else "" for one in known]
    if course.teams and not course.anonymous:
        for note in course.teams.notes(known):
            course.told(note)
    if not course.anonymous:
        count, root = Counter(path.name for path in paths), os.path.commonpath(paths)
        names = [p.name if count[p.name] == 1 else os.path.relpath(p, root) for p in paths]
        return [(shown(name), shown(team)) for name, team in zip(names, teams, strict=True)]
    secret = store.order(ORDER_OF, 0)
    of_zip = letters(secret, hashes)
    of_team = letters(secret, (f"team {team}" for team in teams if team))
    hidden = [f"team {of_team[f'team {team}']}" if team else "" for team in teams]
    return [(of_zip[h], team) for h, team in zip(hashes, hidden, strict=True)]


def _runners(told: Sequence[_Told], course: Course, store: Store) -> list[Runner | None]:
    """For what the store has of each zip; nothing is run by them."""
    wanted, bundle, phase = course.wanted, course.bundle, course.phase
    folders = [task.input_data for task in bundle.tasks_of(phase) if task.input_data]
    sets = {folder: look(folder, wanted.perturb).chosen for folder in folders}
    fingerprint = fingerprint_of(bundle, phase, {k: one for k, one in sets.items() if one})
    environments: dict[Machine, str] = {}
    found: list[Runner | None] = []
    for one in told:
        if one.machine is None:
            found.append(None)
            continue
        if one.machine not in environments:
            environments[one.machine] = environment_of(one.machine, course.worker)
        runner = Runner(
            *(one.path, sha256_of(one.path), bundle, phase, course.worker, one.machine),
            *(wanted.seed, store, fingerprint, Path(), environments[one.machine]),
        )
        found.append(runner)
    return found
