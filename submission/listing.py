"""What a packing found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from submission.amounts import human_bytes
from submission.findings import Finding
from submission.packager import Packed

LARGEST = 5
_MARKS = {"error": "error  ", "warning": "warning", "note": "note   "}


def as_text(packed: Packed) -> str:
    """The files, what was rewritten, the findings, the verdict and what to do next."""
    return "\n".join(
        [
            *files_text(packed.size, packed.files),
            *_rewritten(packed),
            *findings_text(packed.findings),
            *_end(packed),
        ]
    )


def findings_text(findings: Iterable[Finding]) -> list[str]:
    """Two lines a finding: what, and what to do."""
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.severity]} {finding.code}: {finding.message}")
        lines += [f"         {finding.advice}"] if finding.advice else []
    return lines


def files_text(size: int, files: Mapping[str, int]) -> list[str]:
    """The zip's size and its largest files."""
    largest = sorted(files.items(), key=lambda item: -item[1])[:LARGEST]
    lines = [f"  {human_bytes(bytes_):>10}  {name}" for name, bytes_ in largest]
    return [f"zip {human_bytes(size)}, {len(files)} files; the largest:", *lines]


def _rewritten(packed: Packed) -> Iterator[str]:
    for name, done in packed.backports.items():
        if done.changes:
            count = len(done.changes)
            yield f"{name}: saved by Keras {done.saved_with}, rewritten for Keras {done.target} ({count} changes)"


def _end(packed: Packed) -> Iterator[str]:
    if packed.zip_path is None:
        yield "Nothing was written: mend the errors above."
        return
    yield f"{packed.zip_path} looks right (sha256 {packed.sha256[:12]})."
    yield "Not checked: the server's memory, time limit, upload limit and packages are not known."
    if packed.split:
        yield f"The split is in {packed.split}: keep it beside the zip."
    yield f"next: local-eval {packed.zip_path}"
