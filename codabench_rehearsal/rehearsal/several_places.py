"""All dry runs of one zip together: what they found, and how far the verdict reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.rehearsal.asked_images import Images
from codabench_rehearsal.rehearsal.children import Settings
from codabench_rehearsal.rehearsal.dry_run import Run, dry_run
from codabench_rehearsal.rehearsal.dry_run_places import HERE, Place
from codabench_rehearsal.rehearsal.dry_run_progress import Shown, silent
from codabench_rehearsal.rehearsal.judge import TOLERATED
from codabench_rehearsal.rehearsal.scale import ALPHA, worse
from submission.archive import Archive
from submission.codes import found
from submission.findings import Finding, has_errors


@dataclass(frozen=True)
class Rehearsal:
    """What came of the dry runs, in the order in which they were made."""

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    images: str

    @property
    def place(self) -> Place | None:
        """Where it answered that says the most."""
        return next((run.place for run in reversed(self.runs) if run.answered), None)

    @property
    def readings(self) -> tuple[str, ...]:
        """The readings that were tried on labelled images."""
        return tuple(name for run in self.runs for name in run.scale)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What the dry runs could not tell."""
        lines = [line for run in self.runs for line in run.unchecked]
        return tuple(dict.fromkeys((*lines, *(self.runs[-1].unknown_limits if self.runs else ()))))


def rehearse(
    archive: Archive,
    challenge: Challenge,
    images: Images,
    places: Sequence[Place] = (HERE,),
    settings: Settings | None = None,
    shown: Shown = silent,
) -> Rehearsal:
    """Make a dry run in each place, the server's last. Errors as `dry_run`."""
    runs = [dry_run(archive, challenge, images, place, settings, shown) for place in places]
    return Rehearsal(tuple(runs), tuple(_merged(runs)), images.note)


def is_servers(run: Run, challenge: Challenge) -> bool:
    """Whether the versions that it loaded are those that the challenge names."""
    named = {"tensorflow": challenge.tensorflow, "keras": challenge.keras}
    pins = {name: pin for name, pin in named.items() if pin}
    if not run.place.is_server:
        return bool(pins) and all(run.versions.get(name) == pin for name, pin in pins.items())
    return bool(pins) and all(run.versions.get(name, pin) == pin for name, pin in pins.items())


def is_ready(rehearsal: Rehearsal | None, challenge: Challenge) -> bool:
    """Whether it ran under the very versions of the server, with no error."""
    if rehearsal is None or not rehearsal.runs or has_errors(rehearsal.findings):
        return False
    last = rehearsal.runs[-1]
    return last.place.is_server and last.answered and is_servers(last, challenge)


def as_document(run: Run) -> dict[str, Any]:
    """A run for machines."""
    cost = run.cost
    return {
        "place": run.place.name,
        "python": run.place.python,
        "answered": run.answered,
        "accuracy": run.accuracy,
        "versions": dict(run.versions),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "hidden_images": None
        if cost is None
        else {
            "images": cost.images,
            "asked": cost.measured,
            "seconds": round(cost.seconds.likely, 3),
            "seconds_range": [round(cost.seconds.low, 3), round(cost.seconds.high, 3)],
            "peak_bytes": int(cost.peak_bytes.likely),
            "peak_bytes_range": [int(cost.peak_bytes.low), int(cost.peak_bytes.high)],
        },
        "limits": dict(run.limits),
        "scale": {
            name: {"accuracy": d.changed, "gain": [d.low, d.high], "images": d.images}
            for name, d in run.scale.items()
        },
    }


def _merged(runs: Sequence[Run]) -> Iterator[Finding]:
    """Each thing once; what fails here and not on the server is no error."""
    here = runs[0] if runs else None
    server = next((run for run in runs if run.place.is_server and _ran(run)), None)
    for run in runs:
        for finding in run.findings:
            other = here is not None and run is not here
            if here is not None and other and _is_told(finding, here.findings):
                continue
            if run is here and server is not None and finding.code.startswith("S60"):
                yield _only_here(finding, server)
            else:
                yield _placed(finding, run.place)
    if here is not None:
        yield from (f for run in runs[1:] for f in _other_answers(here, run))


def _ran(run: Run) -> bool:
    """Whether it answered, and without an error: a missing package alone may have kept it from both."""
    return run.answered and not has_errors(run.findings)


def _is_told(finding: Finding, others: Sequence[Finding]) -> bool:
    """Whether others say the same, or name the reading that explains it."""
    if finding.code in ("S709", "S716") and any(f.code == "S708" for f in others):
        return True
    return any((f.code, f.severity) == (finding.code, finding.severity) for f in others)


def _placed(finding: Finding, place: Place) -> Finding:
    if place == HERE:
        return finding
    return replace(finding, message=f"{place.name}: {finding.message}")


def _only_here(finding: Finding, server: Run) -> Finding:
    message = f"with this Python only, not {server.place.name}: {finding.message}"
    return replace(finding, severity="warning", message=message, kind="")


def _other_answers(here: Run, there: Run) -> Iterator[Finding]:
    if here.labels is None or there.labels is None or not there.place.is_server:
        return
    changed, count = int((here.labels != there.labels).sum()), len(here.labels)
    if not changed or any(finding.code == "S701" for finding in here.findings):
        return
    message = f"{changed} of {count} images get another label {there.place.name} than here"
    if not (changed > 1 and changed > TOLERATED * count):
        yield found(
            "S714", message, "note", "So few may be floating point; nothing to do.", kind=""
        )
    elif here.right is None or there.right is None:
        yield found("S714", f"{message}; labelled images (--data) would tell which are right")
    else:
        p = worse(here.right, there.right)
        was, now = float(here.right.mean()), float(there.right.mean())
        said = f"{message}; accuracy {now:.3f} there, {was:.3f} here, p = {p:.1g}"
        yield found("S714", said, "error" if p <= ALPHA else "warning")
