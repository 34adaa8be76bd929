"""Check a zip as a whole: look into it, then rehearse it. What the command and notebooks share."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.bar import said_when_slow
from codabench_rehearsal.console.words import as_json, human_bytes, marked, several_lines, shown
from submission.archive import Archive
from submission.checks.subject import all_checks, examine
from submission.findings import Finding, has_errors, refuted, run_codes, stops, without

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.rehearse import Rehearsal


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
        from codabench_rehearsal.rehearsal.rehearse import is_servers

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
        from codabench_rehearsal.rehearsal.rehearse import as_document, is_ready

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


# All that is known of a zip: what the checks and the dry runs found, and how far the verdict reaches.


SCHEMA = 1


@dataclass(frozen=True)
class Checked:
    """What came of checking a zip.

    files: name -> bytes once unpacked. ignored: code -> how often it was found and left out. runs:
    what each dry run showed, for machines (`rehearsal.as_document`). images: what was asked about.
    ran_in: where it ran without an error that says the most, "" where it did not. ready: whether
    that was under the server's own versions. unchecked: what nobody can know from here.
    """

    zip_name: str
    sha256: str
    size: int
    files: Mapping[str, int]
    findings: tuple[Finding, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()
    images: str = ""
    ran_in: str = ""
    ready: bool = False
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
    def verdict(self) -> str:
        """In rising order: "has errors", "looks right", "runs here", "runs under ..."."""
        if has_errors(self.findings):
            return "has errors"
        return f"runs {self.ran_in}" if self.ran_in else "looks right"

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
            "runs": [dict(run) for run in self.runs],
            "not_checked": [*self.unchecked, *(f"{f.code}: {f.message}" for f in self.unknown)],
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }

    def to_json(self) -> str:
        """`document()` as JSON text."""
        return as_json(self.document())

    def lines_of_zip(self) -> list[str]:
        """Its size and its largest files."""
        return files_text(self.size, self.files)

    def __str__(self) -> str:
        return "\n".join(as_lines(self))

    def _repr_html_(self) -> str:
        return as_html(self)


def unknown_to_all(challenge: Challenge) -> tuple[str, ...]:
    """What no check here can tell, because nobody wrote it down."""
    lines = []
    if challenge.sizes.zip_bytes is None:
        lines.append("upload limit")
    lines.append(
        "packages of the server" if challenge.python else "Python and packages of the server"
    )
    return tuple(lines)


# What was found in a zip, as lines for a terminal and as HTML for a notebook.


LARGEST = 5
TRACE = "         | "  # before each line that the submission wrote
_MARKS = {"error": "error  ", "warning": "warning", "note": "note   "}
_STYLE = (
    "<style>.submission{font:14px system-ui,sans-serif}.submission .error{color:#c62828;"
    "font-weight:600}.submission .warning{color:#b26a00}.submission pre{font-size:12px;"
    "opacity:.8}</style>"
)


def files_text(size: int, files: Mapping[str, int]) -> list[str]:
    """The zip's size and its largest files."""
    largest = sorted(files.items(), key=lambda item: -item[1])[:LARGEST]
    lines = [f"  {human_bytes(bytes_):>10}  {shown(member)}" for member, bytes_ in largest]
    return [f"zip {human_bytes(size)}, {len(files)} files; the largest:", *lines]


def findings_text(findings: Iterable[Finding], *, details: bool = False) -> list[str]:
    """Two lines a finding: what, and what to do; the submission's own traceback below if wanted."""
    lines = []
    for finding in findings:
        mark = "unknown" if finding.is_unknown else _MARKS[finding.severity]
        lines.append(f"{mark} {finding.code}: {finding.message}")
        lines += [f"         {finding.advice}"] if finding.advice else []
        lines += marked(finding.detail, TRACE) if details and finding.detail else []
    return lines


def as_lines(checked: Checked) -> Iterator[str]:
    """What ran, what was found, what is not checked or hangs on what nobody knows, the verdict."""
    yield from runs_text(checked)
    yield from findings_text(checked.told, details=True)
    if checked.ignored:
        codes = (f"{code} ({count})" for code, count in sorted(checked.ignored.items()))
        yield f"ignored: {', '.join(codes)}"
    if checked.unchecked:
        yield f"Not checked: {'; '.join(checked.unchecked)}."
    yield from findings_text(checked.unknown, details=True)
    yield verdict_text(checked)


def runs_text(checked: Checked) -> Iterator[str]:
    """One line a dry run, and the limits that this machine could not hold."""
    if checked.runs:
        yield f"asked about {checked.images}"
    for run in checked.runs:
        yield f"dry run {run['place']}: {_run_text(run)}"
    loose = {
        f"{name} ({how})"
        for run in checked.runs
        for name, how in run["limits"].items()
        if "not held" in how
    }
    if loose:
        yield f"limits not held on this machine: {'; '.join(sorted(loose))}"


def verdict_text(checked: Checked) -> str:
    """The last line: one of three verdicts, and "ready" for the highest alone."""
    end = ": ready to upload" if checked.ready else ""
    return f"{shown(checked.zip_name)} {checked.verdict}{end} (sha256 {checked.sha256[:12]})."


def as_html(checked: Checked) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    parts = [f"<p>{_text(line)}</p>" for line in runs_text(checked)]
    for found in (*checked.told, *checked.unknown):
        mark = "unknown" if found.is_unknown else found.severity
        said = f"{mark} {found.code}: {found.message}"
        trace = f"<pre>{_text(found.detail)}</pre>" if found.detail else ""
        parts.append(
            f'<p><span class="{found.severity}">{_text(said)}</span><br>{_text(found.advice)}</p>{trace}'
        )
    if checked.unchecked:
        parts.append(f"<p>Not checked: {_text('; '.join(checked.unchecked))}.</p>")
    parts.append(f"<p><b>{_text(verdict_text(checked))}</b></p>")
    return f'{_STYLE}<div class="submission">{"".join(parts)}</div>'


def _run_text(run: Mapping[str, Any]) -> str:
    if not run["answered"]:
        return "no answer"
    parts = [f"{run['seconds']['start']:.1f} s to load"]
    cost = run["hidden_images"]
    if cost:
        seconds = max(cost["seconds"], 1.0)
        needs = f"about {seconds:.0f} s and {human_bytes(cost['peak_bytes'])}"
        parts.append(f"{needs} for {cost['images']:,} images (asked: {cost['asked']:,})")
    if run["accuracy"] is not None:
        parts.append(f"accuracy {run['accuracy']:.3f} on the images asked about")
    return ", ".join(parts)


def _text(value: str) -> str:
    return html.escape(several_lines(value))
