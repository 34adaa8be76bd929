"""Check a zip as a whole: look into it, then rehearse it. What the command and notebooks share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.patience import said_when_slow
from codabench_rehearsal.rehearsal.checked import Checked, unknown_to_all
from submission.archive import Archive
from submission.checks.registry import all_checks, examine
from submission.codes import refuted, run_codes, stops
from submission.findings import Finding, has_errors, without

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.several_places import Rehearsal

Rehearse = Callable[[Archive], "Rehearsal"]


@dataclass
class Checking:
    """One zip's way through the checks and the dry runs.

    rehearse: makes the dry runs; None to look only. ignored: codes that are left out. left_out: how
    often each of them was found. seconds: by phase.
    """

    challenge: Challenge
    rehearse: Rehearse | None = None
    ignored: frozenset[str] = frozenset()
    left_out: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None

    def findings(self, archive: Archive, zip_name: str = "") -> list[Finding]:
        """What the checks and the dry runs find; what ran refutes what was read.

        zip_name: the name it will be uploaded under; its own when left out.
        """
        read = self._look(archive, zip_name)
        if self.rehearse is None or stops(read):
            return self.keep(read)
        ran = self._run(archive, self.rehearse)
        return self.keep([*(self._weighed(finding) for finding in read), *ran])

    def _look(self, archive: Archive, zip_name: str) -> list[Finding]:
        started = time.monotonic()
        with said_when_slow("looking into the zip"):
            found = examine(archive, self.challenge, zip_name)
        self.seconds["static"] = time.monotonic() - started
        return found

    def _run(self, archive: Archive, rehearse: Rehearse) -> Sequence[Finding]:
        started = time.monotonic()
        self.rehearsal = rehearse(archive)
        self.seconds["dry run"] = time.monotonic() - started
        for run in self.rehearsal.runs:
            phases = {f"{run.place.name}: {name}": took for name, took in run.seconds.items()}
            self.seconds.update(phases)
        return self.rehearsal.findings

    def _weighed(self, finding: Finding) -> Finding:
        """A finding that was read, in the light of every run."""
        from codabench_rehearsal.rehearsal.several_places import is_servers

        for run in self.rehearsal.runs if self.rehearsal else ():
            theirs = is_servers(run, self.challenge)
            where = run.place.name
            finding = refuted(finding, run.passed, where, is_server=theirs, anywhere=run.anywhere)
        return finding

    def keep(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those that are not ignored; the others are counted."""
        kept, left_out = without(findings, self.ignored)
        for code, count in left_out.items():
            self.left_out[code] = self.left_out.get(code, 0) + count
        return kept

    def whole(self, archive: Archive) -> Checked:
        """What was found, and what it comes to."""
        findings = self.findings(archive)
        files = {member.name: member.size for member in archive.members}
        return self.result(str(archive.path), archive.sha256, archive.size, files, findings)

    @property
    def scale_is_right(self) -> bool:
        """Whether every way to feed the images was tried on labelled ones, and none was better."""
        ran = self.rehearsal
        tried = ran is not None and bool(ran.readings)
        return tried and not any(f.code == "S708" for f in (ran.findings if ran else ()))

    def result(
        self,
        zip_name: str,
        sha256: str,
        size: int,
        files: dict[str, int],
        findings: Sequence[Finding],
    ) -> Checked:
        """What is known, with the verdict's grounds."""
        checked = Checked(
            zip_name, sha256, size, files, tuple(findings), self.left_out, seconds=self.seconds
        )
        unknown = unknown_to_all(self.challenge)
        if self.rehearsal is None:
            versions = self._versions()
            why = "mend the errors first" if self.rehearse else "--no-run"
            unchecked = (f"whether it runs ({why})", *versions, "time limit", "memory limit")
            return replace(checked, unchecked=(*unchecked, *unknown))
        return self._ran(checked, self.rehearsal, unknown)

    def _ran(self, checked: Checked, rehearsal: Rehearsal, unknown: tuple[str, ...]) -> Checked:
        from codabench_rehearsal.rehearsal.several_places import as_document, is_ready

        doubtful = any(f.kind == "scores" and f.severity != "note" for f in checked.findings)
        ready = (
            not has_errors(checked.findings)
            and not doubtful
            and is_ready(rehearsal, self.challenge)
        )
        on_server = any(run.place.is_server for run in rehearsal.runs)
        missing = () if on_server else self._versions(" (build them once: --server)")
        return replace(
            checked,
            runs=tuple(as_document(run) for run in rehearsal.runs),
            images=rehearsal.images,
            ran_in=rehearsal.place.name if rehearsal.place else "",
            ready=ready,
            unchecked=(*missing, *rehearsal.unchecked, *unknown),
        )

    def _versions(self, hint: str = "") -> tuple[str, ...]:
        named = (("TensorFlow", self.challenge.tensorflow), ("Keras", self.challenge.keras))
        said = " / ".join(f"{what} {version}" for what, version in named if version)
        return (f"{said}{hint}",) if said else ()


def known_to_us() -> list[str]:
    """Every code that there is."""
    return [check.code for check in all_checks()] + [line.code for line in run_codes()]
