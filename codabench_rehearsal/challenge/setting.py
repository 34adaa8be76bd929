"""What a submission is rehearsed in: a bundle, one of its phases, and the data that it lacks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task, read_bundle
from codabench_rehearsal.challenge.bundle_files import opened_tree, place
from codabench_rehearsal.challenge.dates import site_date
from codabench_rehearsal.challenge.profile import WORKERS, Worker
from codabench_rehearsal.challenge.site.beside import as_bundle, filled
from codabench_rehearsal.challenge.site.profile import SiteChallenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import few, quoted, shown

NEWEST: Worker = WORKERS[-1]
Data = Literal["input_data", "reference_data"]


@dataclass(frozen=True)
class Setting:
    """A phase of a bundle, as one generation of the worker runs it.

    chosen: why this phase, in words.
    """

    bundle: Bundle
    phase: Phase
    worker: Worker = NEWEST
    chosen: str = ""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The phase's tasks, in its order."""
        return self.bundle.tasks_of(self.phase)


def is_bundle(source: Path) -> bool:
    """Whether a challenge's name is that of a bundle: a zip, there or not, or a folder."""
    return source.is_dir() or source.suffix.lower() == ".zip"


@contextmanager
def opened_setting(
    source: Path,
    phase: str | None = None,
    *,
    input_data: Sequence[str] = (),
    reference_data: Sequence[str] = (),
    worker: Worker = NEWEST,
    site: SiteChallenge | None = None,
) -> Iterator[Setting]:
    """Read a bundle, choose a phase, and give its tasks the data that lies elsewhere.

    phase: its index or name; by default the one that is open today, else the first. input_data,
    reference_data: a zip or folder for every task, or "INDEX=PATH" for one. site: what the
    challenge's site says, where the bundle does not. What is unpacked is there as long as the
    context is. Raises `SubmissionError` for what cannot be used.
    """
    given: dict[Data, Sequence[str]] = {"input_data": input_data, "reference_data": reference_data}
    with TemporaryFolder("bundle-") as folder:
        bundle = read_bundle(source, folder / "bundle")
        if site is not None:
            bundle = filled(bundle, source, site)
        for key, several in given.items():
            for number, text in enumerate(several):
                bundle = _with_data(bundle, key, text, folder / f"{key}-{number}")
        chosen, why = _chosen(bundle, phase)
        yield Setting(bundle, chosen, worker, why)


def site_setting(site: SiteChallenge, phase: str | None = None, worker: Worker = NEWEST) -> Setting:
    """What the site alone tells, without a program. Raises `SubmissionError` for no such phase."""
    bundle = as_bundle(site)
    chosen, why = _chosen(bundle, phase)
    return Setting(bundle, chosen, worker, why)


def phase_of(bundle: Bundle, name: str) -> Phase:
    """The phase with that index, or that name in any case. Raises `SubmissionError` for none."""
    wanted = name.strip().casefold()
    by_name = [one for one in bundle.phases if one.name.strip().casefold() == wanted]
    by_index = [one for one in bundle.phases if str(one.index) == wanted]
    if found := [*by_name, *by_index]:
        return found[0]
    known = few([f"{one.index} ({shown(one.name)})" for one in bundle.phases])
    raise SubmissionError(
        f"--phase {shown(name)}: expected a phase of {shown(bundle.source)}, by its number or "
        f"name: {known}."
    )


def _chosen(bundle: Bundle, name: str | None) -> tuple[Phase, str]:
    if name is not None:
        return phase_of(bundle, name), "as asked"
    able = [phase for phase in bundle.phases if phase.tasks]
    if len(able) == 1:
        return able[0], "the only one"
    open_now = [phase for phase in able if _is_open(phase, dt.datetime.now(dt.UTC))]
    if len(open_now) == 1:
        return open_now[0], "open today; another: --phase"
    return able[0], "the first; another: --phase"


def _is_open(phase: Phase, now: dt.datetime) -> bool:
    """By its dates, as far as they can be read; those of a bundle are in UTC, without a zone."""
    today = now.replace(tzinfo=None)
    start, end = site_date(phase.start).value, site_date(phase.end).value
    return start is not None and start <= today and (not phase.end or (end or today) > today)


def _with_data(bundle: Bundle, key: Data, text: str, folder: Path) -> Bundle:
    """The bundle with data from elsewhere, for the task that `text` names or for every task."""
    index, path = _parts(bundle, key, text)
    with ExitStack() as stack:
        tree = stack.enter_context(opened_tree(path))
        found = place(tree, "", folder)
    if found is None or not tree.sizes:
        raise SubmissionError(
            f"--{key.replace('_', '-')} {quoted(path)}: there are no files in it."
        )
    tasks = tuple(
        _supplied(task, key, found) if index in (None, task.index) else task
        for task in bundle.tasks
    )
    return replace(bundle, tasks=tasks)


def _supplied(task: Task, key: Data, path: Path) -> Task:
    missing = {name: value for name, value in task.missing.items() if name != key}
    if key == "input_data":
        return replace(task, missing=missing, input_data=path)
    return replace(task, missing=missing, reference_data=path)


def _parts(bundle: Bundle, key: Data, text: str) -> tuple[int | None, Path]:
    """A task's index and a path, out of "INDEX=PATH" or a path alone."""
    index, sign, path = text.partition("=")
    if not sign or not index.isdecimal() or Path(text).exists():
        return None, Path(text)
    known = [task.index for task in bundle.tasks]
    if int(index) not in known:
        option = f"--{key.replace('_', '-')}"
        raise SubmissionError(f"{option} {shown(text)}: expected a task among {known}.")
    return int(index), Path(path)
