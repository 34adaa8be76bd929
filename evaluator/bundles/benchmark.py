"""The benchmark on a bundle: `evaluate_in_bundle` is the door.

Clean first, and once more for its scatter; then its input data with the images damaged, condition
after condition, as many as the time allows, both programs run anew for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np

from codabench_rehearsal.challenge.bundle import Bundle, Column, Phase
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import Machine, Now
from codabench_rehearsal.console import NO_STORE, PHASE
from codabench_rehearsal.console.bar import Bar, progress
from codabench_rehearsal.console.errors import CorruptionError, EvaluationError, room_for
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import few, shown
from corruptions.named import named
from corruptions.presets import CLEAN, Preset
from evaluator.bundles.choice import Budget, Choice, budget_of, choices
from evaluator.bundles.damage import Damage, InputCopy, able, first_images
from evaluator.bundles.figures import Asked, judged
from evaluator.bundles.image_sets import ImageSet, Seen, look_into
from evaluator.bundles.report import BundleReport
from evaluator.bundles.result import BundleSource, Example
from evaluator.bundles.running import Run, Runner, environment_of, fingerprint_of
from evaluator.report.evaluation import now
from evaluator.store.store import Store, find_store
from submission.archive import sha256_of

PATIENCE = 1.25  # times the budget; after that no condition is begun
SHOWN = 12  # examples


@dataclass(frozen=True)
class Wanted:
    """How to evaluate in a bundle.

    corrupt: a preset, a chain such as "fog:3", or a TOML file. budget: seconds for the damaged
    runs, None for ten clean ones. column: the key of a leaderboard column, "" for the first that is
    shown. perturb: globs, relative to the input data, of what is damaged; none: names decide.
    store: a file or folder, None for the project's, "none" to keep nothing. score_phase: the phase
    under which scores were recorded (`local-eval record --phase`) that sharpen the estimate. logs:
    a folder that gets what the programs printed and left, clean. given: the user's own file, where
    the zip was packed of it.
    """

    corrupt: str = "heavy"
    seed: int = 0
    budget: float | None = None
    column: str = ""
    perturb: tuple[str, ...] = ()
    store: str | None = None
    score_phase: str = PHASE
    command: str = ""
    logs: Path | None = None
    given: Path | None = None


def evaluate_in_bundle(
    zip_path: Path,
    bundle: Bundle,
    phase: Phase,
    worker: Worker,
    machine: Machine | None = None,
    wanted: Wanted | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> BundleReport:
    """Run a zip in a phase of a bundle, clean and on damaged input data.

    told: lines beside the result, such as how long it will take. A clean run that fails ends it:
    the report has the platform's words. Raises `EvaluationError` for options that fit nothing,
    `CorruptionError`, and what `run_submission` raises.
    """
    wanted, machine = wanted or Wanted(), machine or Machine()
    preset = named(wanted.corrupt)
    column = chosen_column(bundle, wanted.column)
    folders = [task.input_data for task in bundle.tasks_of(phase) if task.input_data]
    found = look_into(dict.fromkeys(folders), wanted.perturb)
    seen = {folder: able(folder, one) for folder, one in found.items()}
    chosen = {folder: one.chosen for folder, one in seen.items() if one.chosen}
    with ExitStack() as stack:
        place = stack.enter_context(TemporaryFolder("bundle-"))
        stack.enter_context(room_for(place))
        store = _store(wanted, stack)
        sha256 = sha256_of(zip_path)
        runner = Runner(
            *(zip_path, sha256, bundle, phase, worker, machine, wanted.seed, store),
            fingerprint_of(bundle, phase, chosen),
            place,
            environment_of(machine, worker),
            wanted.score_phase,
            wanted.logs,
            wanted.given,
        )
        bar = stack.enter_context(progress(f"{runner.named.name}: clean", counts=True))
        return _Benchmark(runner, column, preset, chosen, wanted, bar, told).report(seen)


def chosen_column(bundle: Bundle, key: str = "") -> Column:
    """The column of that key, else the first that is shown. Raises `EvaluationError`."""
    if key:
        found = next((one for one in bundle.columns if one.key == key), None)
        if found is None:
            known = few([one.key for one in bundle.columns]) or "none"
            raise EvaluationError(f"--column {key}: expected one of the leaderboard's: {known}")
        return found
    by_index = sorted(bundle.columns, key=lambda one: one.index)
    visible = [one for one in by_index if not one.hidden] or by_index
    if not visible:
        raise EvaluationError(
            f"{shown(bundle.source)}: its leaderboard has no columns, so there is no score to "
            "compare; codabench-challenge check BUNDLE says more"
        )
    return visible[0]


@dataclass
class _Benchmark:
    """One evaluation, under way."""

    runner: Runner
    column: Column
    preset: Preset
    chosen: Mapping[Path, tuple[ImageSet, ...]]
    wanted: Wanted
    bar: Bar
    told: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def report(self, seen: Mapping[Path, Seen]) -> BundleReport:
        """All of it, in order."""
        self.notes += dict.fromkeys(said for one in seen.values() for said in one.remarks)
        if not seen:
            self.notes.append("The tasks have no input data, so there is nothing to corrupt.")
        clean = self._clean(0)
        again = self._clean(1) if self._has_score(clean) else None
        asked = [Asked(None, clean)]
        budget = Budget(0.0, clean.seconds)
        not_asked: tuple[str, ...] = ()
        if again is not None and self._has_score(again) and self.chosen:
            budget = budget_of(self.wanted.budget, (clean.seconds + again.seconds) / 2)
            damaged, not_asked = self._damaged(budget)
            asked += damaged
        found = judged(asked, again, self.column, self.runner)
        return BundleReport(
            self._source(),
            found.clean,
            found.again,
            found.scatter,
            found.conditions,
            not_asked,
            found.rows,
            (*self.notes, *found.notes),
            found.expected,
            tuple(self._examples([one.choice for one in asked if one.choice])),
            budget.seconds,
            time.monotonic() - self.begun,
            sum(one.run.known for one in asked) + bool(again and again.known),
        )

    def _clean(self, repeat: int) -> Run:
        known = self.runner.known(CLEAN, repeat)
        what = "clean, once more" if repeat else "clean"
        return known or self.runner.run(CLEAN, {}, repeat, self._telling(what))

    def _has_score(self, run: Run) -> bool:
        return run.finished and self.column.key in run.scores

    def _damaged(self, budget: Budget) -> tuple[list[Asked], tuple[str, ...]]:
        """The runs that fit, and the names of what is left."""
        every = choices(self.preset)
        planned = every[: budget.runs]
        known = {one: self.runner.known(one.text()) for one in planned}
        missing = [one for one, run in known.items() if run is None]
        if planned:
            self.told(budget.line(len(planned), len(planned) - len(missing)))
            self._say_of_images()
        elif every:
            self.notes.append(
                f"No condition fits into {budget.seconds:.1f} s: one clean run takes "
                f"{budget.clean_seconds:.1f} s. Give more: --budget TIME."
            )
        with TemporaryFolder("input-", within=self.runner.place) as place:
            copies = self._copies(place) if missing else {}
            asked = list(self._in_turn(known, copies, budget))
        done = {one.choice for one in asked}
        return asked, tuple(one.name for one in every if one not in done)

    def _in_turn(
        self,
        planned: Mapping[Choice, Run | None],
        copies: Mapping[Path, InputCopy],
        budget: Budget,
    ) -> Iterator[Asked]:
        spent = 0.0
        for number, (choice, known) in enumerate(planned.items()):
            if spent > PATIENCE * budget.seconds:
                self.notes.append(
                    "Runs on corrupted images took longer than clean runs: time was up."
                )
                return
            what = f"{shown(choice.name)} ({number + 1} of {len(planned)})"
            self.bar.update(what, number, len(planned))
            run = known or self._run(choice, copies, what)
            if run is not None:
                spent += run.seconds
                yield Asked(choice, run)

    def _run(self, choice: Choice, copies: Mapping[Path, InputCopy], what: str) -> Run | None:
        """One condition; None where it cannot be done to these images, which is said."""
        damage, begun = Damage(choice.conditions, self.wanted.seed), time.monotonic()
        try:
            for copy in copies.values():
                copy.damage(damage)
        except CorruptionError as error:
            self.notes.append(f"{choice.name} is left out: {error}")
            return None
        inputs = {folder: copy.folder for folder, copy in copies.items()}
        return self.runner.run(choice.text(), inputs, told=self._telling(what), begun=begun)

    def _copies(self, place: Path) -> dict[Path, InputCopy]:
        return {
            folder: InputCopy(folder, sets, place / str(number))
            for number, (folder, sets) in enumerate(self.chosen.items())
        }

    def _telling(self, what: str) -> Callable[[Now], None]:
        """Which job of which task runs."""
        tasks = len(self.runner.phase.tasks)

        def tell(now: Now) -> None:
            task = f" of {shown(now.task)}" if tasks > 1 else ""
            self.bar.update(f"{what}: {now.job}{task}, {now.seconds:.0f} s of {now.limit:.0f}")

        return tell

    def _say_of_images(self) -> None:
        """What happens to images on their way through the operators."""
        grey = floats = False
        for folder, sets in self.chosen.items():
            for one in sets:
                if one.layout is None:
                    grey |= any(shot.shape[2] == 1 for _, shot in first_images(folder, one, 1))
                else:
                    grey |= one.layout.channels == 1
                    floats |= one.layout.dtype.kind == "f"
        if floats:
            self.notes.append("Floats are rounded to 256 steps where they are corrupted.")
        if grey:
            self.notes.append("Grey images are corrupted as colour ones with three equal channels.")

    def _examples(self, asked: Sequence[Choice]) -> Iterator[Example]:
        """An image of the first set under some conditions, each another one."""
        folder, sets = next(iter(self.chosen.items()), (None, ()))
        if folder is None:
            return
        single = [one for one in asked if not one.is_mixed] or list(asked)
        total = sum(one.count for one in sets)
        shots = first_images(folder, sets[0], SHOWN)
        for choice, (place, clean) in zip(single[:SHOWN], cycle(shots), strict=False):
            damage = Damage(choice.conditions, self.wanted.seed)
            ids = np.array([place], np.int64)
            damaged = damage.applied(clean[None], ids, damage.chosen(total)[ids])[0]
            yield Example(choice.name, clean, damaged)

    def _source(self) -> BundleSource:
        runner = self.runner
        images = [str(one) for sets in self.chosen.values() for one in sets]
        return BundleSource(
            submission=str(runner.named),
            sha256=runner.sha256,
            bundle=runner.bundle.source,
            title=runner.bundle.title,
            phase=runner.phase.name,
            tasks=len(runner.phase.tasks),
            worker=runner.worker,
            column=self.column.key,
            column_title=self.column.title,
            sorting=self.column.sorting,
            preset=self.preset.name,
            description=self.preset.description,
            seed=self.wanted.seed,
            fingerprint=runner.fingerprint[:16],
            environment=runner.environment,
            images=tuple(images),
            command=self.wanted.command,
            made=now(),
        )


def _store(wanted: Wanted, stack: ExitStack) -> Store | None:
    if wanted.store == NO_STORE:
        return None
    return stack.enter_context(Store.open(find_store(wanted.store)))
