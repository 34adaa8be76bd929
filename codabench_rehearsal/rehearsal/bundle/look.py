"""What can be told of a submission to a bundle before anything runs.

The checks of `submission/checks` that hold for every challenge, and what follows from the bundle's
own ingestion program: the module, the names, the calls. What that source does not tell is not said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task
from codabench_rehearsal.challenge.checks.programs import image_facts, lacking
from codabench_rehearsal.challenge.profile import Challenge, Worker
from codabench_rehearsal.challenge.program_source.interface import Interface
from codabench_rehearsal.challenge.program_source.needs import Need, Needs, needs_of
from codabench_rehearsal.console.words import few
from codabench_rehearsal.rehearsal.bundle.interface_fit import misfits
from codabench_rehearsal.rehearsal.bundle.scoring_reads import Reads, reads_of
from submission.archive import Archive
from submission.checks.imports import needed_packages
from submission.checks.modules import words
from submission.checks.subject import Subject, examine_subject
from submission.findings import Finding, Severity, found, stops

# Checks that hold whatever a challenge asks for. The others are about images, labels and Keras, or
# about a platform of which less is known.
OF_ANY_ZIP = words(
    "S101 S104 S105 S106 S107 S108 S109 S110 S111 S112 S114 S115 S118 S119 S401 S402 S403 S404 "
    "S405 S407"
)
OF_ANY_CODE = words(
    "S103 S113 S117 S120 S201 S205 S206 S208 S210 S213 S214 S215 S226 S227 S301 S305 S326 S327"
)
# What a run of another challenge may make true, or has elsewhere: told as a doubt.
DOUBTFUL = words("S301 S305")
_SAYS_WHAT = words("S101 S102")  # their advice speaks of packing weights
_STANDARD = frozenset(sys.stdlib_module_names) | {"__future__"}
_MOST_NAMES = 4
_OF_INGESTION = ("metadata", "metadata.json")  # what scoring also reads, and nobody submits


def look(
    archive: Archive, bundle: Bundle, phase: Phase, worker: Worker | None = None
) -> list[Finding]:
    """What is wrong with a submission to a phase, as far as it can be read; nothing is executed.

    worker: Codabench's generation, None for either. The findings of several tasks are told once
    each. Raises `SubmissionError` for programs of the bundle that cannot be read, `OSError`.
    """
    tasks = [task for task in bundle.tasks if task.index in phase.tasks]
    ingestions = {task.ingestion: task.input_data for task in tasks if task.ingestion}
    asks_for_code = any(task.ingestion or "ingestion_program" in task.missing for task in tasks)
    several: list[Finding] = []
    for program, data in ingestions.items():
        needs = needs_of(program, data)
        challenge = challenge_of(bundle, phase, needs.interface, worker)
        several += _of_code(archive, challenge, _Around(bundle, tasks, needs, archive.names))
    if not ingestions:
        challenge = challenge_of(bundle, phase, Interface(), worker)
        several += examine_subject(Subject(archive, challenge, archive.path.name), OF_ANY_ZIP)
    if not asks_for_code and not stops(several):
        several += [one for task in tasks for one in _of_results(archive, task)]
    return list(dict.fromkeys(map(_in_other_words, several)))


def challenge_of(
    bundle: Bundle, phase: Phase, interface: Interface, worker: Worker | None = None
) -> Challenge:
    """A bundle's phase as a profile, for the checks of `OF_ANY_ZIP` and `OF_ANY_CODE` alone.

    What a bundle does not say is empty: the shape of images, and the labels.
    """
    _, facts = image_facts(bundle.image)
    made = [one.name for one in interface.made]
    methods = [one.name for one in interface.methods]
    return Challenge(
        name=bundle.title or bundle.source,
        title=bundle.title,
        shape=(0, 0, 0),
        label_names=(),
        module=interface.module or "model",
        class_name=next(iter((*interface.names, *made)), ""),
        method=next(iter(methods), ""),
        python=facts.get("python", ""),
        worker=worker,
        seconds=phase.seconds,
    )


@dataclass(frozen=True)
class _Around:
    """What a submission's code finds around it on the platform."""

    bundle: Bundle
    tasks: list[Task]
    needs: Needs
    names: frozenset[str]

    def brings(self, top: str) -> bool:
        """Whether the program, or the input data, has a module or folder of that name."""
        if top in self.needs.own:
            return True
        data = [task.input_data for task in self.tasks if task.input_data]
        return any(any(folder.rglob(f"{top}.py")) or (folder / top).is_dir() for folder in data)

    @cached_property
    def reads(self) -> tuple[Reads, ...]:
        """What each task's scoring opens of a submission."""
        programs = dict.fromkeys(task.scoring for task in self.tasks if task.scoring)
        return tuple(reads_of(program) for program in programs)

    def scores(self, names: Iterable[str]) -> bool | None:
        """Whether scoring opens one of these files; None where its source does not tell."""
        every = (one for reads in self.reads for one in reads.files)
        files = [one for one in every if one.name not in _OF_INGESTION]
        if any(one.is_in([name]) for one in files for name in names):
            return True
        return False if files else None


