"""Check a zip: look into it, run it, and say what that comes to. For the command and notebooks."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.challenge.setting import is_bundle
from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console.bar import said_when_slow
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.fields import refuse_unknown
from codabench_rehearsal.console.notebook import in_python, running_shell
from codabench_rehearsal.console.words import as_json, human_bytes, marked, several_lines, shown
from codabench_rehearsal.images import DataError, Dataset, from_arrays
from codabench_rehearsal.rehearsal.dry_run import DryRun
from codabench_rehearsal.rehearsal.questions import Shown, on_terminal, silent
from codabench_rehearsal.rehearsal.rehearse import (
    Rehearsal,
    RunOptions,
    rehearse,
    server_name,
    the_python,
)
from submission.archive import Archive
from submission.checks.subject import all_checks, examine
from submission.findings import Finding, has_errors, known_codes, refuted, run_codes, stops, without

SCHEMA = 1
LARGEST = 5  # files that are told
TRACE = "         | "  # before each line that the submission wrote
_STYLE = (
    "<style>.submission{font:14px system-ui,sans-serif}.submission .error{color:#c62828;"
    "font-weight:600}.submission .warning{color:#b26a00}.submission pre{font-size:12px;"
    "opacity:.8}</style>"
)


def check(
    zip_path: str | Path = "submission.zip",
    images: NDArray[Any] | Dataset | str | Path | None = None,
    labels: NDArray[Any] | None = None,
    *,
    run: bool = True,
    challenge: str = DEFAULT_CHALLENGE,
    ignore: Iterable[str] = (),
    **options: Any,
) -> Checked:
    """Look into a zip and rehearse it: `check("submission.zip", images, labels)`.

    images: uint8 `(n, h, w, c)` with labels `(n,)`, a `codabench_rehearsal.images.Dataset`, or a
    file to load; drawn ones when left out. run: False only looks. ignore: codes to leave out.
    Further options are the fields of `RunOptions`, such as `server=True` or `time_limit=600`.
    Raises `SubmissionError` for what cannot be used; whatever is wrong with the submission is a
    finding in what comes back.
    """
    if is_bundle(Path(challenge)):
        raise SubmissionError("a bundle is for check_in_bundle(zip_path, bundle).")
    profile = load_challenge(challenge)
    ignored = ignored_codes(ignore)
    refuse_unknown(options, RunOptions, SubmissionError, leave="data")
    wanted = RunOptions(data=_data(images, labels, profile.label_names), **options)
    if run:
        the_python(wanted)  # who names a wrong one is told so at once
    profile = replace(profile, packages=(*profile.packages, *wanted.packages))

    def say(line: str) -> None:
        tell("check", line)

    with Archive(zip_path) as archive:
        how = wanted if run else None
        shown = silent if running_shell() is None else on_terminal
        return check_open(archive, profile, how, ignored=ignored, say=say, shown=shown)


def ignored_codes(given: Iterable[str]) -> frozenset[str]:
    """Codes as a user writes them, also "S217,S402". Raises `SubmissionError` for unknown ones."""
    codes = [code for several in given for code in several.split(",") if code.strip()]
    known = [*(check.code for check in all_checks()), *run_codes()] if codes else []
    return known_codes(codes, known)


def check_open(
    archive: Archive,
    challenge: Challenge,
    options: RunOptions | None,
    *,
    out: Path | None = None,
    assumed: Iterable[Finding] = (),
    ignored: frozenset[str] = frozenset(),
    say: Callable[[str], None] = lambda _: None,
    shown: Shown = on_terminal,
) -> Checked:
    """Look into an open zip, and rehearse it unless it cannot even be unpacked.

    options: None to look only. out: where it will lie, if that is elsewhere. assumed: what packing
    took for granted. ignored: codes that are left out.
    """
    place, started, rehearsal = out or archive.path, time.monotonic(), None
    with said_when_slow("looking into the zip"):
        found = [*assumed, *examine(archive, challenge, place.name)]
    seconds = {"static": time.monotonic() - started}
    if options is not None and not stops(found):
        started = time.monotonic()
        rehearsal = rehearse(archive, challenge, options, say, shown)
        seconds["dry run"] = time.monotonic() - started
        for run in rehearsal.runs:
            seconds |= {f"{run.environment.name}: {phase}": s for phase, s in run.seconds.items()}
        found = _weighed(found, rehearsal)
    kept, left_out = without(found, ignored)
    return Checked(
        str(place),
        archive.sha256,
        archive.size,
        {member.name: member.size for member in archive.members},
        tuple(kept),
        left_out,
        rehearsal,
        tuple(_unchecked(challenge, rehearsal, wanted=options is not None)),
        seconds,
    )


@dataclass(frozen=True)
class Checked:
    """What came of checking a zip.

    files: name -> bytes once unpacked. ignored: code -> how often it was found and left out.
    rehearsal: the dry runs, None without. unchecked: what nobody can know from here. seconds: by
    phase.
    """

    zip_name: str
    sha256: str
    size: int
    files: Mapping[str, int]
    findings: tuple[Finding, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None
    unchecked: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def told(self) -> tuple[Finding, ...]:
        """What is wrong for certain, or waste."""
        return tuple(finding for finding in self.findings if not finding.is_unknown)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """What may be wrong on this server: nobody knows from here."""
        return tuple(finding for finding in self.findings if finding.is_unknown)

    @property
    def images(self) -> str:
        """What was asked about, "" where nothing was."""
        return self.rehearsal.setup.images.note if self.rehearsal else ""

    @property
    def runs(self) -> tuple[dict[str, Any], ...]:
        """What each dry run showed, for machines."""
        return tuple(run.document() for run in (self.rehearsal.runs if self.rehearsal else ()))

    @property
    def ready(self) -> bool:
        """Whether it ran under the server's own versions, without an error or a doubt."""
        doubtful = any(f.kind == "scores" and f.severity != "note" for f in self.findings)
        fine = not has_errors(self.findings) and not doubtful
        return fine and self.rehearsal is not None and self.rehearsal.is_ready

    @property
    def verdict(self) -> str:
        """In rising order: "has errors", "looks right", "runs here", "runs under ..."."""
        if has_errors(self.findings):
            return "has errors"
        ran_in = self.rehearsal.environment if self.rehearsal else None
        return f"runs {ran_in.name}" if ran_in else "looks right"

    def document(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "schema": SCHEMA,
            "zip": self.zip_name,
            "sha256": self.sha256,
            "bytes": self.size,
            "files": dict(self.files),
            "verdict": self.verdict,
            "ready": self.ready,
            "findings": [asdict(finding) for finding in self.findings],
            "ignored": dict(self.ignored),
            "images": self.images,
            "runs": list(self.runs),
            "not_checked": [*self.unchecked, *(f"{f.code}: {f.message}" for f in self.unknown)],
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }

    def to_json(self) -> str:
        """`document()` as JSON text."""
        return as_json(self.document())

    def lines_of_zip(self) -> Iterator[str]:
        """Its size and its largest files."""
        yield f"zip {human_bytes(self.size)}, {len(self.files)} files; the largest:"
        for member, size in sorted(self.files.items(), key=lambda item: -item[1])[:LARGEST]:
            yield f"  {human_bytes(size):>10}  {shown(member)}"

    def lines(self, worded: Callable[[str], str] = str) -> Iterator[str]:
        """What ran, was found, is not checked or known to nobody, the verdict; in whose words."""
        yield from map(worded, self._lines_of_runs())
        yield from _lines_of(self.told)
        if self.ignored:
            codes = (f"{code} ({count})" for code, count in sorted(self.ignored.items()))
            yield f"ignored: {', '.join(codes)}"
        if self.unchecked:
            yield worded(f"Not checked: {'; '.join(self.unchecked)}.")
        yield from _lines_of(self.unknown)
        yield self._last_line

    def __str__(self) -> str:
        return "\n".join(self.lines(in_python))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def _repr_html_(self) -> str:
        """One self-contained `<div>`; all foreign text is escaped."""
        parts = [f"<p>{_escaped(in_python(line))}</p>" for line in self._lines_of_runs()]
        for found in (*self.told, *self.unknown):
            said = f"{_mark(found)} {found.code}: {found.message}"
            trace = f"<pre>{_escaped(found.detail)}</pre>" if found.detail else ""
            parts.append(
                f'<p><span class="{found.severity}">{_escaped(said)}</span><br>'
                f"{_escaped(found.advice)}</p>{trace}"
            )
        if self.unchecked:
            unchecked = in_python("; ".join(self.unchecked))
            parts.append(f"<p>Not checked: {_escaped(unchecked)}.</p>")
        parts.append(f"<p><b>{_escaped(self._last_line)}</b></p>")
        return f'{_STYLE}<div class="submission">{"".join(parts)}</div>'

    def _lines_of_runs(self) -> Iterator[str]:
        """One line a dry run, and the limits that this machine could not hold."""
        runs = self.rehearsal.runs if self.rehearsal else ()
        if runs:
            yield f"run on {self.images}"
        for run in runs:
            yield f"dry run {run.environment.name}: {_line_of(run)}"
        limits = (limit for run in runs for limit in run.limits.items())
        loose = {f"{name} ({how})" for name, how in limits if "not held" in how}
        if loose:
            yield f"limits not held on this machine: {'; '.join(sorted(loose))}"

    @property
    def _last_line(self) -> str:
        end = ": ready to upload" if self.ready else ""
        return f"{shown(self.zip_name)} {self.verdict}{end} (sha256 {self.sha256[:12]})."


