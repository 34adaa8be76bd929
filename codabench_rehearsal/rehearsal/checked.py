"""All that is known of a zip: what the checks and the dry runs found, and how far the verdict reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.words import as_json
from codabench_rehearsal.rehearsal.checked_text import as_html, as_lines, files_text
from submission.findings import Finding, has_errors

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
