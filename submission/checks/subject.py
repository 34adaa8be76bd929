"""What the checks look at, and the list of them: one function each; its docstring is the advice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console import coded
from codabench_rehearsal.console.coded import Registry
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import MOST_FILES, Archive
from submission.checks.flow import Flow, find_networks, follow_images
from submission.checks.modules import Module, module_of
from submission.checks.opened import OpenedFile, OpenedFiles
from submission.checks.program import Asked, Program
from submission.findings import KINDS, Finding, Said, known_codes, without
from submission.keras_files import LOADABLE, KerasFile, read_keras_file

# The modules of this folder that hold checks.
_MODULES = (
    *("unpacking", "contents", "source", "calls", "imports", "predict", "weights"),
    *("networks", "custom_objects"),
)
_STATIC = ("S1", "S2", "S3", "S4")
TOO_MANY = "S105"


class Subject(Program):
    """A submission under examination: its program, and all that lies around it. All cached.

    more: names that the platform asks for beside the challenge's class and method.
    """

    def __init__(
        self, archive: Archive, challenge: Challenge, zip_name: str, more: tuple[str, ...] = ()
    ) -> None:
        self.archive, self.challenge, self.zip_name = archive, challenge, zip_name
        asked = Asked(challenge.module, challenge.class_name, challenge.method, more)
        super().__init__(archive.names, self._read, asked)

    def _read(self, file: str) -> Module:
        try:
            return module_of(file, self.archive.read(file))
        except SubmissionError as error:
            large = "larger than" in str(error)
            problem = "is too large for a module" if large else ""  # the zip's own faults: S107
            return Module(file, PurePosixPath(file).stem, None, problem)

    @cached_property
    def sorted_names(self) -> list[str]:
        """The names of all files, in order."""
        return sorted(self.names)

    def ending(self, suffixes: str | tuple[str, ...]) -> list[str]:
        """The files of these kinds, in order."""
        return [name for name in self.sorted_names if name.lower().endswith(suffixes)]

    @cached_property
    def weights(self) -> tuple[KerasFile, ...]:
        """What the `.keras` and HDF5 files say of themselves."""
        found = dict.fromkeys(
            member.name
            for member in self.archive.members
            if member.name.lower().endswith(LOADABLE) and not member.is_encrypted
        )
        return tuple(self._weights(name) for name in found)

    def _weights(self, name: str) -> KerasFile:
        try:
            return read_keras_file(self.archive.look_into(name), name, self.challenge.keras)
        except SubmissionError as error:
            return KerasFile(name, "keras", str(error))

    def models(self, *kinds: str) -> Iterator[KerasFile]:
        """The files of these kinds, or of all, that can be read and are loaded as models."""
        for weights in self.weights:
            wanted = not kinds or weights.kind in kinds
            if wanted and not weights.problem and self.loads_model(weights.name):
                yield weights

    def loads_model(self, name: str) -> bool:
        """Whether the code may load the file as a whole model, config and all."""
        own = PurePosixPath(name).name
        told = [o.opener for o in self.opened if PurePosixPath(o.place.path).name == own]
        if told:
            return "load_model" in told
        return not self.modules or "load_model" in self.source

    @cached_property
    def opened_files(self) -> OpenedFiles:
        """The files that the code may open."""
        return OpenedFiles(self)

    @property
    def opened(self) -> tuple[OpenedFile, ...]:
        """The files that the code surely opens."""
        return self.opened_files.surely

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The functions that the images go through."""
        return follow_images(self)

    @cached_property
    def networks(self) -> frozenset[str]:
        """The names that hold networks."""
        return find_networks(self)


Check = coded.Check[Subject, str | Said]
_REGISTRY: Registry[Subject, str | Said] = Registry("submission.checks", _MODULES)
check, all_checks = _REGISTRY.check, _REGISTRY.all


def examine(
    archive: Archive,
    challenge: Challenge,
    zip_name: str = "",
    ignored: Iterable[str] = (),
    only: Iterable[str] = (),
) -> list[Finding]:
    """Run every check on an open zip, without executing anything in it.

    zip_name: the name it will be uploaded under; its own when left out. ignored: codes whose
    findings are left out; raises `SubmissionError` for a code S1-S4 that there is not. only: the
    codes of the checks to run, all when left out.
    """
    own = [code for code in ignored if code.strip().upper().startswith(_STATIC)]
    codes = known_codes(own, [found.code for found in all_checks()])
    subject = Subject(archive, challenge, zip_name or archive.path.name)
    return without(examine_subject(subject, only), codes)[0]


def examine_subject(subject: Subject, only: Iterable[str] = ()) -> list[Finding]:
    """The same of a subject that is made already. only: see `examine`."""
    checks, wanted = all_checks(), frozenset(only)
    if wanted:
        checks = tuple(found for found in checks if found.code in wanted)
    if len(subject.archive.members) > MOST_FILES:  # a bomb: no more is asked
        checks = tuple(found for found in checks if found.code == TOO_MANY)
    return [finding for found in checks for finding in _look(found, subject)]


def _look(found: Check, subject: Subject) -> Iterator[Finding]:
    try:
        for told in found.look(subject):
            said = told if isinstance(told, Said) else Said(told)
            severity = said.severity or found.severity
            kind = said.kind if said.kind is not None else KINDS.get(found.code, "")
            kind = "fails" if severity == "error" else kind
            yield Finding(
                found.code, severity, said.message, said.advice or found.advice, kind=kind
            )
    except RecursionError:
        skipped = f"{found.name.replace('_', ' ')}: not checked, the code is nested too deeply"
        yield Finding(found.code, "note", skipped, "Nothing, if a run works.")