def _weighed(read: Sequence[Finding], rehearsal: Rehearsal) -> list[Finding]:
    """What was assumed and read, in the light of every run, and what ran."""
    read = [found for found in read if found.code != "S501" or not rehearsal.scale_is_right]
    for run in rehearsal.runs:
        name, server = run.environment.name, run.is_servers(rehearsal.setup.challenge)
        how = {"is_server": server, "anywhere": run.anywhere, "tells_case": run.tells_case}
        read = [refuted(found, run.passed, name, **how) for found in read]
    return [*read, *rehearsal.findings]


def _unchecked(challenge: Challenge, rehearsal: Rehearsal | None, *, wanted: bool) -> Iterator[str]:
    """How far the verdict does not reach, and what nobody wrote down."""
    versions = server_name(challenge)
    if rehearsal is None:
        yield f"whether it runs ({'fix the errors first' if wanted else '--no-run'})"
        yield from filter(None, (versions, "time limit", "memory limit"))
    else:
        if versions and not any(run.environment.is_server for run in rehearsal.runs):
            yield f"{versions} (build them once: --server)"
        yield from rehearsal.unchecked
    if challenge.sizes.zip_bytes is None:
        yield "upload limit"
    yield "packages of the server" if challenge.python else "Python and packages of the server"


def _lines_of(findings: Iterable[Finding]) -> Iterator[str]:
    """Two lines a finding: what, and what to do; the submission's own traceback below."""
    for finding in findings:
        yield f"{_mark(finding):7} {finding.code}: {finding.message}"
        if finding.advice:
            yield f"         {finding.advice}"
        if finding.detail:
            yield from marked(finding.detail, TRACE)


def _mark(finding: Finding) -> str:
    return "unknown" if finding.is_unknown else finding.severity


def _line_of(run: DryRun) -> str:
    if not run.answered:
        return "no answer"
    parts, cost = [f"{run.seconds['start']:.1f} s to load"], run.forecast
    if cost:
        needs = f"about {max(cost.seconds.likely, 1.0):.0f} s"
        needs += f" and {human_bytes(cost.peak_bytes.likely)}"
        parts.append(f"{needs} for {cost.images:,} images (measured on {cost.measured:,})")
    if run.accuracy is not None:
        parts.append(f"accuracy {run.accuracy:.3f} on these images")
    return ", ".join(parts)


def _escaped(text: str) -> str:
    return html.escape(several_lines(text))


def _data(images: Any, labels: Any, classes: tuple[str, ...]) -> Any:
    if images is None or isinstance(images, str | Path | Dataset):
        return images
    if labels is None:
        raise SubmissionError("labels are missing: check(zip, images, labels), or give a file.")
    try:
        return from_arrays(images, labels, classes=classes, source="the given arrays")
    except DataError as error:
        raise SubmissionError(str(error)) from None