def _of_code(archive: Archive, challenge: Challenge, around: _Around) -> Iterator[Finding]:
    needs = around.needs
    more = [one.name for one in needs.interface.imports]
    more += [one.name for one in (*needs.interface.made, *needs.interface.methods)]
    # Without a module to import nothing is known of the code, and predictions need none: scoring
    # goes on with what the zip holds when ingestion has failed.
    told = needs.interface.module != "" and not (
        _has_no_code(archive) and around.scores(archive.names)
    )
    codes = (OF_ANY_ZIP | OF_ANY_CODE) if told else OF_ANY_ZIP
    subject = Subject(archive, challenge, archive.path.name, tuple(filter(None, more)))
    for one in examine_subject(subject, codes):
        if not _is_brought(one, around):
            yield _doubted(one) if one.code in DOUBTFUL else one
    if archive.members and told:
        yield from _of_answers(subject, around)
        yield from _of_modules(subject, around)
        yield from misfits(subject, needs)
        yield from _of_image(subject, around)


def _is_brought(one: Finding, around: _Around) -> bool:
    """Whether a finding misses what the platform has beside the submission."""
    if one.code == "S113":
        return around.scores(around.names) is not None  # told by what scoring opens
    if one.code not in ("S213", "S227", "S301"):
        return False
    named = one.message.partition("imports ")[2].partition(",")[0].partition(".")[0]
    return around.brings(named) if named else False


def _of_answers(subject: Subject, around: _Around) -> Iterator[Finding]:
    """Files beside the code that have the names of what the run is to answer."""
    names = [n for n in subject.sorted_names if not n.endswith(".py") and around.scores([n])]
    newer = "2026-10" in subject.challenge.workers
    for name in names[:1]:
        what = "is copied over what the run itself answers (Codabench's worker of 2026-10)"
        what = what if newer else "is taken for the run's answers where the run gives none"
        advice = "Leave it out: scoring opens a file of that name."
        severity: Severity = "warning" if newer else "note"
        yield Finding("S113", severity, f"{name} {what}", advice, kind="unknown" if newer else "")


def _doubted(one: Finding) -> Finding:
    return replace(one, severity="warning", kind="unknown")


def _of_modules(subject: Subject, around: _Around) -> Iterator[Finding]:
    """The modules that are imported and not where Python looks for them."""
    missing: set[str] = set()
    for need in around.needs.imports:
        here = subject.file_of(need.module) or around.brings(need.module.split(".")[0])
        if not here and need.module not in missing:
            missing.add(need.module)
            if not (need.module == subject.asked.module and _is_compiled(subject)):
                yield _no_module(subject, need, around)


def _has_no_code(archive: Archive) -> bool:
    return not any(name.endswith((".py", ".pyc", ".so")) for name in archive.names)


def _is_compiled(subject: Subject) -> bool:
    return bool(examine_subject(subject, ("S120",)))


def _no_module(subject: Subject, need: Need, around: _Around) -> Finding:
    """A module that is missing, with what its name was perhaps meant to be.

    A doubt where the program looks through folders, names one, or imports what may be a package;
    and for a zip without code, which may hold predictions.
    """
    needs = around.needs
    challenge = replace(subject.challenge, module=need.module, class_name=need.name)
    one = next(
        iter(examine_subject(Subject(subject.archive, challenge, subject.zip_name), ("S102",)))
    )
    message = f"{one.message} ({need.place} imports it)"
    last = need.file.rpartition("/")[2]
    nested = [name for name in subject.sorted_names if name.endswith(f"/{last}")]
    named = any(part in needs.words for name in nested for part in name.split("/")[:-1])
    if named:
        return Finding("S102", "note", message, "Nothing, if a run works.")
    unsure = not need.sure or (nested and needs.searches)
    unsure = unsure or (_has_no_code(subject.archive) and around.scores(subject.names) is None)
    told = replace(one, message=message)
    return _doubted(told) if unsure else told


def _of_image(subject: Subject, around: _Around) -> Iterator[Finding]:
    """Packages that the bundle's image is known not to have."""
    name, facts = image_facts(around.bundle.image)
    if not facts or around.needs.installs:
        return
    needed = {top: where for where, top in reversed(list(needed_packages(subject)))}
    for top in sorted(lacking(facts, frozenset(needed) - around.needs.packages - _STANDARD)):
        if not around.brings(top):
            message = f"{needed[top]}: imports {top}, which {name} does not have"
            advice = "Do without it, or put its code into the zip."
            yield Finding("S211", "warning", message, advice)


def _of_results(archive: Archive, task: Task) -> Iterator[Finding]:
    """Where there is no ingestion program: the files that scoring opens and the zip has not."""
    for one in reads_of(task.scoring).files if task.scoring else ():
        if one.sure and not one.is_in(archive.names):
            yield found("S801", _not_there(archive, one.name, one.place))


def _not_there(archive: Archive, name: str, place: str) -> str:
    names = sorted(name for name in archive.names if not name.startswith("__MACOSX/"))
    near = [
        one for one in names if one.rpartition("/")[2].lower() == name.rpartition("/")[2].lower()
    ]
    has = few(near or names, _MOST_NAMES) or "nothing"
    return f"scoring opens {name} ({place}), and the zip has {has}"


def _in_other_words(one: Finding) -> Finding:
    """The advice where the check's own speaks of packing weights."""
    if one.code in _SAYS_WHAT and "make-submission" in one.advice:
        advice = "Put what the challenge asks for at the root of the zip: codabench-challenge show."
        return replace(one, advice=advice)
    return one
